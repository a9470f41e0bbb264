/** Images come and go: each by one rename, durable when the call returns. */
import { errno } from '../../engine/core/errors.ts';
import { addon, statField } from '../../native/addon/index.ts';
import {
  checkName,
  checkToken,
  claimName,
  createPrefix,
  dataName,
  dirMode,
  metaName,
  sumsName,
  trashName,
} from '../layout.ts';
import type { OpenFiles, Store } from '../store.ts';
import {
  closeAll,
  fail,
  must,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  openDir,
  openFile,
  removeDirFlag,
  statOut,
  syncFile,
  writeBytes,
  writeNew,
} from './calls.ts';
import { openData } from './data-file.ts';
import type { Root } from './root.ts';

/** `ours`: the claim in it was made by this call. */
type Fresh = OpenFiles & { ours: boolean };
type CreateArg = Parameters<Store['createImage']>[0];
type RemoveArg = Parameters<Store['removeImage']>[0];

/** DESIGN §6 create: all of the directory is made under a name of our own, then renamed. */
export function createImage(root: Root, arg: CreateArg): OpenFiles {
  const image = checkName(arg.image);
  const fresh = createPrefix + checkToken(arg.token);
  root.checkMarker();
  return root.inLsu(arg.lsu, (lsu) => {
    const path = `${arg.lsu}/${fresh}`;
    const files: Fresh = { data: -1, sums: -1, dir: -1, align: 1, ours: false };
    const made = addon.makeDir(lsu, fresh, dirMode);
    // A repeated request of the network's own finds the directory that its first try made: the token says whose it is.
    if (made !== -errno.EEXIST) must(made, 'mkdir', path);
    try {
      files.dir = openDir(lsu, fresh, path);
      fillDirectory(root, arg, files, path);
      enterName(lsu, fresh, image, arg, files.dir);
    } catch (error) {
      discard(lsu, fresh, files);
      throw error;
    }
    try {
      syncFile(lsu, arg.lsu);
    } catch (error) {
      // Not acknowledged: it must not stay under its name with a claim that blocks the next try.
      addon.renameFile(lsu, image, lsu, fresh, 0);
      discard(lsu, fresh, files);
      throw error;
    }
    const { data, sums, dir, align } = files;
    return { data, sums, dir, align };
  });
}

function fillDirectory(root: Root, arg: CreateArg, files: Fresh, path: string): void {
  const { dir } = files;
  const [claimPath, metaPath] = [`${path}/${claimName(1)}`, `${path}/${metaName}`];
  let meta = -1;
  // The claim first: whoever finds the unfinished directory can then tell whether its maker lives.
  const claim = writeNew(dir, claimName(1), arg.claim, O_EXCL, claimPath);
  try {
    files.ours = true;
    // Under way before the first sync, it becomes durable in the same commit of the file system's journal.
    addon.startWriteback(claim);
    meta = writeNew(dir, metaName, arg.meta, O_EXCL, metaPath);
    const opened = openData(root, dir, dataName, O_RDWR | O_CREAT | O_EXCL, `${path}/${dataName}`);
    files.data = opened.data;
    files.align = opened.align;
    if (arg.sumsHeader !== null) {
      files.sums = openFile(dir, sumsName, O_RDWR | O_CREAT | O_EXCL, `${path}/${sumsName}`);
      writeBytes(files.sums, Buffer.from(arg.sumsHeader, 'base64'), 0, `${path}/${sumsName}`);
    }
    syncFile(meta, metaPath);
    syncFile(claim, claimPath);
    syncFile(dir, path);
  } finally {
    closeAll([claim, meta]);
  }
}

/** Fails onto an image: a directory that is not empty, and ours never are. */
function enterName(lsu: number, fresh: string, image: string, arg: CreateArg, dir: number): void {
  const path = `${arg.lsu}/${image}`;
  const renamed = addon.renameFile(lsu, fresh, lsu, image, 0);
  if (renamed >= 0) return;
  const taken = [errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR].some((number) => renamed === -number);
  // NFS may carry out a rename, lose the answer, and refuse its own repetition. Only the very directory that is open here
  // counts: one with the same claim, from an earlier try of the same writer, would not get a byte of what is written.
  if (isSame(lsu, image, dir)) return;
  if (taken) fail('exists', path, -errno.EEXIST);
  fail('rename', path, renamed);
}

function isSame(lsu: number, name: string, dir: number): boolean {
  if (addon.statAt(lsu, name, statOut) < 0) return false;
  const inode = statOut[statField.inode];
  return addon.statFile(dir, statOut) >= 0 && statOut[statField.inode] === inode;
}

/** After a failure; what cannot be removed is left for the janitor. */
function discard(lsu: number, fresh: string, files: Fresh): void {
  // Where it does not stand under its own name, the rename may have been carried out: an image is never taken apart.
  // Nor is a directory in which another create with this token is at work.
  if (files.ours && addon.statAt(lsu, fresh, statOut) >= 0) {
    for (const name of [sumsName, dataName, metaName, claimName(1)]) addon.unlinkFile(files.dir, name, 0);
  }
  closeAll([files.data, files.sums, files.dir]);
  addon.unlinkFile(lsu, fresh, removeDirFlag);
}

/** Out of sight at once, whatever its size; the janitor takes it apart. Local readers keep what they have open. */
export function removeImage(root: Root, arg: RemoveArg): void {
  const image = checkName(arg.image);
  const trashed = `${trashName}/${checkToken(arg.token)}`;
  root.checkMarker();
  root.inLsu(arg.lsu, (lsu) => {
    const path = `${arg.lsu}/${image}`;
    let renamed = addon.renameFile(lsu, image, lsu, trashed, 0);
    if (renamed === -errno.ENOENT) {
      // The image is not there, or .trash is not yet.
      const made = addon.makeDir(lsu, trashName, dirMode);
      if (made !== -errno.EEXIST) must(made, 'mkdir', `${arg.lsu}/${trashName}`);
      renamed = addon.renameFile(lsu, image, lsu, trashed, 0);
    }
    const repeated = renamed === -errno.ENOENT && addon.statAt(lsu, trashed, statOut) >= 0;
    if (!repeated) must(renamed, 'rename', path);
    syncFile(lsu, arg.lsu);
  });
}
