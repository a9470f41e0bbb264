/** The frame of the micro half, and what the model refuses to guess. */
import { expect, test } from 'vitest';
import { parametersFrom } from '../../bench/discard/check.ts';
import { project } from '../../bench/discard/projection.ts';
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

test('the model takes no parameter that was not measured', () => {
  expect(() => parametersFrom([])).toThrow(/the model needs/);
});

test('a larger port, more digest lanes and more io lanes move what limits a large server', () => {
  const gb = 1e9;
  const machine = {
    ...{ cores: 2, nodes: 1, memoryRate: 1, linkRate: 1, cacheBytes: 0 },
    ...{ copyRate: 9 * gb, copyBusyRate: 8 * gb, copyCachedRate: 9 * gb, copyOutRate: 9 * gb, copyOutBusyRate: 8 * gb },
    ...{ crcRate: 20 * gb, shaRate: 1.6 * gb, zeroRate: 10 * gb, zeroBusyRate: 8 * gb, freeRate: 99 * gb },
    ...{ touchRate: 2 * gb, touchBusyRate: 2 * gb },
  };
  const cold = () => ({ coordinatorS: 3e-4, laneS: 3e-4 });
  const costs = {
    ...{ coordinatorS: 2e-5, coordinatorMibS: 1e-6, cold, orderS: () => 4e-5, laneS: 2e-5, submitS: 7e-6 },
    ...{ processS: 2e-5, threadS: 2e-5, imageS: 0 },
  };
  const limit = (cores: number, nodes: number, gbit: number, digestLanes: number | null, ioLanes: number): string => {
    const server = { cores, nodes, gbit, pinned: true, digestLanes, ioLanes };
    return project({ machine, costs }, server, 'default', 'write').limit;
  };
  expect(limit(32, 1, 100, null, 16)).toBe('network port');
  expect(limit(32, 2, 200, null, 16)).toBe('digest lanes');
  expect(limit(128, 4, 400, null, 16)).toBe('io lanes');
  expect(limit(128, 4, 400, null, 64)).toBe('digest lanes');
  expect(limit(128, 4, 400, 64, 64)).toBe('network port');
  expect(limit(128, 1, 400, 64, 64)).toBe('memory');
});
