/** Flush and complete (DESIGN §6): the order of the syncs is the promise. */
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
import { type FlushArg, type Store, storeErrno } from '../store.ts';
import { fail, must, replaceWhole, statOut, syncData, syncFile, writeBytes } from './calls.ts';
import type { Root } from './root.ts';

type CommitArg = Parameters<Store['commitImage']>[0];
type AppendArg = Parameters<Store['appendSums']>[0];
type MetaArg = Parameters<Store['replaceMeta']>[0];

/** Data, then sums, then the meta that speaks of both: a meta never promises what is not durable. */
export function flushImage(root: Root, arg: FlushArg): void {
  const path = pathOf(arg);
  root.checkMarker();
  syncData(arg.files.data, `${path}/${dataName}`);
  writeSums(arg, path);
  writeMeta(arg.files.dir, arg.token, arg.meta, path);
}

/** As flush, with the data cut to its size before, and looked at behind. Then the claim is over. */
export function commitImage(root: Root, arg: CommitArg): void {
  const path = pathOf(arg);
  const dataPath = `${path}/${dataName}`;
  const claim = claimName(checkClaimNumber(arg.claimN));
  root.checkMarker();
  const written = sizeOf(arg.files.data, dataPath);
  // Making it longer would fill in zeros that nobody wrote.
  if (written < arg.size) fail('size', dataPath, storeErrno.sizeDiffers);
  if (written > arg.size) must(addon.truncateFile(arg.files.data, arg.size), 'truncate', dataPath);
  syncData(arg.files.data, dataPath);
  writeSums(arg, path);
  if (sizeOf(arg.files.data, dataPath) !== arg.size) fail('size', dataPath, storeErrno.sizeDiffers);
  writeMeta(arg.files.dir, arg.token, arg.meta, path);
  // The image is complete and durable: a claim that stays is only something for the janitor.
  addon.unlinkFile(arg.files.dir, claim, 0);
}

export function replaceMeta(root: Root, arg: MetaArg): void {
  root.checkMarker();
  writeMeta(arg.dir, arg.token, arg.meta, pathOf(arg));
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

function writeSums(arg: FlushArg, imagePath: string): void {
  const { sums } = arg.files;
  if (arg.sumsAt < 0 || sums < 0) return;
  const path = `${imagePath}/${sumsName}`;
  const crcs = Buffer.from(arg.crcs, 'base64');
  writeBytes(sums, crcs, arg.sumsAt, path);
  must(addon.truncateFile(sums, arg.sumsAt + crcs.length), 'truncate', path);
  syncFile(sums, path);
}

function writeMeta(dir: number, token: string, meta: string, path: string): void {
  replaceWhole(dir, metaName, metaPrefix + checkToken(token), meta, path);
}
