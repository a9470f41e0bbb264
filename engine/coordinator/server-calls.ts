/** The calls of a server handle: properties, LSUs, listings, delete. One function a call; each returns its reply's body. */
import { Failed, status } from '../core/errors.ts';
import { capability, encodeBody, type FrameOf, frame, imageState, lsuFlag, type Request, wire } from '../core/wire.ts';
import { decodeLsu, encodeLsu } from '../image/lsu.ts';
import type { ImageMeta } from '../image/meta.ts';
import { parseImageDirName } from '../image/names.ts';
import { ownedToken } from '../image/owner.ts';
import type { ServerContext } from './context.ts';
import {
  checkLsuName,
  defOf,
  demandMove,
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
import { metaOf } from './listed-image.ts';
import { Lists } from './lists.ts';
import { type Alive, judgeClaims } from './write-target.ts';

export class ServerCalls {
  readonly #ctx: ServerContext;
  readonly #alive: Alive;
  readonly #lists: Lists;

  constructor(ctx: ServerContext, alive: Alive) {
    this.#ctx = ctx;
    this.#alive = alive;
    this.#lists = new Lists(ctx);
  }

  /** The body of the reply, or null for none. Throws Failed. */
  call(request: Request, server: string): Promise<Buffer | null> | null {
    const { body } = request;
    switch (request.type) {
      case frame.serverProp:
        return this.#serverProp(server);
      case frame.lsuListOpen:
        return this.#lists.open(null, '', 0, false);
      case frame.lsuListNext:
        return this.#lists.nextLsus((body as FrameOf<'list'>).list);
      case frame.lsuProp:
        return this.#lsuProp((body as FrameOf<'lsu'>).lsu);
      case frame.lsuCreate:
        return this.#createLsu((body as FrameOf<'lsu'>).lsu);
      case frame.lsuLabel:
        return this.#labelLsu(body as FrameOf<'lsuLabel'>);
      case frame.imageListOpen: {
        const { lsu, states, packed } = body as FrameOf<'imageListOpen'>;
        return this.#lists.open(checkLsuName(lsu), lsu, states, packed !== 0);
      }
      case frame.imageListNext:
        return this.#lists.nextImages((body as FrameOf<'list'>).list);
      case frame.listClose:
        return this.#lists.close((body as FrameOf<'list'>).list);
      case frame.imagePropByname:
        return this.#imageProp(body as FrameOf<'imageByname'>);
      case frame.imageDelete:
        return this.#deleteImage(body as FrameOf<'imageByname'>);
      default:
        return null;
    }
  }

  end(): Promise<void> {
    return this.#lists.end();
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
