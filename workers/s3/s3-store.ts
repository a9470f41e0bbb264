/**
 * The store contract kept in a bucket. Every key is what the file store calls a path; an image comes into being with its
 * meta and is complete by it, as there. All lanes of a thread share this object: what is known of an image that is being
 * uploaded lives here.
 */
import type { BucketStatus } from '../../engine/core/bucket-status.ts';
import { errno } from '../../engine/core/errors.ts';
import { checkClaimNumber, checkDataName, checkName, checkSweepPath, checkToken, isDataName } from '../layout.ts';
import {
  type AsyncStore,
  type Capacity,
  type Claim,
  crcsPerCall,
  type FlushArg,
  type OpenFiles,
  type RootInfo,
  type Store,
} from '../store.ts';
import { BucketRoot, type Note } from './bucket-root.ts';
import { dropClaim, readClaims, takeClaim } from './claims.ts';
import { failed } from './failures.ts';
import { ImageKeys, isSweepPath } from './keys.ts';
import { metaAt, NameLists } from './names.ts';
import type { Objects } from './objects.ts';
import { OpenImages, type Pending } from './open-images.ts';
import { isOfProcess, removeAll, tombstoneOf } from './remove.ts';
import { findUpload } from './resume.ts';
import { SumsPieces } from './sums-pieces.ts';
import { Sweeps, sweepOne } from './sweep.ts';
import { Upload } from './upload.ts';

type Arg<M extends keyof Store> = Parameters<Store[M]>[0];
type Answer<M extends keyof Store> = ReturnType<Store[M]>;

const objectsOfImageMax = 100_000;
/** Numbers of sweeps begin here, those of lists at one. */
const firstSweep = 2 ** 31;
const sumsHeaderBytes = 64;
const sumsEntryBytes = 8;

export interface S3StoreOptions {
  readonly objects: Objects;
  /** The endpoints are asked what they do when the bucket is opened; else `objects` knows. */
  readonly probing: boolean;
  readonly note?: Note;
}

export class S3Store implements AsyncStore {
  readonly #objects: Objects;
  readonly #prefix: string;
  readonly #root: BucketRoot;
  readonly files = new OpenImages();
  readonly #names = new NameLists();
  readonly #sweeps = new Sweeps(firstSweep);

  constructor({ objects, probing, note = () => {} }: S3StoreOptions) {
    this.#objects = objects;
    this.#prefix = objects.bucket.keyPrefix;
    this.#root = new BucketRoot(objects, probing, note);
  }

  get isOpen(): boolean {
    return this.#root.isOpen;
  }
  get objects(): Objects {
    return this.#objects;
  }
  status(): BucketStatus {
    const { integrity, conditionalPut } = this.#objects.abilities;
    return { ...this.#objects.bucket.status(), ways: this.isOpen ? { integrity, conditionalPut } : null };
  }

  openRoot(arg: Arg<'openRoot'>): Promise<RootInfo> {
    return this.#root.open(arg);
  }
  initRoot(arg: Arg<'initRoot'>): Promise<void> {
    return this.#root.init(arg);
  }
  capacity(): Promise<Capacity> {
    return this.#root.capacity();
  }
  makeLsu(arg: Arg<'makeLsu'>): Promise<void> {
    return this.#root.makeLsu(arg);
  }
  labelLsu(arg: Arg<'labelLsu'>): Promise<void> {
    return this.#root.labelLsu(arg);
  }
  readLsu(arg: Arg<'readLsu'>): Promise<{ text: string | null }> {
    return this.#root.readLsu(arg);
  }

  async openNames({ lsu }: Arg<'openNames'>): Promise<{ list: number }> {
    this.#root.check();
    if (lsu !== null) await this.#root.demandLsu(lsu);
    return { list: this.#names.open(lsu === null ? this.#prefix : `${this.#prefix}${lsu}/`) };
  }
  nextNames({ list, lsu, max, meta }: Arg<'nextNames'>): Promise<Answer<'nextNames'>> {
    const metaOf = meta && lsu !== null ? (name: string) => new ImageKeys(this.#prefix, lsu, name) : null;
    return this.#names.take(this.#objects, list, max, metaOf);
  }
  async closeNames({ list }: Arg<'closeNames'>): Promise<void> {
    this.#names.close(list);
    this.#sweeps.close(list);
  }

  // --- images ---------------------------------------------------------------------------------------------------------

  /** The claim comes before the meta: an image that is there has an owner from its first moment. */
  async createImage(arg: Arg<'createImage'>): Promise<OpenFiles> {
    checkToken(arg.token);
    const keys = this.#keys(arg);
    await this.#root.demandLsu(arg.lsu);
    const path = `${arg.lsu}/${arg.image}`;
    await this.#makeRoom(keys, path, arg.token);
    const claim = Buffer.from(arg.claim);
    const taken = await this.#objects.putNew(keys.claim(1), claim);
    if (taken === null) failed('exists', path, errno.EEXIST);
    const meta = await this.#objects.putNew(keys.meta, Buffer.from(arg.meta)).catch(async (error) => {
      await this.#objects.remove([keys.claim(1)]).catch(() => {});
      throw error;
    });
    if (meta === null) {
      await this.#objects.remove([keys.claim(1)]);
      failed('exists', path, errno.EEXIST);
    }
    const header = arg.sumsHeader === null ? null : Buffer.from(arg.sumsHeader, 'base64');
    return this.files.addPending({
      keys,
      upload: new Upload(this.#objects, keys, arg.labels ?? {}),
      sums: header === null ? null : new SumsPieces(this.#objects, keys, header, 0),
      metaEtag: meta.etag,
      tail: null,
    });
  }

  async openImage(arg: Arg<'openImage'>): Promise<Answer<'openImage'>> {
    const keys = this.#keys(arg);
    const dataKeys = arg.data.map((name) => keys.dir + checkDataName(name));
    const [meta, sums, ...data] = await Promise.all([
      metaAt(this.#objects, keys),
      arg.sums ? this.#objects.head(keys.sums) : null,
      ...dataKeys.map((key) => this.#objects.head(key)),
    ]);
    if (meta === null) await this.#demandDamaged(keys);
    const dataFiles = data.map((stat, i) => (stat === null ? -1 : this.files.addObject(dataKeys[i] ?? '', stat)));
    const dataSize = data.reduce((sum, stat) => sum + (stat?.size ?? 0), 0);
    return {
      data: dataFiles[0] ?? -1,
      sums: sums === null ? -1 : this.files.addObject(keys.sums, sums),
      dir: -1,
      align: 1,
      dataFiles,
      dataSizes: data.map((stat) => stat?.size ?? 0),
      meta,
      dataSize,
      physicalBytes: dataSize,
      sumsSize: sums?.size ?? 0,
    };
  }

  async statImage(arg: Arg<'statImage'>): Promise<Answer<'statImage'>> {
    const keys = this.#keys(arg);
    const found = await this.#objects.listAll(keys.dir, objectsOfImageMax);
    if (found.length === 0) failed('open', keys.dir, errno.ENOENT);
    const [meta, claims] = await Promise.all([
      metaAt(this.#objects, keys),
      readClaims(
        this.#objects,
        keys,
        found.map(({ key }) => key),
      ),
    ]);
    if (meta === null) await this.#demandDamaged(keys);
    const pending = this.files.pendingOf(keys.dir);
    const stored = found.filter(({ key }) => isDataName(keys.nameOf(key))).reduce((sum, { size }) => sum + size, 0);
    const dataSize = pending?.upload.end ?? stored;
    const sumsSize = pending?.sums?.length ?? found.find(({ key }) => key === keys.sums)?.size ?? 0;
    return { meta, claims, dataSize, physicalBytes: dataSize, sumsSize };
  }

  async claims(arg: Arg<'claims'>): Promise<{ claims: Claim[] }> {
    const keys = this.#keys(arg);
    const claims = await readClaims(this.#objects, keys);
    if (claims.length === 0) await this.#demandImage(keys);
    return { claims };
  }

  async takeClaim(arg: Arg<'takeClaim'>): Promise<{ won: boolean }> {
    checkToken(arg.token);
    checkClaimNumber(arg.n);
    const keys = this.#keys(arg);
    await this.#demandImage(keys);
    return takeClaim(this.#objects, keys, arg);
  }

  async dropClaim(arg: Arg<'dropClaim'>): Promise<void> {
    await dropClaim(this.#objects, this.#keys(arg), arg.n, arg.claim);
  }

  async reopenImage(arg: Arg<'reopenImage'>): Promise<Answer<'reopenImage'>> {
    const keys = this.#keys(arg);
    const before = arg.before ?? [];
    for (const [i, name] of [...before.map(({ name }) => name), arg.data].entries()) {
      if (keys.fragmentOf(keys.dir + checkDataName(name)) !== i + 1) failed('open', keys.dir + name, errno.ENOENT);
    }
    const meta = await this.#objects.head(keys.meta);
    if (meta === null) failed('open', keys.meta, errno.ENOENT);
    const labels = arg.labels ?? {};
    const place = { before: before.map(({ size }) => size), size: arg.size };
    const from = await findUpload(this.#objects, keys, place, labels);
    const entries = sumsHeaderBytes + arg.wholeChunks * sumsEntryBytes;
    const sums = arg.sums
      ? arg.size === 0
        ? new SumsPieces(this.#objects, keys, Buffer.alloc(0), 0)
        : await SumsPieces.load(this.#objects, keys, entries)
      : null;
    const files = this.files.addPending({
      keys,
      upload: new Upload(this.#objects, keys, labels, from),
      sums,
      metaEtag: meta.etag,
      tail: from.tail.length === 0 ? null : keys.tail(arg.size),
    });
    const partStart = arg.size - from.tail.length;
    const { crcs } = sums === null ? { crcs: '' } : crcsOf(sums, 0, arg.wholeChunks);
    return { ...files, dataSize: arg.size, physicalBytes: arg.size, sumsSize: sums?.length ?? 0, crcs, partStart };
  }

  /** A bucket has no mounts: late parts of a dead writer count for nothing, by their numbers. */
  async fenceImage(arg: Arg<'fenceImage'>): Promise<void> {
    const keys = this.#keys(arg);
    if ((await this.#objects.head(keys.meta)) === null) failed('open', keys.meta, errno.ENOENT);
  }

  async readSums({ sums, first, count }: Arg<'readSums'>): Promise<{ crcs: string }> {
    const file = this.files.get(sums);
    if (file?.kind === 'pendingSums') return crcsOf(this.#sums(file.pending), first, count);
    if (file?.kind !== 'object') return failed('read', 'image.sums', errno.EBADF);
    const at = sumsHeaderBytes + first * sumsEntryBytes;
    const bytes = Buffer.alloc(Math.max(0, Math.min(Math.min(count, crcsPerCall) * sumsEntryBytes, file.size - at)));
    if (bytes.length > 0) await this.#objects.bucket.read(file.key, at, bytes, { ifMatch: file.etag });
    return { crcs: bytes.subarray(0, bytes.length - (bytes.length % sumsEntryBytes)).toString('base64') };
  }

  async fragmentsOf(arg: Arg<'fragmentsOf'>): Promise<Answer<'fragmentsOf'>> {
    return { fragments: this.#pending(arg).upload.fragments(arg.size) };
  }

  async flushImage(arg: FlushArg): Promise<void> {
    checkToken(arg.token);
    const pending = this.#pending(arg);
    const { upload, keys } = pending;
    if (arg.sumsAt >= 0) this.#sums(pending).replace(arg.sumsAt, Buffer.from(arg.crcs, 'base64'));
    const tail = arg.size === upload.end && arg.size > upload.start ? keys.tail(arg.size) : null;
    await Promise.all([upload.flush(arg.size), pending.sums?.flush()]);
    await this.#putMeta(pending, arg.meta);
    upload.finish(arg.size);
    const before = pending.tail;
    pending.tail = tail;
    // The durable size that it belonged to is promised no more; one that stays behind goes with the commit.
    if (before !== null && before !== tail) await this.#objects.remove([before]).catch(() => {});
  }

  async replaceMeta(arg: Arg<'replaceMeta'>): Promise<void> {
    checkToken(arg.token);
    const keys = this.#keys(arg);
    const pending = this.files.pendingOf(keys.dir);
    if (pending !== null) return this.#putMeta(pending, arg.meta);
    await this.#demandImage(keys);
    await this.#objects.put(keys.meta, [Buffer.from(arg.meta)]);
  }

  async appendSums({ sums, at, crcs }: Arg<'appendSums'>): Promise<void> {
    const file = this.files.get(sums);
    if (file?.kind !== 'pendingSums') failed('write', 'image.sums', errno.EBADF);
    this.#sums(file.pending).replace(at, Buffer.from(crcs, 'base64'));
  }

  /** Data, sums, then the meta that says complete; what only a pending image needs goes afterwards. */
  async commitImage(arg: Arg<'commitImage'>): Promise<void> {
    checkToken(arg.token);
    checkClaimNumber(arg.claimN);
    const pending = this.#pending(arg);
    const { upload, keys } = pending;
    if (arg.sumsAt >= 0) this.#sums(pending).replace(arg.sumsAt, Buffer.from(arg.crcs, 'base64'));
    await Promise.all([upload.complete(arg.size), pending.sums?.put()]);
    await this.#putMeta(pending, arg.meta);
    await this.files.close([arg.files.data, arg.files.sums]);
    const left = await this.#objects.listAll(keys.dir, objectsOfImageMax).catch(() => []);
    const needless = left
      .map(({ key }) => key)
      .filter((key) => keys.isPendingOnly(key) || key === keys.claim(arg.claimN));
    // It is committed: what stays behind costs space, and `vast-ost gc` finds it.
    await this.#objects.remove(needless).catch(() => {});
  }

  async removeImage(arg: Arg<'removeImage'>): Promise<void> {
    checkToken(arg.token);
    this.#root.check();
    const keys = this.#keys(arg);
    if ((await removeAll(this.#objects, keys, { token: arg.token })) === 0) failed('open', keys.dir, errno.ENOENT);
  }

  async sweepList({ lsu, list }: Arg<'sweepList'>): Promise<Answer<'sweepList'>> {
    this.#root.check();
    if (list < 0) await this.#root.demandLsu(lsu);
    return this.#sweeps.step(this.#objects, this.#prefix, checkName(lsu), list);
  }

  async sweepRemove({ lsu, items, max, token }: Arg<'sweepRemove'>): Promise<Answer<'sweepRemove'>> {
    const removed: string[] = [];
    for (const item of items.slice(0, max)) {
      if (!isSweepPath(item.path)) checkSweepPath(item.path);
      if (await sweepOne(this.#objects, this.#prefix, lsu, item, checkToken(token))) removed.push(item.path);
    }
    return { removed, left: items.length - removed.length };
  }

  async closeFiles({ files }: Arg<'closeFiles'>): Promise<void> {
    await this.files.close(files);
  }

  async close(): Promise<void> {
    const ended = this.files.clear();
    this.#names.clear();
    this.#sweeps.clear();
    await this.#objects.bucket.close();
    await ended;
  }

  // --------------------------------------------------------------------------------------------------------------------

  #keys({ lsu, image }: { lsu: string; image: string }): ImageKeys {
    this.#root.check();
    return new ImageKeys(this.#prefix, lsu, image);
  }

  /** No image of this name is there; what a removal of this engine left that was cut short goes first. */
  async #makeRoom(keys: ImageKeys, path: string, token: string): Promise<void> {
    const { objects } = await this.#objects.list(keys.dir);
    if (objects.length === 0) return;
    const tombstone = objects.some(({ key }) => key === keys.deleted) ? await tombstoneOf(this.#objects, keys) : null;
    if (tombstone === null) failed('exists', path, errno.EEXIST);
    if (!isOfProcess(tombstone, token))
      failed('the image of this name is being removed by another engine; try again: create', path, errno.EBUSY);
    await removeAll(this.#objects, keys, { token });
  }

  /** Without its meta: an image that lost it, or none at all. */
  async #demandDamaged(keys: ImageKeys): Promise<void> {
    const found = (await this.#objects.listAll(keys.dir, objectsOfImageMax)).map(({ key }) => key);
    if (found.length === 0 || keys.isUnfinished(found)) failed('open', keys.dir, errno.ENOENT);
  }

  async #demandImage(keys: ImageKeys): Promise<void> {
    const { objects } = await this.#objects.list(keys.dir, { max: 1 });
    if (objects.length === 0) failed('open', keys.dir, errno.ENOENT);
  }

  #pending(arg: { files: OpenFiles }): Pending {
    const file = this.files.get(arg.files.data);
    return file?.kind === 'pendingData' ? file.pending : failed('flush', 'image.data', errno.EBADF);
  }

  #sums(pending: Pending): SumsPieces {
    return pending.sums ?? failed('write', 'image.sums', errno.EBADF);
  }

  /** Only over the meta that this writer put or found: another one's is never replaced. */
  async #putMeta(pending: Pending, text: string): Promise<void> {
    const { keys } = pending;
    const put = await this.#objects.replace(keys.meta, Buffer.from(text), pending.metaEtag);
    if (put === null) {
      if ((await this.#objects.head(keys.meta)) === null) failed('replace', keys.meta, errno.ENOENT);
      failed('another writer replaced', keys.meta, errno.EBUSY);
    }
    pending.metaEtag = put.etag;
  }
}

function crcsOf(sums: SumsPieces, first: number, count: number): { crcs: string } {
  const bytes = sums.read(sumsHeaderBytes + first * sumsEntryBytes, Math.min(count, crcsPerCall) * sumsEntryBytes);
  return { crcs: bytes.subarray(0, bytes.length - (bytes.length % sumsEntryBytes)).toString('base64') };
}
