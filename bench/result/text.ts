/** Comparison and merged result for a terminal: plain lines, figures under each other. */
import type { ComparedRow, Comparison } from './compare.ts';
import type { ComparedMicro } from './compare-micro.ts';
import { rowName } from './rows.ts';
import type { Micro, Result, Row } from './schema.ts';
import { type Estimate, estimate } from './stats.ts';

/** Text of a file may try to move the cursor. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
}

export function valueText(value: number, unit: Row['unit']): string {
  if (!Number.isFinite(value)) return '-';
  if (unit === 'B/s') return `${(value / 1e9).toFixed(value < 1e8 ? 4 : 3)} GB/s`;
  if (unit === 'per s') return `${value.toFixed(value < 100 ? 1 : 0)} /s`;
  return unit === 's' ? `${value.toFixed(3)} s` : `${value.toFixed(1)} µs`;
}

/** Of parts alone. */
export function timeText(ns: number): string {
  if (!Number.isFinite(ns)) return '-';
  if (ns < 1e3) return `${ns.toFixed(1)} ns`;
  return ns < 1e6 ? `${(ns / 1e3).toFixed(2)} µs` : `${(ns / 1e6).toFixed(2)} ms`;
}

/** `coverage`: said where it is less than what stands above the column. */
function intervalText({ low, high }: { low: number; high: number }, coverage = 1): string {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return '[-]';
  const less = coverage < 0.95 ? ` of ${(coverage * 100).toFixed(0)} %` : '';
  return `[${low.toFixed(3)}, ${high.toFixed(3)}]${less}`;
}

/** Columns as wide as their widest cell; the first to the left, figures to the right. */
function table(rows: readonly (readonly string[])[], left: readonly number[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((cells) => cells[i].length)));
  return rows.map((cells) =>
    cells
      .map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  );
}

/** How B stands to A: the last cells of a compared line. */
function verdictCells(compared: ComparedRow | ComparedMicro): string[] {
  const { ratio, margin, verdict, reason } = compared;
  return [
    Number.isFinite(ratio) ? ratio.toFixed(3) : '-',
    intervalText(compared, 'coverage' in compared ? compared.coverage : 1),
    `${(margin * 100).toFixed(1)} %`,
    reason === '' ? verdict : `${verdict}: ${printable(reason)}`,
  ];
}

function comparedLine(compared: ComparedRow): string[] {
  const { name, row, a, b } = compared;
  const value = (one: Estimate): string => `${valueText(one.median, row.unit)} (${one.n})`;
  return [printable(name), value(a), value(b), ...verdictCells(compared)];
}

function microLine(compared: ComparedMicro): string[] {
  const { name, a, b } = compared;
  const value = ({ p50Ns, share }: Micro): string =>
    share === undefined ? timeText(p50Ns) : `${(share * 100).toFixed(1)} %`;
  return [printable(name), value(a), value(b), ...verdictCells(compared)];
}

export function comparisonText(comparison: Comparison): string {
  const { a, b, rows, micro, onlyA, onlyB, conditions, notes } = comparison;
  const lines = [
    `A  ${printable(a.startedAt)}  ${printable(a.id)}`,
    `B  ${printable(b.startedAt)}  ${printable(b.id)}`,
  ];
  for (const [name, { noisy }] of [
    ['A', a],
    ['B', b],
  ] as const)
    for (const reason of noisy) lines.push(`${name} is noisy: ${printable(reason)}`);
  lines.push(...notes.map(printable), '');
  if (rows.length === 0 && micro.length === 0) lines.push('No row is in both.');
  if (rows.length > 0) {
    const head = ['row', 'A: median (n)', 'B: median (n)', 'B / A', '95 % interval', 'allowed', 'B is'];
    lines.push(...table([head, ...rows.map(comparedLine)], [0, 6]));
  }
  if (micro.length > 0) {
    const head = ['part', 'A: median', 'B: median', 'B / A', 'of means', 'allowed', 'B is'];
    lines.push('', ...table([head, ...micro.map(microLine)], [0, 6]));
  }
  for (const [name, only] of [
    ['A', onlyA],
    ['B', onlyB],
  ] as const)
    if (only.length > 0) lines.push('', `In ${name} only:`, ...only.map((row) => `  ${printable(row)}`));
  if (conditions.length > 0) {
    lines.push('', 'Conditions that differ:');
    lines.push(
      ...table(
        conditions.map((one) => [`  ${one.name}`, one.a, one.b].map(printable)),
        [0, 1, 2],
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

export function mergedText(result: Result): string {
  const { merged, rows, noisy, startedAt } = result;
  const servers = merged.map(({ host, firstDone, lastDone, bytes }) => [
    printable(host),
    firstDone.toFixed(1),
    lastDone.toFixed(1),
    (bytes / 1e9).toFixed(2),
  ]);
  const lines = [`${merged.length} media servers, from ${printable(startedAt)}`];
  lines.push(...noisy.map((reason) => `noisy: ${printable(reason)}`), '');
  lines.push(...table([['media server', 'first done, s', 'last done, s', 'GB'], ...servers], [0]), '');
  const measured = rows.filter(({ samples }) => samples.length > 0);
  const sums = measured.map((row) => {
    const { median, low, high, n } = estimate(row.samples.map(({ value }) => value));
    return [
      printable(rowName(row)),
      valueText(median, row.unit),
      `[${valueText(low, row.unit)}, ${valueText(high, row.unit)}]`,
      String(n),
    ];
  });
  if (sums.length > 0) lines.push(...table([['row, all servers', 'median', 'interval', 'n'], ...sums], [0]));
  return `${lines.join('\n')}\n`;
}
