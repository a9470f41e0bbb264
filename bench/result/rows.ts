/** Which rows belong together: the same measurement of two runs, a floor or a twin of an engine's row. */
import type { Row } from './schema.ts';
import { estimate, median, pairedRatios } from './stats.ts';

/** How a row of B stands to the same row of A. */
export type Verdict = 'faster' | 'slower' | 'no difference' | 'no verdict';

/** All that was set for a row; two rows with the same key measured the same. */
export function rowKey(row: Row): string {
  const { workload, subject, role, mode, store, streams, blockBytes, bytesPerStream, unit } = row;
  return JSON.stringify([workload, subject, role, mode, store, streams, blockBytes, bytesPerStream, unit]);
}

/** The same load, whoever carried it. */
export function sameLoad(a: Row, b: Row): boolean {
  return (
    a.workload === b.workload &&
    a.streams === b.streams &&
    a.blockBytes === b.blockBytes &&
    a.bytesPerStream === b.bytesPerStream &&
    a.unit === b.unit
  );
}

export function moreIsBetter(unit: Row['unit']): boolean {
  return unit === 'B/s' || unit === 'per s';
}

export const values = (row: Row): number[] => row.samples.map(({ value }) => value);

/** 'write · engine, default · 4 streams · 64 MiB blocks': as people name it. */
export function rowName(row: Row): string {
  const parts = [row.workload, row.subject, `${row.streams} ${row.streams === 1 ? 'stream' : 'streams'}`];
  if (row.blockBytes > 0) parts.push(`${sizeText(row.blockBytes)} blocks`);
  if (row.bytesPerStream > 0) parts.push(eachText(row));
  return parts.join(' · ');
}

/** How much each stream moves. */
export function eachText({ workload, bytesPerStream }: Pick<Row, 'workload' | 'bytesPerStream'>): string {
  return workload === 'list' ? `${bytesPerStream} images` : `${sizeText(bytesPerStream)} each`;
}

export function sizeText(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const)
    if (bytes >= size) return `${Number((bytes / size).toPrecision(3))} ${unit}`;
  return `${bytes} B`;
}

function better(a: Row, b: Row): number {
  const [x, y] = [median(values(a)), median(values(b))];
  return moreIsBetter(a.unit) ? y - x : x - y;
}

/** One with copy stands beside the bare ones. */
export function isBareFloor({ role, copies }: Row): boolean {
  return role === 'floor' && copies !== true;
}

/** Of another store they guard or carry something else. */
function floorsOf(rows: readonly Row[], row: Row): Row[] {
  return rows.filter(
    (other) => other.role === 'floor' && other.samples.length > 0 && other.store === row.store && sameLoad(other, row),
  );
}

/** The floor that it names, and no other one: what was not measured is no ratio. Of rows that name none the best bare one of the same load. */
export function floorOf(rows: readonly Row[], row: Row): Row | null {
  const floors = floorsOf(rows, row).filter(isBareFloor);
  if (row.floor !== undefined) return floors.find(({ subject }) => subject === row.floor) ?? null;
  return floors.toSorted(better)[0] ?? null;
}

/** The best floor with copy of the same load. */
export function copyFloorOf(rows: readonly Row[], row: Row): Row | null {
  return (
    floorsOf(rows, row)
      .filter((floor) => !isBareFloor(floor))
      .toSorted(better)[0] ?? null
  );
}

export interface AaError {
  readonly row: Row;
  /** |median of the ratios within one alternation − 1|. */
  readonly error: number;
}

/** The error of the method: each twin against the engine that it is the twin of. */
export function aaErrors(rows: readonly Row[]): AaError[] {
  return rows.flatMap((twin): AaError[] => {
    if (twin.role !== 'twin') return [];
    const row = rows.find(
      (other) =>
        other.role === 'engine' && other.mode === twin.mode && other.store === twin.store && sameLoad(other, twin),
    );
    const error =
      row === undefined ? Number.NaN : Math.abs(estimate(pairedRatios(values(twin), values(row))).median - 1);
    return row === undefined || !Number.isFinite(error) ? [] : [{ row, error }];
  });
}

/** Of the same load where it has a twin, else the greatest of the run; null: the run has no twin. */
export function aaErrorOf(errors: readonly AaError[], row: Row): number | null {
  const own = errors.filter((entry) => sameLoad(entry.row, row) && entry.row.store === row.store);
  const counted = own.length > 0 ? own : errors;
  return counted.length === 0 ? null : Math.max(...counted.map(({ error }) => error));
}
