/** claim.<n> of an image, as objects: the right to write it, taken by a conditional put where the endpoint has one. */
import { checkClaimNumber } from '../layout.ts';
import type { Claim, Store } from '../store.ts';
import type { ImageKeys } from './keys.ts';
import type { Objects } from './objects.ts';

const claimBytesMax = 4096;
const claimsMax = 1000;

/** Highest first. */
export async function readClaims(objects: Objects, keys: ImageKeys, known?: readonly string[]): Promise<Claim[]> {
  const names = known ?? (await objects.listAll(keys.claims, claimsMax)).map(({ key }) => key);
  const claims = await Promise.all(
    names
      .filter((key) => keys.claimOf(key) > 0)
      .map(async (key) => ({ n: keys.claimOf(key), text: await objects.text(key, claimBytesMax) })),
  );
  return claims.filter((claim): claim is Claim => claim.text !== null).sort((a, b) => b.n - a.n);
}

export async function takeClaim(
  objects: Objects,
  keys: ImageKeys,
  { n, claim, over }: Parameters<Store['takeClaim']>[0],
): Promise<{ won: boolean }> {
  const key = keys.claim(checkClaimNumber(n));
  if ((await objects.putNew(key, Buffer.from(claim))) === null && (await objects.text(key, claimBytesMax)) !== claim)
    return { won: false };
  const others = (await readClaims(objects, keys)).filter((one) => one.n !== n);
  const dead = (one: Claim): boolean => one.n < n && over.some(({ n: at, text }) => at === one.n && text === one.text);
  if (!others.every(dead)) {
    await objects.remove([key]);
    return { won: false };
  }
  await objects.remove(others.map((one) => keys.claim(one.n)));
  return { won: true };
}

/** What is not this very claim stays. */
export async function dropClaim(objects: Objects, keys: ImageKeys, n: number, claim: string | null): Promise<boolean> {
  const key = keys.claim(checkClaimNumber(n));
  const there = await objects.text(key, claimBytesMax);
  if (there !== null && claim !== null && there !== claim) return false;
  if (there !== null) await objects.remove([key]);
  return true;
}
