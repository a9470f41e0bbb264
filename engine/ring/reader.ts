import { sleep, sleepAsync } from './doorbell.ts';
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
 * The consuming end: one per ring, used by one thread. Read as many records as there are, then release once.
 * A new reader on old memory goes on with the first record that was not released.
 */
export class RingReader {
  readonly #atomics: AtomicsLike;
  readonly #words: Words;
  readonly #mask: number;
  /** Index of the next record to read, and of the first that was not given back. */
  #next: number;
  #released: number;
  /** The tail as last read: it may lag behind, which only makes the ring look emptier than it is. */
  #tailSeen: number;
  #pending: Promise<boolean> | undefined;

  constructor(memory: SharedArrayBuffer, atomics: AtomicsLike = Atomics) {
    this.#atomics = atomics;
    this.#mask = capacityOf(memory) - 1;
    this.#words = new Int32Array(memory);
    this.#released = atomics.load(this.#words, headWord);
    this.#next = this.#released;
    this.#tailSeen = atomics.load(this.#words, tailWord);
  }

  /**
   * Copies the next record out. Its place stays taken until release.
   *
   * @returns false when nothing is there: `into` is untouched
   * @throws RangeError when `into` is not 16 words
   */
  tryRead(into: Int32Array): boolean {
    checkRecord(into);
    if (!this.#ready()) return false;
    const words = this.#words;
    const place = firstRecordWord + (this.#next & this.#mask) * recordWords;
    for (let i = 0; i < recordWords; i++) into[i] = words[place + i];
    this.#next = (this.#next + 1) | 0;
    return true;
  }

  /** Gives the places of all records read so far back to the writer. */
  release(): void {
    if (this.#next === this.#released) return;
    // Sequentially consistent: the copies above are done before the writer may overwrite their places.
    this.#atomics.store(this.#words, headWord, this.#next);
    this.#released = this.#next;
  }

  /**
   * Blocks the thread until a record is there. Releases first: a sleeper must not hold places the writer waits for.
   *
   * @param timeoutMs milliseconds; for ever when not given
   * @returns true: a record is there; false: the time is over and none is
   * @throws Error while a waitAsync is pending: the two would switch off each other's bell
   */
  wait(timeoutMs = Number.POSITIVE_INFINITY): boolean {
    if (this.#pending) throw new Error('wait called while waitAsync is pending on the same ring');
    this.release();
    if (this.#ready()) return true;
    this.#tailSeen = sleep(this.#words, this.#next, timeoutMs, this.#atomics);
    return this.#tailSeen !== this.#next;
  }

  /**
   * Like wait, without blocking. It does not keep an event loop alive: whoever waits holds a handle of its own.
   * While one is pending, further calls get the same promise and its timeout.
   *
   * @returns true: a record is there; false: none is: the time is over, or what came was read meanwhile
   */
  waitAsync(timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (this.#pending) return this.#pending;
    this.release();
    if (this.#ready()) return Promise.resolve(true);
    this.#pending = this.#sleepAsync(timeoutMs);
    return this.#pending;
  }

  async #sleepAsync(timeoutMs: number): Promise<boolean> {
    try {
      // The result may be older than what was read meanwhile; then the next look answers.
      await sleepAsync(this.#words, this.#next, timeoutMs, this.#atomics);
      return this.#ready();
    } finally {
      this.#pending = undefined;
    }
  }

  #ready(): boolean {
    if (this.#next !== this.#tailSeen) return true;
    this.#tailSeen = this.#atomics.load(this.#words, tailWord);
    return this.#next !== this.#tailSeen;
  }
}
