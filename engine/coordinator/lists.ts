/** The lists of a server handle: names of LSUs, and images with what their metas tell. Pages are read one ahead. */
import { Failed, status } from '../core/errors.ts';
import { writeStruct } from '../core/layout.ts';
import { encodeBody, imageDef, listState, wire } from '../core/wire.ts';
import { listedMeta } from '../image/listed-meta.ts';
import { decodeLsu } from '../image/lsu.ts';
import { decodeMeta, type ImageMeta } from '../image/meta.ts';
import { escapeName, imageDirName, parseImageDirName, parseLsuDirName } from '../image/names.ts';
import type { Context, ServerContext } from './context.ts';
import { crcOf, defOf, emptyDef, lsuWhat } from './image-info.ts';

interface Entry {
  readonly name: string;
  readonly meta: string | null;
}

interface List {
  /** Where it was opened, and stays. */
  readonly ctx: Context;
  readonly lsuDir: string | null;
  readonly lsu: string;
  /** Of the store. */
  readonly store: number;
  readonly states: number;
  ended: boolean;
  /** The next page of images: it is read while the client takes the one before. */
  ahead: Promise<Entry[]> | null;
  /** A page that failed: names may be lost with it, so nothing that comes behind would be the whole list. */
  failure: unknown;
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
      ...(await mount.storage.call(what, 'openNames', { lsu: lsuDir })),
    }));
    const id = this.#next++;
    this.#open.set(id, { ctx, lsuDir, lsu, store: list, states, ended: false, ahead: null, failure: null });
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
    await list.ahead?.catch(() => undefined);
    await list.ctx.storage.letGo('a list', 'closeNames', { list: list.store });
  }

  #list(id: number): List {
    const list = this.#open.get(id);
    if (list === undefined) throw new Failed(status.EINVAL, `list ${id} is not open`);
    return list;
  }

  async #read(list: List, what: string, max: number): Promise<Entry[]> {
    const { lsuDir: lsu, store } = list;
    return (await list.ctx.storage.call(what, 'nextNames', { list: store, lsu, max, meta: lsu !== null })).names;
  }

  /** The next names. A step that failed may have taken names that nobody saw: the list goes on failing then. */
  async #names(list: List, what: string, max: number): Promise<Entry[]> {
    if (list.failure !== null) throw list.failure;
    try {
      const names = await (list.ahead ?? this.#read(list, what, max));
      list.ahead = null;
      list.ended = names.length === 0;
      if (list.lsuDir !== null && !list.ended) {
        list.ahead = this.#read(list, what, max);
        // Told when its turn comes.
        list.ahead.catch(() => undefined);
      }
      return names;
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
    const found: object[] = [];
    while (found.length === 0 && !list.ended) {
      for (const entry of await this.#names(list, lsuWhat(list.lsu), wire.listPageMax)) {
        const def = listed(list, entry.name, entry.meta);
        if (def !== null) found.push(def);
      }
    }
    const head = encodeBody('imagePage', { count: found.length });
    const page = Buffer.alloc(found.length * imageDef.size);
    found.forEach((def, i) => {
      writeStruct(imageDef, { ...emptyDef, ...def }, page, i * imageDef.size);
    });
    return Buffer.concat([head, page]);
  }
}

/** What a directory stands for in a list: null for nothing, or for a state that was not asked for. */
function listed({ lsu, states }: List, dir: string, text: string | null): object | null {
  const parsed = parseImageDirName(dir);
  if (parsed === null) return null;
  const shown = (state: 'pending' | 'complete'): boolean => states === 0 || (states & listState[state]) !== 0;
  if (parsed !== 'hashed' && text !== null) {
    const quick = listedMeta(escapeName(lsu), dir, parsed.date, text, crcOf);
    if (quick !== null) {
      if (!shown(quick.state)) return null;
      const { policy, schedule, client, opaque } = quick;
      return { ...parsed, policy, schedule, client, opaque, opaque_length: opaque.length };
    }
  }
  const meta = metaOf(lsu, dir, text);
  if (!shown(meta?.state ?? 'pending')) return null;
  if (meta !== null) return defOf(meta);
  // Damaged: listed as pending so that it can be deleted. A hashed name without a meta has lost its key.
  return parsed === 'hashed' ? { basename: dir, date: 0 } : parsed;
}
