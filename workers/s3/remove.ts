/**
 * An image's objects go, the meta first: what is left of a removal that was cut short never looks like an image, and the
 * tombstone that came before tells that it is one.
 */
import type { ImageKeys } from './keys.ts';
import type { Objects } from './objects.ts';
import { abortOthers } from './resume.ts';

/** image.data, image.meta, image.sums, claims, and the pieces of a pending image's sums. */
const objectsMax = 100_000;

/** Returns how many there were; 0 also when they are not what `demand` expects. */
export async function removeAll(
  objects: Objects,
  keys: ImageKeys,
  demand: (found: readonly string[]) => boolean = () => true,
): Promise<number> {
  const found = (await objects.listAll(keys.dir, objectsMax)).map(({ key }) => key);
  if (found.length === 0 || !demand(found)) return 0;
  if (!found.includes(keys.deleted)) await objects.put(keys.deleted, [Buffer.from('{}\n')]);
  if (found.includes(keys.meta)) await objects.remove([keys.meta]);
  await abortOthers(objects, keys, null);
  await objects.remove(found.filter((key) => key !== keys.meta && key !== keys.deleted));
  await objects.remove([keys.deleted]);
  return found.length;
}
