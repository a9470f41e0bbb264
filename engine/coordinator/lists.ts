/** The lists of a server handle: names of LSUs, and images with what their metas tell. Pages are read one ahead. */
import { setImmediate as immediate } from 'node:timers/promises';
import { Failed, status } from '../core/errors.ts';
import { type ImagePage, type ListedDef, PackedPage, WholePage } from '../core/image-page.ts';
import { entriesOf, type NameEntry, packedNamesMax } from '../core/packed-names.ts';
import { encodeBody, wire } from '../core/wire.ts';
import { decodeLsu } from '../image/lsu.ts';
import { parseLsuDirName } from '../image/names.ts';
import { AnswerBuffers } from './answer-buffers.ts';
import type { Context, ServerContext } from './context.ts';
import { lsuWhat } from './image-info.ts';
import { listedImage } from './listed-image.ts';

/**
 * Images in the first answer of a lane, so that it comes soon. Each one behind it has so many times more, up to what an answer has
 * room for: each call wakes a lane and, on files, reads side by side.
 */
const imagesFirst = 16;
const imagesGrowth = 4;

/** All lists fill them, one after the other: between the first image of a page and its end nothing is waited for. */
const pages = { packed: new PackedPage(), whole: new WholePage() };
const buffers = new AnswerBuffers();

/** Of a lane. */
interface Answer {
  readonly entries: Iterator<NameEntry>;
  /** Nothing was left to be read. */
  readonly none: boolean;
  /** What the entries look at; null: there is none, or it was given back. */
  buffer: BigUint64Array | null;
}

interface List {
  /** Where it was opened, and stays. */
  readonly ctx: Context;
  readonly lsuDir: string | null;
  readonly lsu: string;
  /** Of the store. */
  readonly store: number;
  readonly states: number;
  readonly form: ImagePage;
  /** Behind the last one that was read. */
  ended: boolean;
  /** Nobody takes from it any more. */
  closed: boolean;
  /** Read, and not yet told to the end. */
  answer: Answer | null;
  /** Of it, behind what was told: it had no room in the page before. */
  held: ListedDef | null;
  /** The next images: they are read while the client takes those before. */
  ahead: Promise<Answer> | null;
  /** How many of them at most. */
  imagesNext: number;
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

export class Lists {
  readonly #ctx: ServerContext;
  readonly #open = new Map<number, List>();
  #next = 1;

  constructor(ctx: ServerContext) {
    this.#ctx = ctx;
  }

  /** `lsuDir`: null for the list of LSUs. `packed`: the plug-in takes pages of short definitions. */
  async open(lsuDir: string | null, lsu: string, states: number, packed: boolean): Promise<Buffer> {
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
      form: packed ? pages.packed : pages.whole,
      ended: false,
      closed: false,
      answer: null,
      held: null,
      ahead: null,
      imagesNext: imagesFirst,
      page: null,
      failure: null,
    });
    return encodeBody('listOpened', { list: id, packed: packed ? 1 : 0 });
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
    giveBack(await list.ahead?.catch(() => null));
    giveBack(list.answer);
    await list.ctx.storage.letGo('a list', 'closeNames', { list: list.store });
  }

  #list(id: number): List {
    const list = this.#open.get(id);
    if (list === undefined) throw new Failed(status.EINVAL, `list ${id} is not open`);
    return list;
  }

  async #read(list: List, what: string, max: number): Promise<Answer> {
    const { lsuDir: lsu, store } = list;
    const next = { list: store, lsu, max, meta: lsu !== null };
    const buffer = lsu === null ? null : buffers.take();
    try {
      const { giveWay } = this.#ctx;
      const page = await giveWay.list(() => list.ctx.storage.call(what, 'nextNames', next, buffer));
      return { entries: entriesOf(page), none: page.names.length === 0 && page.packed === undefined, buffer };
    } catch (error) {
      if (buffer !== null) buffers.giveBack(buffer);
      throw error;
    }
  }

  #readImages(list: List, what: string): Promise<Answer> {
    const max = list.imagesNext;
    list.imagesNext = Math.min(packedNamesMax, max * imagesGrowth);
    return this.#read(list, what, max);
  }

  /**
   * A step that failed may have taken names that nobody saw, and a page that is not sent loses what it had: the list goes on
   * failing then. Not by ENOENT, which tells of its end.
   */
  async #taking<T>(list: List, work: () => Promise<T>): Promise<T> {
    if (list.failure !== null) throw list.failure;
    try {
      return await work();
    } catch (error) {
      const isEnd = error instanceof Failed && error.status === status.ENOENT;
      list.failure = isEnd ? new Failed(status.ESYSTEM, error.message, error.errno) : error;
      throw list.failure;
    }
  }

  /** Sees to it that there is an answer, or that the list has ended. */
  async #want(list: List, what: string): Promise<void> {
    if (list.answer !== null || list.ended) return;
    const images = list.lsuDir !== null;
    const answer = await (list.ahead ??
      (images ? this.#readImages(list, what) : this.#read(list, what, wire.lsuPageMax)));
    list.ahead = null;
    list.ended = answer.none;
    if (answer.none || list.closed) giveBack(answer);
    else list.answer = answer;
    if (images && list.answer !== null) {
      list.ahead = this.#readImages(list, what);
      // Told when its turn comes.
      list.ahead.catch(() => undefined);
    }
  }

  async nextLsus(id: number): Promise<Buffer> {
    const list = this.#list(id);
    if (list.lsuDir !== null) throw new Failed(status.EINVAL, `list ${id} is a list of images`);
    const names = await this.#taking(list, () => this.#lsuNames(list));
    const head = encodeBody('lsuPage', { count: names.length });
    const page = Buffer.alloc(names.length * wire.lsuMax);
    names.forEach((name, i) => void page.write(name, i * wire.lsuMax, 'latin1'));
    return Buffer.concat([head, page]);
  }

  /** As many as an answer has; none at the end. */
  async #lsuNames(list: List): Promise<string[]> {
    const names: string[] = [];
    while (names.length === 0 && !list.ended) {
      await this.#want(list, 'the LSU list');
      for (let entry = nextOf(list); entry !== null; entry = nextOf(list)) {
        const parsed = parseLsuDirName(entry.name);
        const name = parsed === 'hashed' ? await this.#hashedLsu(list.ctx, entry.name) : parsed?.lsu;
        if (name !== undefined) names.push(name);
      }
    }
    return names;
  }

  /**
   * Too long for a directory name: its own file knows it. One whose file is damaged is shown by its directory, one that was
   * removed meanwhile not at all.
   */
  async #hashedLsu({ storage }: Context, dir: string): Promise<string | undefined> {
    try {
      const { text } = await storage.call(`LSU ${dir}`, 'readLsu', { lsu: dir });
      const decoded = decodeLsu(dir, text);
      return decoded.ok ? decoded.info.lsu : dir;
    } catch (error) {
      if (error instanceof Failed && error.status === status.ENOENT) return undefined;
      throw error;
    }
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

  #page(list: List): Promise<Page> {
    return this.#taking(list, async () => {
      for (;;) {
        const count = fill(list);
        if (count > 0 || list.ended || list.closed) return { count, body: list.form.take() };
        await this.#want(list, lsuWhat(list.lsu));
      }
    });
  }
}

/** Takes the next one that was read; null: it has to be read. */
function nextOf(list: List): NameEntry | null {
  const next = list.answer?.entries.next();
  if (next === undefined) return null;
  if (next.done !== true) return next.value;
  giveBack(list.answer);
  list.answer = null;
  return null;
}

/** Once, whoever comes first: the list that was told all of it, or its end. */
function giveBack(answer: Answer | null | undefined): void {
  if (!answer?.buffer) return;
  buffers.giveBack(answer.buffer);
  answer.buffer = null;
}

/** As many images of the answer as the page has room for. Returns how many it has. */
function fill(list: List): number {
  const { form: page } = list;
  page.clear();
  // Its answer is given back, and may be another list's by now.
  if (list.closed) return 0;
  if (list.held !== null) page.add(list.held);
  list.held = null;
  for (let entry = nextOf(list); entry !== null; entry = nextOf(list)) {
    const def = listedImage(list.lsu, list.states, entry.name, entry.meta);
    if (def === null || page.add(def)) continue;
    list.held = def;
    break;
  }
  return page.count;
}
