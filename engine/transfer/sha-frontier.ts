/**
 * How far the image's SHA-256 has come, and what to do for the next block.
 *
 * Bytes in order advance the frontier. A block above it is digested for its CRCs alone; when the bytes between are
 * covered they are read back first, against their CRCs. Before bytes below the frontier are overwritten it goes back to
 * the best saved state. States are saved on chunk borders, so that a way back never ends inside a chunk's sum; the one
 * exception is the state that came with a resume, which stands at the durable size.
 */
import { assert } from '../core/assert.ts';

export const shaStateBytes = 32;
/** Most states kept; beyond it every second one goes and the spacing doubles. */
export const checkpointsMax = 64;
/** Most bytes of one order to read back: a lane is not held longer than for one block. */
export const readBackMax = 64 * 1024 * 1024;

/** A place from which SHA-256 can go on. `state` null: offset 0, where a new one begins. */
export interface ShaPlace {
  offset: number;
  state: Uint8Array | null;
}

export type ShaStep = { kind: 'with-sha' } | { kind: 'read-back'; from: number; to: number } | { kind: 'crc-only' };

export interface ShaFrontierOptions {
  chunkBytes?: number;
  /** Bytes between saved states, to begin with; a multiple of chunkBytes. */
  spacingBytes?: number;
  /** At resume: the state that the meta keeps. */
  start?: ShaPlace;
}

export class ShaFrontier {
  readonly #chunkBytes: number;
  #spacing: number;
  #frontier: number;
  /** Rising offsets. */
  #places: ShaPlace[];

  constructor(options: ShaFrontierOptions = {}) {
    this.#chunkBytes = options.chunkBytes ?? 1024 * 1024;
    this.#spacing = options.spacingBytes ?? readBackMax;
    assert(this.#spacing % this.#chunkBytes === 0, 'states are saved on chunk borders');
    const start = options.start ?? { offset: 0, state: null };
    assert((start.state === null) === (start.offset === 0), 'a state belongs to an offset above 0');
    this.#places = start.offset === 0 ? [] : [copyOf(start)];
    this.#frontier = start.offset;
  }

  /** The SHA state has seen the bytes [0, frontier). */
  get frontier(): number {
    return this.#frontier;
  }

  /** Number of saved states. */
  get places(): number {
    return this.#places.length;
  }

  /** What comes next for a block. `coveredTo`: end of the gapless covered range that begins at the frontier. */
  next(block: { offset: number; length: number }, coveredTo: number): ShaStep {
    assert(block.offset >= this.#frontier, 'before a rewrite the frontier goes back');
    if (block.offset === this.#frontier) return { kind: 'with-sha' };
    if (coveredTo < block.offset) return { kind: 'crc-only' };
    return { kind: 'read-back', ...this.#range(block.offset) };
  }

  /** The next range to read back so that the frontier comes to `size`, or as far as bytes are covered; null: none. */
  catchUp(size: number, coveredTo: number): { from: number; to: number } | null {
    const to = Math.min(size, coveredTo);
    return to <= this.#frontier ? null : this.#range(to);
  }

  /** The SHA state stands at `to` now. */
  advance(to: number): void {
    assert(to > this.#frontier, 'the frontier advances');
    this.#frontier = to;
  }

  /** The state at the frontier is worth saving. */
  get wantsSave(): boolean {
    if (this.#frontier === 0 || this.#frontier % this.#chunkBytes !== 0) return false;
    return this.#frontier >= (this.#places.at(-1)?.offset ?? 0) + this.#spacing;
  }

  /** Keeps the state at the frontier. */
  save(state: Uint8Array): void {
    assert(state.length === shaStateBytes, 'a SHA state has 32 bytes');
    assert(this.#frontier > 0 && this.#frontier % this.#chunkBytes === 0, 'states are saved on chunk borders');
    assert(this.#frontier > (this.#places.at(-1)?.offset ?? 0), 'states rise');
    this.#places.push(copyOf({ offset: this.#frontier, state }));
    if (this.#places.length <= checkpointsMax) return;
    this.#places = this.#places.filter((_, index) => index % 2 === 1);
    this.#spacing *= 2;
  }

  /** The best place at or below `to`, for a meta with that durable size; nothing moves. */
  placeAt(to: number): ShaPlace {
    const place = this.#places.findLast((candidate) => candidate.offset <= to);
    return place === undefined ? { offset: 0, state: null } : copyOf(place);
  }

  /**
   * Bytes at and above `to` will change. Null: the state has not seen them. Else the place from which it must go on:
   * the frontier is there, and places above `to` are forgotten.
   */
  rewind(to: number): ShaPlace | null {
    this.#places = this.#places.filter((place) => place.offset <= to);
    if (this.#frontier <= to) return null;
    const place = this.placeAt(to);
    this.#frontier = place.offset;
    return place;
  }

  /** From the frontier to `to`, or to an earlier chunk border where that is too much for one order. */
  #range(to: number): { from: number; to: number } {
    const from = this.#frontier;
    if (to - from <= readBackMax) return { from, to };
    return { from, to: Math.floor((from + readBackMax) / this.#chunkBytes) * this.#chunkBytes };
  }
}

function copyOf(place: ShaPlace): ShaPlace {
  return { offset: place.offset, state: place.state === null ? null : place.state.slice() };
}
