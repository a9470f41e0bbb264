/** What hours of rounds say: whether rates drift, rounds fail, or the engine keeps memory, files or handles. */
import type { Soak, SoakRound } from '../result/schema.ts';
import { estimate, median } from '../result/stats.ts';

/** Fewer rounds say nothing about a trend. */
const roundsMin = 12;
const roundsKept = 4000;
const driftMin = 0.1;
const memoryGrowth = 1.1;
const memoryGrowthBytes = 32 << 20;
const filesGrowth = 4;
const errorsKept = 50;

/** Rounds as they come, thinned evenly when they become many: the whole time stays visible. */
export class Rounds {
  readonly errors: string[] = [];
  #kept: SoakRound[] = [];
  #every = 1;
  #count = 0;
  #failed = 0;

  add(round: SoakRound): void {
    if (this.#count++ % this.#every !== 0) return;
    this.#kept.push(round);
    if (this.#kept.length < roundsKept) return;
    this.#kept = this.#kept.filter((_, i) => i % 2 === 0);
    this.#every *= 2;
  }

  failed(at: number, text: string): void {
    this.#count++;
    this.#failed++;
    if (this.errors.length < errorsKept) this.errors.push(`after ${at.toFixed(0)} s: ${text.slice(0, 500)}`);
  }

  soak(hours: number): Soak {
    const { errors } = this;
    const rounds = this.#kept;
    const verdict = [...failures(this.#failed, this.#count, errors), ...drifts(rounds), ...leaks(rounds)];
    return { hours, rounds: this.#count, failed: this.#failed, errors, verdict, trend: rounds };
  }
}

function failures(failed: number, all: number, errors: readonly string[]): string[] {
  return failed === 0 ? [] : [`errors: ${failed} of ${all} rounds failed; the first ${errors[0] ?? ''}`];
}

/** First and last third; rounds before them warm up. Null: too few. */
function ends<T>(values: readonly T[]): { first: T[]; last: T[] } | null {
  const counted = values.slice(Math.min(2, Math.floor(values.length / 10)));
  if (counted.length < roundsMin) return null;
  const third = Math.floor(counted.length / 3);
  return { first: counted.slice(0, third), last: counted.slice(-third) };
}

function drifts(rounds: readonly SoakRound[]): string[] {
  const found: string[] = [];
  for (const streams of [...new Set(rounds.map((round) => round.streams))]) {
    const own = rounds.filter((round) => round.streams === streams);
    for (const what of ['writeRate', 'restoreRate'] as const) {
      const parts = ends(own.map((round) => round[what]));
      if (parts === null) continue;
      const [first, last] = [estimate(parts.first), estimate(parts.last)];
      const apart = first.low > last.high || last.low > first.high;
      const change = last.median / first.median - 1;
      if (!apart || Math.abs(change) < driftMin) continue;
      const [from, to] = [first, last].map((one) => (one.median / 1e9).toFixed(3));
      const name = what === 'writeRate' ? 'write' : 'restore';
      found.push(`drift: ${name}, ${streams} streams: from ${from} to ${to} GB/s, ${(change * 100).toFixed(0)} %`);
    }
  }
  return found;
}

/** All are looked at between rounds, when nothing is open. */
function leaks(rounds: readonly SoakRound[]): string[] {
  const found: string[] = [];
  const memory = ends(rounds.map(({ memoryBytes }) => memoryBytes));
  if (memory !== null) {
    const [first, last] = [median(memory.first), median(memory.last)];
    if (last > first * memoryGrowth + memoryGrowthBytes) {
      found.push(`leak: memory of the engine from ${(first / 1e6).toFixed(0)} to ${(last / 1e6).toFixed(0)} MB`);
    }
  }
  const files = ends(rounds.map((round) => round.files));
  if (files !== null && Math.min(...files.last) >= Math.max(...files.first) + filesGrowth) {
    found.push(`leak: open files of the engine from ${Math.max(...files.first)} to ${Math.min(...files.last)}`);
  }
  const handles = ends(rounds.map((round) => round.handles));
  if (handles !== null && Math.min(...handles.last) > 0) {
    found.push(`leak: ${Math.min(...handles.last)} handles stay open between rounds`);
  }
  return found;
}

export function soakText({ hours, rounds, failed, errors, verdict, trend }: Soak): string {
  const last = trend.at(-1);
  const lines = [
    `soak of ${hours.toFixed(2)} h: ${rounds} rounds, ${failed} failed`,
    ...(last === undefined
      ? []
      : [
          `engine at the end: ${(last.memoryBytes / 1e6).toFixed(0)} MB, ${last.files} open files, ${last.handles} handles`,
        ]),
    ...errors.slice(0, 5).map((error) => `  ${error}`),
  ];
  const few = trend.length < roundsMin ? ` (fewer than ${roundsMin} rounds: nothing is said about a trend)` : '';
  lines.push(verdict.length === 0 ? `VERDICT: steady${few}` : `VERDICT: not steady${few}`);
  return `${[...lines, ...verdict.map((one) => `  ${one}`)].join('\n')}\n`;
}
