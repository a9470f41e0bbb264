/** Which rows stand in which plot, and what is read from them. */
import { isBareFloor, moreIsBetter, sizeText, values } from '../result/rows.ts';
import type { Row, Sample } from '../result/schema.ts';
import { type Estimate, estimate, median } from '../result/stats.ts';
import { plural } from './units.ts';

export const workloadTitles: Record<Row['workload'], string> = {
  write: 'Write',
  restore: 'Restore',
  mixed: 'Mixed',
  'small-images': 'Small images',
  'random-read': 'Random reads',
  copy: 'Copy',
  list: 'List',
  control: 'Control calls',
  orders: 'Orders without a device',
};

/** What can stand on one axis: the same work in the same unit, blocks and store; streams and subjects vary. */
export interface Group {
  readonly title: string;
  readonly unit: Row['unit'];
  readonly rows: readonly Row[];
}

/** Twins are the error of the method and stand in its table alone. */
export const measured = (rows: readonly Row[]): Row[] =>
  rows.filter(({ samples, role }) => samples.length > 0 && role !== 'twin');

function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

export function groups(all: readonly Row[]): Group[] {
  const rows = measured(all);
  const manyStores = distinct(rows.map(({ store }) => store)).length > 1;
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.workload, row.store, row.blockBytes, row.unit]);
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  const blocksOf = (workload: string): number =>
    distinct(rows.filter((row) => row.workload === workload && row.blockBytes > 0).map(({ blockBytes }) => blockBytes))
      .length;
  return [...found.values()].map((members) => {
    const { workload, store, blockBytes, unit } = members[0];
    const parts = [workloadTitles[workload]];
    if (manyStores) parts.push(store === 's3' ? 'S3' : store);
    if (blocksOf(workload) > 1 && blockBytes > 0) parts.push(`${sizeText(blockBytes)} blocks`);
    return { title: parts.join(', '), unit, rows: members };
  });
}

export const streamsOf = (rows: readonly Row[]): number[] =>
  distinct(rows.map(({ streams }) => streams)).sort((a, b) => a - b);

export interface Line {
  readonly subject: string;
  readonly role: Row['role'];
  readonly mode: Row['mode'];
  readonly rows: readonly Row[];
}

/** The best of several subjects at each number of streams, as one line. */
function envelope(name: string, rows: readonly Row[]): Line[] {
  if (rows.length === 0) return [];
  const subjects = distinct(rows.map(({ subject }) => subject));
  const best = streamsOf(rows).map((streams) => {
    const sign = moreIsBetter(rows[0].unit) ? 1 : -1;
    return rows
      .filter((row) => row.streams === streams)
      .reduce((a, b) => (sign * median(values(b)) > sign * median(values(a)) ? b : a));
  });
  const subject = subjects.length === 1 ? subjects[0] : name;
  return [{ subject, role: rows[0].role, mode: null, rows: best }];
}

/** The default mode is the headline, the others stand beside it; then the plain plug-in, floors, peers. */
export const rank = ({ role, mode }: Pick<Row, 'role' | 'mode'>): number =>
  role === 'engine'
    ? ['default', 'sums', 'io-only', null].indexOf(mode)
    : 10 + ['plain', 'floor', 'peer'].indexOf(role);

/** Engines and the plain plug-in each; of floors and of peers the best: the rest is in the tables. */
export function lines(rows: readonly Row[]): Line[] {
  const each = rows.filter(({ role }) => role === 'engine' || role === 'plain').toSorted((a, b) => rank(a) - rank(b));
  const own = distinct(each.map(({ subject }) => subject)).map((subject): Line => {
    const mine = each.filter((row) => row.subject === subject).toSorted((a, b) => a.streams - b.streams);
    return { subject, role: mine[0].role, mode: mine[0].mode, rows: mine };
  });
  return [
    ...own,
    ...envelope(
      'best floor',
      rows.filter((row) => isBareFloor(row)),
    ),
    ...envelope(
      'best floor with copy',
      rows.filter((row) => row.role === 'floor' && !isBareFloor(row)),
    ),
    ...envelope(
      'fastest peer',
      rows.filter(({ role }) => role === 'peer'),
    ),
  ];
}

export const estimateOf = (row: Row, of: (sample: Sample) => number = ({ value }) => value): Estimate =>
  estimate(row.samples.map(of));

/** 'n = 7, interval covers 98 %': of all rows of a plot. */
export function samplesText(rows: readonly Row[]): string {
  const counts = distinct(rows.map(({ samples }) => samples.length)).sort((a, b) => a - b);
  if (counts.length === 0) return 'n = 0';
  const n = counts.length === 1 ? `n = ${counts[0]}` : `n = ${counts[0]}–${counts.at(-1)}`;
  const { coverage } = estimate(new Array<number>(counts[0]).fill(1));
  return coverage === 0 ? `${n}, no interval` : `${n}, bars: ${Math.floor(coverage * 100)} % interval`;
}

export const streamsText = (streams: number): string => plural(streams, 'stream');

export interface CpuPerGb {
  readonly hostProgram: number | null;
  readonly engine: number | null;
  readonly rest: number | null;
}

/** Medians of CPU seconds per 10^9 bytes; null: not accounted, or nothing moved. */
export function cpuPerGb(row: Row): CpuPerGb {
  const part = (name: keyof CpuPerGb): number | null => {
    const known = row.samples.flatMap(({ cpu, bytes }) => {
      const seconds = cpu?.[name] ?? null;
      return seconds === null || !(bytes > 0) ? [] : [seconds / (bytes / 1e9)];
    });
    return known.length === 0 ? null : median(known);
  };
  return { hostProgram: part('hostProgram'), engine: part('engine'), rest: part('rest') };
}

/** The sample in the middle, whose series stands for the row. */
export function medianSample(row: Row): Sample {
  const sorted = row.samples.toSorted((a, b) => a.value - b.value);
  return sorted[(sorted.length - 1) >> 1];
}
