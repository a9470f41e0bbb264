/** Numbers for people: one unit and one number of digits for all that stands in a column or at an axis. */
import type { Row } from '../result/schema.ts';

export interface Unit {
  readonly label: string;
  /** Value of a row in this unit. */
  of(value: number): number;
  text(value: number): string;
}

function unit(label: string, divisor: number, digits: number): Unit {
  const of = (value: number): number => value / divisor;
  return { label, of, text: (value) => fixed(of(value), digits) };
}

/** A minus of typography, and a dash where there is no number. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '–';
  return value.toFixed(digits).replace('-', '−');
}

/** Three digits that say something, for a value that stands alone. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  return size < 0.001 ? value.toExponential(1) : fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** By the greatest of them. */
export function unitFor(kind: Row['unit'], values: readonly number[]): Unit {
  const top = values.reduce((max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max), 0);
  switch (kind) {
    case 'B/s':
      return top >= 2e8
        ? unit('GB/s', 1e9, 2)
        : top >= 2e5
          ? unit('MB/s', 1e6, top >= 2e7 ? 1 : 2)
          : unit('kB/s', 1e3, 1);
    case 'per s':
      return unit('per s', 1, top >= 1000 ? 0 : top >= 10 ? 1 : 3);
    case 's':
      return top >= 1 ? unit('s', 1, 2) : unit('ms', 1e-3, top >= 0.1 ? 1 : 2);
    case 'us':
      return top >= 10_000 ? unit('ms', 1e3, 1) : unit('µs', 1, top >= 100 ? 0 : 1);
  }
}

/** µs in a table. */
export function durationText(us: number, digits: (value: number) => string = short): string {
  if (!Number.isFinite(us)) return '–';
  if (us >= 1e6) return `${digits(us / 1e6)} s`;
  return us >= 1000 ? `${digits(us / 1000)} ms` : `${digits(us)} µs`;
}

/** µs at an axis, where values are round: 20 ms, not 20.0 ms. */
export const roundDuration = (us: number): string => durationText(us, (value) => String(Number(value.toPrecision(3))));

export function percentText(part: number): string {
  return `${fixed(part * 100, Math.abs(part) < 0.1 ? 1 : 0)} %`;
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** Labels of an axis: all with as many digits as the finest step needs. */
export function tickTexts(ticks: readonly number[]): string[] {
  const digits = Math.max(0, ...ticks.map((tick) => (String(Number(tick.toPrecision(6))).split('.')[1] ?? '').length));
  return ticks.map((tick) => fixed(tick, Math.min(digits, 6)));
}
