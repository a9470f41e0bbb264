/** Names of LSUs and images: what stands between two slashes, page by page, in the order of the bucket's keys. */
import { errno } from '../../engine/core/errors.ts';
import { isName } from '../layout.ts';
import { answerBytesGood, entryBytes, metaText } from '../meta-text.ts';
import { metaBytesMax, type Store } from '../store.ts';
import { failed } from './failures.ts';
import type { ImageKeys } from './keys.ts';
import { emptyPagesMax, type Objects } from './objects.ts';

type Names = ReturnType<Store['nextNames']>;

/** A name read from the bucket, not yet handed out. */
interface Waiting {
  readonly name: string;
  /** Looked up already, for an answer that it did not fit into; else not given. */
  readonly meta?: Found;
}

/** The text of a meta; null: damaged. */
type Found = string | null | 'no image';

interface OpenList {
  readonly prefix: string;
  readonly waiting: Waiting[];
  token: string | null;
  ended: boolean;
  /** What an image of the last batch added to an answer, on average: no more are looked up than will fit. */
  imageBytes: number;
}

/** Lists that clients forgot are bounded. */
const listsMax = 1024;
/** As many as the coordinator asks for: a page of a list takes one round of requests. */
const metasAtOnce = 20;

export class NameLists {
  readonly #lists = new Map<number, OpenList>();
  #next = 1;

  open(prefix: string): number {
    if (this.#lists.size >= listsMax) failed('ListObjectsV2', prefix, errno.EMFILE);
    const list = this.#next++;
    this.#lists.set(list, { prefix, waiting: [], token: null, ended: false, imageBytes: 0 });
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
    const names: Names['names'] = [];
    let bytes = 0;
    while (names.length < max && bytes < answerBytesGood) {
      // An empty answer is the end: pages whose names are all no images are passed over.
      if (names.length === 0) await fillIfEmpty(objects, open);
      if (open.waiting.length === 0) break;
      const fits = Math.ceil((answerBytesGood - bytes) / Math.max(1, open.imageBytes));
      const atOnce = metaOf === null ? max : Math.min(metasAtOnce, fits);
      const batch = open.waiting.splice(0, Math.min(atOnce, max - names.length));
      const looked = await Promise.all(batch.map((one) => lookedUp(objects, one, metaOf)));
      open.imageBytes = looked.reduce((sum, { name, meta }) => sum + entryBytes(name, meta), 0) / looked.length;
      let taken = 0;
      for (; taken < looked.length && bytes < answerBytesGood; taken++) {
        const { name, meta } = looked[taken] as Required<Waiting>;
        if (meta === 'no image') continue;
        names.push({ name, meta });
        bytes += entryBytes(name, meta);
      }
      open.waiting.unshift(...kept(looked.slice(taken)));
    }
    return { names };
  }
}

async function lookedUp(
  objects: Objects,
  { name, meta }: Waiting,
  metaOf: ((name: string) => ImageKeys) | null,
): Promise<Required<Waiting>> {
  if (meta !== undefined) return { name, meta };
  return { name, meta: metaOf === null ? null : await metaIn(objects, metaOf(name)) };
}

/** For the next answer: metas as far as it has room for them, the others are looked up once more. */
function kept(looked: readonly Required<Waiting>[]): Waiting[] {
  let bytes = 0;
  return looked.map(({ name, meta }) => {
    bytes += entryBytes(name, meta);
    return bytes < answerBytesGood ? { name, meta } : { name };
  });
}

async function metaIn(objects: Objects, keys: ImageKeys): Promise<Found> {
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

/** Until a name waits, or the list is at its end. */
async function fillIfEmpty(objects: Objects, open: OpenList): Promise<void> {
  for (let pages = 0; open.waiting.length === 0 && !open.ended; pages++) {
    if (pages > emptyPagesMax) failed('ListObjectsV2', open.prefix, errno.EOVERFLOW);
    await fill(objects, open);
  }
}

async function fill(objects: Objects, open: OpenList): Promise<void> {
  const { prefixes, next } = await objects.list(open.prefix, { delimiter: '/', token: open.token });
  for (const found of prefixes) {
    const name = found.slice(open.prefix.length, -1);
    // Others have directories of other names beside ours.
    if (isName(name)) open.waiting.push({ name });
  }
  open.token = next;
  open.ended = next === null;
}
