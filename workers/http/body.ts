/** What a request's body is made of. */
import { addon } from '../../native/addon/index.ts';

/**
 * Bytes of an arena of which no array exists until somebody asks for one: for V8 an array of a slot is a slot's worth of
 * memory, and a reason to collect garbage. Native code sends them as they are.
 */
export class SlotBytes {
  readonly arena: number;
  readonly offset: number;
  readonly length: number;
  readonly #show: (offset: number, length: number) => Uint8Array;

  /** `show`: makes an array of bytes of this arena, good for as long as these bytes are; throws what its caller is to get. */
  constructor(arena: number, offset: number, length: number, show: (offset: number, length: number) => Uint8Array) {
    this.arena = arena;
    this.offset = offset;
    this.length = length;
    this.#show = show;
  }

  /** As an array's. */
  subarray(from: number, to: number = this.length): SlotBytes {
    const begin = Math.min(from, this.length);
    return new SlotBytes(this.arena, this.offset + begin, Math.max(0, Math.min(to, this.length) - begin), this.#show);
  }

  /** The memory itself. */
  array(): Uint8Array {
    return this.#show(this.offset, this.length);
  }

  /** For few of them. Where the memory is gone it throws what `show` throws. */
  copy(): Buffer {
    const bytes = Buffer.allocUnsafe(this.length);
    return addon.arenaPeek(this.arena, this.offset, bytes) < 0 ? Buffer.from(this.array()) : bytes;
  }
}

export type Piece = Uint8Array | SlotBytes;

export function arrayOf(piece: Piece): Uint8Array {
  return piece instanceof SlotBytes ? piece.array() : piece;
}

export function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** Arrays of at most so many bytes, one after the other. */
export function slicesOf(pieces: readonly Piece[], bytes: number): Uint8Array[] {
  const slices: Uint8Array[] = [];
  for (const piece of pieces) {
    const array = arrayOf(piece);
    for (let at = 0; at < array.length; at += bytes) slices.push(array.subarray(at, at + bytes));
  }
  return slices;
}
