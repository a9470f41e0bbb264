/** Bytes of a pending image that do not fill a part yet: less than the smallest part. */
import { addon } from '../../native/addon/index.ts';
import { type Piece, SlotBytes } from '../http/body.ts';

export class Stash {
  readonly #bytes: Buffer[] = [];
  #length = 0;
  #crc: bigint | null = 0n;

  get length(): number {
    return this.#length;
  }

  /** Of all of it; null where that of some of its bytes was not told. */
  get crc(): bigint | null {
    return this.#crc;
  }

  /** Copies. */
  add(bytes: Piece, crc: bigint | null): void {
    if (bytes.length === 0) return;
    this.#bytes.push(bytes instanceof SlotBytes ? bytes.copy() : Buffer.from(bytes));
    this.#length += bytes.length;
    this.#crc = joined(this.#crc, crc, bytes.length);
  }

  /** All of it, in order; it is empty then. */
  take(): Uint8Array[] {
    this.#length = 0;
    this.#crc = 0n;
    return this.#bytes.splice(0);
  }

  /** All of it, in order; it stays. */
  get bytes(): readonly Uint8Array[] {
    return [...this.#bytes];
  }

  /** Copies [from, from + length) of it. */
  slice(from: number, length: number): Buffer {
    return Buffer.concat(this.#bytes).subarray(from, from + length);
  }
}

/** CRC of A‖B; null where one of the two is not known. */
export function joined(crcA: bigint | null, crcB: bigint | null, lengthB: number): bigint | null {
  return crcA === null || crcB === null ? null : addon.crcCombine(crcA, crcB, lengthB);
}
