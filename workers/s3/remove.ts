/** An image's objects go, the meta first: what is left of a delete that was cut short never looks like an image. */
import type { ImageKeys } from './keys.ts';
import type { Objects } from './objects.ts';
import { abortOthers } from './resume.ts';

/** image.data, image.meta, image.sums, claims, and the pieces of a pending image's sums. */
const objectsMax = 100_000;

/** Returns how many there were. */
export async function removeAll(objects: Objects, keys: ImageKeys): Promise<number> {
  const found = (await objects.listAll(keys.dir, objectsMax)).map(({ key }) => key);
  if (found.includes(keys.meta)) await objects.remove([keys.meta]);
  await abortOthers(objects, keys, null);
  await objects.remove(found.filter((key) => key !== keys.meta));
  return found.length;
}
