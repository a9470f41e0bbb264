/**
 * An image's objects go, the meta first: what is left of a removal that was cut short never looks like an image, and the
 * tombstone that came before tells that it is one, and whose.
 *
 * Names come again: an image made anew while somebody still removes the one before would lose its objects. So one process
 * removes at a time, by a conditional put of the tombstone; what goes is listed behind it; and nobody makes an image over
 * a tombstone of another process. A tombstone of a dead one is taken over by who has found that out.
 */
import { errno } from '../../engine/core/errors.ts';
import { abortAll } from './abort.ts';
import { failed } from './failures.ts';
import type { ImageKeys } from './keys.ts';
import type { Listed, Objects } from './objects.ts';

/** Fragments, image.meta, image.sums, claims, and the pieces of a pending image's sums. */
const objectsMax = 100_000;
const tombstoneBytesMax = 4096;

export interface Remover {
  /** Whose this removal is: see engine/image/owner.ts. */
  readonly token: string;
  /** Text of a tombstone that may be taken over: its owner is known to be dead. */
  readonly over?: string;
}

/** Text of an image's tombstone; null: there is none. */
export function tombstoneOf(objects: Objects, keys: ImageKeys): Promise<string | null> {
  return objects.text(keys.deleted, tombstoneBytesMax);
}

/** The token of who put it; '': it does not say. */
export function removerOf(tombstone: string): string {
  try {
    const { token } = JSON.parse(tombstone) as { token?: unknown };
    return typeof token === 'string' ? token : '';
  } catch {
    return '';
  }
}

/** Both tokens are of one process: what differs stands in front of its description. */
export function isOfProcess(tombstone: string, token: string): boolean {
  const processOf = (one: string): string => one.slice(one.indexOf('_') + 1);
  const remover = removerOf(tombstone);
  return remover !== '' && (remover === token || (remover.includes('_') && processOf(remover) === processOf(token)));
}

/**
 * Returns how many there were; 0 also when they are not what `demand` expects. Throws StoreError: EBUSY when another
 * process removes the image, or has just made it anew.
 */
export async function removeAll(
  objects: Objects,
  keys: ImageKeys,
  remover: Remover,
  demand: (found: readonly string[]) => boolean = () => true,
): Promise<number> {
  const before = await objects.listAll(keys.dir, objectsMax);
  if (before.length === 0 || !demand(namesOf(before))) return 0;
  await bury(objects, keys, remover, namesOf(before).includes(keys.deleted));
  const there = await objects.listAll(keys.dir, objectsMax);
  if (metaOf(there, keys) !== metaOf(before, keys) || !demand(namesOf(there))) {
    await objects.remove([keys.deleted]);
    failed('it changed at this moment: removal', keys.dir, errno.EBUSY);
  }
  const found = namesOf(there);
  if (found.includes(keys.meta)) await objects.remove([keys.meta]);
  await abortAll(objects, keys, found);
  await objects.remove(found.filter((key) => key !== keys.meta && key !== keys.deleted));
  await objects.remove([keys.deleted]);
  return before.length;
}

/** From now on the removal is this one's. */
async function bury(objects: Objects, keys: ImageKeys, { token, over }: Remover, isBuried: boolean): Promise<void> {
  const text = Buffer.from(`${JSON.stringify({ token })}\n`);
  if (!isBuried) {
    if ((await objects.putNew(keys.deleted, text)) === null) busy(keys);
    return;
  }
  const there = await objects.bucket.get(keys.deleted, tombstoneBytesMax);
  if (there === null) busy(keys);
  const before = there.bytes.toString('utf8');
  if (before !== over && !isOfProcess(before, token)) busy(keys);
  if ((await objects.replace(keys.deleted, text, there.etag)) === null) busy(keys);
}

function busy(keys: ImageKeys): never {
  failed('another engine removes it at this moment: removal', keys.dir, errno.EBUSY);
}

function namesOf(listed: readonly Listed[]): string[] {
  return listed.map(({ key }) => key);
}

function metaOf(listed: readonly Listed[], keys: ImageKeys): string {
  const meta = listed.find(({ key }) => key === keys.meta);
  return meta === undefined ? '' : `${meta.etag} ${meta.size}`;
}
