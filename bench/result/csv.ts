/**
 * One line a sample, by RFC 4180. The first columns are always there and in this order; behind them come latencies,
 * shares and counters, as many as the result has, sorted by name; empty where a sample has none. docs/bench-result.md
 * has them in words. Series are in the JSON only.
 */
import type { Result, Row, Sample } from './schema.ts';

type Cell = string | number | null;

/** Name and value, of result, row and sample. */
const fixed: readonly [name: string, of: (result: Result, row: Row, sample: Sample, index: number) => Cell][] = [
  ['run', ({ id }) => id],
  ['startedAt', ({ startedAt }) => startedAt],
  ['host', ({ conditions }) => conditions.host],
  ['noisy', ({ noisy }) => (noisy.length > 0 ? 1 : 0)],
  ['workload', (_, { workload }) => workload],
  ['subject', (_, { subject }) => subject],
  ['role', (_, { role }) => role],
  ['mode', (_, { mode }) => mode],
  ['store', (_, { store }) => store],
  ['streams', (_, { streams }) => streams],
  ['blockBytes', (_, { blockBytes }) => blockBytes],
  ['bytesPerStream', (_, { bytesPerStream }) => bytesPerStream],
  ['unit', (_, { unit }) => unit],
  ['sample', (_result, _row, _sample, index) => index + 1],
  ['value', (_result, _row, { value }) => value],
  ['seconds', (_result, _row, { seconds }) => seconds],
  ['bytes', (_result, _row, { bytes }) => bytes],
  ['at', (_result, _row, { at }) => at ?? null],
  ['cpuHostProgramS', (_result, _row, { cpu }) => cpu?.hostProgram ?? null],
  ['cpuEngineS', (_result, _row, { cpu }) => cpu?.engine ?? null],
  ['cpuRestS', (_result, _row, { cpu }) => cpu?.rest ?? null],
];

export const fixedColumns: readonly string[] = fixed.map(([name]) => name);

function more({ latency, shares, counters }: Sample): Map<string, number> {
  const found = new Map<string, number>();
  for (const { call, ...times } of latency)
    for (const [name, value] of Object.entries(times)) found.set(`latency.${call}.${name}`, value);
  for (const [name, value] of Object.entries(shares ?? {})) found.set(`share.${name}`, value);
  for (const [name, value] of Object.entries(counters)) found.set(`counter.${name}`, value);
  return found;
}

/** A spreadsheet runs text that begins like a formula: an apostrophe before it makes it text. */
function cell(value: Cell): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(result: Result): string {
  const names = new Set(result.rows.flatMap(({ samples }) => samples.flatMap((sample) => [...more(sample).keys()])));
  const rest = [...names].sort();
  const lines = [[...fixedColumns, ...rest].map(cell)];
  for (const row of result.rows) {
    for (const [index, sample] of row.samples.entries()) {
      const found = more(sample);
      lines.push([
        ...fixed.map(([, of]) => cell(of(result, row, sample, index))),
        ...rest.map((name) => cell(found.get(name) ?? null)),
      ]);
    }
  }
  return lines.map((cells) => `${cells.join(',')}\r\n`).join('');
}
