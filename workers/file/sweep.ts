/** The janitor's two hands: finding what dead owners may have left, and removing what was condemned. */
import { errno } from '../../engine/core/errors.ts';
import { addon, statField } from '../../native/addon/index.ts';
import {
  checkSweepPath,
  claimName,
  claimNumber,
  claimPrefix,
  createPrefix,
  labelPrefix,
  metaPrefix,
  trashName,
} from '../layout.ts';
import { answerBytesGood, jsonBytes } from '../meta-text.ts';
import { type Store, StoreError, type SweepItem } from '../store.ts';
import { fail, listNames, must, removeDirFlag, statOut } from './calls.ts';
import { claimTextOf, imageNamesMax, readClaims } from './claims.ts';
import type { Root } from './root.ts';

export function sweepList(root: Root, arg: Parameters<Store['sweepList']>[0]): ReturnType<Store['sweepList']> {
  return root.inLsu(arg.lsu, (lsu) => {
    const list = arg.list >= 0 ? arg.list : must(addon.openList(lsu, '.'), 'open', arg.lsu);
    const items: SweepItem[] = [];
    let bytes = 0;
    const until = performance.now() + (arg.ms ?? Infinity);
    const goesOn = (looked: number): boolean => looked === 0 || (looked < arg.max && performance.now() < until);
    for (let looked = 0; goesOn(looked) && bytes < answerBytesGood; looked++) {
      const taken = addon.nextNames(list, 1);
      if (typeof taken === 'number') {
        addon.closeList(list);
        return fail('readdir', arg.lsu, taken);
      }
      if (taken.length === 0) {
        addon.closeList(list);
        return { list: -1, items };
      }
      const found = readableItems(lsu, taken[0], arg.lsu);
      items.push(...found);
      for (const item of found) bytes += jsonBytes(JSON.stringify(item));
    }
    return { list, items };
  });
}

/** What cannot be looked at now is no reason to leave all else uncleaned: nothing of it is condemned. */
function readableItems(lsu: number, name: string, lsuName: string): SweepItem[] {
  try {
    return itemsOf(lsu, name, lsuName);
  } catch (error) {
    if (error instanceof StoreError) return [];
    throw error;
  }
}

function itemsOf(lsu: number, name: string, lsuName: string): SweepItem[] {
  const plain = { claims: [], claim: null };
  if (name === trashName) {
    const names = listNames(lsu, name, 1, lsuName);
    return names?.length ? item(lsu, { path: name, kind: 'trash', token: '', ...plain }) : [];
  }
  if (name.startsWith(createPrefix)) {
    const claim = claimTextOf(lsu, `${name}/${claimName(1)}`, `${lsuName}/${name}`);
    return item(lsu, { path: name, kind: 'create', token: name.slice(createPrefix.length), claims: [], claim });
  }
  if (name.startsWith(labelPrefix)) {
    return item(lsu, { path: name, kind: 'labelTemporary', token: name.slice(labelPrefix.length), ...plain });
  }
  return name.startsWith('.') ? [] : imageItems(lsu, name, lsuName);
}

/** Claims and temporaries of an image's directory. A writer at work shows up here too: who lives is not known here. */
function imageItems(lsu: number, image: string, lsuName: string): SweepItem[] {
  const names = listNames(lsu, image, imageNamesMax, `${lsuName}/${image}`) ?? [];
  const ours = names.filter((name) => claimNumber(name) > 0 || isTemporary(name));
  if (ours.length === 0) return [];
  const claims = readClaims(lsu, `${image}/`, names, `${lsuName}/${image}`);
  return ours.flatMap((name) => {
    const path = `${image}/${name}`;
    const n = claimNumber(name);
    if (n > 0) {
      const claim = claims.find((other) => other.n === n)?.text ?? null;
      return item(lsu, { path, kind: 'claim', token: '', claims, claim });
    }
    if (name.startsWith(claimPrefix)) {
      const claim = claimTextOf(lsu, path, `${lsuName}/${path}`);
      return item(lsu, { path, kind: 'claimTemporary', token: name.slice(claimPrefix.length), claims, claim });
    }
    return item(lsu, { path, kind: 'metaTemporary', token: name.slice(metaPrefix.length), claims, claim: null });
  });
}

function isTemporary(name: string): boolean {
  return name.startsWith(claimPrefix) || name.startsWith(metaPrefix);
}

/** With its time; nothing, when it is gone already. */
function item(lsu: number, found: Omit<SweepItem, 'modifiedAt'>): SweepItem[] {
  if (addon.statAt(lsu, found.path, statOut) < 0) return [];
  return [{ ...found, modifiedAt: statOut[statField.modifiedAt] }];
}

export function sweepRemove(root: Root, arg: Parameters<Store['sweepRemove']>[0]): ReturnType<Store['sweepRemove']> {
  root.checkMarker();
  return root.inLsu(arg.lsu, (lsu) => {
    const removed: string[] = [];
    const budget = { left: arg.max };
    let gone = 0;
    for (const { path, claim } of arg.items) {
      checkSweepPath(path);
      if (budget.left <= 0) break;
      if (path === trashName) removed.push(...emptyTrash(lsu, budget, arg.lsu));
      if (path === trashName ? isEmpty(lsu, path, arg.lsu) : removeItem(lsu, path, claim, budget, arg.lsu)) {
        removed.push(path);
        gone++;
      }
    }
    return { removed, left: arg.items.length - gone };
  });
}

function removeItem(lsu: number, path: string, claim: string | null, budget: { left: number }, at: string): boolean {
  const isDir = path.startsWith(createPrefix);
  const owner = isDir ? `${path}/${claimName(1)}` : path;
  // Another owner may have taken its place since it was listed.
  if (claim !== null && claimTextOf(lsu, owner, `${at}/${owner}`) !== claim) return isGone(lsu, path);
  if (isDir) return removeTree(lsu, path, budget, at);
  budget.left--;
  addon.unlinkFile(lsu, path, 0);
  return isGone(lsu, path);
}

/** Each directory in it that is gone then. */
function emptyTrash(lsu: number, budget: { left: number }, at: string): string[] {
  const names = listNames(lsu, trashName, budget.left, `${at}/${trashName}`) ?? [];
  const paths = names.map((name) => `${trashName}/${name}`);
  return paths.filter((path) => budget.left > 0 && removeTree(lsu, path, budget, at));
}

function isEmpty(lsu: number, path: string, at: string): boolean {
  return listNames(lsu, path, 1, `${at}/${path}`)?.length === 0;
}

/** A directory of files; a file too. What an NFS client still holds open (.nfs…) stays until the next time. */
function removeTree(lsu: number, path: string, budget: { left: number }, at: string): boolean {
  for (const name of listNames(lsu, path, imageNamesMax, `${at}/${path}`) ?? []) {
    addon.unlinkFile(lsu, `${path}/${name}`, 0);
    budget.left--;
  }
  budget.left--;
  if (addon.unlinkFile(lsu, path, removeDirFlag) === -errno.ENOTDIR) addon.unlinkFile(lsu, path, 0);
  return isGone(lsu, path);
}

function isGone(lsu: number, path: string): boolean {
  return addon.statAt(lsu, path, statOut) === -errno.ENOENT;
}
