/**
 * What dead owners left below an LSU: claims, images whose meta is not there, never or not any more, what only a pending
 * image needs beside a complete one, and uploads that no image knows. First the keys page by page, then the uploads.
 */

import { errno } from '../../engine/core/errors.ts';
import type { Claim, Store, SweepItem } from '../store.ts';
import { abortAll, abortUnrecorded, abortUpload, isRecorded } from './abort.ts';
import { dropClaim, readClaims } from './claims.ts';
import { failed } from './failures.ts';
import { ImageKeys, remainsName, uploadOfPath, uploadPath } from './keys.ts';
import { metaAt } from './names.ts';
import { isErrno, type Listed, type Objects } from './objects.ts';
import { type Remover, removeAll, removerOf, tombstoneOf } from './remove.ts';
import { listUploads, type UploadMarker } from './uploads.ts';

type SweepStep = ReturnType<Store['sweepList']>;

type OpenSweep =
  /** `carried`: of the image at the end of the last page, more of which may come. */
  { kind: 'keys'; token: string | null; carried: Listed[] } | { kind: 'uploads'; marker: UploadMarker | null };

const sweepsMax = 64;
/** Of one image: its own, claims, and the pieces of a pending one's sums. */
const objectsMax = 100_000;

export class Sweeps {
  readonly #sweeps = new Map<number, OpenSweep>();
  #next: number;

  /** `first`: numbers of sweeps are told from those of lists. */
  constructor(first: number) {
    this.#next = first;
  }

  close(list: number): void {
    this.#sweeps.delete(list);
  }

  clear(): void {
    this.#sweeps.clear();
  }

  /** One page. `list` −1 begins. */
  async step(objects: Objects, prefix: string, lsu: string, list: number): Promise<SweepStep> {
    const open: OpenSweep = this.#sweeps.get(list) ?? { kind: 'keys', token: null, carried: [] };
    this.#sweeps.delete(list);
    const base = `${prefix}${lsu}/`;
    const { items, next } =
      open.kind === 'keys' ? await keysPage(objects, base, open) : await uploadsPage(objects, base, open.marker);
    if (next === null) return { list: -1, items };
    // Forgotten ones make room: their sweeper is gone.
    if (this.#sweeps.size >= sweepsMax) this.#sweeps.clear();
    const number = this.#next++;
    this.#sweeps.set(number, next);
    return { list: number, items };
  }
}

interface Page {
  items: SweepItem[];
  next: OpenSweep | null;
}

async function keysPage(
  objects: Objects,
  base: string,
  { token, carried }: { token: string | null; carried: Listed[] },
): Promise<Page> {
  const page = await objects.list(base, { token });
  const byImage = new Map<string, Listed[]>();
  for (const object of [...carried, ...page.objects]) {
    const [image = '', rest] = object.key.slice(base.length).split('/', 2);
    if (rest === undefined) continue;
    const known = byImage.get(image);
    if (known === undefined) byImage.set(image, [object]);
    else known.push(object);
  }
  const last = [...byImage.keys()].at(-1);
  let open: Listed[] = [];
  if (page.next !== null && last !== undefined) {
    open = byImage.get(last) ?? [];
    if (open.length > objectsMax) failed('ListObjectsV2', `${base}${last}/`, errno.EOVERFLOW);
    byImage.delete(last);
  }
  const items: SweepItem[] = [];
  for (const [image, found] of byImage) {
    const keys = ImageKeys.at(base, image);
    if (keys !== null) items.push(...(await leftOf(objects, keys, image, found)));
  }
  return {
    items,
    next: page.next === null ? { kind: 'uploads', marker: null } : { kind: 'keys', token: page.next, carried: open },
  };
}

/** Uploads of fragments below the LSU that no record names. */
async function uploadsPage(objects: Objects, base: string, from: UploadMarker | null): Promise<Page> {
  const { uploads, next } = await listUploads(objects, base, from);
  const items: SweepItem[] = [];
  for (const { key, uploadId, begunAt } of uploads) {
    const [image = '', name, ...more] = key.slice(base.length).split('/');
    const keys = name === undefined || more.length > 0 ? null : ImageKeys.at(base, image);
    const n = keys?.fragmentOf(key) ?? 0;
    if (keys === null || n === 0 || (await isRecorded(objects, keys, n, uploadId))) continue;
    const claims = await readClaims(objects, keys);
    items.push({
      path: `${image}/${uploadPath(n, uploadId)}`,
      kind: 'upload',
      token: '',
      claim: claims.at(0)?.text ?? null,
      claims,
      modifiedAt: begunAt,
    });
  }
  return { items, next: next === null ? null : { kind: 'uploads', marker: next } };
}

async function leftOf(
  objects: Objects,
  keys: ImageKeys,
  image: string,
  found: readonly Listed[],
): Promise<SweepItem[]> {
  const claims = await readClaims(
    objects,
    keys,
    found.map(({ key }) => key),
  );
  const modifiedAt = Math.max(...found.map((one) => one.modifiedAt));
  const path = `${image}/`;
  const isOurs = found.every(({ key }) => keys.isOfImage(key));
  const tombstone = found.find(({ key }) => key === keys.deleted);
  if (tombstone !== undefined && isOurs) {
    const claim = (await tombstoneOf(objects, keys)) ?? '';
    const token = removerOf(claim);
    return [{ path, kind: 'removal', token, claim, claims: [], modifiedAt: tombstone.modifiedAt }];
  }
  if (!found.some(({ key }) => key === keys.meta)) {
    // Whose this is nobody knows.
    if (!isOurs) return [];
    const kind = claims.length > 0 ? 'create' : 'orphan';
    return [{ path, kind, token: '', claim: claims.at(-1)?.text ?? null, claims, modifiedAt }];
  }
  const items: SweepItem[] = [];
  if (found.some(({ key }) => keys.isPendingOnly(key)) && (await isComplete(objects, keys))) {
    const claim = claims.at(0)?.text ?? null;
    items.push({ path: `${image}/${remainsName}`, kind: 'remains', token: '', claim, claims, modifiedAt });
  }
  for (const { n, text } of claims) {
    const path = `${image}/${keys.nameOf(keys.claim(n))}`;
    items.push({ path, kind: 'claim', token: '', claim: text, claims, modifiedAt });
  }
  return items;
}

/** `path`: as above. Returns false for what has changed since. */
export async function sweepOne(
  objects: Objects,
  prefix: string,
  lsu: string,
  { path, claim }: { path: string; claim: string | null },
  token: string,
): Promise<boolean> {
  const slash = path.indexOf('/');
  const [image, name] = [path.slice(0, slash), path.slice(slash + 1)];
  const keys = new ImageKeys(prefix, lsu, image);
  const n = keys.claimOf(keys.dir + name);
  if (n > 0) return removeClaim(objects, keys, n, claim);
  const tombstone = name === '' ? await tombstoneOf(objects, keys) : null;
  if (tombstone !== null) return tombstone === claim && removeBuried(objects, keys, { token, over: tombstone });
  const claims = await readClaims(objects, keys);
  if (!(claim === null ? claims.length === 0 : claims.some(({ text }) => text === claim))) return false;
  if (name === '') return removeMetaless(objects, keys, { token });
  if (name === remainsName) return removeRemains(objects, keys, claims);
  const upload = uploadOfPath(name);
  if (upload !== null) {
    const { n, uploadId } = upload;
    if (await isRecorded(objects, keys, n, uploadId)) return false;
    await abortUpload(objects, keys.fragment(n), uploadId);
    return true;
  }
  return failed('sweep', path, errno.EINVAL);
}

/** With a dead writer's claim go uploads that it had not yet written down: behind it nothing tells whose they are. */
async function removeClaim(objects: Objects, keys: ImageKeys, n: number, claim: string | null): Promise<boolean> {
  const claims = await readClaims(objects, keys);
  const isThere = claims.some((one) => one.n === n && one.text === claim);
  if (isThere && claims.length === 1) await abortUnrecorded(objects, keys);
  return dropClaim(objects, keys, n, claim);
}

/** Goes on with a removal whose process is dead, however far it came: its meta may still go by a late request. */
function removeBuried(objects: Objects, keys: ImageKeys, remover: Remover): Promise<boolean> {
  return removeWhere(objects, keys, remover, (found) => found.every((key) => keys.isOfImage(key)));
}

async function removeMetaless(objects: Objects, keys: ImageKeys, remover: Remover): Promise<boolean> {
  const isMetaless = (found: readonly string[]): boolean =>
    !found.includes(keys.meta) && found.every((key) => keys.isOfImage(key));
  // Lists of some endpoints lag behind: what is asked for by its name is there or is not.
  if ((await objects.head(keys.meta)) !== null) return false;
  return removeWhere(objects, keys, remover, isMetaless);
}

/** False: it is no such thing any more, or somebody else was there first. */
async function removeWhere(
  objects: Objects,
  keys: ImageKeys,
  remover: Remover,
  demand: (found: readonly string[]) => boolean,
): Promise<boolean> {
  try {
    return (await removeAll(objects, keys, remover, demand)) > 0;
  } catch (error) {
    if (isErrno(error, errno.EBUSY)) return false;
    throw error;
  }
}

/** The claims last: as long as they are there, it is known who left the rest. */
async function removeRemains(objects: Objects, keys: ImageKeys, claims: readonly Claim[]): Promise<boolean> {
  if (!(await isComplete(objects, keys))) return false;
  const found = (await objects.listAll(keys.dir, objectsMax)).map(({ key }) => key);
  await abortAll(objects, keys, found);
  await objects.remove(found.filter((key) => keys.isPendingOnly(key)));
  await objects.remove(claims.map(({ n }) => keys.claim(n)));
  return true;
}

/** Does the image's meta say so? What cannot be read does not. */
async function isComplete(objects: Objects, keys: ImageKeys): Promise<boolean> {
  try {
    return JSON.parse((await metaAt(objects, keys)) ?? '{}').state === 'complete';
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
