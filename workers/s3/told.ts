/** Posts what changed to the coordinator: soon, and at most a few times a second. */

const postMsMin = 250;

export class Told {
  readonly #post: () => void;
  #timer: NodeJS.Timeout | null = null;
  #again = false;

  constructor(post: () => void) {
    this.#post = post;
  }

  /** Something changed. The first is told at once, those that follow in one. */
  changed = (): void => {
    if (this.#timer !== null) {
      this.#again = true;
      return;
    }
    this.#post();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#again) return;
      this.#again = false;
      this.changed();
    }, postMsMin);
    this.#timer.unref();
  };

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#again = false;
  }
}
