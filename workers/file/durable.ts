/** Flush and complete (DESIGN §6): the order of the syncs is the promise. */
import { errno } from '../../engine/core/errors.ts';
import { addon, statField } from '../../native/addon/index.ts';
import {
  checkClaimNumber,
  checkName,
  checkToken,
  claimName,
  dataName,
  metaName,
  metaPrefix,
  sumsName,
} from '../layout.ts';
import { type FlushArg, type LastBytes, type Store, storeErrno } from '../store.ts';
import {
  closeAll,
  enterWhole,
  fail,
  must,
  O_TRUNC,
  replaceWhole,
  statOut,
  syncData,
  syncFile,
  writeBytes,
  writeNew,
} from './calls.ts';
import type { Root } from './root.ts';

type CommitArg = Parameters<Store['commitImage']>[0];
type AppendArg = Parameters<Store['appendSums']>[0];
type MetaArg = Parameters<Store['replaceMeta']>[0];

/** Data and sums before the name of the meta that speaks of both: a meta never promises what is not durable. */
export function flushImage(root: Root, arg: FlushArg): void {
  root.checkMarker();
  makeDurable(arg, pathOf(arg), () => undefined);
}

/**
 * As flush, with the data cut to its size before, and looked at behind. Then the claim is over: what is returned drops it
 * and closes the files, for which nobody has to wait.
 */
export function commitImage(root: Root, arg: CommitArg): () => void {
  const path = pathOf(arg);
  const dataPath = `${path}/${dataName}`;
  const claim = claimName(checkClaimNumber(arg.claimN));
  root.checkMarker();
  if (arg.last !== undefined) writeLast(arg.files.data, arg.last, dataPath);
  const written = sizeOf(arg.files.data, dataPath);
  // Making it longer would fill in zeros that nobody wrote.
  if (written < arg.size) fail('size', dataPath, storeErrno.sizeDiffers);
  if (written > arg.size) must(addon.truncateFile(arg.files.data, arg.size), 'truncate', dataPath);
  makeDurable(arg, path, () => {
    if (sizeOf(arg.files.data, dataPath) !== arg.size) fail('size', dataPath, storeErrno.sizeDiffers);
  });
  return () => {
    // The image is complete and durable: a claim that stays is only something for the janitor.
    addon.unlinkFile(arg.files.dir, claim, 0);
    closeAll([arg.files.data, arg.files.sums, arg.files.dir]);
  };
}

function writeLast(data: number, last: LastBytes, path: string): void {
  const { arena, memoryOffset, offset, length, align } = last;
  const written =
    align === 1
      ? addon.writeSlot(data, arena, memoryOffset, length, offset)
      : addon.writeEdge(data, arena, memoryOffset, length, offset, align);
  if (must(written, 'write', path) !== length) fail('write', path, -errno.EIO);
}

export function replaceMeta(root: Root, arg: MetaArg): void {
  root.checkMarker();
  replaceWhole(arg.dir, metaName, metaPrefix + checkToken(arg.token), arg.meta, pathOf(arg));
}

export function appendSums(arg: AppendArg): void {
  writeBytes(arg.sums, Buffer.from(arg.crcs, 'base64'), arg.at, sumsName);
}

function pathOf(arg: { lsu: string; image: string }): string {
  return `${checkName(arg.lsu)}/${checkName(arg.image)}`;
}

function sizeOf(file: number, path: string): number {
  must(addon.statFile(file, statOut), 'stat', path);
  return statOut[statField.size];
}

/**
 * Sums and the meta's temporary file are written, and under way, before the first sync: on a journaling file system all
 * three then become durable in one commit. Their order among themselves promises nothing; the rename comes last.
 */
function makeDurable(arg: FlushArg, path: string, check: () => void): void {
  const { dir, data } = arg.files;
  const temporary = metaPrefix + checkToken(arg.token);
  const temporaryPath = `${path}/${temporary}`;
  const sums = writeSums(arg, `${path}/${sumsName}`);
  const meta = writeNew(dir, temporary, arg.meta, O_TRUNC, temporaryPath);
  try {
    syncFile(meta, temporaryPath);
    syncData(data, `${path}/${dataName}`);
    if (sums >= 0) syncFile(sums, `${path}/${sumsName}`);
    check();
  } catch (error) {
    addon.unlinkFile(dir, temporary, 0);
    throw error;
  } finally {
    addon.closeFile(meta);
  }
  enterWhole(dir, metaName, temporary, path);
}

/** The file that is to be synced; −1: nothing was written. */
function writeSums(arg: FlushArg, path: string): number {
  const { sums } = arg.files;
  if (arg.sumsAt < 0 || sums < 0) return -1;
  const crcs = Buffer.from(arg.crcs, 'base64');
  writeBytes(sums, crcs, arg.sumsAt, path);
  must(addon.truncateFile(sums, arg.sumsAt + crcs.length), 'truncate', path);
  addon.startWriteback(sums);
  return sums;
}
