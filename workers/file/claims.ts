/** claim.<n>: the right to write an image, won by link(2). Whose claim is dead is decided by the coordinator. */
import { errno } from '../../engine/core/errors.ts';
import { addon } from '../../native/addon/index.ts';
import { checkClaimNumber, checkName, checkToken, claimName, claimNumber, claimPrefix } from '../layout.ts';
import type { Claim, Store } from '../store.ts';
import { fail, listNames, must, O_TRUNC, openDir, readWhole, syncFile, writeWhole } from './calls.ts';
import type { Root } from './root.ts';

/** An image's directory has a handful of names; one that has more than this is not ours. */
export const imageNamesMax = 4096;
const claimBytesMax = 1024;
const claimsMax = 16;

/** Text of a claim, null where there is none. */
export function claimTextOf(dir: number, name: string, path: string): string | null {
  return readWhole(dir, name, claimBytesMax, path)?.toString('utf8') ?? null;
}

/** The claims among `names`, highest first. `at` is the image's directory relative to `dir`, with its slash, or ''. */
export function readClaims(dir: number, at: string, names: readonly string[], path: string): Claim[] {
  const numbers = names
    .map(claimNumber)
    .filter((n) => n > 0)
    .sort((a, b) => b - a);
  const claims: Claim[] = [];
  for (const n of numbers.slice(0, claimsMax)) {
    const text = claimTextOf(dir, at + claimName(n), `${path}/${claimName(n)}`);
    if (text !== null) claims.push({ n, text });
  }
  return claims;
}

export function listClaims(root: Root, arg: Parameters<Store['claims']>[0]): { claims: Claim[] } {
  const image = checkName(arg.image);
  const path = `${arg.lsu}/${image}`;
  return root.inLsu(arg.lsu, (lsu) => {
    const names = listNames(lsu, image, imageNamesMax, path) ?? fail('open', path, -errno.ENOENT);
    return { claims: readClaims(lsu, `${image}/`, names, path) };
  });
}

export function takeClaim(root: Root, arg: Parameters<Store['takeClaim']>[0]): { won: boolean } {
  const image = checkName(arg.image);
  const temporary = claimPrefix + checkToken(arg.token);
  const name = claimName(checkClaimNumber(arg.n));
  const path = `${arg.lsu}/${image}`;
  root.checkMarker();
  const dir = root.inLsu(arg.lsu, (lsu) => openDir(lsu, image, path));
  try {
    writeWhole(dir, temporary, arg.claim, O_TRUNC, `${path}/${temporary}`);
    const linked = addon.linkFile(dir, temporary, dir, name);
    addon.unlinkFile(dir, temporary, 0);
    // NFS may refuse the repetition of a link that it had carried out: the text tells.
    if (linked !== -errno.EEXIST) must(linked, 'link', `${path}/${name}`);
    const won = isWon(dir, arg, path);
    syncFile(dir, path);
    return { won };
  } finally {
    addon.closeFile(dir);
  }
}

/** Looks at all claims there are now; takes away the lower ones when ours won, and ours when it lost. */
function isWon(dir: number, arg: Parameters<Store['takeClaim']>[0], path: string): boolean {
  const claims = readClaims(dir, '', listNames(dir, '.', imageNamesMax, path) ?? [], path);
  const own = claims.find((claim) => claim.n === arg.n);
  if (own?.text !== arg.claim) return false;
  const others = claims.filter((claim) => claim !== own);
  const expected = (claim: Claim) =>
    claim.n < arg.n && arg.over.some((known) => known.n === claim.n && known.text === claim.text);
  if (!others.every(expected)) {
    addon.unlinkFile(dir, claimName(arg.n), 0);
    return false;
  }
  for (const claim of others) addon.unlinkFile(dir, claimName(claim.n), 0);
  return true;
}

export function dropClaim(root: Root, arg: Parameters<Store['dropClaim']>[0]): void {
  const name = `${checkName(arg.image)}/${claimName(checkClaimNumber(arg.n))}`;
  const path = `${arg.lsu}/${name}`;
  root.inLsu(arg.lsu, (lsu) => {
    if (claimTextOf(lsu, name, path) !== arg.claim) return;
    const removed = addon.unlinkFile(lsu, name, 0);
    if (removed !== -errno.ENOENT) must(removed, 'unlink', path);
  });
}
