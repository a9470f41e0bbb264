/** The lists of a server handle: names of LSUs, and images with what their metas tell. Pages are read one ahead. */
import { setImmediate as immediate } from 'node:timers/promises';
import { Failed, status } from '../core/errors.ts';
import { writeStruct } from '../core/layout.ts';
import { entriesOf, type NameEntry, packedNamesMax } from '../core/packed-names.ts';
import { encodeBody, type ImageDef, imageDef, listState, wire } from '../core/wire.ts';
import { listedMeta } from '../image/listed-meta.ts';
import { decodeLsu } from '../image/lsu.ts';
import { decodeMeta, type ImageMeta } from '../image/meta.ts';
import { escapeName, imageDirName, parseImageDirName, parseLsuDirName } from '../image/names.ts';
import type { Context, ServerContext } from './context.ts';
import { crcOf, defOf, lsuWhat } from './image-info.ts';

/** As many images as a lane's answer has room for are read ahead: each call wakes a lane and, on files, reads side by side. */
const imagesAhead = packedNamesMax;

interface List {
  /** Where it was opened, and stays. */
  readonly ctx: Context;
  readonly lsuDir: string | null;
  readonly lsu: string;
  /** Of the store. */
  readonly store: number;
  readonly states: number;
  /** Behind the last one that was read. */
  ended: boolean;
  /** Nobody takes from it any more. */
  closed: boolean;
  /** Read, and not yet told. */
  readonly waiting: NameEntry[];
  /** The next images: they are read while the client takes those before. */
  ahead: Promise<NameEntry[]> | null;
  /** The next page as it will be sent: it is made while the client looks at the one before. */
  page: Promise<Page> | null;
  /** A page that failed: names may be lost with it, so nothing that comes behind would be the whole list. */
  failure: unknown;
}

/** Of images, encoded. */
interface Page {
  readonly count: number;
  readonly body: Buffer;
}

/** The meta of the image in this directory; null: none, damaged, or another image's. */
export function metaOf(lsu: string, dir: string, text: string | null): ImageMeta | null {
  const decoded = text === null ? null : decodeMeta(text, crcOf);
  if (!decoded?.ok) return null;
  const { meta } = decoded;
  return meta.lsu === lsu && imageDirName(meta.basename, meta.date) === dir ? meta : null;
}

export class Lists {
  readonly #ctx: ServerContext;
  readonly #open = new Map<number, List>();
  #next = 1;

  constructor(ctx: ServerContext) {
    this.#ctx = ctx;
  }

  /** `lsuDir`: null for the list of LSUs. */
  async open(lsuDir: string | null, lsu: string, states: number): Promise<Buffer> {
    if (this.#open.size >= wire.listsMax) {
      throw new Failed(status.EBUSY, `${wire.listsMax} lists are open on this server handle: close one first`);
    }
    const what = lsuDir === null ? 'the LSU list' : lsuWhat(lsu);
    const { ctx, list } = await this.#ctx.mounts.run(lsuDir ?? '', 'always', async (mount) => ({
      ctx: mount,
      ...(await this.#ctx.giveWay.list(() => mount.storage.call(what, 'openNames', { lsu: lsuDir }))),
    }));
    const id = this.#next++;
    this.#open.set(id, {
      ctx,
      lsuDir,
      lsu,
      store: list,
      states,
      ended: false,
      closed: false,
      waiting: [],
      ahead: null,
      page: null,
      failure: null,
    });
    return encodeBody('listOpened', { list: id });
  }

  async close(id: number): Promise<null> {
    const list = this.#list(id);
    this.#open.delete(id);
    await this.#endOf(list);
    return null;
  }

  async end(): Promise<void> {
    for (const list of this.#open.values()) await this.#endOf(list);
    this.#open.clear();
  }

  async #endOf(list: List): Promise<void> {
    // A page that finds nothing would go through the whole directory.
    list.closed = true;
    await list.page?.catch(() => undefined);
    await list.ahead?.catch(() => undefined);
    await list.ctx.storage.letGo('a list', 'closeNames', { list: list.store });
  }

  #list(id: number): List {
    const list = this.#open.get(id);
    if (list === undefined) throw new Failed(status.EINVAL, `list ${id} is not open`);
    return list;
  }

  async #read(list: List, what: string, max: number): Promise<NameEntry[]> {
    const { lsuDir: lsu, store } = list;
    const next = { list: store, lsu, max, meta: lsu !== null };
    return [...entriesOf(await this.#ctx.giveWay.list(() => list.ctx.storage.call(what, 'nextNames', next)))];
  }

  /**
   * The next names, at most `max`; none at the end. A step that failed may have taken names that nobody saw: the list goes on
   * failing then. The first page is as small as it may be, so that it comes soon.
   */
  async #names(list: List, what: string, max: number): Promise<NameEntry[]> {
    if (list.failure !== null) throw list.failure;
    try {
      if (list.waiting.length === 0 && !list.ended) {
        const read = await (list.ahead ?? this.#read(list, what, max));
        list.ahead = null;
        list.waiting.push(...read);
        list.ended = read.length === 0;
        if (list.lsuDir !== null && !list.ended) {
          list.ahead = this.#read(list, what, imagesAhead);
          // Told when its turn comes.
          list.ahead.catch(() => undefined);
        }
      }
      return list.waiting.splice(0, max);
    } catch (error) {
      list.failure = error;
      throw error;
    }
  }

  async nextLsus(id: number): Promise<Buffer> {
    const list = this.#list(id);
    if (list.lsuDir !== null) throw new Failed(status.EINVAL, `list ${id} is a list of images`);
    const names: string[] = [];
    while (names.length === 0 && !list.ended) {
      for (const { name } of await this.#names(list, 'the LSU list', wire.lsuPageMax)) {
        const parsed = parseLsuDirName(name);
        if (parsed === 'hashed') names.push(await this.#hashedLsu(list.ctx, name));
        else if (parsed !== null) names.push(parsed.lsu);
      }
    }
    const head = encodeBody('lsuPage', { count: names.length });
    const page = Buffer.alloc(names.length * wire.lsuMax);
    names.forEach((name, i) => void page.write(name, i * wire.lsuMax, 'latin1'));
    return Buffer.concat([head, page]);
  }

  /** Too long for a directory name: its own file knows it. One whose file is damaged is shown by its directory. */
  async #hashedLsu({ storage }: Context, dir: string): Promise<string> {
    const { text } = await storage.call(`LSU ${dir}`, 'readLsu', { lsu: dir });
    const decoded = decodeLsu(dir, text);
    return decoded.ok ? decoded.info.lsu : dir;
  }

  async nextImages(id: number): Promise<Buffer> {
    const list = this.#list(id);
    if (list.lsuDir === null) throw new Failed(status.EINVAL, `list ${id} is a list of LSUs`);
    const made = list.page ?? this.#page(list);
    list.page = null;
    const { count, body } = await made;
    if (count > 0) {
      // Behind the answer, which goes out first.
      list.page = immediate().then(() => this.#page(list));
      list.page.catch(() => undefined);
    }
    return body;
  }

  async #page(list: List): Promise<Page> {
    const found: Partial<ImageDef>[] = [];
    while (found.length === 0 && !list.ended && !list.closed) {
      for (const entry of await this.#names(list, lsuWhat(list.lsu), wire.listPageMax)) {
        const def = listed(list, entry.name, entry.meta);
        if (def !== null) found.push(def);
      }
    }
    const head = encodeBody('imagePage', { count: found.length });
    const body = Buffer.alloc(head.length + found.length * imageDef.size);
    body.set(head);
    found.forEach((def, i) => {
      writeStruct(imageDef, def, body, head.length + i * imageDef.size);
    });
    return { count: found.length, body };
  }
}

/** What a directory stands for in a list: null for nothing, or for a state that was not asked for. */
function listed({ lsu, states }: List, dir: string, stored: string | Buffer | null): Partial<ImageDef> | null {
  const parsed = parseImageDirName(dir);
  if (parsed === null) return null;
  const shown = (state: 'pending' | 'complete'): boolean => states === 0 || (states & listState[state]) !== 0;
  if (parsed !== 'hashed' && stored !== null) {
    const bytes = typeof stored === 'string' ? Buffer.from(stored) : stored;
    const quick = listedMeta({ lsu: escapeName(lsu), dir, ...parsed }, bytes, crcOf);
    if (quick !== null) {
      if (!shown(quick.state)) return null;
      const { policy, schedule, client, opaque } = quick;
      return { ...parsed, policy, schedule, client, opaque, opaque_length: opaque.length };
    }
  }
  const meta = metaOf(lsu, dir, stored?.toString() ?? null);
  if (!shown(meta?.state ?? 'pending')) return null;
  if (meta !== null) return defOf(meta);
  // Damaged: listed as pending so that it can be deleted. A hashed name without a meta has lost its key.
  return parsed === 'hashed' ? { basename: dir, date: 0 } : parsed;
}
