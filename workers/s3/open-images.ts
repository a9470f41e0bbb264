/** What lanes hold open, by number: objects that are read, images that are written. */
import type { OpenFiles } from '../store.ts';
import { ArenaViews } from './arena-views.ts';
import type { ImageKeys } from './keys.ts';
import type { ObjectStat } from './objects.ts';
import type { SumsPieces } from './sums-pieces.ts';
import type { Upload } from './upload.ts';

/** An image that is being written. */
export interface Pending {
  readonly keys: ImageKeys;
  readonly upload: Upload;
  /** Null: an image without sums. */
  readonly sums: SumsPieces | null;
  /** Of the meta as this writer put or found it. */
  metaEtag: string;
  /** Key of the tail that the durable size needs. */
  tail: string | null;
}

export type OpenFile =
  | { kind: 'object'; key: string; size: number; etag: string; views: ArenaViews }
  | { kind: 'pendingData'; pending: Pending; views: ArenaViews }
  | { kind: 'pendingSums'; pending: Pending };

export class OpenImages {
  readonly #files = new Map<number, OpenFile>();
  #next: number;

  /** Numbers of a thread that died are not given again to others: what they name is not there any more. */
  constructor() {
    this.#next = 1 + Math.floor(Math.random() * 2 ** 20) * 1024;
  }

  get size(): number {
    return this.#files.size;
  }

  get(file: number): OpenFile | undefined {
    return this.#files.get(file);
  }

  addObject(key: string, { size, etag }: ObjectStat): number {
    return this.#add({ kind: 'object', key, size, etag, views: new ArenaViews() });
  }

  addPending(pending: Pending): OpenFiles {
    const data = this.#add({ kind: 'pendingData', pending, views: new ArenaViews() });
    const sums = pending.sums === null ? -1 : this.#add({ kind: 'pendingSums', pending });
    return { data, sums, dir: -1, align: 1 };
  }

  /** The image whose keys begin so, if it is being written here. */
  pendingOf(dir: string): Pending | null {
    for (const file of this.#files.values()) {
      if (file.kind === 'pendingData' && file.pending.keys.dir === dir) return file.pending;
    }
    return null;
  }

  /** Resolves when nothing is changed any more for those that were written. */
  async close(files: readonly number[]): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const number of files) {
      const file = this.#files.get(number);
      if (file?.kind === 'pendingData') closing.push(file.pending.upload.close());
      if (file !== undefined && 'views' in file) file.views.close();
      this.#files.delete(number);
    }
    await Promise.all(closing);
  }

  clear(): Promise<void> {
    return this.close([...this.#files.keys()]);
  }

  #add(file: OpenFile): number {
    const number = this.#next++;
    this.#files.set(number, file);
    return number;
  }
}
