/** Opening and looking at images. */
import { errno } from '../../engine/core/errors.ts';
import { sumsEntryBytes, sumsHeaderBytes } from '../../engine/core/order.ts';
import { addon, statField } from '../../native/addon/index.ts';
import { checkDataName, checkName, fileMode, isDataName, metaName, sumsName } from '../layout.ts';
import { metaText } from '../meta-text.ts';
import { crcsPerCall, type ImageStat, metaBytesMax, type OpenFiles, type Store } from '../store.ts';
import {
  closeAll,
  fail,
  isErrno,
  isNoFile,
  listNames,
  must,
  O_RDONLY,
  O_RDWR,
  openDir,
  openFile,
  openIfThere,
  readBytes,
  readWhole,
  statOut,
} from './calls.ts';
import { imageNamesMax, readClaims } from './claims.ts';
import { openData } from './data-file.ts';
import type { Root } from './root.ts';

type OpenArg = Parameters<Store['openImage']>[0];
type ReopenArg = Parameters<Store['reopenImage']>[0];
type StatArg = Parameters<Store['statImage']>[0];

/** One per thread is enough: its text is taken out at once. A new one for each meta is a quarter of a megabyte of garbage. */
const metaBytes = Buffer.alloc(metaBytesMax + 1);

/** Text of an image.meta below `dir`; null where there is none. */
export function readMeta(dir: number, name: string, path: string): string | null {
  const bytes = readMetaBytes(dir, name, path);
  return bytes === null ? null : metaText(bytes);
}

/** The same as bytes, until the next one is read; of what is too long the beginning. */
export function readMetaBytes(dir: number, name: string, path: string): Buffer | null {
  return readWhole(dir, name, metaBytesMax, path, metaBytes);
}

/** The same as lists tell it: '' of what is no file, which is as damaged as a meta can be; such an image can be deleted. */
function statMeta(dir: number, name: string, path: string): string | null {
  try {
    return readMeta(dir, name, path);
  } catch (error) {
    if (isNoFile(error)) return '';
    throw error;
  }
}

export function openImage(root: Root, arg: OpenArg): ReturnType<Store['openImage']> {
  const path = `${arg.lsu}/${checkName(arg.image)}`;
  const dir = root.inLsu(arg.lsu, (lsu) => openDir(lsu, arg.image, path));
  const opened = [dir];
  const keep = (file: number) => {
    if (file >= 0) opened.push(file);
    return file;
  };
  try {
    const meta = readMeta(dir, metaName, `${path}/${metaName}`);
    let align = 1;
    const dataFiles = arg.data.map((name) => {
      const fragment = openFragment(root, dir, name, `${path}/${name}`);
      align = Math.max(align, fragment.align);
      return keep(fragment.data);
    });
    const sums = arg.sums ? keep(openIfThere(dir, sumsName, O_RDONLY, `${path}/${sumsName}`)) : -1;
    const { dataSizes, ...sizes } = sizesOf(dataFiles, sums, path);
    return { meta, dataFiles, dataSizes, data: dataFiles[0] ?? -1, sums, dir, align, ...sizes };
  } catch (error) {
    closeAll(opened);
    throw error;
  }
}

/** A fragment that is missing is damage, and the coordinator's to tell: −1 in its place. */
function openFragment(root: Root, dir: number, name: string, path: string): { data: number; align: number } {
  try {
    return openData(root, dir, checkDataName(name), O_RDONLY, path);
  } catch (error) {
    if (!isErrno(error, errno.ENOENT)) throw error;
    return { data: -1, align: 1 };
  }
}

function sizesOf(dataFiles: readonly number[], sums: number, path: string): ImageStat & { dataSizes: number[] } {
  const stat = { dataSize: 0, physicalBytes: 0, sumsSize: 0, dataSizes: dataFiles.map(() => 0) };
  for (const [i, file] of dataFiles.entries()) {
    if (file < 0) continue;
    must(addon.statFile(file, statOut), 'stat', path);
    stat.dataSizes[i] = statOut[statField.size];
    stat.dataSize += stat.dataSizes[i];
    stat.physicalBytes += statOut[statField.physicalBytes];
  }
  if (sums >= 0) {
    must(addon.statFile(sums, statOut), 'stat', path);
    stat.sumsSize = statOut[statField.size];
  }
  return stat;
}

export function statImage(root: Root, arg: StatArg): ReturnType<Store['statImage']> {
  const image = checkName(arg.image);
  const path = `${arg.lsu}/${image}`;
  return root.inLsu(arg.lsu, (lsu) => {
    const names = listNames(lsu, image, imageNamesMax, path) ?? fail('open', path, -errno.ENOENT);
    const stat: ImageStat = { dataSize: 0, physicalBytes: 0, sumsSize: 0 };
    for (const name of names) {
      if (!isDataName(name) && name !== sumsName) continue;
      const result = addon.statAt(lsu, `${image}/${name}`, statOut);
      if (result === -errno.ENOENT) continue;
      must(result, 'stat', `${path}/${name}`);
      if (name === sumsName) stat.sumsSize = statOut[statField.size];
      else {
        stat.dataSize += statOut[statField.size];
        stat.physicalBytes += statOut[statField.physicalBytes];
      }
    }
    const meta = statMeta(lsu, `${image}/${metaName}`, `${path}/${metaName}`);
    return { ...stat, meta, claims: readClaims(lsu, `${image}/`, names, path) };
  });
}

/** The claim is won. Late writes of the engine that had it before are waited for, then the size is the size. */
export function reopenImage(root: Root, arg: ReopenArg): ReturnType<Store['reopenImage']> {
  const path = `${arg.lsu}/${checkName(arg.image)}`;
  const name = checkDataName(arg.data);
  if ((arg.before ?? []).length > 0) fail('resume of several fragments', path, -errno.EOPNOTSUPP);
  root.checkMarker();
  const dir = root.inLsu(arg.lsu, (lsu) => openDir(lsu, arg.image, path));
  const files: OpenFiles = { data: -1, sums: -1, dir, align: 1 };
  try {
    const fragment = openData(root, dir, name, O_RDWR, `${path}/${name}`);
    files.data = fragment.data;
    files.align = fragment.align;
    // fsync, fstat and flock of a new descriptor do not wait for writes of a killed process over NFS; this does.
    must(addon.changeMode(files.data, fileMode), 'chmod', `${path}/${name}`);
    if (arg.sums) files.sums = openFile(dir, sumsName, O_RDWR, `${path}/${sumsName}`);
    const crcs = arg.sums && arg.wholeChunks > 0 ? sumsFrom(files.sums, 0, arg.wholeChunks) : '';
    const { dataSizes: _, ...sizes } = sizesOf([files.data], files.sums, path);
    return { ...files, ...sizes, crcs };
  } catch (error) {
    closeAll([files.data, files.sums, files.dir]);
    throw error;
  }
}

/** Every file that a writer fills: the same as reopenImage does on its own mount, and for the same reason. */
export function fenceImage(root: Root, arg: Parameters<Store['fenceImage']>[0]): void {
  const path = `${arg.lsu}/${checkName(arg.image)}`;
  root.checkMarker();
  const dir = root.inLsu(arg.lsu, (lsu) => openDir(lsu, arg.image, path));
  try {
    const names = listNames(dir, '.', imageNamesMax, path) ?? fail('open', path, -errno.ENOENT);
    for (const name of names) if (isDataName(name) || name === sumsName) fenceFile(dir, name, `${path}/${name}`);
  } finally {
    addon.closeFile(dir);
  }
}

function fenceFile(dir: number, name: string, path: string): void {
  const file = openFile(dir, name, O_RDONLY, path);
  try {
    must(addon.changeMode(file, fileMode), 'chmod', path);
  } finally {
    addon.closeFile(file);
  }
}

/** Base64 of the CRCs from chunk `first`: as many whole ones as there are, at most `crcsPerCall`. */
export function sumsFrom(sums: number, first: number, count: number): string {
  const bytes = Math.min(count, crcsPerCall) * sumsEntryBytes;
  const read = readBytes(sums, bytes, sumsHeaderBytes + first * sumsEntryBytes, sumsName);
  return read.subarray(0, read.length - (read.length % sumsEntryBytes)).toString('base64');
}
