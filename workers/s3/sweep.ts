/** What dead owners left below an LSU: claims, and images whose meta is not there, never or not any more. */
import type { Store, SweepItem } from '../store.ts';
import { dropClaim, readClaims } from './claims.ts';
import { ImageKeys } from './keys.ts';
import type { Listed, Objects } from './objects.ts';
import { removeAll } from './remove.ts';

type SweepStep = ReturnType<Store['sweepList']>;

interface OpenSweep {
  readonly lsu: string;
  token: string | null;
  /** Of the image at the end of the last page: more of it may come. */
  carried: Listed[];
}

const sweepsMax = 64;

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

  /** One page of keys. `list` −1 begins. */
  async step(objects: Objects, prefix: string, lsu: string, list: number): Promise<SweepStep> {
    const open = this.#sweeps.get(list) ?? { lsu, token: null, carried: [] };
    this.#sweeps.delete(list);
    const base = `${prefix}${lsu}/`;
    const page = await objects.list(base, { token: open.token });
    const byImage = new Map<string, Listed[]>();
    for (const object of [...open.carried, ...page.objects]) {
      const [image = '', rest] = object.key.slice(base.length).split('/', 2);
      if (rest === undefined || image === '' || image.startsWith('.')) continue;
      const known = byImage.get(image);
      if (known === undefined) byImage.set(image, [object]);
      else known.push(object);
    }
    const last = [...byImage.keys()].at(-1);
    let carried: Listed[] = [];
    if (page.next !== null && last !== undefined) {
      carried = byImage.get(last) ?? [];
      byImage.delete(last);
    }
    const items: SweepItem[] = [];
    for (const [image, found] of byImage)
      items.push(...(await leftOf(objects, new ImageKeys(prefix, lsu, image), image, found)));
    if (page.next === null) return { list: -1, items };
    // Forgotten ones make room: their sweeper is gone.
    if (this.#sweeps.size >= sweepsMax) this.#sweeps.clear();
    const number = this.#next++;
    this.#sweeps.set(number, { lsu, token: page.next, carried });
    return { list: number, items };
  }
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
  if (!found.some(({ key }) => key === keys.meta)) {
    return [{ path: `${image}/`, kind: 'create', token: '', claim: claims.at(-1)?.text ?? null, claims, modifiedAt }];
  }
  return claims.map(({ n, text }) => ({
    path: `${image}/${keys.nameOf(keys.claim(n))}`,
    kind: 'claim' as const,
    token: '',
    claim: text,
    claims,
    modifiedAt,
  }));
}

/** `path`: as above. Returns false for what has changed since. */
export async function sweepOne(
  objects: Objects,
  prefix: string,
  lsu: string,
  { path, claim }: { path: string; claim: string | null },
): Promise<boolean> {
  const [image = '', name = ''] = path.split('/', 2);
  const keys = new ImageKeys(prefix, lsu, image);
  if (name !== '') return dropClaim(objects, keys, keys.claimOf(keys.dir + name), claim);
  if ((await objects.head(keys.meta)) !== null) return false;
  await removeAll(objects, keys);
  return true;
}
