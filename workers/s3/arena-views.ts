/**
 * The arenas from which one open file is sent, or into which it is received, as arrays.
 *
 * A view of a slot counts as a slot's worth of memory for the garbage collector: made anew for every block it set off one
 * collection after the other, a fifth of the thread's time. So an arena is viewed once, as a whole, for as long as the file
 * is open. Short ranges are viewed by themselves: for a small image the whole would cost more than it saves.
 */
import { errno } from '../../engine/core/errors.ts';
import { addon } from '../../native/addon/index.ts';
import { type Piece, SlotBytes } from '../http/body.ts';
import { failed } from './failures.ts';

const wholeFromBytes = 8 * 1024 * 1024;

interface Whole {
  readonly view: Uint8Array<ArrayBuffer>;
  users: number;
}

export class ArenaViews {
  readonly #wholes = new Map<number, Whole>();
  #closed = false;

  /** The memory stays mapped while `work` is under way, whoever closes the arena meanwhile. Throws StoreError. */
  async use<Result>(
    arena: number,
    offset: number,
    length: number,
    work: (view: Uint8Array) => Promise<Result>,
  ): Promise<Result> {
    if (length < wholeFromBytes || this.#closed) return this.#useRange(arena, offset, length, work);
    const whole = this.#whole(arena);
    if (offset + length > whole.view.length) failed('memory', `arena ${arena}`, errno.EFAULT);
    whole.users++;
    try {
      return await work(whole.view.subarray(offset, offset + length));
    } finally {
      this.#leave(whole);
    }
  }

  /**
   * The same for bytes that are sent: an array of a long range is made only when somebody asks for one. A view of one
   * byte holds the arena meanwhile.
   */
  async send<Result>(
    arena: number,
    offset: number,
    length: number,
    work: (bytes: Piece) => Promise<Result>,
  ): Promise<Result> {
    if (length < wholeFromBytes || this.#closed) return this.#useRange(arena, offset, length, work);
    const bytes = addon.arenaBytes(arena);
    if (bytes >= 0 && offset + length > bytes) failed('memory', `arena ${arena}`, errno.EFAULT);
    return this.#useRange(arena, offset, 1, async () => {
      let whole: Whole | null = null;
      const show = (from: number, count: number): Uint8Array => {
        if (whole === null) {
          whole = this.#whole(arena);
          whole.users++;
        }
        return whole.view.subarray(from, from + count);
      };
      try {
        return await work(new SlotBytes(arena, offset, length, show));
      } finally {
        this.#leave(whole);
      }
    });
  }

  /** Lets go of all that nobody uses, and of the others when their work ends. */
  close(): void {
    this.#closed = true;
    this.#dropUnused();
  }

  async #useRange<Result>(
    arena: number,
    offset: number,
    length: number,
    work: (view: Uint8Array) => Promise<Result>,
  ): Promise<Result> {
    const view = viewOf(arena, offset, length);
    try {
      return await work(view);
    } finally {
      addon.arenaDetach(view);
    }
  }

  #leave(whole: Whole | null): void {
    if (whole === null) return;
    whole.users--;
    if (this.#closed) this.#dropUnused();
  }

  #whole(arena: number): Whole {
    const known = this.#wholes.get(arena);
    if (known !== undefined) return known;
    // The file goes on in another arena, as it does when memory is scarce: the one before may be closed by now.
    this.#dropUnused((id) => addon.arenaBytes(id) === -errno.EBADF);
    const bytes = addon.arenaBytes(arena);
    if (bytes < 0) failed('memory', `arena ${arena}`, -bytes);
    const whole = { view: viewOf(arena, 0, bytes), users: 0 };
    this.#wholes.set(arena, whole);
    return whole;
  }

  #dropUnused(which: (arena: number) => boolean = () => true): void {
    for (const [arena, { view, users }] of this.#wholes) {
      if (users > 0 || !which(arena)) continue;
      this.#wholes.delete(arena);
      addon.arenaDetach(view);
    }
  }
}

function viewOf(arena: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const view = addon.arenaView(arena, offset, length);
  if (typeof view === 'number') failed('memory', `arena ${arena}`, -view);
  return view;
}
