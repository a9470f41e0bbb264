/**
 * What is written next of one image, and what is digested next.
 *
 *   submit ─► [prepare] ─► head edge ─► interior ─► tail edge ─► written ┐
 *                  └─────► digest, one at a time ──────────────► digested ┴─► done
 *
 * Blocks start in the order in which they were submitted, at most `blocksInFlight` of them at once. An edge is the part
 * of a block that fills a storage sector only partly; its lane reads, merges and writes the sector, so no other write
 * of the image is in flight beside it. A block that begins below the highest end submitted so far may overwrite: it is
 * preceded by a *prepare*, before which everything earlier is written and digested, and behind which nothing starts.
 * So writes in flight never overlap, not even in a sector, and need no look at each other's ranges.
 *
 * With `digestFirst` a block is written once it is digested: its sums travel with it.
 */
import { assert } from '../core/assert.ts';

/** One block of the client's, as it was submitted. The object is its identity. */
export interface Block {
  readonly slot: number;
  /** Bytes from the slot's begin; equal to `offset` modulo 4096. */
  readonly slotOffset: number;
  readonly offset: number;
  readonly length: number;
  readonly sequence: number;
}

export interface Piece<B extends Block = Block> {
  /** 'write': aligned. 'edge': any alignment, read and merged. 'prepare': no write, see DESIGN §8. */
  readonly kind: 'write' | 'edge' | 'prepare';
  readonly block: B;
  readonly slotOffset: number;
  readonly offset: number;
  readonly length: number;
}

export interface WritePlanOptions {
  /** Blocks of one image that are being written at once. 1: no overlap. */
  blocksInFlight: number;
  /** Bytes of a storage sector: aligned pieces are multiples of it. 1: no edges. */
  align: number;
  /** Durable size at open; 0 for a new image. A write below it is a rewrite. */
  end: number;
  /**
   * A first block of at most so many bytes is not written before a second one comes, or `release`: a store may do better
   * with the only one. 0: none is held.
   */
  holdFirstBytes?: number;
  /** Digests go with the bytes. */
  digestFirst?: boolean;
}

interface Entry<B extends Block> {
  readonly block: B;
  readonly pieces: Piece<B>[];
  prepare: 'none' | 'due' | 'under way';
  /** Pieces that were handed out. */
  started: number;
  /** Pieces that came back. */
  ended: number;
  digest: 'due' | 'under way' | 'done';
}

export class WritePlan<B extends Block = Block> {
  readonly #options: WritePlanOptions;
  /** In order of submission; left as soon as they are done. */
  readonly #entries: Entry<B>[] = [];
  #end: number;
  #sequence = -1;
  #edgeInFlight = false;
  #digesting = false;
  #stopped = false;
  #holding: boolean;

  constructor(options: WritePlanOptions) {
    assert(options.blocksInFlight > 0, 'some block may be in flight');
    assert(options.align > 0, 'sectors have bytes');
    assert(options.end >= 0, 'images begin at 0');
    this.#options = { ...options };
    this.#end = options.end;
    this.#holding = (options.holdFirstBytes ?? 0) > 0;
  }

  /** Highest end of all blocks submitted so far: the image's size as its writer sees it. */
  get end(): number {
    return this.#end;
  }

  /** Blocks that are not done. */
  get blocks(): number {
    return this.#entries.length;
  }

  /** Of those, the one that came first. */
  get oldest(): B | null {
    return this.#entries[0]?.block ?? null;
  }

  /** Everything submitted is written and digested, or given back. */
  get idle(): boolean {
    return this.#entries.length === 0;
  }

  submit(block: B): void {
    assert(!this.#stopped, 'a stopped plan takes no block');
    assert(block.length > 0, 'a block has bytes');
    assert(block.sequence > this.#sequence, 'blocks come in order');
    this.#sequence = block.sequence;
    this.#entries.push({
      block,
      pieces: split(block, this.#options.align),
      prepare: block.offset < this.#end ? 'due' : 'none',
      started: 0,
      ended: 0,
      digest: 'due',
    });
    this.#end = Math.max(this.#end, block.offset + block.length);
    if (this.#entries.length > 1 || block.length > (this.#options.holdFirstBytes ?? 0)) this.#holding = false;
  }

  /** Nothing is held any more. True: exactly one block was. */
  release(): boolean {
    const held = this.#holding && this.#entries.length === 1;
    this.#holding = false;
    return held;
  }

  /** The next piece, which is in flight then, or null: nothing may start now. */
  next(): Piece<B> | null {
    if (this.#stopped || this.#holding || this.#edgeInFlight) return null;
    let open = 0;
    for (const [index, entry] of this.#entries.entries()) {
      if (entry.prepare !== 'none') return index === 0 ? this.#startPrepare(entry) : null;
      const inFlight = entry.started - entry.ended;
      const piece = entry.pieces[entry.started];
      if (piece !== undefined) {
        if (this.#options.digestFirst && entry.digest !== 'done') return null;
        if (open >= this.#options.blocksInFlight) return null;
        if (piece.kind === 'edge' && !this.#quiet()) return null;
        entry.started += 1;
        this.#edgeInFlight = piece.kind === 'edge';
        return piece;
      }
      if (inFlight > 0) open += 1;
    }
    return null;
  }

  /** A write or edge came back. Returns its block if nothing of it is left to do. */
  written(piece: Piece<B>): B | null {
    const entry = this.#entryOf(piece.block);
    assert(piece.kind !== 'prepare', 'a prepare is no write');
    assert(entry.ended < entry.started, 'no piece of this block is in flight');
    entry.ended += 1;
    if (piece.kind === 'edge') this.#edgeInFlight = false;
    return this.#leave(entry);
  }

  /** The way is clear for a block that may overwrite. Returns it only in a stopped plan: given back. */
  prepared(block: B): B | null {
    const entry = this.#entryOf(block);
    assert(entry.prepare === 'under way', 'this block is not being prepared');
    entry.prepare = 'none';
    return this.#leave(entry);
  }

  /** The next block to digest, which is under way then; one at a time, in order. */
  nextDigest(): B | null {
    if (this.#stopped || this.#digesting) return null;
    for (const entry of this.#entries) {
      if (entry.prepare !== 'none') return null;
      if (entry.digest === 'due') {
        entry.digest = 'under way';
        this.#digesting = true;
        return entry.block;
      }
    }
    return null;
  }

  /** A digest came back. Returns its block if nothing of it is left to do. */
  digested(block: B): B | null {
    const entry = this.#entryOf(block);
    assert(entry.digest === 'under way', 'this block is not being digested');
    entry.digest = 'done';
    this.#digesting = false;
    return this.#leave(entry);
  }

  /**
   * Gives up: nothing starts any more. Returns the blocks of which nothing is under way; each other block comes back
   * from the call that reports its last part.
   */
  stop(): B[] {
    this.#stopped = true;
    const given: B[] = [];
    for (const entry of [...this.#entries]) {
      const block = this.#leave(entry);
      if (block !== null) given.push(block);
    }
    return given;
  }

  #startPrepare(entry: Entry<B>): Piece<B> | null {
    if (entry.prepare === 'under way') return null;
    entry.prepare = 'under way';
    const { block } = entry;
    return { kind: 'prepare', block, slotOffset: block.slotOffset, offset: block.offset, length: block.length };
  }

  /** No write of this image is in flight. */
  #quiet(): boolean {
    return this.#entries.every((entry) => entry.started === entry.ended);
  }

  #leave(entry: Entry<B>): B | null {
    const underWay = entry.prepare === 'under way' || entry.started > entry.ended || entry.digest === 'under way';
    const done = entry.ended === entry.pieces.length && entry.digest === 'done';
    if (underWay || !(done || this.#stopped)) return null;
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    return entry.block;
  }

  #entryOf(block: B): Entry<B> {
    const entry = this.#entries.find((candidate) => candidate.block === block);
    assert(entry !== undefined, 'this block is not in the plan');
    return entry;
  }
}

/** Head edge, aligned interior, tail edge; one edge where there is no interior. */
function split<B extends Block>(block: B, align: number): Piece<B>[] {
  const end = block.offset + block.length;
  const from = Math.ceil(block.offset / align) * align;
  const to = Math.floor(end / align) * align;
  const pieces: Piece<B>[] = [];
  const add = (kind: 'write' | 'edge', offset: number, until: number): void => {
    if (until <= offset) return;
    const slotOffset = block.slotOffset + offset - block.offset;
    pieces.push({ kind, block, slotOffset, offset, length: until - offset });
  };
  if (to <= from) {
    add('edge', block.offset, end);
    return pieces;
  }
  add('edge', block.offset, from);
  add('write', from, to);
  add('edge', to, end);
  return pieces;
}
