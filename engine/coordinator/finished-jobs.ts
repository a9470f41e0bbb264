/** What STATUS tells of the last jobs, and what each storage could do before. */
import type { Best, FinishedJob } from '../core/shares.ts';

/** Of which STATUS tells. */
export const finishedMax = 64;
/** Shorter jobs are begin and end. */
export const bestBytesMin = 1 << 30;
/** Storages in two directions: more than a configuration has. */
const storagesMax = 512;

export class FinishedJobs {
  readonly #jobs: FinishedJob[] = [];
  readonly #best = new Map<string, Best>();

  /** `root`: the mount or bucket of its server. */
  add(job: FinishedJob, root: string): void {
    this.#jobs.push(job);
    if (this.#jobs.length > finishedMax) this.#jobs.shift();
    this.#remember(job, root);
  }

  /** The fastest job until now on this storage, in this direction. */
  best({ server, mode }: Pick<FinishedJob, 'server' | 'mode'>, root: string): Best | null {
    return this.#best.get(keyOf(server, mode, root)) ?? null;
  }

  /** The last one first. */
  get latest(): readonly FinishedJob[] {
    return this.#jobs.toReversed();
  }

  #remember(job: FinishedJob, root: string): void {
    const { server, mode, bytes, seconds, endedAt: at } = job;
    if (mode === 'copy' || bytes < bestBytesMin || seconds <= 0) return;
    const bytesPerSecond = Math.round(bytes / seconds);
    if (bytesPerSecond <= (this.best(job, root)?.bytesPerSecond ?? 0)) return;
    const key = keyOf(server, mode, root);
    if (this.#best.size >= storagesMax && !this.#best.has(key)) return;
    this.#best.set(key, { bytesPerSecond, at });
  }
}

function keyOf(server: string, mode: string, root: string): string {
  return JSON.stringify([server, mode, root]);
}
