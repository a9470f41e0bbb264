/**
 * Which bytes of an image are on storage, and with which CRC.
 *
 *   chunk 0            chunk 1            chunk 2            chunk 3
 *   ├── whole ────────┤├─ piece ─┤  hole ├─ piece ┤├ piece ─┤├── whole ───────┤
 *                                                ▲ border: pieces are not merged across it
 *
 * A range is covered when it is written and digested; its CRCs come from bytes in a slot, never from what storage says.
 * What is overwritten only partly must be read and verified first (`ragged`, then `cut`). Pieces that touch are merged
 * by combining their CRCs, within a chunk and not across the border: the SHA frontier stands there, from which bytes
 * are read back against whole pieces. With `sums` off only ranges are kept, every CRC is 0n.
 */
import { assert } from '../core/assert.ts';
import { Chunks, type CrcCombine, pageChunks } from './chunks.ts';
import { endOf, Pieces, type Sum } from './pieces.ts';

export type { Sum } from './pieces.ts';

/** A piece of which only `keep` stays. */
export interface Ragged extends Sum {
  keep: { offset: number; length: number }[];
}

/** More separate pieces of one image are refused: they come from a client that scatters its writes. */
export const piecesMax = 65_536;

export interface CoverageOptions {
  crcCombine: CrcCombine;
  sums: boolean;
  chunkBytes?: number;
}

export class Coverage {
  readonly chunkBytes: number;
  readonly #sums: boolean;
  readonly #combine: CrcCombine;
  readonly #chunks: Chunks;
  readonly #partial: Pieces;
  /** crcOfSums as last asked: a bigger size goes on from there. */
  #sumsCrc = { chunks: 0, crc: 0n };

  constructor(options: CoverageOptions) {
    this.chunkBytes = options.chunkBytes ?? 1024 * 1024;
    this.#sums = options.sums;
    this.#combine = options.sums ? options.crcCombine : () => 0n;
    this.#chunks = new Chunks({ sums: options.sums, chunkBytes: this.chunkBytes, crcCombine: this.#combine });
    this.#partial = new Pieces(this.chunkBytes, this.#combine);
  }

  /** Pieces that are no whole chunk; at piecesMax a SUBMIT is refused. */
  get pieceCount(): number {
    return this.#partial.count;
  }

  /** Covers a range that is not covered; one CRC for each part of it between chunk borders, null with sums off. */
  cover(offset: number, length: number, crcs: BigUint64Array | readonly bigint[] | null): void {
    assert(length > 0, 'a covered range has bytes');
    assert((crcs !== null) === this.#sums, 'CRCs come with sums, and only then');
    let index = 0;
    for (const part of this.#parts(offset, length)) {
      const crc = crcs === null ? 0n : crcs[index];
      assert(crc !== undefined, 'one CRC for each chunk that is touched');
      this.#insert({ ...part, crc });
      index += 1;
    }
  }

  /**
   * Pieces that lie partly inside and partly outside of the range: they must be read before `cut`. With length 0: the
   * piece that reaches across `offset`, kept on both sides; for a new border inside a merged piece.
   */
  ragged(offset: number, length: number): Ragged[] {
    const end = offset + length;
    const ragged: Ragged[] = [];
    for (const piece of this.#touching(offset, length)) {
      const keep: { offset: number; length: number }[] = [];
      if (piece.offset < offset) keep.push({ offset: piece.offset, length: offset - piece.offset });
      if (endOf(piece) > end) keep.push({ offset: end, length: endOf(piece) - end });
      if (keep.length > 0) ragged.push({ ...piece, keep });
    }
    return ragged;
  }

  /** Forgets the range. `splits`: each kept range of `ragged` with its CRC. */
  cut(offset: number, length: number, splits: readonly Sum[]): void {
    const kept = this.ragged(offset, length).flatMap((piece) => piece.keep);
    assert(kept.length === splits.length, 'every kept range has its CRC');
    if (offset < this.#sumsCrc.chunks * this.chunkBytes) this.#sumsCrc = { chunks: 0, crc: 0n };
    for (const piece of this.#touching(offset, length)) this.#remove(piece);
    for (const [index, range] of kept.entries()) {
      const split = splits[index];
      assert(split.offset === range.offset, 'kept ranges come in order');
      assert(split.length === range.length, 'kept ranges come as they are');
      this.#insert({ ...range, crc: this.#sums ? split.crc : 0n });
    }
  }

  /** Pieces meet at `offset` but are not merged there. −1: none. */
  setBorder(offset: number): void {
    const old = this.#partial.border;
    this.#partial.border = offset;
    if (old <= 0 || old === offset || old % this.chunkBytes === 0) return;
    const right = this.#partial.of(Math.floor(old / this.chunkBytes)).find((piece) => piece.offset === old);
    if (right === undefined) return;
    this.#remove(right);
    this.#insert(right);
  }

  /** End of the gapless range that begins at `from`; `from` itself when that byte is not covered. */
  coveredTo(from: number): number {
    let at = from;
    for (;;) {
      const chunk = Math.floor(at / this.chunkBytes);
      const missing = this.#chunks.firstMissing(chunk);
      if (missing > chunk) {
        at = missing * this.chunkBytes;
        continue;
      }
      const piece = this.#partial.of(chunk).find((candidate) => candidate.offset <= at && at < endOf(candidate));
      if (piece === undefined) return at;
      at = endOf(piece);
    }
  }

  /** The first range below `end` that is not covered. */
  firstGap(end: number): { offset: number; length: number } | null {
    const offset = this.coveredTo(0);
    if (offset >= end) return null;
    const known = this.#chunks.firstKnown(Math.floor(offset / this.chunkBytes)) * this.chunkBytes;
    return { offset, length: Math.min(end, known, this.#partial.firstFrom(offset)) - offset };
  }

  /** At most `max` pieces, none longer than a chunk, gapless from `from` up to `to`; `from` begins a piece. */
  pieces(from: number, to: number, max: number): Sum[] {
    const sums: Sum[] = [];
    let at = from;
    while (at < to && sums.length < max) {
      const piece = this.#touching(at, 1)[0];
      assert(piece !== undefined, `byte ${at} is not covered`);
      assert(piece.offset === at, `no piece begins at ${at}`);
      if (endOf(piece) > to) break;
      sums.push({ ...piece });
      at = endOf(piece);
    }
    return sums;
  }

  /** Number of whole chunks below `size`, all of which are covered. */
  wholeChunksBelow(size: number): number {
    assert(this.firstGap(size) === null, `there is a hole below ${size}`);
    return Math.floor(size / this.chunkBytes);
  }

  /** CRCs of whole chunks as they stand in the sums file: 8 bytes each, little-endian. */
  sumsBytes(firstChunk: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count * 8);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < count; index += 1)
      view.setBigUint64(index * 8, this.#chunkCrc(firstChunk + index), true);
    return bytes;
  }

  /** CRC over the sums of all whole chunks below `size`. `crcBytes` as the addon has it. */
  crcOfSums(size: number, crcBytes: (crc: bigint, bytes: Uint8Array, length: number) => bigint): bigint {
    const chunks = this.wholeChunksBelow(size);
    const known = this.#sumsCrc;
    let { chunks: chunk, crc } = known.chunks <= chunks ? known : { chunks: 0, crc: 0n };
    for (; chunk < chunks; chunk += pageChunks) {
      const bytes = this.sumsBytes(chunk, Math.min(pageChunks, chunks - chunk));
      crc = crcBytes(crc, bytes, bytes.length);
    }
    this.#sumsCrc = { chunks, crc };
    return crc;
  }

  /** The part of the last chunk below `size`; length 0 when `size` ends a chunk. */
  partialAt(size: number): { length: number; crc: bigint } {
    const start = Math.floor(size / this.chunkBytes) * this.chunkBytes;
    return { length: size - start, crc: this.#crcOf(start, size) };
  }

  /** CRC of the bytes [from, size), which have no hole; `from` begins a chunk. */
  imageCrc(size: number, from = 0): bigint {
    assert(from % this.chunkBytes === 0, 'a fragment begins with a chunk');
    const chunks = this.wholeChunksBelow(size);
    let crc = 0n;
    let chunk = from / this.chunkBytes;
    while (chunk < chunks) {
      const page = chunk % pageChunks === 0 && chunk + pageChunks <= chunks;
      const pageCrc = page ? this.#chunks.pageCrc(chunk / pageChunks) : null;
      const taken = pageCrc === null ? 1 : pageChunks;
      crc = this.#combine(crc, pageCrc ?? this.#chunkCrc(chunk), taken * this.chunkBytes);
      chunk += taken;
    }
    const last = this.partialAt(size);
    return last.length === 0 ? crc : this.#combine(crc, last.crc, last.length);
  }

  /** Does up to `combinesMax` steps (at least one page) of imageCrc ahead. True: nothing is left. */
  condense(combinesMax: number): boolean {
    return this.#chunks.condense(Math.max(1, Math.floor(combinesMax / pageChunks)));
  }

  /** At resume: whole chunks from the sums file; with sums off their number. */
  loadWhole(firstChunk: number, crcs: BigUint64Array | number): void {
    const count = typeof crcs === 'number' ? crcs : crcs.length;
    assert((typeof crcs === 'number') !== this.#sums, 'CRCs come with sums, and only then');
    for (let index = 0; index < count; index += 1) {
      assert(this.#partial.of(firstChunk + index).length === 0, 'a loaded chunk is not known in part');
      this.#chunks.set(firstChunk + index, typeof crcs === 'number' ? 0n : crcs[index]);
    }
  }

  *#parts(offset: number, length: number): Generator<{ offset: number; length: number }> {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const next = Math.min(end, (Math.floor(at / this.chunkBytes) + 1) * this.chunkBytes);
      yield { offset: at, length: next - at };
      at = next;
    }
  }

  /** Pieces and whole chunks with a byte in the range, in order. */
  #touching(offset: number, length: number): Sum[] {
    const end = offset + length;
    const found: Sum[] = [];
    for (let chunk = Math.floor(offset / this.chunkBytes); chunk * this.chunkBytes < end; chunk += 1) {
      const start = chunk * this.chunkBytes;
      if (this.#chunks.has(chunk)) found.push({ offset: start, length: this.chunkBytes, crc: this.#chunks.crc(chunk) });
      for (const piece of this.#partial.of(chunk)) {
        if (piece.offset < end && endOf(piece) > offset) found.push(piece);
      }
    }
    return found;
  }

  /** CRC of a range inside one chunk that begins and ends with pieces. */
  #crcOf(from: number, to: number): bigint {
    let crc = 0n;
    let at = from;
    while (at < to) {
      const [piece] = this.pieces(at, to, 1);
      assert(piece !== undefined, `no piece ends at ${to}`);
      crc = at === from ? piece.crc : this.#combine(crc, piece.crc, piece.length);
      at = endOf(piece);
    }
    return crc;
  }

  #chunkCrc(chunk: number): bigint {
    if (this.#chunks.has(chunk)) return this.#chunks.crc(chunk);
    return this.#crcOf(chunk * this.chunkBytes, (chunk + 1) * this.chunkBytes);
  }

  #remove(piece: Sum): void {
    const chunk = Math.floor(piece.offset / this.chunkBytes);
    if (this.#chunks.has(chunk)) this.#chunks.delete(chunk);
    else this.#partial.remove(piece);
  }

  #insert(piece: Sum): void {
    const chunk = Math.floor(piece.offset / this.chunkBytes);
    assert(!this.#chunks.has(chunk), `chunk ${chunk} is covered already`);
    const whole = this.#partial.insert(piece);
    if (whole !== null) this.#chunks.set(chunk, whole.crc);
  }
}
