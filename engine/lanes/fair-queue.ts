/**
 * First in, first out per key, and the keys in turn: one image with a thousand pieces does not hold up another's one.
 */
interface Line<T> {
  readonly key: number;
  items: T[];
  /** Items before it are gone; cut off from time to time, so that taking the first costs nothing. */
  head: number;
}

const headMax = 256;

export class FairQueue<T> {
  readonly #lines: Line<T>[] = [];
  readonly #byKey = new Map<number, Line<T>>();
  #turn = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(key: number, item: T): void {
    this.#line(key).items.push(item);
    this.#length++;
  }

  /** In front of all others of its key: for what was given out before and came back. */
  pushFront(key: number, item: T): void {
    const line = this.#line(key);
    line.items.splice(0, line.head, item);
    line.head = 0;
    this.#length++;
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    if (this.#turn >= this.#lines.length) this.#turn = 0;
    const line = this.#lines[this.#turn];
    const item = line.items[line.head++];
    this.#length--;
    if (line.head === line.items.length) {
      this.#lines.splice(this.#turn, 1);
      this.#byKey.delete(line.key);
    } else {
      if (line.head === headMax) {
        line.items.splice(0, headMax);
        line.head = 0;
      }
      this.#turn++;
    }
    return item;
  }

  #line(key: number): Line<T> {
    let line = this.#byKey.get(key);
    if (line === undefined) {
      line = { key, items: [], head: 0 };
      this.#byKey.set(key, line);
      this.#lines.push(line);
    }
    return line;
  }
}
