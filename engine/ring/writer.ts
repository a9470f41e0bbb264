import { ringBell } from './doorbell.ts';
import {
  type AtomicsLike,
  capacityOf,
  checkRecord,
  firstRecordWord,
  headWord,
  recordWords,
  tailWord,
  type Words,
} from './layout.ts';

/**
 * The producing end: one per ring, used by one thread. Write as many records as there are, then publish once.
 * A new writer on old memory goes on behind the last published record.
 */
export class RingWriter {
  readonly #atomics: AtomicsLike;
  readonly #words: Words;
  readonly #capacity: number;
  /** Index of the next record to write, and of the first that is not published. */
  #next: number;
  #published: number;
  /** The head as last read: it may lag behind, which only makes the ring look fuller than it is. */
  #headSeen: number;

  constructor(memory: SharedArrayBuffer, atomics: AtomicsLike = Atomics) {
    this.#atomics = atomics;
    this.#capacity = capacityOf(memory);
    this.#words = new Int32Array(memory);
    this.#published = atomics.load(this.#words, tailWord);
    this.#next = this.#published;
    this.#headSeen = atomics.load(this.#words, headWord);
  }

  /**
   * Copies 16 words into the ring; the reader sees them from the next publish on.
   *
   * @returns false when the ring is full: nothing was copied
   * @throws RangeError when `record` is not 16 words
   */
  tryWrite(record: Int32Array): boolean {
    checkRecord(record);
    const next = this.#next;
    if (((next - this.#headSeen) | 0) === this.#capacity) {
      // The reader's line is fetched only here, once a lap at best, and not with every record.
      this.#headSeen = this.#atomics.load(this.#words, headWord);
      if (((next - this.#headSeen) | 0) === this.#capacity) return false;
    }
    const words = this.#words;
    const place = firstRecordWord + (next & (this.#capacity - 1)) * recordWords;
    for (let i = 0; i < recordWords; i++) words[place + i] = record[i];
    this.#next = (next + 1) | 0;
    return true;
  }

  /** Makes everything written so far visible at once, and rings the bell if the reader sleeps. */
  publish(): void {
    if (this.#next === this.#published) return;
    // Sequentially consistent: the records are visible before the tail that covers them.
    this.#atomics.store(this.#words, tailWord, this.#next);
    this.#published = this.#next;
    ringBell(this.#words, this.#atomics);
  }

  /** Records that tryWrite would take now. Only this end can make it smaller. */
  get free(): number {
    this.#headSeen = this.#atomics.load(this.#words, headWord);
    return this.#capacity - ((this.#next - this.#headSeen) | 0);
  }
}
