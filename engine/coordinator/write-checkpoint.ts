/** Checkpoints of one image that goes into a bucket, as its writer drives them: see transfer/checkpoints.ts. */
import { Checkpoints } from '../transfer/checkpoints.ts';
import type { Context } from './context.ts';
import { flushTarget } from './write-durable.ts';
import type { WriteTarget } from './write-target.ts';

export class WriteCheckpoints {
  readonly #ctx: Context;
  readonly #target: WriteTarget;
  readonly #plan: Checkpoints;
  readonly #slotBytes: number;
  #sent: number;
  #running = false;

  constructor(ctx: Context, target: WriteTarget) {
    const { writeBufferCount, blockBytes } = ctx.settings;
    const aheadBytes = writeBufferCount * blockBytes;
    this.#ctx = ctx;
    this.#target = target;
    this.#slotBytes = blockBytes;
    this.#sent = target.meta.size;
    this.#plan = new Checkpoints({
      start: target.partStart,
      stepBytes: aheadBytes / 2,
      aheadBytes,
      sha: target.frontier !== null,
    });
    target.shaReached = (offset, state) => this.#plan.digested(offset, state);
  }

  submitted(end: number): void {
    this.#plan.submitted(end);
  }
  sent(end: number): void {
    this.#sent = Math.max(this.#sent, end);
  }

  /** The next block may be sent: not too much would be sent again. */
  get maySend(): boolean {
    return this.#plan.maySend(this.#sent + this.#slotBytes, this.#target.durable.size);
  }

  /** What is to be done now, or null. Throws Failed. */
  due(): (() => Promise<void>) | null {
    if (this.#running) return null;
    const { coverage, durable } = this.#target;
    const covered = coverage.coveredTo(0);
    const next = this.#plan.next(covered, durable.size, covered === this.#sent && !this.maySend);
    if (next === null) return null;
    this.#running = true;
    return async () => {
      try {
        await flushTarget(this.#ctx, this.#target, next.size, next);
        this.#plan.reached(next.size);
      } finally {
        this.#running = false;
      }
    };
  }
}
