/**
 * The one store that all mounts of a storage server must show. Which it is, is known from the first mount that opened, in
 * the order of mount_points, and then for as long as the engine runs: a mount that shows another is never used.
 */
import { within } from '../lanes/drain.ts';

/** How long a mount waits for those before it to show theirs: at start all are opened at once. */
const turnMs = 2000;

export class OneStore {
  readonly #tried: readonly PromiseWithResolvers<void>[];
  readonly #paths: readonly string[];
  #id: string | null = null;
  #from = '';

  constructor(paths: readonly string[]) {
    this.#paths = paths;
    this.#tried = paths.map(() => Promise.withResolvers<void>());
  }

  /** Null: no mount has been opened yet. */
  get id(): string | null {
    return this.#id;
  }
  /** The mount that showed it first. */
  get from(): string {
    return this.#from;
  }

  /** Mount `place` shows `id`. Returns the id that it must show. */
  async show(place: number, id: string): Promise<string> {
    await within(Promise.all(this.#tried.slice(0, place).map(({ promise }) => promise)), turnMs);
    if (this.#id === null) {
      this.#id = id;
      this.#from = this.#paths[place] as string;
    }
    return this.#id;
  }

  /** Opening mount `place` has ended, one way or the other. */
  tried(place: number): void {
    this.#tried[place]?.resolve();
  }
}
