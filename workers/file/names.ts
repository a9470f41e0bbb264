/** LSUs and listings. */
import { errno } from '../../engine/core/errors.ts';
import { PackedNames, packedBytesMax, packedNamesMax } from '../../engine/core/packed-names.ts';
import { addon, statField } from '../../native/addon/index.ts';
import { checkName, checkToken, dirMode, labelPrefix, lsuFileName, metaName } from '../layout.ts';
import { answerBytesGood, entryBytes } from '../meta-text.ts';
import { metaBytesMax, type Store } from '../store.ts';
import {
  fail,
  isErrno,
  must,
  O_EXCL,
  openDir,
  readWhole,
  removeDirFlag,
  replaceWhole,
  statOut,
  syncFile,
  writeWhole,
} from './calls.ts';
import { readMetaBytes } from './open.ts';
import type { Root } from './root.ts';

type NamesArg = Parameters<Store['nextNames']>[0];
type Entry = ReturnType<Store['nextNames']>['names'][number];

/** Names without metas are taken in steps. */
const namesPerStep = 32;
/** Made when this lane lists for the first time. */
let packedBytes: Buffer | null = null;

/** Each of them meets another commit, or the storage has gone. */
const staleTriesMax = 3;
/** Of what is too long for a meta. */
const cutBytes = 1024;
const nothing = Buffer.alloc(0);
const lsuTextBytesMax = 64 * 1024;
const fileTypeMask = 0o170000;
const directoryType = 0o040000;
const regularType = 0o100000;

export function makeLsu(root: Root, arg: Parameters<Store['makeLsu']>[0]): void {
  const lsu = checkName(arg.lsu);
  root.checkMarker();
  must(addon.makeDir(root.dir, lsu, dirMode), 'mkdir', lsu);
  let dir = -1;
  try {
    dir = openDir(root.dir, lsu, lsu);
    writeWhole(dir, lsuFileName, arg.text, O_EXCL, `${lsu}/${lsuFileName}`);
    syncFile(dir, lsu);
    syncFile(root.dir, '');
  } catch (error) {
    if (dir >= 0) addon.unlinkFile(dir, lsuFileName, 0);
    addon.unlinkFile(root.dir, lsu, removeDirFlag);
    throw error;
  } finally {
    if (dir >= 0) addon.closeFile(dir);
  }
}

export function labelLsu(root: Root, arg: Parameters<Store['labelLsu']>[0]): void {
  const temporary = labelPrefix + checkToken(arg.token);
  root.checkMarker();
  root.inLsu(arg.lsu, (lsu) => replaceWhole(lsu, lsuFileName, temporary, arg.text, arg.lsu));
}

export function readLsu(root: Root, arg: Parameters<Store['readLsu']>[0]): { text: string | null } {
  const path = `${arg.lsu}/${lsuFileName}`;
  return root.inLsu(arg.lsu, (lsu) => {
    const bytes = readWhole(lsu, lsuFileName, lsuTextBytesMax, path);
    // Nothing is said of a directory that was removed: that its file is missing is then no answer.
    if (bytes === null && addon.statFile(lsu, statOut) >= 0 && statOut[statField.links] === 0) {
      fail('open', arg.lsu, -errno.ENOENT);
    }
    return { text: bytes?.toString('utf8') ?? null };
  });
}

export function openNames(root: Root, arg: Parameters<Store['openNames']>[0]): { list: number } {
  const list =
    arg.lsu === null
      ? addon.openList(root.dir, '.')
      : root.inLsu(arg.lsu, (lsu) => must(addon.openList(lsu, '.'), 'open', arg.lsu!));
  return { list: must(list, 'open', arg.lsu ?? '') };
}

export function nextNames(root: Root, arg: NamesArg): ReturnType<Store['nextNames']> {
  if (arg.meta) return nextPacked(root, arg);
  const dir = arg.lsu === null ? root.dir : root.lsu(arg.lsu);
  const names: Entry[] = [];
  let bytes = 0;
  while (names.length < arg.max && bytes < answerBytesGood) {
    const next = addon.nextNames(arg.list, Math.min(namesPerStep, arg.max - names.length));
    if (typeof next === 'number') return fail('readdir', arg.lsu ?? '', next);
    if (next.length === 0) break;
    for (const name of next) {
      if (name.startsWith('.') || !retriedIfStale(() => isDirectory(dir, name))) continue;
      names.push({ name, meta: null });
      bytes += entryBytes(name, null);
    }
  }
  return { names };
}

/** With their metas. An answer without any name is the end. */
function nextPacked(root: Root, arg: NamesArg): ReturnType<Store['nextNames']> {
  const dir = arg.lsu === null ? root.dir : root.lsu(arg.lsu);
  const path = arg.lsu ?? '';
  packedBytes ??= Buffer.alloc(packedBytesMax);
  for (;;) {
    const max = Math.min(packedNamesMax, arg.max);
    const count = must(addon.readListed(arg.list, metaName, max, packedBytes), 'readdir', path);
    if (count === 0) return { names: [] };
    const packed = new PackedNames(packedBytes);
    const { taken, shown } = looked(packed, count, dir, path);
    // What has no room in this answer stays for the next one.
    must(addon.skipNames(arg.list, taken), 'readdir', path);
    packed.cut(taken);
    if (shown > 0) return { names: [], packed: packed.bytes };
  }
}

/**
 * Those whose metas could not be read together are looked at by themselves: they are long, are not there, or say why not.
 * `taken`: up to the one that found no room.
 */
function looked(packed: PackedNames, count: number, dir: number, path: string): { taken: number; shown: number } {
  let shown = 0;
  let taken = 0;
  for (; taken < count && taken < packed.count; taken++) {
    const name = packed.nameAt(taken);
    if (name === null) continue;
    if (packed.metaAt(taken) === null) {
      const found = retriedIfStale(() => lookAt(dir, name, path));
      if (found === null) {
        packed.hide(taken);
        continue;
      }
      if (found !== 'no meta' && !packed.setMeta(taken, found)) break;
    }
    shown++;
  }
  return { taken, shown };
}

function lookAt(dir: number, name: string, path: string): Buffer | 'no meta' | null {
  // The name may have become a link since it was read.
  if (!isDirectory(dir, name)) return null;
  const meta = `${name}/${metaName}`;
  const type = typeOf(dir, meta);
  if (type === null) return 'no meta';
  // A directory, a link, a FIFO that would never answer: damaged, and no reason not to list the others.
  if (type !== regularType) return nothing;
  const bytes = readMetaBytes(dir, meta, `${path}/${name}`);
  if (bytes === null) return 'no meta';
  return bytes.length > metaBytesMax ? bytes.subarray(0, cutBytes) : bytes;
}

/**
 * A handle of NFS goes stale when another machine replaces the file behind it, as each commit does with its meta: the
 * name is looked up again. The list as a whole could not be taken up where it was.
 */
function retriedIfStale<T>(look: () => T): T {
  for (let tries = 1; ; tries++) {
    try {
      return look();
    } catch (error) {
      if (!isErrno(error, errno.ESTALE) || tries === staleTriesMax) throw error;
    }
  }
}

/** Something else than a directory is nobody's LSU and nobody's image, a link neither; nor is what vanished meanwhile. */
function isDirectory(dir: number, name: string): boolean {
  return typeOf(dir, name) === directoryType;
}

/** Of the name itself, not of what a link leads to; null: there is none. */
function typeOf(dir: number, name: string): number | null {
  const result = addon.statLink(dir, name, statOut);
  if (result === -errno.ENOENT || result === -errno.ENOTDIR) return null;
  must(result, 'stat', name);
  return statOut[statField.mode] & fileTypeMask;
}
