/** Names and modes of what a store keeps (DESIGN §7), the same for both stores. */
import { errno } from '../engine/core/errors.ts';
import { StoreError } from './store.ts';

export const markerName = '.vast-ost-store';
export const lsuFileName = '.lsu';
export const trashName = '.trash';
export const dataName = 'image.data';
export const metaName = 'image.meta';
export const sumsName = 'image.sums';

export const fileMode = 0o640;
export const dirMode = 0o750;

export const createPrefix = '.new-';
export const metaPrefix = '.meta-';
export const claimPrefix = '.claim-';
export const labelPrefix = '.lsu-';

const claimForm = /^claim\.([1-9][0-9]{0,8})$/;
const dataForm = /^image\.data(\.[0-9]{4,9})?$/;
const nameMax = 200;
/** Printable ASCII without '/'; a leading dot would be ours or the storage's. */
const nameForm = /^[!-~]+$/;
/** Of temporaries: their names tell who made them (engine/image/owner.ts), and stay below 255 bytes. */
const tokenForm = /^[0-9A-Za-z_-]{1,200}$/;

export function claimName(n: number): string {
  return `claim.${n}`;
}

/** Number of a claim's file name; 0 for any other name. */
export function claimNumber(name: string): number {
  const found = claimForm.exec(name);
  return found === null ? 0 : Number(found[1]);
}

export function isDataName(name: string): boolean {
  return dataForm.test(name);
}

function refuse(step: string, path: string): never {
  throw new StoreError({ errno: -errno.EINVAL, step, path });
}

/** The coordinator makes the names; that none of them leads out of its directory is looked at here as well. */
export function checkName(name: string): string {
  return isName(name) ? name : refuse('name', name);
}

export function isName(name: string): boolean {
  return name.length > 0 && name.length <= nameMax && nameForm.test(name) && !/^\.|\//.test(name);
}

export function checkToken(token: string): string {
  return tokenForm.test(token) ? token : refuse('token', token);
}

export function checkDataName(name: string): string {
  return isDataName(name) ? name : refuse('name', name);
}

export function checkClaimNumber(n: number): number {
  return n > 0 && claimNumber(claimName(n)) === n ? n : refuse('claim', String(n));
}

/** Only what sweepList tells of: never an image's data, meta or sums. */
export function checkSweepPath(path: string): string {
  const [first, second, ...more] = path.split('/');
  const after = (name: string, prefix: string) => name.startsWith(prefix) && tokenForm.test(name.slice(prefix.length));
  const known =
    second === undefined
      ? first === trashName || after(first, createPrefix) || after(first, labelPrefix)
      : claimNumber(second) > 0 || after(second, claimPrefix) || after(second, metaPrefix);
  if (!known || more.length > 0) return refuse('sweep', path);
  if (second !== undefined) checkName(first);
  return path;
}
