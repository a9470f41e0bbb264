/**
 * The janitor gives way to lists: it starts with the engine and looks at every image, as does the first list, and what both
 * ask for at once would make that list wait for another lane to start, ten times as long as a step of the janitor takes.
 */

import { within } from '../lanes/drain.ts';

/** A step that takes longer than this is no reason to wait: its storage hangs, and another lane may do better. */
const stepMs = 100;
/** So long after a call of a list the next one may come: its client looks at what it was told. */
const pauseMs = 20;
/** Lists that never end do not keep the janitor from its work, nor does a call of theirs that hangs. */
const starvedMs = 200;

export class GiveWay {
  readonly #stepMs: number;
  readonly #starvedMs: number;
  readonly #pauseMs: number;
  #lists = 0;
  /** Runs while a list is between two calls, as far as is known. */
  #pause: NodeJS.Timeout | null = null;
  #step: Promise<unknown> | null = null;
  #quiet: PromiseWithResolvers<void> | null = null;

  constructor(limits: { stepMs?: number; starvedMs?: number; pauseMs?: number } = {}) {
    this.#stepMs = limits.stepMs ?? stepMs;
    this.#starvedMs = limits.starvedMs ?? starvedMs;
    this.#pauseMs = limits.pauseMs ?? pauseMs;
  }

  /** A list's call: behind the step under way, and before the next one. */
  async list<T>(work: () => Promise<T>): Promise<T> {
    this.#lists++;
    this.#endPause();
    let counts = true;
    const leave = (pauseMs: number): void => {
      if (counts) this.#listLeft(pauseMs);
      counts = false;
    };
    const late = setTimeout(leave, this.#starvedMs, 0);
    late.unref();
    try {
      await this.#behindStep();
      return await work();
    } finally {
      clearTimeout(late);
      leave(this.#pauseMs);
    }
  }

  /** The janitor's; of several rounds at once, on as many mounts, lists wait for the step that began last. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    if (this.#lists > 0 || this.#pause !== null) {
      this.#quiet ??= Promise.withResolvers();
      await within(this.#quiet.promise, this.#starvedMs);
    }
    const step = work();
    this.#step = step;
    try {
      return await step;
    } finally {
      if (this.#step === step) this.#step = null;
    }
  }

  async #behindStep(): Promise<void> {
    const step = this.#step;
    if (step === null) return;
    const ended = await within(
      step.catch(() => undefined),
      this.#stepMs,
    );
    // It has been waited for once: the calls behind this one, of a long list thousands, go past it.
    if (!ended && this.#step === step) this.#step = null;
  }

  #listLeft(pauseMs: number): void {
    this.#lists--;
    if (this.#lists > 0) return;
    if (pauseMs === 0) {
      this.#beQuiet();
      return;
    }
    this.#pause = setTimeout(() => this.#beQuiet(), pauseMs);
    this.#pause.unref();
  }

  #endPause(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
  }

  #beQuiet(): void {
    this.#endPause();
    this.#quiet?.resolve();
    this.#quiet = null;
  }
}
