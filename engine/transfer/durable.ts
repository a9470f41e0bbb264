/**
 * What of a pending image survives power loss, and how many sums stand in its file.
 *
 * The durable size only falls before a write below it is submitted to storage: the pending meta then says the start of
 * the chunk that the write begins in, and the sums count up to there. It rises with a successful flush.
 */
import { assert } from '../core/assert.ts';

export interface DurableOptions {
  /** From the meta; 0 for a new image. */
  size: number;
  reopened: boolean;
  chunkBytes?: number;
}

export class Durable {
  readonly #chunkBytes: number;
  #size: number;
  #sumsChunks: number;
  /** The first write of a reopened image may not begin beyond this. */
  #firstLimit: number;

  constructor(options: DurableOptions) {
    this.#chunkBytes = options.chunkBytes ?? 1024 * 1024;
    this.#size = options.size;
    this.#firstLimit = options.reopened ? options.size : Infinity;
    this.#sumsChunks = Math.floor(options.size / this.#chunkBytes);
  }

  get size(): number {
    return this.#size;
  }

  /** Sums in the file that still count: a flush appends from here. */
  get sumsChunks(): number {
    return this.#sumsChunks;
  }

  /**
   * Judges the first write after reopening: beyond the durable size it is refused. Returns the missing range or null.
   * Holes that later writes leave are told by flush and close.
   */
  firstWrite(offset: number): { offset: number; length: number } | null {
    const limit = this.#firstLimit;
    if (offset > limit) return { offset: limit, length: offset - limit };
    this.#firstLimit = Infinity;
    return null;
  }

  /**
   * Bytes at and above `offset` will change: sums from that chunk on are to be written anew. Returns the durable size
   * that the meta must say before the write is submitted, or null: it may stand as it is.
   */
  rewriteFrom(offset: number): number | null {
    const chunk = Math.floor(offset / this.#chunkBytes);
    this.#sumsChunks = Math.min(this.#sumsChunks, chunk);
    return offset < this.#size ? chunk * this.#chunkBytes : null;
  }

  /** The meta says `to` now. */
  lowered(to: number): void {
    assert(to < this.#size, 'a durable size is lowered');
    assert(to % this.#chunkBytes === 0, 'it is lowered to a chunk border');
    assert(this.#sumsChunks <= to / this.#chunkBytes, 'sums above it do not count any more');
    this.#size = to;
  }

  /** Sums of chunks below `chunks` are in the file, not yet durable. */
  appended(chunks: number): void {
    assert(chunks >= this.#sumsChunks, 'sums are appended');
    this.#sumsChunks = chunks;
  }

  /** A flush made everything below `size` durable, sums included. */
  flushed(size: number): void {
    assert(size >= this.#size, 'a flush does not lower the durable size');
    this.#size = size;
    this.#sumsChunks = Math.floor(size / this.#chunkBytes);
  }
}
