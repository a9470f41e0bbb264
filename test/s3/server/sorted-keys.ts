/** Names in the order of their UTF-8 bytes, as S3 lists them; seek, insert and remove in O(log n) comparisons. */

/** One char a byte: plain string comparison is then byte order. */
function toBytes(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

export class SortedKeys {
  #sorted: string[] = [];

  get size(): number {
    return this.#sorted.length;
  }

  add(name: string): void {
    const bytes = toBytes(name);
    const at = this.#seek(bytes);
    if (this.#sorted[at] !== bytes) this.#sorted.splice(at, 0, bytes);
  }

  delete(name: string): void {
    const bytes = toBytes(name);
    const at = this.#seek(bytes);
    if (this.#sorted[at] === bytes) this.#sorted.splice(at, 1);
  }

  at(index: number): string | undefined {
    const bytes = this.#sorted[index];
    return bytes === undefined ? undefined : Buffer.from(bytes, 'latin1').toString('utf8');
  }

  /** Index of the first name ≥ `name`. */
  from(name: string): number {
    return this.#seek(toBytes(name));
  }

  /** Index of the first name > `name`. */
  after(name: string): number {
    return this.#seek(`${toBytes(name)}\0`);
  }

  /** Index of the first name behind all that begin with `prefix`. */
  behind(prefix: string): number {
    return this.#seek(`${toBytes(prefix)}\u0100`);
  }

  #seek(bytes: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < bytes) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
