/**
 * Pieces of chunks that are known only in part: sorted, never overlapping, merged where they touch but at the border.
 */
import { assert } from '../core/assert.ts';
import type { CrcCombine } from './chunks.ts';

/** A range and its CRC; bytes. */
export interface Sum {
  offset: number;
  length: number;
  crc: bigint;
}

export function endOf(piece: { offset: number; length: number }): number {
  return piece.offset + piece.length;
}

const none: readonly Sum[] = [];

export class Pieces {
  /** Pieces meet here unmerged; −1: nowhere. */
  border = -1;
  readonly #chunkBytes: number;
  readonly #combine: CrcCombine;
  readonly #chunks = new Map<number, Sum[]>();
  #count = 0;

  constructor(chunkBytes: number, combine: CrcCombine) {
    this.#chunkBytes = chunkBytes;
    this.#combine = combine;
  }

  get count(): number {
    return this.#count;
  }

  of(chunk: number): readonly Sum[] {
    return this.#chunks.get(chunk) ?? none;
  }

  /** Offset of the first piece that begins at or behind `from`; Infinity: none. */
  firstFrom(from: number): number {
    let first = Infinity;
    for (const pieces of this.#chunks.values()) {
      if (pieces[0].offset >= first || endOf(pieces[pieces.length - 1]) <= from) continue;
      for (const piece of pieces) if (piece.offset >= from) first = Math.min(first, piece.offset);
    }
    return first;
  }

  remove(piece: Sum): void {
    const chunk = Math.floor(piece.offset / this.#chunkBytes);
    const pieces = this.#chunks.get(chunk) ?? [];
    const index = pieces.findIndex((candidate) => candidate.offset === piece.offset);
    assert(index >= 0, 'a piece that goes was there');
    pieces.splice(index, 1);
    this.#count -= 1;
    if (pieces.length === 0) this.#chunks.delete(chunk);
  }

  /** Puts a piece in its place. Returns the chunk's sum if it is whole now, and holds nothing of it any more. */
  insert(piece: Sum): Sum | null {
    const chunk = Math.floor(piece.offset / this.#chunkBytes);
    const pieces = this.#chunks.get(chunk) ?? [];
    let index = pieces.findIndex((candidate) => candidate.offset >= piece.offset);
    if (index < 0) index = pieces.length;
    assert(index === 0 || endOf(pieces[index - 1]) <= piece.offset, 'a covered range was not covered');
    assert(index === pieces.length || endOf(piece) <= pieces[index].offset, 'a covered range was not covered');
    pieces.splice(index, 0, { ...piece });
    this.#count += 1;
    this.#chunks.set(chunk, pieces);
    this.#merge(pieces, index + 1);
    this.#merge(pieces, index);
    const [first] = pieces;
    if (first.length < this.#chunkBytes) return null;
    this.#chunks.delete(chunk);
    this.#count -= 1;
    return first;
  }

  /** Joins piece `index` to the one before it, where they touch. */
  #merge(pieces: Sum[], index: number): void {
    if (index < 1 || index >= pieces.length) return;
    const left = pieces[index - 1];
    const right = pieces[index];
    if (endOf(left) !== right.offset || right.offset === this.border) return;
    const crc = this.#combine(left.crc, right.crc, right.length);
    pieces.splice(index - 1, 2, { offset: left.offset, length: left.length + right.length, crc });
    this.#count -= 1;
  }
}
