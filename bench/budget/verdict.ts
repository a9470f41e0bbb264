/** Figures beside the budget: what fails, and the table that people read. */

import type { Figure } from './figures.ts';
import type { Budget, BudgetEntry } from './schema.ts';

export interface Judged {
  readonly figure: Figure;
  readonly entry: BudgetEntry;
  readonly over: boolean;
}

export interface Verdict {
  readonly judged: readonly Judged[];
  /** Figures without an entry and entries without a figure: the budget would guard less than it says. */
  readonly strays: readonly string[];
}

/** `only`: entries of these runs alone. */
export function judge(
  { entries }: Budget,
  figures: readonly Figure[],
  only: (run: string) => boolean = () => true,
): Verdict {
  const left = new Map<string, BudgetEntry>();
  for (const entry of entries) {
    for (const run of entry.in.filter(only)) left.set(`${run}: ${entry.what}`, entry);
  }
  const judged: Judged[] = [];
  const strays: string[] = [];
  for (const figure of figures) {
    const name = `${figure.run}: ${figure.what}`;
    const entry = left.get(name);
    left.delete(name);
    if (entry === undefined) strays.push(`${name} has no entry in bench/budget.json`);
    else if (entry.unit !== figure.unit)
      strays.push(`${name} is counted in "${figure.unit}", its entry says "${entry.unit}"`);
    else judged.push({ figure, entry, over: isOver(entry, figure.value) });
  }
  for (const name of left.keys()) strays.push(`${name} has an entry in bench/budget.json, and was not counted`);
  return { judged, strays };
}

function isOver({ kind, limit }: BudgetEntry, value: number | null): boolean {
  return kind === 'count' && limit !== null && value !== null && !(value <= limit);
}

export function passes({ judged, strays }: Verdict): boolean {
  return strays.length === 0 && !judged.some(({ over }) => over);
}

export function plainNumber(value: number | null): string {
  if (value === null) return '-';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.05 ? 3 : 5)));
}

/** One line a figure, in the order in which they were taken; then what is wrong, and why each limit is as it is. */
export function verdictText(verdict: Verdict): string {
  const lines: string[] = [];
  let run = '';
  for (const { figure, entry, over } of verdict.judged) {
    if (figure.run !== run) lines.push('', figure.run);
    run = figure.run;
    const state = over ? 'OVER' : figure.value === null ? 'skipped' : entry.kind === 'count' ? 'ok' : 'reported';
    const limit = entry.kind === 'count' ? `limit ${plainNumber(entry.limit)}` : `usual ${plainNumber(entry.limit)}`;
    const value = plainNumber(figure.value).padStart(10);
    lines.push(
      `  ${state.padEnd(9)}${figure.what.padEnd(44)}${value}  ${limit.padEnd(14)} ${figure.unit}${figure.skipped === '' ? '' : `: ${figure.skipped}`}`,
    );
  }
  const over = verdict.judged.filter((one) => one.over);
  const counts = verdict.judged.filter(({ entry, figure }) => entry.kind === 'count' && figure.value !== null).length;
  lines.push('');
  for (const { figure, entry } of over) {
    lines.push(
      `OVER ${figure.run}: ${figure.what}: ${plainNumber(figure.value)} ${figure.unit}, limit ${plainNumber(entry.limit)}: ${entry.why}`,
    );
  }
  for (const stray of verdict.strays) lines.push(`WRONG ${stray}`);
  lines.push(
    passes(verdict)
      ? `within the budget: ${counts} counts; docs/developers/budget.md`
      : `not within the budget: ${over.length} of ${counts} counts are over, ${verdict.strays.length} entries are wrong; docs/developers/budget.md says what to do`,
  );
  return `${lines.join('\n').trimStart()}\n`;
}
