/** The frame of the micro half. */
import { expect, test } from 'vitest';
import { measured, microOfTimes } from '../../bench/micro/harness.ts';
import { microText } from '../../bench/micro/index.ts';

const options = { quick: true, signal: new AbortController().signal };

test('times that something else took become mean, percentiles and the error of the mean', () => {
  const times = Array.from({ length: 100 }, (_, i) => 100 - i);
  const one = microOfTimes('x', times);
  expect(one).toMatchObject({ name: 'x', meanNs: 50.5, p50Ns: 51, p99Ns: 100, n: 100 });
  // The deviation of 1 … 100 is 29.01: 1.96 of it over the root of 100, of 50.5.
  expect(one.rme).toBeCloseTo(11.26, 1);
});

test('an operation in batches is counted by operations, and a group is let go of also when one fails', async () => {
  let [runs, ends] = [0, 0];
  const run = (): void => void runs++;
  const end = (): void => void ends++;
  const [one] = await measured({ cases: [{ name: 'one', batch: 8, bytes: 5, run }], end }, options);
  expect(one?.n).toBeGreaterThanOrEqual(8);
  expect((one?.n ?? 1) % 8).toBe(0);
  expect(runs).toBeGreaterThanOrEqual(one?.n ?? 0);
  expect(one?.bytes).toBe(5);
  const bad = { name: 'bad', run: (): never => expect.fail('not today') };
  await expect(measured({ cases: [bad], end }, options)).rejects.toThrow(/bad was not measured.*not today/);
  expect(ends).toBe(2);
  const none = { meanNs: 0, p50Ns: 0, p99Ns: 0, rme: 0, bytes: 0 };
  expect(microText([{ name: 'bells', ...none, n: 9, share: 0.25 }])).toContain('25.0 %');
});
