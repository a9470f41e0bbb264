/**
 * When a pending image in a bucket becomes durable by itself, so that a resume sends little again: at the end of a part,
 * once every byte below it is stored and digested, and the SHA state there is known. Only so far ahead of what is durable
 * may blocks be sent at all.
 */
import { partEnd } from '../core/parts.ts';

export interface CheckpointOptions {
  /** Bytes below lie in parts, at open. */
  start: number;
  /** A checkpoint is worth its requests when it makes this much more durable, bytes. */
  stepBytes: number;
  /** Bytes above the durable size that may be sent. */
  aheadBytes: number;
  /** A checkpoint needs the state of SHA-256 at its end. */
  sha: boolean;
}

export interface Checkpoint {
  size: number;
  /** Null: without SHA-256, or the state stands at the very end of what was written. */
  shaState: Uint8Array | null;
}

/** More ends than blocks can be ahead. */
const endsMax = 1024;

export class Checkpoints {
  readonly #options: CheckpointOptions;
  /** Ends of parts above the durable size, rising. */
  #ends: Checkpoint[] = [];
  #start: number;

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#start = options.start;
  }

  /** A block was submitted that brings the image to `end`. */
  submitted(end: number): void {
    const start = partEnd(this.#start, end);
    if (start === this.#start) return;
    this.#start = start;
    if (this.#ends.length < endsMax) this.#ends.push({ size: start, shaState: null });
  }

  /** SHA-256 has come to `offset`. */
  digested(offset: number, state: () => Uint8Array): void {
    const end = this.#ends.find(({ size }) => size === offset);
    if (end !== undefined) end.shaState = state();
  }

  /** May a block be sent that brings the image to `end`? */
  maySend(end: number, durable: number): boolean {
    return end - durable <= this.#options.aheadBytes;
  }

  /**
   * The next one, or null. `covered`: everything below is stored and digested; `stuck`: nothing is under way, and the next
   * block may not be sent.
   */
  next(covered: number, durable: number, stuck: boolean): Checkpoint | null {
    const { sha, stepBytes } = this.#options;
    const good = this.#ends.filter(({ size, shaState }) => size <= covered && (!sha || shaState !== null));
    const best = good.at(-1);
    if (best !== undefined && best.size - durable >= stepBytes) return best;
    // Parts that end inside a block: what was written is kept as a whole, its tail in an object of its own.
    return stuck && covered > durable ? { size: covered, shaState: null } : null;
  }

  /** It is durable up to here. */
  reached(size: number): void {
    this.#ends = this.#ends.filter((end) => end.size > size);
  }
}
