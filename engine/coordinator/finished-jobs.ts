/** What STATUS tells of the last jobs. */
import type { FinishedJob } from '../core/shares.ts';

/** Of which STATUS tells. */
export const finishedMax = 64;

export class FinishedJobs {
  readonly #jobs: FinishedJob[] = [];

  add(job: FinishedJob): void {
    this.#jobs.push(job);
    if (this.#jobs.length > finishedMax) this.#jobs.shift();
  }

  /** The last one first. */
  get latest(): readonly FinishedJob[] {
    return this.#jobs.toReversed();
  }
}
