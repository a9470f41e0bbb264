import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { merge } from '../../bench/result/merge.ts';
import type { Result, Sample } from '../../bench/result/schema.ts';
import { bytesWithin } from '../../bench/result/window.ts';
import { result, row, sample } from '../support/results.ts';
import { runs } from '../support/seed.ts';

/** A media server whose samples begin `late` seconds behind the others'. */
function server(n: number, rates: readonly number[], late = 0, over: Partial<Sample> = {}): Result {
  const base = result([]);
  return {
    ...base,
    id: n.toString(16).padStart(32, '0'),
    startedAt: new Date(Date.parse(base.startedAt) + late * 1000).toISOString(),
    conditions: { ...base.conditions, host: `media${n}` },
    rows: [row([], { samples: rates.map((rate, i) => sample(rate, { at: 10 * i, ...over })) })],
  };
}

test('rates add up over the time in which all ran', () => {
  const merged = merge([server(1, [1e9, 2e9]), server(2, [3e9, 4e9], 1)]);
  const [first, second] = merged.rows[0].samples;
  expect(first).toMatchObject({ value: 4e9, seconds: 4, bytes: 16e9, at: 1 });
  expect(second.value).toBe(6e9);
  // CPU seconds of four fifths of the bytes of each.
  expect(first.cpu?.engine).toBeCloseTo(2 * 2 * 0.8);
  expect(first.latency[0]).toMatchObject({ call: 'write', n: 200, maxUs: 50 });
  expect(first.counters).toEqual({ 'tcp.retransSegs': 6 });
  expect(first.shares).toEqual({ copy: 0.25, device: 0.75 });
  expect(merged.merged).toEqual([
    { host: 'media1', id: '1'.padStart(32, '0'), firstDone: 5, lastDone: 15, bytes: 15e9 },
    { host: 'media2', id: '2'.padStart(32, '0'), firstDone: 6, lastDone: 16, bytes: 35e9 },
  ]);
  expect(merged.conditions).toMatchObject({ host: 'media1 | media2', cores: 4 });
  expect(merged.seconds).toBe(1001);
  expect(merged.noisy).toEqual([]);
});

test('a series says how much of the bytes lay in the window', () => {
  const timed = { sample: sample(0, { seconds: 2.5, bytes: 50, series: [10, 20, 20] }), from: 100, to: 102.5 };
  expect(bytesWithin(timed, { from: 100, to: 101.5 })).toBe(20);
  expect(bytesWithin(timed, { from: 102, to: 102.25 })).toBe(10);
  expect(bytesWithin(timed, { from: 0, to: 1000 })).toBe(50);
  const series = [5e9, 0, 0, 0, 0];
  // All of it flowed before the second media server began.
  const merged = merge([server(1, [1e9], 0, { series }), server(2, [1e9], 1, { series: [1e9, 1e9, 1e9, 1e9, 1e9] })]);
  expect(merged.rows[0].samples[0]).toMatchObject({ bytes: 4e9, series: [1e9, 1e9, 1e9, 1e9] });
});

test('of times the longest counts, rates of things add up', () => {
  const both = (unit: 's' | 'per s'): number => {
    const parts = [server(1, [3]), server(2, [5])].map((one) => ({ ...one, rows: [{ ...one.rows[0], unit }] }));
    return merge(parts).rows[0].samples[0].value;
  };
  expect(both('s')).toBe(5);
  expect(both('per s')).toBe(8);
});

test('what cannot be added is refused by name', () => {
  const fails = (results: Result[], text: RegExp): void => expect(() => merge(results)).toThrow(text);
  const [one, two] = [server(1, [1, 2]), server(2, [3, 4])];
  fails([one], /two results/);
  fails([one, one], /is among them twice/);
  fails([one, server(2, [3, 4], 2000)], /media1 had ended .* before media2 started/);
  fails(
    [one, server(2, [3, 4], 7)],
    /sample 1 of row write · engine, default .* same time everywhere \(2\.0 s apart\): start .*--size/,
  );
  fails([one, server(2, [3])], /has 2 and 1 samples .*: run both to their end/);
  fails([one, { ...two, rows: [...two.rows, row([1], { streams: 16 })] }], /16 streams .* is of media2 only/);
  const settings = { ...two.conditions, data: { ...two.conditions.data, compress: 2 } };
  fails([one, { ...two, conditions: settings }], /conditions\.data\.compress is 1 on media1 and 2 on media2/);
  fails([one, { ...two, conditions: { ...two.conditions, engine: '9' } }], /conditions\.engine/);
});

test('little time together, unknown times and noise of one are noise of all', () => {
  expect(merge([server(1, [1]), server(2, [1], 3)]).noisy[0]).toContain('less than half');
  const merged = merge([
    server(1, [1e9], 0, { at: undefined }),
    { ...server(2, [1e9]), noisy: ['load 3'], cut: 'time' },
  ]);
  expect(merged.noisy).toEqual([
    'media2: load 3',
    'results do not say when their samples began: they were taken to have begun together',
  ]);
  expect(merged.cut).toBe('media2: time');
  expect(merged.rows[0].samples[0].value).toBe(2e9);
  expect(merged.rows[0].samples[0].at).toBe(undefined);
});

test('merging goes in any order and in steps', () => {
  const rates = fc.array(fc.integer({ min: 1_000_000, max: 1_000_000_000 }), { minLength: 3, maxLength: 3 });
  const late = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(rates, late, (rate, seconds) => {
      const [a, b, c] = rate.map((value, i) => server(i + 1, [value, 2 * value], seconds[i]));
      const all = merge([a, b, c]);
      expect(merge([c, a, b])).toEqual(all);
      for (const steps of [merge([merge([a, b]), c]), merge([a, merge([c, b])])]) {
        expect(steps.id).toBe(all.id);
        expect(steps.merged).toEqual(all.merged);
        expect(steps.startedAt).toBe(all.startedAt);
        for (const [i, { value, bytes, seconds: length, cpu }] of all.rows[0].samples.entries()) {
          const other = steps.rows[0].samples[i];
          expect(other.value / value).toBeCloseTo(1, 9);
          expect(other.bytes / bytes).toBeCloseTo(1, 9);
          expect(other.seconds).toBeCloseTo(length, 9);
          expect(other.cpu?.engine).toBeCloseTo(cpu?.engine as number, 9);
        }
      }
    }),
    runs(50),
  );
});
