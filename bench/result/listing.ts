/** Lists beside their time: under which names samples hold it, and how a terminal shows it. */
import type { Row } from './schema.ts';
import { median } from './stats.ts';
import { printable } from './text.ts';

/** A call of one sample. */
export const firstEntry = 'first entry';
/** Counters of a sample: what the engine had for itself before the list, and at most in it. */
export const rssAnon = { before: 'engine.rssAnonBeforeBytes', most: 'engine.rssAnonMaxBytes' } as const;

const mb = 1e6;

/** What is promised of lists beside their time: when the first image comes, and how much memory the engine takes. */
export function listings(rows: readonly Row[]): string[] {
  const lines = rows.flatMap((row) => {
    const firsts = row.samples.flatMap(({ latency }) => latency.filter(({ call }) => call === firstEntry));
    const memory = row.samples.flatMap(({ counters }) => counters[rssAnon.most] ?? []);
    if (firsts.length === 0 || row.role === 'floor') return [];
    const ms = firsts.map(({ maxUs }) => maxUs / 1000);
    const first = `${median(ms).toFixed(1)} ms (at most ${Math.max(...ms).toFixed(1)})`;
    const most =
      memory.length === 0 ? '' : `, memory of the engine at most ${(Math.max(...memory) / mb).toFixed(0)} MB`;
    return [`  ${printable(row.subject)}: ${first}${most}`];
  });
  return lines.length === 0 ? [] : ['', 'first image of a list:', ...lines];
}
