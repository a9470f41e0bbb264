/**
 * image.sums of a pending image. An object cannot be appended to, so the file is kept here, and a flush puts those of its
 * pieces that grew. Entries below a durable size never change: a piece put later still has them.
 */
import { errno } from '../../engine/core/errors.ts';
import { StoreError } from '../store.ts';
import type { ImageKeys } from './keys.ts';
import type { Objects } from './objects.ts';

const pieceBytes = 64 * 1024;
const piecesAtOnce = 8;

export class SumsPieces {
  readonly #objects: Objects;
  readonly #keys: ImageKeys;
  #bytes: Buffer;
  #length: number;
  /** Bytes below are in pieces. */
  #kept: number;

  constructor(objects: Objects, keys: ImageKeys, bytes: Buffer, kept: number) {
    this.#objects = objects;
    this.#keys = keys;
    this.#bytes = Buffer.from(bytes);
    this.#length = bytes.length;
    this.#kept = kept;
  }

  /** Of a pending image: its first `bytes` bytes, or as many as there are without a gap. */
  static async load(objects: Objects, keys: ImageKeys, bytes: number): Promise<SumsPieces> {
    const pieces = new Array<Buffer>(Math.ceil(bytes / pieceBytes));
    const left = [...pieces.keys()];
    const one = async (): Promise<void> => {
      for (let n = left.pop(); n !== undefined; n = left.pop()) {
        const want = Math.min(pieceBytes, bytes - n * pieceBytes);
        const got = await objects.bucket.get(keys.sumsPiece(n), pieceBytes);
        pieces[n] = got?.bytes.subarray(0, want) ?? Buffer.alloc(0);
      }
    };
    await Promise.all(Array.from({ length: Math.min(piecesAtOnce, left.length) }, one));
    const short = pieces.findIndex((piece) => piece.length < pieceBytes);
    const all = Buffer.concat(short < 0 ? pieces : pieces.slice(0, short + 1));
    return new SumsPieces(objects, keys, all, all.length);
  }

  get length(): number {
    return this.#length;
  }

  read(at: number, length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(at, Math.min(at + length, this.#length)));
  }

  /** Writes, and cuts behind. */
  replace(at: number, bytes: Uint8Array): void {
    if (at > this.#length) throw new StoreError({ errno: -errno.EINVAL, step: 'write', path: this.#keys.sums });
    const end = at + bytes.length;
    if (end > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(end, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, at);
    this.#length = end;
    this.#kept = Math.min(this.#kept, at);
  }

  /** Pieces that changed since the last time. */
  async flush(): Promise<void> {
    const { length } = this;
    const puts: Promise<unknown>[] = [];
    for (let n = Math.floor(this.#kept / pieceBytes); n * pieceBytes < length; n++) {
      if (n * pieceBytes >= this.#kept || (n + 1) * pieceBytes > this.#kept) {
        const piece = Buffer.from(this.#bytes.subarray(n * pieceBytes, Math.min((n + 1) * pieceBytes, length)));
        puts.push(this.#objects.put(this.#keys.sumsPiece(n), [piece]));
      }
      if (puts.length === piecesAtOnce) await Promise.all(puts.splice(0));
    }
    await Promise.all(puts);
    this.#kept = length;
  }

  /** The whole of it as the object that a complete image has. */
  async put(): Promise<void> {
    await this.#objects.put(this.#keys.sums, [this.#bytes.subarray(0, this.#length)]);
  }
}
