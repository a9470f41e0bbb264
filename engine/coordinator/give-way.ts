/**
 * The janitor gives way to lists: it starts with the engine and looks at every image, as does the first list, and what both
 * ask for at once would make that list wait for another lane to start, ten times as long as a step of the janitor takes.
 */

/** A step that takes longer than this is no reason to wait: its storage hangs, and another lane may do better. */
const stepMs = 100;
/** Lists that never end do not keep the janitor from its work. */
const starvedMs = 200;

export class GiveWay {
  readonly #stepMs: number;
  readonly #starvedMs: number;
  #lists = 0;
  #step: Promise<unknown> | null = null;
  #quiet: PromiseWithResolvers<void> | null = null;

  constructor(limits: { stepMs?: number; starvedMs?: number } = {}) {
    this.#stepMs = limits.stepMs ?? stepMs;
    this.#starvedMs = limits.starvedMs ?? starvedMs;
  }

  /** A list's call: behind the step under way, and before the next one. */
  async list<T>(work: () => Promise<T>): Promise<T> {
    this.#lists++;
    try {
      if (this.#step !== null) await atMost(this.#step, this.#stepMs);
      return await work();
    } finally {
      this.#lists--;
      if (this.#lists === 0) this.#quiet?.resolve();
    }
  }

  /** The janitor's; of several rounds at once, on as many mounts, lists wait for the step that began last. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    if (this.#lists > 0) {
      this.#quiet ??= Promise.withResolvers();
      await atMost(this.#quiet.promise, this.#starvedMs);
      this.#quiet = null;
    }
    const step = work();
    this.#step = step;
    try {
      return await step;
    } finally {
      if (this.#step === step) this.#step = null;
    }
  }
}

async function atMost(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise.catch(() => undefined), late]);
  clearTimeout(timer);
}
