/** Bytes of a pending image that do not fill a part yet: less than the smallest part. */
export class Stash {
  readonly #bytes: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies. */
  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#bytes.push(Buffer.from(bytes));
    this.#length += bytes.length;
  }

  /** All of it, in order; it is empty then. */
  take(): Uint8Array[] {
    this.#length = 0;
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
