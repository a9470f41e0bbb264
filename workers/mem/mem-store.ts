/**
 * The store contract, read plainly: LSUs, images and claims are entries of maps. It is the measure for the file store,
 * and fast storage for tests. Data and sums are real files without a name, so that io lanes work on them unchanged;
 * all else is gone with the lane. `losePower` leaves what the promises leave.
 */
import { errno } from '../../engine/core/errors.ts';
import { sumsEntryBytes, sumsHeaderBytes } from '../../engine/core/order.ts';
import {
  checkClaimNumber,
  checkDataName,
  checkName,
  checkSweepPath,
  checkToken,
  claimName,
  claimNumber,
  dataName,
  trashName,
} from '../layout.ts';
import { answerBytesGood, entryBytes, metaText } from '../meta-text.ts';
import {
  type Capacity,
  type Claim,
  crcsPerCall,
  type FlushArg,
  type ImageStat,
  type OpenFiles,
  type RootInfo,
  type Store,
  StoreError,
  storeErrno,
} from '../store.ts';
import { MemFile } from './mem-file.ts';

type Arg<M extends keyof Store> = Parameters<Store[M]>[0];
type Answer<M extends keyof Store> = ReturnType<Store[M]>;

interface MemImage {
  meta: string;
  readonly data: Map<string, MemFile>;
  readonly sums: MemFile | null;
  readonly claims: Map<number, string>;
}

interface MemLsu {
  text: string;
  readonly images: Map<string, MemImage>;
  readonly trash: MemImage[];
}

interface MemList {
  readonly lsu: string | null;
  readonly names: string[];
}

const capacityBytes = 1024 ** 4;

function fail(step: string, path: string, errnoNumber: number): never {
  throw new StoreError({ errno: errnoNumber, step, path });
}

export class MemStore implements Store {
  #storeId: string | null = null;
  #open = false;
  readonly #lsus = new Map<string, MemLsu>();
  readonly #lists = new Map<number, MemList>();
  /** Files by the addon's id, while anybody may use it. */
  readonly #files = new Map<number, MemFile>();
  #listNext = 1;

  /** A memory that nobody prepared prepares itself: there is nothing that could fail to be mounted. */
  openRoot(arg: Arg<'openRoot'>): RootInfo {
    this.#storeId ??= 'memory';
    this.#open = true;
    return { storeId: this.#storeId, fsType: 'memory', mountPoint: arg.root, mountOptions: '', warnings: [] };
  }

  initRoot(arg: Arg<'initRoot'>): void {
    if (this.#storeId !== null) fail('exists', arg.root, -errno.EEXIST);
    this.#storeId = (JSON.parse(arg.text) as { store_id: string }).store_id;
  }

  capacity(): Capacity {
    this.#check();
    let used = 0;
    for (const file of new Set(this.#files.values())) used += file.stat().physicalBytes;
    return { capacity: capacityBytes, free: capacityBytes - used, available: capacityBytes - used };
  }

  makeLsu({ lsu, text }: Arg<'makeLsu'>): void {
    this.#check();
    if (this.#lsus.has(checkName(lsu))) fail('mkdir', lsu, -errno.EEXIST);
    this.#lsus.set(lsu, { text, images: new Map(), trash: [] });
  }
  labelLsu({ lsu, text, token }: Arg<'labelLsu'>): void {
    checkToken(token);
    this.#lsu(lsu).text = text;
  }
  readLsu({ lsu }: Arg<'readLsu'>): { text: string | null } {
    return { text: this.#lsu(lsu).text };
  }

  openNames({ lsu }: Arg<'openNames'>): { list: number } {
    this.#check();
    const names = lsu === null ? [...this.#lsus.keys()] : [...this.#lsu(lsu).images.keys()];
    const list = this.#listNext++;
    this.#lists.set(list, { lsu, names });
    return { list };
  }
  nextNames({ list, max, meta }: Arg<'nextNames'>): Answer<'nextNames'> {
    const open = this.#lists.get(list) ?? fail('readdir', '', -errno.EBADF);
    const names: { name: string; meta: string | null }[] = [];
    let bytes = 0;
    while (names.length < max && bytes < answerBytesGood && open.names.length > 0) {
      const name = open.names.shift()!;
      const image = open.lsu === null ? null : this.#lsus.get(open.lsu)?.images.get(name);
      // Removed since the list was opened.
      if (image === undefined) continue;
      const text = meta && image !== null ? image.meta : null;
      names.push({ name, meta: text });
      bytes += entryBytes(name, text);
    }
    return { names };
  }
  closeNames({ list }: Arg<'closeNames'>): void {
    this.#lists.delete(list);
  }

  createImage(arg: Arg<'createImage'>): OpenFiles {
    checkToken(arg.token);
    const { images } = this.#lsu(arg.lsu);
    if (images.has(checkName(arg.image))) fail('exists', `${arg.lsu}/${arg.image}`, -errno.EEXIST);
    const image: MemImage = {
      meta: arg.meta,
      data: new Map([[dataName, new MemFile()]]),
      sums: arg.sumsHeader === null ? null : new MemFile(),
      claims: new Map([[1, arg.claim]]),
    };
    image.sums?.replace(0, Buffer.from(arg.sumsHeader ?? '', 'base64'));
    images.set(arg.image, image);
    return { data: this.#use(image.data.get(dataName)), sums: this.#use(image.sums), dir: -1, align: 1 };
  }

  openImage(arg: Arg<'openImage'>): Answer<'openImage'> {
    const image = this.#image(arg);
    const dataFiles = arg.data.map((name) => this.#use(image.data.get(checkDataName(name))));
    const sums = arg.sums ? this.#use(image.sums) : -1;
    const files = dataFiles.map((id) => this.#files.get(id));
    const dataSizes = files.map((file) => file?.stat().size ?? 0);
    const stat = statOf(files, this.#files.get(sums));
    const meta = metaText(Buffer.from(image.meta));
    return { data: dataFiles[0] ?? -1, sums, dir: -1, align: 1, dataFiles, dataSizes, meta, ...stat };
  }

  statImage(arg: Arg<'statImage'>): Answer<'statImage'> {
    const image = this.#image(arg);
    return { ...statOf([...image.data.values()], image.sums), meta: image.meta, ...this.claims(arg) };
  }

  claims(arg: Arg<'claims'>): { claims: Claim[] } {
    const claims = [...this.#image(arg).claims].map(([n, text]) => ({ n, text }));
    return { claims: claims.sort((a, b) => b.n - a.n) };
  }

  takeClaim(arg: Arg<'takeClaim'>): { won: boolean } {
    checkToken(arg.token);
    const { claims } = this.#image(arg);
    const held = claims.get(checkClaimNumber(arg.n));
    if (held !== undefined && held !== arg.claim) return { won: false };
    for (const [n, text] of claims) {
      if (n === arg.n) continue;
      const expected = n < arg.n && arg.over.some((known) => known.n === n && known.text === text);
      if (expected) continue;
      claims.delete(arg.n);
      return { won: false };
    }
    claims.clear();
    claims.set(arg.n, arg.claim);
    return { won: true };
  }

  dropClaim(arg: Arg<'dropClaim'>): void {
    const { claims } = this.#image(arg);
    if (claims.get(checkClaimNumber(arg.n)) === arg.claim) claims.delete(arg.n);
  }

  reopenImage(arg: Arg<'reopenImage'>): Answer<'reopenImage'> {
    const image = this.#image(arg);
    const path = `${arg.lsu}/${arg.image}`;
    if ((arg.before ?? []).length > 0) fail('resume of several fragments', path, -errno.EOPNOTSUPP);
    const data = image.data.get(checkDataName(arg.data)) ?? fail('open', `${path}/${arg.data}`, -errno.ENOENT);
    if (arg.sums && image.sums === null) fail('open', `${path}/image.sums`, -errno.ENOENT);
    const files = { data: this.#use(data), sums: arg.sums ? this.#use(image.sums) : -1, dir: -1, align: 1 };
    const { crcs } = arg.sums ? this.readSums({ sums: files.sums, first: 0, count: arg.wholeChunks }) : { crcs: '' };
    return { ...files, ...statOf([data], arg.sums ? image.sums : null), crcs };
  }

  /** Nobody writes behind anybody's back. */
  fenceImage(arg: Arg<'fenceImage'>): void {
    this.#image(arg);
  }

  readSums({ sums, first, count }: Arg<'readSums'>): { crcs: string } {
    const file = this.#files.get(sums) ?? fail('read', 'image.sums', -errno.EBADF);
    const bytes = file.read(sumsHeaderBytes + first * sumsEntryBytes, Math.min(count, crcsPerCall) * sumsEntryBytes);
    return { crcs: bytes.subarray(0, bytes.length - (bytes.length % sumsEntryBytes)).toString('base64') };
  }

  fragmentsOf({ size }: Arg<'fragmentsOf'>): Answer<'fragmentsOf'> {
    return { fragments: [{ name: dataName, size }] };
  }

  flushImage(arg: FlushArg): void {
    const image = this.#image(arg);
    checkToken(arg.token);
    const data = this.#files.get(arg.files.data) ?? fail('fdatasync', dataName, -errno.EBADF);
    data.sync();
    const sums = this.#files.get(arg.files.sums);
    if (arg.sumsAt >= 0 && sums !== undefined) {
      sums.replace(arg.sumsAt, Buffer.from(arg.crcs, 'base64'));
      sums.sync();
    }
    image.meta = arg.meta;
  }

  replaceMeta(arg: Arg<'replaceMeta'>): void {
    checkToken(arg.token);
    this.#image(arg).meta = arg.meta;
  }

  appendSums({ sums, at, crcs }: Arg<'appendSums'>): void {
    const file = this.#files.get(sums) ?? fail('write', 'image.sums', -errno.EBADF);
    file.write(at, Buffer.from(crcs, 'base64'));
  }

  commitImage(arg: Arg<'commitImage'>): void {
    checkClaimNumber(arg.claimN);
    const data = this.#files.get(arg.files.data) ?? fail('stat', dataName, -errno.EBADF);
    const written = data.stat().size;
    if (written < arg.size) fail('size', `${arg.lsu}/${arg.image}/${dataName}`, storeErrno.sizeDiffers);
    if (written > arg.size) data.cut(arg.size);
    this.flushImage(arg);
    this.#image(arg).claims.delete(arg.claimN);
    this.closeFiles({ files: [arg.files.data, arg.files.sums, arg.files.dir] });
  }

  removeImage(arg: Arg<'removeImage'>): void {
    checkToken(arg.token);
    const image = this.#image(arg);
    const lsu = this.#lsu(arg.lsu);
    lsu.images.delete(arg.image);
    lsu.trash.push(image);
  }

  /** Creates and metas are one step here, so only trash and claims can be left. */
  sweepList({ lsu }: Arg<'sweepList'>): Answer<'sweepList'> {
    const { trash, images } = this.#lsu(lsu);
    const items: Answer<'sweepList'>['items'] = [];
    const none = { token: '', modifiedAt: 0 };
    if (trash.length > 0) items.push({ path: trashName, kind: 'trash', claim: null, claims: [], ...none });
    for (const image of images.keys()) {
      const { claims } = this.claims({ lsu, image });
      for (const { n, text } of claims) {
        items.push({ path: `${image}/${claimName(n)}`, kind: 'claim', claim: text, claims, ...none });
      }
    }
    return { list: -1, items };
  }

  sweepRemove({ lsu, items }: Arg<'sweepRemove'>): Answer<'sweepRemove'> {
    const removed: string[] = [];
    for (const { path, claim } of items) {
      checkSweepPath(path);
      if (path === trashName) this.#emptyTrash(lsu);
      else if (!this.#dropIfSame(lsu, path, claim)) continue;
      removed.push(path);
    }
    return { removed, left: items.length - removed.length };
  }

  #dropIfSame(lsu: string, path: string, claim: string | null): boolean {
    const [image, name] = path.split('/');
    const n = claimNumber(name ?? '');
    const claims = this.#lsu(lsu).images.get(image)?.claims;
    if (claim !== null && claims?.has(n) && claims.get(n) !== claim) return false;
    claims?.delete(n);
    return true;
  }

  closeFiles({ files }: Arg<'closeFiles'>): void {
    for (const id of files) this.#files.get(id)?.release();
    this.#forgetClosed();
  }

  /**
   * Tests: what a power failure leaves at least. Metas and names are durable when their call returns; data and sums
   * only up to the last sync. Whoever had files open has lost them.
   */
  losePower(): void {
    for (const { images } of this.#lsus.values()) {
      for (const image of images.values()) for (const file of [...image.data.values(), image.sums]) file?.losePower();
    }
    this.#lists.clear();
  }

  #emptyTrash(name: string): void {
    const { trash } = this.#lsu(name);
    for (const image of trash) for (const file of [...image.data.values(), image.sums]) file?.remove();
    trash.length = 0;
    this.#forgetClosed();
  }

  #forgetClosed(): void {
    for (const [id, file] of this.#files) if (file.closed) this.#files.delete(id);
  }

  /** Counts a user of the file; −1 for no file. Everyone who opens it gets the same id. */
  #use(file: MemFile | null | undefined): number {
    if (!file) return -1;
    this.#files.set(file.id, file);
    return file.use();
  }

  #check(): void {
    if (!this.#open) fail('marker', 'the storage root is not open', storeErrno.notMounted);
  }

  #lsu(name: string): MemLsu {
    this.#check();
    return this.#lsus.get(checkName(name)) ?? fail('open', name, -errno.ENOENT);
  }

  #image(arg: { lsu: string; image: string }): MemImage {
    const image = this.#lsu(arg.lsu).images.get(checkName(arg.image));
    return image ?? fail('open', `${arg.lsu}/${arg.image}`, -errno.ENOENT);
  }
}

function statOf(data: readonly (MemFile | undefined)[], sums: MemFile | null | undefined): ImageStat {
  const stat: ImageStat = { dataSize: 0, physicalBytes: 0, sumsSize: sums?.stat().size ?? 0 };
  for (const file of data) {
    const one = file?.stat();
    stat.dataSize += one?.size ?? 0;
    stat.physicalBytes += one?.physicalBytes ?? 0;
  }
  return stat;
}
