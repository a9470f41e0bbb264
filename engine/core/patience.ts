/**
 * Whether it pays to look for a moment before going to sleep: waking a thread costs 20 to 60 µs on both sides, on a
 * virtual machine whose idle processor has to be woken, which is more than most metadata calls take.
 *
 * Looking that found nothing is tried less and less often, once in 64 waits at last: what waits for long sleeps.
 */
export class Patience {
  #misses = 0;
  #skips = 0;

  /** Asked before each wait. */
  get worthALook(): boolean {
    if (this.#skips === 0) return true;
    this.#skips--;
    return false;
  }

  /** What the look brought. */
  looked(found: boolean): void {
    this.#misses = found ? 0 : Math.min(this.#misses + 1, missesMax);
    this.#skips = (1 << this.#misses) - 1;
  }
}

const missesMax = 6;
/** Milliseconds of one look: about what a wake-up costs. */
export const lookMs = 0.06;
