/** The calls of a server handle: properties, LSUs, listings, delete. One function a call; each returns its reply's body. */
import { Failed, status } from '../core/errors.ts';
import { writeStruct } from '../core/layout.ts';
import {
  capability,
  encodeBody,
  type FrameOf,
  frame,
  imageDef,
  imageState,
  listState,
  lsuFlag,
  type Request,
  wire,
} from '../core/wire.ts';
import { decodeLsu, encodeLsu } from '../image/lsu.ts';
import { decodeMeta, type ImageMeta } from '../image/meta.ts';
import { imageDirName, parseImageDirName, parseLsuDirName } from '../image/names.ts';
import { ownedToken } from '../image/owner.ts';
import type { Context, ServerContext } from './context.ts';
import {
  checkLsuName,
  crcOf,
  defOf,
  demandMove,
  emptyDef,
  encodeInfo,
  type ImageInfo,
  type ImageKey,
  imageKey,
  lsuWhat,
  noSuchImage,
  readMeta,
  restingState,
  stateOf,
} from './image-info.ts';
import { type Alive, judgeClaims } from './write-target.ts';

interface List {
  /** Where it was opened, and stays. */
  readonly ctx: Context;
  readonly lsuDir: string | null;
  readonly lsu: string;
  /** Of the store; −1 once closed. */
  store: number;
  readonly states: number;
  ended: boolean;
  /** A page that failed: names may be lost with it, so nothing that comes behind would be the whole list. */
  failure: unknown;
}

/** The meta of the image in this directory; null: none, damaged, or another image's. */
function metaOf(lsu: string, dir: string, text: string | null): ImageMeta | null {
  const decoded = text === null ? null : decodeMeta(text, crcOf);
  if (!decoded?.ok) return null;
  const { meta } = decoded;
  return meta.lsu === lsu && imageDirName(meta.basename, meta.date) === dir ? meta : null;
}

export class ServerCalls {
  readonly #ctx: ServerContext;
  readonly #alive: Alive;
  readonly #lists = new Map<number, List>();
  #nextList = 1;

  constructor(ctx: ServerContext, alive: Alive) {
    this.#ctx = ctx;
    this.#alive = alive;
  }

  /** The body of the reply, or null for none. Throws Failed. */
  call(request: Request, server: string): Promise<Buffer | null> | null {
    const { body } = request;
    switch (request.type) {
      case frame.serverProp:
        return this.#serverProp(server);
      case frame.lsuListOpen:
        return this.#openList(null, '', 0);
      case frame.lsuListNext:
        return this.#nextLsus(body as FrameOf<'list'>);
      case frame.lsuProp:
        return this.#lsuProp((body as FrameOf<'lsu'>).lsu);
      case frame.lsuCreate:
        return this.#createLsu((body as FrameOf<'lsu'>).lsu);
      case frame.lsuLabel:
        return this.#labelLsu(body as FrameOf<'lsuLabel'>);
      case frame.imageListOpen: {
        const { lsu, states } = body as FrameOf<'imageListOpen'>;
        return this.#openList(checkLsuName(lsu), lsu, states);
      }
      case frame.imageListNext:
        return this.#nextImages(body as FrameOf<'list'>);
      case frame.listClose:
        return this.#closeList(body as FrameOf<'list'>);
      case frame.imagePropByname:
        return this.#imageProp(body as FrameOf<'imageByname'>);
      case frame.imageDelete:
        return this.#deleteImage(body as FrameOf<'imageByname'>);
      default:
        return null;
    }
  }

  async end(): Promise<void> {
    for (const list of this.#lists.values()) await this.#endList(list);
    this.#lists.clear();
  }

  async #serverProp(server: string): Promise<Buffer> {
    const { mounts, settings } = this.#ctx;
    await mounts.look();
    const mounted = mounts.all.some(({ storage }) => storage.root !== null);
    return encodeBody('serverInfo', {
      capabilities: capability.copyImage | capability.writeRandom | capability.readMetadata,
      block_bytes: wire.blockBytes,
      mounted: mounted ? 1 : 0,
      server,
      engine_version: settings.engineVersion,
      store: mounts.all[0]?.storage.options.kind ?? 'file',
    });
  }

  // --- LSUs -----------------------------------------------------------------------------------------------------------

  async #lsuProp(lsu: string): Promise<Buffer> {
    const what = lsuWhat(lsu);
    const dir = checkLsuName(lsu);
    const { text, space } = await this.#ctx.mounts.run(dir, 'always', async ({ storage }) => ({
      ...(await storage.call(what, 'readLsu', { lsu: dir })),
      space: await storage.call(what, 'capacity', {}),
    }));
    const used = space.capacity - space.free;
    const decoded = decodeLsu(dir, text);
    const label = decoded.ok ? decoded.info.label : '';
    return encodeBody('lsuInfo', {
      capacity: space.capacity,
      used,
      used_phys: used,
      free_bytes: space.available,
      flags: lsuFlag.active,
      label,
    });
  }

  async #createLsu(lsu: string): Promise<null> {
    const dir = checkLsuName(lsu);
    try {
      const made = { lsu: dir, text: encodeLsu({ lsu, label: '' }) };
      await this.#ctx.mounts.run(dir, 'untouched', ({ storage }) => storage.call(lsuWhat(lsu), 'makeLsu', made));
    } catch (error) {
      if (error instanceof Failed && error.status === status.EEXIST) {
        throw new Failed(status.EEXIST, `${lsuWhat(lsu)}: it exists already`, error.errno);
      }
      throw error;
    }
    return null;
  }

  async #labelLsu(body: FrameOf<'lsuLabel'>): Promise<null> {
    const dir = checkLsuName(body.lsu);
    const labelled = {
      lsu: dir,
      text: encodeLsu({ lsu: body.lsu, label: body.label }),
      token: ownedToken(this.#ctx.newToken(), this.#ctx.self),
    };
    const what = lsuWhat(body.lsu);
    await this.#ctx.mounts.run(dir, 'untouched', ({ storage }) => storage.call(what, 'labelLsu', labelled));
    return null;
  }

  // --- lists ----------------------------------------------------------------------------------------------------------

  async #openList(lsuDir: string | null, lsu: string, states: number): Promise<Buffer> {
    if (this.#lists.size >= wire.listsMax) {
      throw new Failed(status.EBUSY, `${wire.listsMax} lists are open on this server handle: close one first`);
    }
    const what = lsuDir === null ? 'the LSU list' : lsuWhat(lsu);
    const { ctx, list } = await this.#ctx.mounts.run(lsuDir ?? '', 'always', async (mount) => ({
      ctx: mount,
      ...(await mount.storage.call(what, 'openNames', { lsu: lsuDir })),
    }));
    const id = this.#nextList++;
    this.#lists.set(id, { ctx, lsuDir, lsu, store: list, states, ended: false, failure: null });
    return encodeBody('listOpened', { list: id });
  }

  #list(body: FrameOf<'list'>): List {
    const list = this.#lists.get(body.list);
    if (list === undefined) throw new Failed(status.EINVAL, `list ${body.list} is not open`);
    return list;
  }

  /** The next names. A step that failed may have taken names that nobody saw: the list goes on failing then. */
  async #names(list: List, what: string, max: number) {
    if (list.failure !== null) throw list.failure;
    const { lsuDir: lsu, store } = list;
    try {
      const arg = { list: store, lsu, max, meta: lsu !== null };
      const { names } = await list.ctx.storage.call(what, 'nextNames', arg);
      list.ended = names.length === 0;
      return names;
    } catch (error) {
      list.failure = error;
      throw error;
    }
  }

  async #nextLsus(body: FrameOf<'list'>): Promise<Buffer> {
    const list = this.#list(body);
    if (list.lsuDir !== null) throw new Failed(status.EINVAL, `list ${body.list} is a list of images`);
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

  async #nextImages(body: FrameOf<'list'>): Promise<Buffer> {
    const list = this.#list(body);
    if (list.lsuDir === null) throw new Failed(status.EINVAL, `list ${body.list} is a list of LSUs`);
    const found: object[] = [];
    while (found.length === 0 && !list.ended) {
      for (const entry of await this.#names(list, lsuWhat(list.lsu), wire.listPageMax)) {
        const def = this.#listed(list, entry.name, entry.meta);
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

  /** What a directory stands for in a list: null for nothing, or for a state that was not asked for. */
  #listed(list: List, dir: string, text: string | null): object | null {
    const parsed = parseImageDirName(dir);
    if (parsed === null) return null;
    const meta = metaOf(list.lsu, dir, text);
    const bit = meta?.state === 'complete' ? listState.complete : listState.pending;
    if (list.states !== 0 && (list.states & bit) === 0) return null;
    if (meta !== null) return defOf(meta);
    // Damaged: listed as pending so that it can be deleted. A hashed name without a meta has lost its key.
    if (parsed === 'hashed') return { basename: dir, date: 0 };
    return { basename: parsed.basename, date: parsed.date };
  }

  async #closeList(body: FrameOf<'list'>): Promise<null> {
    const list = this.#list(body);
    this.#lists.delete(body.list);
    await this.#endList(list);
    return null;
  }

  async #endList(list: List): Promise<void> {
    await list.ctx.storage.letGo('a list', 'closeNames', { list: list.store });
  }

  // --- images by name -------------------------------------------------------------------------------------------------

  async #imageProp(body: FrameOf<'imageByname'>): Promise<Buffer> {
    return encodeInfo(await this.#info(await this.#keyOf(body)));
  }

  /**
   * A damaged image whose directory has a hashed name has lost its key: it is listed by its directory, with date 0, and
   * goes by that name here, unless there is an image of just that name.
   */
  async #keyOf(body: FrameOf<'imageByname'>): Promise<ImageKey> {
    const key = imageKey(body.lsu, body.def);
    if (key.date !== 0 || parseImageDirName(key.basename) !== 'hashed') return key;
    const byDirectory = { ...key, imageDir: key.basename, id: `${key.lsuDir}/${key.basename}` };
    if ((await this.#statIfThere(key)) !== null) return key;
    const stat = await this.#statIfThere(byDirectory);
    const isLost = stat !== null && metaOf(key.lsu, byDirectory.imageDir, stat.meta) === null;
    return isLost ? byDirectory : key;
  }

  async #statIfThere(key: ImageKey) {
    try {
      return await this.#stat(key);
    } catch (error) {
      if (error instanceof Failed && error.status === status.ENOENT) return null;
      throw error;
    }
  }

  async #info(key: ImageKey): Promise<ImageInfo> {
    const writer = this.#ctx.open.writer(key.id);
    if (writer !== null) return writer.info();
    const stat = await this.#stat(key);
    let meta: ImageMeta | null = null;
    try {
      meta = readMeta(key, stat.meta);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
    }
    const busy = meta?.state === 'pending' && this.#isHeld(key, stat.claims) ? imageState.busyWrite : 0;
    return {
      size: meta?.size ?? 0,
      durableSize: meta?.size ?? 0,
      physicalBytes: stat.physicalBytes,
      state: restingState(meta) | busy,
      meta,
      def: meta === null ? { basename: key.basename, date: key.date } : defOf(meta),
    };
  }

  #isHeld(key: ImageKey, claims: { n: number; text: string }[]): boolean {
    try {
      judgeClaims(this.#ctx, key, claims, this.#alive);
      return false;
    } catch {
      return true;
    }
  }

  async #stat(key: ImageKey) {
    try {
      const arg = { lsu: key.lsuDir, image: key.imageDir };
      return await this.#ctx.mounts.run(key.id, 'always', ({ storage }) => storage.call(key.what, 'statImage', arg));
    } catch (error) {
      throw error instanceof Failed && error.status === status.ENOENT ? noSuchImage(key) : error;
    }
  }

  async #deleteImage(body: FrameOf<'imageByname'>): Promise<null> {
    const key = await this.#keyOf(body);
    await this.#ctx.open.exclusive(key.id, async () => {
      if (this.#ctx.open.writer(key.id) !== null) demandMove(key, 'busy', 'delete');
      const stat = await this.#stat(key);
      const state = stateOf(key, stat.meta);
      demandMove(key, state, 'delete');
      // A complete image has no writer: a claim there is what its engine could not take away any more.
      if (state !== 'complete') judgeClaims(this.#ctx, key, stat.claims, this.#alive);
      const token = ownedToken(this.#ctx.newToken(), this.#ctx.self);
      const removed = { lsu: key.lsuDir, image: key.imageDir, token };
      await this.#ctx.mounts
        .run(key.id, 'untouched', ({ storage }) => storage.call(key.what, 'removeImage', removed))
        .catch((error) => {
          throw error instanceof Failed && error.status === status.ENOENT ? noSuchImage(key) : error;
        });
      this.#ctx.log.info({ image: key.id }, 'image deleted');
    });
    return null;
  }
}
