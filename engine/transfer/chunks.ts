/**
 * Whole chunks and their CRCs, in pages made on demand: a hostile offset of 1 PiB costs one page, a gapless image
 * 8 bytes a chunk (1 TiB: 8 MiB).
 */
import { assert } from '../core/assert.ts';

export type CrcCombine = (crcA: bigint, crcB: bigint, lengthB: number) => bigint;

/** Chunks of one page: 512 MiB of image, 4 KiB of CRCs. */
export const pageChunks = 512;

interface Page {
  /** Null where no sums are kept. */
  crcs: BigUint64Array | null;
  known: Uint8Array;
  count: number;
  /** CRC of the whole page once it is full and was asked for. */
  crc: bigint | null;
}

export class Chunks {
  readonly #pages = new Map<number, Page>();
  readonly #sums: boolean;
  readonly #chunkBytes: number;
  readonly #crcCombine: CrcCombine;

  constructor(options: { sums: boolean; chunkBytes: number; crcCombine: CrcCombine }) {
    this.#sums = options.sums;
    this.#chunkBytes = options.chunkBytes;
    this.#crcCombine = options.crcCombine;
  }

  has(chunk: number): boolean {
    return this.#pages.get(Math.floor(chunk / pageChunks))?.known[chunk % pageChunks] === 1;
  }

  /** 0n where no sums are kept. */
  crc(chunk: number): bigint {
    assert(this.has(chunk), `chunk ${chunk} is not known`);
    return this.#pages.get(Math.floor(chunk / pageChunks))?.crcs?.[chunk % pageChunks] ?? 0n;
  }

  set(chunk: number, crc: bigint): void {
    assert(!this.has(chunk), `chunk ${chunk} is known already`);
    const page = this.#page(Math.floor(chunk / pageChunks));
    if (page.crcs !== null) page.crcs[chunk % pageChunks] = crc;
    page.known[chunk % pageChunks] = 1;
    page.count += 1;
  }

  delete(chunk: number): void {
    const index = Math.floor(chunk / pageChunks);
    const page = this.#pages.get(index);
    if (page === undefined || page.known[chunk % pageChunks] === 0) return;
    page.known[chunk % pageChunks] = 0;
    page.count -= 1;
    page.crc = null;
    if (page.count === 0) this.#pages.delete(index);
  }

  /** The first chunk at or above `from` that is not known. */
  firstMissing(from: number): number {
    for (let chunk = from; ; ) {
      const index = Math.floor(chunk / pageChunks);
      const page = this.#pages.get(index);
      if (page === undefined) return chunk;
      const stop = (index + 1) * pageChunks;
      if (page.count === pageChunks) chunk = stop;
      while (chunk < stop && page.known[chunk % pageChunks] === 1) chunk += 1;
      if (chunk < stop) return chunk;
    }
  }

  /** The first chunk at or above `from` that is known; Infinity: none. Costs a look at each page, not at each chunk. */
  firstKnown(from: number): number {
    let first = Infinity;
    for (const [index, page] of this.#pages) {
      const start = Math.max(from, index * pageChunks);
      if (start >= Math.min(first, (index + 1) * pageChunks)) continue;
      const known = page.known.indexOf(1, start % pageChunks);
      if (known >= 0) first = Math.min(first, index * pageChunks + known);
    }
    return first;
  }

  /** CRC of a full page, from memory after the first time: pageChunks − 1 combines. Null: the page is not full. */
  pageCrc(index: number): bigint | null {
    const page = this.#pages.get(index);
    if (page === undefined || page.count < pageChunks) return null;
    if (page.crc === null) {
      const crcs = page.crcs;
      assert(crcs !== null, 'no sums are kept');
      let crc = crcs[0];
      for (let chunk = 1; chunk < pageChunks; chunk += 1) crc = this.#crcCombine(crc, crcs[chunk], this.#chunkBytes);
      page.crc = crc;
    }
    return page.crc;
  }

  /** Computes up to `pagesMax` page CRCs ahead of their use. True: none is left. */
  condense(pagesMax: number): boolean {
    if (!this.#sums) return true;
    let left = pagesMax;
    for (const [index, page] of this.#pages) {
      if (page.count < pageChunks || page.crc !== null) continue;
      if (left === 0) return false;
      this.pageCrc(index);
      left -= 1;
    }
    return true;
  }

  #page(index: number): Page {
    let page = this.#pages.get(index);
    if (page === undefined) {
      const crcs = this.#sums ? new BigUint64Array(pageChunks) : null;
      page = { crcs, known: new Uint8Array(pageChunks), count: 0, crc: null };
      this.#pages.set(index, page);
    }
    return page;
  }
}
