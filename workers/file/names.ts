/** LSUs and listings. */
import { errno } from '../../engine/core/errors.ts';
import { addon, statField } from '../../native/addon/index.ts';
import { checkName, checkToken, dirMode, labelPrefix, lsuFileName, metaName } from '../layout.ts';
import { answerBytesGood, entryBytes, metaText } from '../meta-text.ts';
import type { Store } from '../store.ts';
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
import { readMeta } from './open.ts';
import type { Root } from './root.ts';

type NamesArg = Parameters<Store['nextNames']>[0];
type Entry = ReturnType<Store['nextNames']>['names'][number];

/** As many as the coordinator asks for at most. */
const batchNames = 32;
/** Nearly all are shorter. */
const shortMeta = 16 * 1024;
const batchResults = new Int32Array(batchNames);
/** Made when this lane lists for the first time. */
let batchBytes: Buffer | null = null;

/** Each of them meets another commit, or the storage has gone. */
const staleTriesMax = 3;
const lsuTextBytesMax = 64 * 1024;
const fileTypeMask = 0o170000;
const directoryType = 0o040000;

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
  const dir = arg.lsu === null ? root.dir : root.lsu(arg.lsu);
  const names: Entry[] = [];
  let bytes = 0;
  while (names.length < arg.max && bytes < answerBytesGood) {
    const next = listed(addon.peekNames(arg.list, Math.min(batchNames, arg.max - names.length)), arg);
    if (next.length === 0) break;
    const texts = arg.meta ? textsOf(dir, next, arg) : null;
    // A name that was taken must be answered: those that do not fit into this answer any more stay for the next one.
    let taken = 0;
    for (; taken < next.length && bytes < answerBytesGood; taken++) {
      const name = next[taken] as string;
      if (name.startsWith('.')) continue;
      const text = texts?.[taken] ?? null;
      const entry = text === null ? lookAt(dir, name, arg) : { name, meta: text };
      if (entry === null) continue;
      names.push(entry);
      bytes += entryBytes(name, entry.meta);
    }
    listed(addon.nextNames(arg.list, taken), arg);
  }
  return { names };
}

function listed(names: string[] | number, arg: NamesArg): string[] {
  return typeof names === 'number' ? fail('readdir', arg.lsu ?? '', names) : names;
}

/**
 * The metas of these names, in one call. Null where one has to be looked at by itself: it is long, is not there, or could
 * not be read.
 */
function textsOf(dir: number, names: readonly string[], arg: NamesArg): (string | null)[] {
  batchBytes ??= Buffer.alloc(batchNames * shortMeta);
  const bytes = batchBytes;
  must(addon.readFiles(dir, names, metaName, bytes, shortMeta, batchResults), 'open', arg.lsu ?? '');
  return names.map((name, i) => {
    const length = batchResults[i] as number;
    if (name.startsWith('.') || length < 0 || length >= shortMeta) return null;
    return metaText(bytes.subarray(i * shortMeta, i * shortMeta + length));
  });
}

/**
 * A handle of NFS goes stale when another machine replaces the file behind it, as each commit does with its meta: the
 * name is looked up again. The list as a whole could not be taken up where it was.
 */
function lookAt(dir: number, name: string, arg: NamesArg): Entry | null {
  for (let tries = 1; ; tries++) {
    try {
      const meta = arg.meta ? readMeta(dir, `${name}/${metaName}`, `${arg.lsu ?? ''}/${name}`) : null;
      // What has a meta is a directory.
      return meta !== null || isDirectory(dir, name) ? { name, meta } : null;
    } catch (error) {
      if (!isErrno(error, errno.ESTALE) || tries === staleTriesMax) throw error;
    }
  }
}

/** Something else than a directory is nobody's LSU and nobody's image; nor is what vanished meanwhile. */
function isDirectory(dir: number, name: string): boolean {
  const result = addon.statAt(dir, name, statOut);
  if (result === -errno.ENOENT) return false;
  must(result, 'stat', name);
  return (statOut[statField.mode] & fileTypeMask) === directoryType;
}
