/** Which images are open in this engine, and one queue a key so that create, open, delete and copy do not cross. */
import type { ImageInfo } from './image-info.ts';

export interface OpenWriter {
  /** What a property call sees while it is written. */
  info(): ImageInfo;
  readonly token: string;
  /** Its host program came back on another connection: this one is ended. Resolves when it has let go of the image. */
  giveWay(): Promise<void>;
}

interface Entry {
  writer: OpenWriter | null;
  tail: Promise<void>;
  queued: number;
}

export class OpenImages {
  readonly #entries = new Map<string, Entry>();

  /** Runs `work` when nothing else that changes this key's state runs. */
  async exclusive<T>(key: string, work: () => Promise<T>): Promise<T> {
    const entry = this.#entry(key);
    entry.queued++;
    const before = entry.tail;
    let release = (): void => undefined;
    entry.tail = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    try {
      return await work();
    } finally {
      entry.queued--;
      release();
      this.#forget(key, entry);
    }
  }

  writer(key: string): OpenWriter | null {
    return this.#entries.get(key)?.writer ?? null;
  }

  setWriter(key: string, writer: OpenWriter | null): void {
    const entry = this.#entry(key);
    entry.writer = writer;
    this.#forget(key, entry);
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { writer: null, tail: Promise.resolve(), queued: 0 };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #forget(key: string, entry: Entry): void {
    if (entry.writer === null && entry.queued === 0) this.#entries.delete(key);
  }
}
