/** Names of LSUs and images: what stands between two slashes, page by page, in the order of the bucket's keys. */
import { errno } from '../../engine/core/errors.ts';
import { answerBytesGood, entryBytes, metaText } from '../meta-text.ts';
import { metaBytesMax, type Store } from '../store.ts';
import { failed } from './failures.ts';
import type { ImageKeys } from './keys.ts';
import { emptyPagesMax, type Objects } from './objects.ts';

type Names = ReturnType<Store['nextNames']>;

interface OpenList {
  readonly prefix: string;
  /** Read from the bucket, not yet handed out. */
  readonly waiting: string[];
  token: string | null;
  ended: boolean;
}

/** Lists that clients forgot are bounded. */
const listsMax = 1024;
const metasAtOnce = 16;

export class NameLists {
  readonly #lists = new Map<number, OpenList>();
  #next = 1;

  open(prefix: string): number {
    if (this.#lists.size >= listsMax) failed('ListObjectsV2', prefix, errno.EMFILE);
    const list = this.#next++;
    this.#lists.set(list, { prefix, waiting: [], token: null, ended: false });
    return list;
  }

  close(list: number): void {
    this.#lists.delete(list);
  }

  clear(): void {
    this.#lists.clear();
  }

  /** Up to `max` names; with `metaOf` the text of each one's meta. */
  async take(
    objects: Objects,
    list: number,
    max: number,
    metaOf: ((name: string) => ImageKeys) | null,
  ): Promise<Names> {
    const open = this.#lists.get(list) ?? failed('ListObjectsV2', '', errno.EBADF);
    for (let pages = 0; open.waiting.length === 0 && !open.ended; pages++) {
      if (pages > emptyPagesMax) failed('ListObjectsV2', open.prefix, errno.EOVERFLOW);
      await fill(objects, open);
    }
    const names: Names['names'] = [];
    let bytes = 0;
    while (names.length < max && bytes < answerBytesGood && open.waiting.length > 0) {
      const batch = open.waiting.splice(0, Math.min(metaOf === null ? max : metasAtOnce, max - names.length));
      const metas = await Promise.all(batch.map((name) => (metaOf === null ? null : metaIn(objects, metaOf(name)))));
      for (const [i, name] of batch.entries()) {
        const meta = metas[i] ?? null;
        // The answer is full: the rest of the batch is looked up once more.
        if (bytes >= answerBytesGood) open.waiting.unshift(...batch.slice(i));
        if (bytes >= answerBytesGood) break;
        if (meta === 'no image') continue;
        names.push({ name, meta });
        bytes += entryBytes(name, meta);
      }
    }
    return { names };
  }
}

/** Null: damaged. */
async function metaIn(objects: Objects, keys: ImageKeys): Promise<string | null | 'no image'> {
  const meta = await metaAt(objects, keys);
  if (meta !== null) return meta;
  const found = await objects.list(keys.dir);
  const isNone = found.objects.length === 0 || keys.isUnfinished(found.objects.map(({ key }) => key));
  return isNone ? 'no image' : null;
}

export async function metaAt(objects: Objects, keys: ImageKeys): Promise<string | null> {
  const got = await objects.bucket.get(keys.meta, metaBytesMax + 1);
  return got === null ? null : metaText(got.bytes);
}

async function fill(objects: Objects, open: OpenList): Promise<void> {
  const { prefixes, next } = await objects.list(open.prefix, { delimiter: '/', token: open.token });
  for (const found of prefixes) {
    const name = found.slice(open.prefix.length, -1);
    if (name !== '' && !name.startsWith('.')) open.waiting.push(name);
  }
  open.token = next;
  open.ended = next === null;
}
