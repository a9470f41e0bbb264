/** Where the model's terms come from: floors alone, and nothing that is predicted by them. */
import { expect, test } from 'vitest';
import { checkRows, modelPoints } from '../../bench/discard/check.ts';
import { counter } from '../../bench/discard/clients.ts';
import { floorNames, pairCounter } from '../../bench/discard/floors.ts';
import { asShipped, project } from '../../bench/discard/projection.ts';
import { subjectName } from '../../bench/discard/rows.ts';
import { besideAllTheTime, machineOf } from '../../bench/discard/terms.ts';
import { checkText } from '../../bench/discard/text.ts';
import type { Mode, Terms } from '../../bench/model/types.ts';
import { type Row, type Sample, sampleSchema } from '../../bench/result/schema.ts';

const mib = 1 << 20;
const gb = 1e9;
const blockBytes = 64 * mib;
const directions = ['write', 'restore'] as const;

interface Of {
  subject: string;
  workload?: Row['workload'];
  mode?: Mode | null;
  streams?: number;
  unit?: Row['unit'];
  role?: Row['role'];
  samples: Partial<Sample>[];
}

function row({
  subject,
  workload = 'orders',
  mode = null,
  streams = 1,
  unit = 'B/s',
  role = 'floor',
  samples,
}: Of): Row {
  const full = samples.map((sample) => sampleSchema.parse({ value: 0, seconds: 1, bytes: gb, cpu: null, ...sample }));
  return {
    ...{ subject, workload, mode, streams, unit, role },
    store: 'none',
    blockBytes,
    bytesPerStream: 0,
    samples: full,
  };
}

const cpu = (hostProgram: number) => ({ hostProgram, engine: null, rest: null });
const at = (rate: number): Partial<Sample>[] => [rate * 0.9, rate, rate * 5].map((value) => ({ value }));
/** A GB in a second, in which the copy was at work for 0.2 s and the digest for `digestS`. */
const pair = (digestS: number): Partial<Sample>[] => [
  {
    value: 5 * gb,
    cpu: cpu(0.2),
    seconds: 0.2,
    counters: { [pairCounter.digestUs]: digestS * 1e6, [pairCounter.digestBytes]: gb },
  },
];
const orders = (coordinatorUs: number): Partial<Sample>[] => [
  {
    cpu: cpu(1e-3),
    counters: { [counter.blocks]: 100, [counter.coordinator]: coordinatorUs * 100, [counter.lanes]: 5000 },
  },
];

function rowsOf(plugInRate: number): Row[] {
  const modes: Mode[] = ['io-only', 'sums', 'default'];
  return [
    row({ subject: floorNames.sha, samples: at(2 * gb) }),
    row({ subject: floorNames.besideSha, samples: pair(0.1) }),
    row({ subject: floorNames.process, unit: 'us', samples: [{ value: 40 }] }),
    row({ subject: floorNames.thread, unit: 'us', samples: [{ value: 20 }] }),
    row({ subject: floorNames.crc, samples: at(20 * gb) }),
    row({ subject: subjectName.submitter, mode: 'io-only', role: 'engine', samples: orders(30) }),
    ...directions.flatMap((workload) => [
      row({ subject: floorNames.copy[workload], samples: at(10 * gb) }),
      row({ subject: floorNames.pair[workload], samples: pair(0.1) }),
      row({
        subject: subjectName.tiny,
        workload,
        mode: 'io-only',
        unit: 's',
        role: 'engine',
        samples: [{ value: 0.003 }],
      }),
      row({ subject: subjectName.cold('io-only'), workload, mode: 'io-only', role: 'engine', samples: orders(150) }),
      row({ subject: subjectName.cold('sums'), workload, mode: 'sums', role: 'engine', samples: orders(300) }),
      ...modes.flatMap((mode) => [
        row({
          ...{ subject: subjectName.plugIn(mode), workload, mode, role: 'engine' },
          samples: at(plugInRate).map((sample) => ({ ...sample, bytes: 10 * blockBytes })),
        }),
      ]),
    ]),
  ];
}

const sums = { direction: 'write', mode: 'sums', streams: 1, blockBytes } as const;

test('the model takes no term that was not measured, and says which one it misses', () => {
  expect(() => machineOf([]).terms(sums)).toThrow(/the model needs the row/);
  for (const missing of [floorNames.copy.write, floorNames.pair.write, floorNames.crc, floorNames.process]) {
    const rows = rowsOf(gb).filter(({ subject }) => subject !== missing);
    expect(() => machineOf(rows).terms(sums)).toThrow(missing);
  }
});

test('a term that cannot be is named: with it the model would not end', () => {
  const rows = rowsOf(gb).map((row) => ({
    ...row,
    samples: row.samples.map((sample) => (row.subject === floorNames.crc ? { ...sample, value: -1 } : sample)),
  }));
  expect(() => machineOf(rows).terms(sums)).toThrow(/the model's term 'digest, alone' is -1 s a byte/);
});

test('terms are medians of their floors', () => {
  const { copy, digest, coordinatorS, laneS, processS, threadS, imagesS } = machineOf(rowsOf(gb)).terms(sums);
  expect(copy.alone * gb).toBeCloseTo(1 / 10);
  // 0.2 s for a GB instead of 0.1, while the digest was at work half of the time: it would be 0.3 all the time.
  expect(copy.besideDigests * gb).toBeCloseTo(0.3);
  expect((digest?.alone ?? 0) * gb).toBeCloseTo(1 / 20);
  expect((digest?.besideCopies ?? 0) * gb).toBeCloseTo(0.1);
  expect([coordinatorS, laneS, processS, threadS, imagesS].map((s) => s * 1e6)).toEqual([300, 50, 20, 10, 3000]);
});

test('a block costs the coordinator the same with SHA-256 as with CRC-64 alone', () => {
  const of = (mode: 'io-only' | 'sums' | 'default') =>
    machineOf(rowsOf(gb)).terms({ ...sums, mode }).coordinatorS * 1e6;
  expect([of('io-only'), of('sums'), of('default')]).toEqual([150, 300, 300]);
});

test('what was measured of a point changes no term, and its error alone', () => {
  const [slow, fast] = [rowsOf(5 * gb), rowsOf(10 * gb)];
  expect(machineOf(fast).terms(sums)).toEqual(machineOf(slow).terms(sums));
  const [a, b] = [checkRows(slow), checkRows(fast)];
  expect(a.map(({ prediction }) => prediction.rate)).toEqual(b.map(({ prediction }) => prediction.rate));
  expect((a[0]!.error + 1) / (b[0]!.error + 1)).toBeCloseTo(2);
});

test('every point stands in the result with its error and its interval', () => {
  const points = modelPoints(rowsOf(9 * gb));
  expect(points.map(({ mode, workload }) => `${mode} ${workload}`)).toHaveLength(6);
  for (const point of points) {
    expect(point).toMatchObject({ streams: 1, blockBytes, n: 3, measured: 9 * gb, low: 8.1 * gb, high: 45 * gb });
    expect(point.error).toBeCloseTo(point.predicted / point.measured - 1);
    expect(point.spread).toBeCloseTo((45 - 8.1) / 2 / 9);
  }
});

test('a point is met within 15 % of its median, and one whose samples lie farther apart is told as such, met or not', () => {
  const [one] = checkRows(rowsOf(9 * gb));
  const line = (error: number, spread: number): string =>
    checkText([{ ...one!, error, spread }])
      .split('\n')[1]!
      .replace(one!.prediction.limit, '|');
  expect(line(0.15, 0.02)).toMatch(/15 % {4}\|/);
  expect(line(0.15, 0.2)).toMatch(/15 % {2}~ \|/);
  expect(line(-0.16, 0.02)).toMatch(/-16 % ! {2}\|/);
  expect(line(0.16, 0.2)).toMatch(/16 % !~ \|/);
  expect(checkText([one!, { ...one!, error: 0.3 }])).toMatch(/2 points, 1 of them within/);
});

test('what a part of the time cost is what all of it would, by the part', () => {
  expect(besideAllTheTime(1, 1.5, 0.5)).toBe(2);
  expect(besideAllTheTime(1, 1.5, 1)).toBe(1.5);
  expect(besideAllTheTime(1, 1.5, 1.02)).toBe(1.5);
  // Cheaper beside another one is noise, and no reason to go on to less than nothing.
  expect(besideAllTheTime(1, 0.4, 0.3)).toBe(0.4);
});

test('a larger port, more digest lanes and more io lanes move what limits a large server', () => {
  const cost = (rate: number) => ({ alone: 1 / rate, besideCopies: 1 / rate, besideDigests: 1 / rate });
  const terms: Terms = {
    ...{ copy: cost(8 * gb), digest: cost(1.6 * gb), coordinatorS: 3e-4, laneS: 3e-4, clientS: 7e-6 },
    ...{ processS: 2e-5, threadS: 2e-5, imagesS: 0 },
  };
  const limit = (cores: number, nodes: number, gbit: number, digestLanes: number | null, ioLanes: number): string =>
    project(() => terms, 16, { ...asShipped, cores, nodes, gbit, digestLanes, ioLanes }, 'default', 'write').limit;
  expect(limit(32, 1, 100, null, 16)).toBe('network port');
  expect(limit(32, 2, 200, null, 16)).toBe('digest lanes');
  expect(limit(128, 4, 400, null, 16)).toBe('io lanes');
  expect(limit(128, 4, 400, null, 64)).toBe('digest lanes');
  expect(limit(128, 4, 400, 64, 64)).toBe('network port');
  expect(limit(128, 1, 400, 64, 64)).toBe('memory');
});
