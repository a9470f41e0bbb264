import { expect, test } from 'vitest';
import { noisyReasons } from '../../bench/result/noisy.ts';
import type { Row } from '../../bench/result/schema.ts';
import { textReport } from '../../bench/text-report.ts';
import { result, row } from '../support/results.ts';

const quiet = [1.0e9, 1.001e9, 0.999e9, 1.002e9, 0.998e9, 1.0e9];
const twin = (values: readonly number[]): Row => row(values, { role: 'twin', subject: 'engine, default (A/A)' });
const { conditions } = result([]);
const reasonsOf = (rows: Row[], loadBefore = 0): string[] =>
  noisyReasons({ rows, conditions: { ...conditions, loadBefore }, cut: null });

test('a quiet run has no reason; each other one says what to do', () => {
  expect(reasonsOf([row(quiet), twin(quiet)])).toEqual([]);
  expect(reasonsOf([row(quiet), twin(quiet)], 30)).toEqual([
    expect.stringMatching(/^load before it was 30\.00, more than .*\. Start it when/),
  ]);
  expect(reasonsOf([row(quiet.slice(0, 2)), twin(quiet.slice(0, 2))])).toEqual([
    expect.stringMatching(/^n = 2: .*\. Give --alternations 6, or more$/),
  ]);
  expect(reasonsOf([row(quiet), twin(quiet.map((value) => value * 1.1))])).toEqual([
    expect.stringMatching(/^the engine and its twin differ by 10\.0 %.*\. Longer images \(--size\)/),
  ]);
  const wild = quiet.map((value, i) => value * (1 + i / 5));
  expect(reasonsOf([row(wild), twin(wild)])).toEqual([
    expect.stringMatching(/^an interval is .* wide, more than 10\.0 %.*\. More --alternations/),
  ]);
  const stolen = row(quiet);
  for (const sample of stolen.samples) sample.counters['cpu.stealS'] = sample.seconds * conditions.cores * 0.1;
  expect(reasonsOf([stolen, twin(quiet)])).toEqual([
    expect.stringMatching(/^the hypervisor took 5\.0 % .*\. Measure at a quieter hour/),
  ]);
});

test('the text says of an interval what it covers, and gives none for one sample', () => {
  const heading = (n: number): string =>
    textReport(result([row(quiet.slice(0, n))]))
      .split('\n')
      .find((line) => line.includes('x floor')) ?? '';
  expect(heading(6)).toMatch(/ 95 % interval .*CPU s\/GB: host +engine +rest$/);
  expect(heading(2)).toMatch(/ 50 % interval /);
  expect(heading(1)).toMatch(/ interval /);
  expect(heading(1)).not.toContain('%');
  expect(textReport(result([row([1e9])]))).toMatch(/engine, default +1\.000 GB\/s +- +1 /);
});
