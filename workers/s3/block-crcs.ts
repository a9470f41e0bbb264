/**
 * CRCs that came with a block, one for each part of it between chunk borders: those of a run of them are combined instead
 * of computed anew. Parts of an upload begin and end at chunk borders, or where blocks do.
 */
import { addon } from '../../native/addon/index.ts';

export class BlockCrcs {
  readonly #crcs: BigUint64Array;
  readonly #offset: number;
  readonly #end: number;
  readonly #chunkBytes: number;

  /** Of the bytes [offset, offset + length) of the image. Null: these CRCs do not belong to them. */
  static of(crcs: BigUint64Array, offset: number, length: number, chunkBytes: number): BlockCrcs | null {
    const count = Math.floor((offset + length - 1) / chunkBytes) - Math.floor(offset / chunkBytes) + 1;
    return length > 0 && crcs.length === count ? new BlockCrcs(crcs, offset, length, chunkBytes) : null;
  }

  private constructor(crcs: BigUint64Array, offset: number, length: number, chunkBytes: number) {
    this.#crcs = crcs;
    this.#offset = offset;
    this.#end = offset + length;
    this.#chunkBytes = chunkBytes;
  }

  /** Of [from, to); null where a border is none of chunk or block. */
  between(from: number, to: number): bigint | null {
    let crc = 0n;
    let at = this.#offset;
    for (const own of this.#crcs) {
      const end = Math.min((Math.floor(at / this.#chunkBytes) + 1) * this.#chunkBytes, this.#end);
      if (at < to && end > from) {
        if (at < from || end > to) return null;
        crc = addon.crcCombine(crc, own, end - at);
      }
      at = end;
    }
    return crc;
  }
}
