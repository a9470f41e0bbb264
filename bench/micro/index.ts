/** The micro half of the bench: one file a part. */
import type { Micro } from '../result/schema.ts';
import { timeText } from '../result/text.ts';
import { addonCalls } from './addon.ts';
import { handover } from './arena.ts';
import { checksums } from './checksums.ts';
import { codec } from './codec.ts';
import { type MicroOptions, measured } from './harness.ts';
import { ring, ringThreads } from './ring.ts';
import { planner, scheduler } from './scheduler.ts';
import { texts } from './texts.ts';

export async function micro(options: MicroOptions): Promise<Micro[]> {
  const found: Micro[] = [];
  for (const group of [ring, codec, planner, scheduler, texts, checksums, addonCalls]) {
    found.push(...(await measured(group(), options)));
  }
  found.push(...(await measured(await handover(), options)));
  found.push(...(await ringThreads(options)));
  return found;
}

/** For a terminal. */
export function microText(rows: readonly Micro[]): string {
  const head = `${'parts alone (tinybench)'.padEnd(52)}${'mean'.padStart(12)}${'p50'.padStart(12)}${'p99'.padStart(12)}${'± %'.padStart(7)}${'GB/s'.padStart(8)}${'n'.padStart(12)}`;
  const lines = rows.map(({ name, meanNs, p50Ns, p99Ns, rme, bytes, n, share }) => {
    if (share !== undefined)
      return `${name.padEnd(52)}${`${(share * 100).toFixed(1)} %`.padStart(12)}${''.padStart(39)}${String(n).padStart(12)}`;
    const rate = bytes === 0 ? '' : (bytes / meanNs).toFixed(2);
    const times = [meanNs, p50Ns, p99Ns].map((ns) => timeText(ns).padStart(12)).join('');
    return `${name.padEnd(52)}${times}${rme.toFixed(1).padStart(7)}${rate.padStart(8)}${String(n).padStart(12)}`;
  });
  return `${[head, ...lines].join('\n')}\n`;
}
