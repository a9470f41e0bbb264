/**
 * Names of a directory, each with the bytes of its meta, as the addon's readListed leaves them (native/addon/small_files.h)
 * and as they travel from a lane to the coordinator:
 *
 *   u32 bytes in use   u32 count   count × u32 offset of an entry, 0: nothing to show
 *   entry: i32 bytes of the meta, negative: none could be read; u32 bytes of the name; name; meta
 */

/** As many as the binary part of a lane's area has room for; an answer is never longer. */
export const packedBytesMax = 256 * 1024;
/** Names in one answer, at most. Metas are a kilobyte, most of them. */
export const packedNamesMax = 256;

const headBytes = 8;
const offsetBytes = 4;
const entryHeadBytes = 8;

export interface NameEntry {
  readonly name: string;
  /** Its text, or the bytes of it; null: it has none. */
  readonly meta: string | Buffer | null;
}

export class PackedNames {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get count(): number {
    return this.#bytes.readUInt32LE(4);
  }

  /** What is in use. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  /** Null: nothing to show. */
  nameAt(i: number): string | null {
    const at = this.#offset(i);
    if (at === 0) return null;
    return this.#bytes.latin1Slice(at + entryHeadBytes, at + entryHeadBytes + this.#bytes.readUInt32LE(at + 4));
  }

  /** Of a name that is shown. Null: none could be read. */
  metaAt(i: number): Buffer | null {
    const at = this.#offset(i);
    const length = this.#bytes.readInt32LE(at);
    if (length < 0) return null;
    const from = at + entryHeadBytes + this.#bytes.readUInt32LE(at + 4);
    return this.#bytes.subarray(from, from + length);
  }

  /** Only the first `count` names. */
  cut(count: number): void {
    this.#bytes.writeUInt32LE(count, 4);
  }

  hide(i: number): void {
    this.#bytes.writeUInt32LE(0, headBytes + offsetBytes * i);
  }

  /** The meta of a name that had none, or that is alone. False: there is no room for it. */
  setMeta(i: number, meta: Buffer): boolean {
    const name = this.nameAt(i) ?? '';
    const size = entryHeadBytes + name.length + meta.length;
    if (i === 0 && this.#used + size > this.#bytes.length) {
      // Those behind it come again with the next answer.
      this.cut(1);
      this.#bytes.writeUInt32LE(headBytes + offsetBytes, 0);
    }
    const at = this.#used;
    if (at + size > this.#bytes.length) return false;
    this.#bytes.writeInt32LE(meta.length, at);
    this.#bytes.writeUInt32LE(name.length, at + 4);
    this.#bytes.write(name, at + entryHeadBytes, 'latin1');
    this.#bytes.set(meta, at + entryHeadBytes + name.length);
    this.#bytes.writeUInt32LE(at, headBytes + offsetBytes * i);
    this.#bytes.writeUInt32LE(at + size, 0);
    return true;
  }

  get #used(): number {
    return this.#bytes.readUInt32LE(0);
  }

  #offset(i: number): number {
    return this.#bytes.readUInt32LE(headBytes + offsetBytes * i);
  }
}

/** What a page of names tells, packed or not. */
export function* entriesOf(page: {
  readonly names: readonly NameEntry[];
  readonly packed?: Uint8Array;
}): Generator<NameEntry> {
  yield* page.names;
  if (page.packed === undefined) return;
  const packed = new PackedNames(Buffer.from(page.packed.buffer, page.packed.byteOffset, page.packed.byteLength));
  for (let i = 0; i < packed.count; i++) {
    const name = packed.nameAt(i);
    if (name !== null) yield { name, meta: packed.metaAt(i) };
  }
}
