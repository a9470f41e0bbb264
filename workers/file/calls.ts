/** System calls that throw StoreError with their step and path, and small files read and written whole. */
import { constants } from 'node:fs';
import { errno } from '../../engine/core/errors.ts';
import { addon, statField, statFields } from '../../native/addon/index.ts';
import { fileMode } from '../layout.ts';
import { StoreError } from '../store.ts';

export const { O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;
export const removeDirFlag = 0x200;

/** Filled by stat calls; one per thread is enough, since nobody keeps it. */
export const statOut = new Float64Array(statFields);

export function fail(step: string, path: string, result: number, syncFailed = false): never {
  throw new StoreError(syncFailed ? { errno: result, step, path, syncFailed } : { errno: result, step, path });
}

/** Passes a result ≥ 0 on. */
export function must(result: number, step: string, path: string): number {
  return result < 0 ? fail(step, path, result) : result;
}

export function isErrno(error: unknown, ...numbers: number[]): boolean {
  return error instanceof StoreError && numbers.some((number) => error.failure.errno === -number);
}

const typeMask = 0o170000;
const regularType = 0o100000;
const otherTypes: ReadonlyMap<number, string> = new Map([
  [0o010000, 'a FIFO'],
  [0o020000, 'a device'],
  [0o040000, 'a directory'],
  [0o060000, 'a device'],
  [0o120000, 'a symbolic link'],
  [0o140000, 'a socket'],
]);
/** What an open says of what is no file, where one is wanted; and only then. */
const notAFile: ReadonlySet<number> = new Set([-errno.EISDIR, -errno.ELOOP, -errno.ENXIO]);

/** Something that is no file stands where one was to be opened. */
export function isNoFile(error: unknown): boolean {
  return error instanceof StoreError && error.failure.step === 'open' && notAFile.has(error.failure.errno);
}

/** A file that was opened; else tells what stands in its place, where that is why. */
export function mustOpen(result: number, dir: number, name: string, path: string): number {
  if (!notAFile.has(result) || addon.statLink(dir, name, statOut) < 0) return must(result, 'open', path);
  const type = statOut[statField.mode] & typeMask;
  if (type === regularType) return must(result, 'open', path);
  const text = `${path} is ${otherTypes.get(type) ?? 'something else'}, where a file belongs: nobody of ours put it there; look who did`;
  throw new StoreError({ errno: result, step: 'open', path, text });
}

/** `path` is what failures name, below the storage root; `name` is relative to `dir`. */
export function openFile(dir: number, name: string, flags: number, path: string, mode = fileMode): number {
  return mustOpen(addon.openFile(dir, name, flags | O_NOFOLLOW, mode), dir, name, path);
}

export function openDir(dir: number, name: string, path: string): number {
  return openFile(dir, name, O_RDONLY | O_DIRECTORY, path);
}

/** Like openFile, and −1 where there is no such file. */
export function openIfThere(dir: number, name: string, flags: number, path: string): number {
  const file = addon.openFile(dir, name, flags | O_NOFOLLOW, 0);
  return file === -errno.ENOENT || file === -errno.ENOTDIR ? -1 : mustOpen(file, dir, name, path);
}

/** fsync. What fails here may be lost whatever is tried later: never tried again. */
export function syncFile(file: number, path: string): void {
  const result = addon.syncFile(file);
  if (result < 0) fail('fsync', path, result, true);
}

export function syncData(file: number, path: string): void {
  const result = addon.syncData(file);
  if (result < 0) fail('fdatasync', path, result, true);
}

export function writeBytes(file: number, bytes: Uint8Array, position: number, path: string): void {
  if (bytes.length > 0) must(addon.writeBytes(file, bytes, bytes.length, position), 'write', path);
}

/** Bytes of the file from `position`, at most `max`; into `bytes`, which the caller may use again, or into new memory. */
export function readBytes(
  file: number,
  max: number,
  position: number,
  path: string,
  bytes: Buffer = Buffer.allocUnsafe(max),
): Buffer {
  return bytes.subarray(0, must(addon.readBytes(file, bytes, max, position), 'read', path));
}

/** The beginning of a small file, null where there is none. One byte more than `max` tells that it is longer. */
export function readWhole(dir: number, name: string, max: number, path: string, into?: Buffer): Buffer | null {
  const file = openIfThere(dir, name, O_RDONLY, path);
  if (file < 0) return null;
  try {
    return readBytes(file, max + 1, 0, path, into);
  } finally {
    addon.closeFile(file);
  }
}

/** Those that are open: a negative descriptor stands for none. */
export function closeAll(files: readonly number[]): void {
  for (const file of files) if (file >= 0) addon.closeFile(file);
}

/** A small new file, open and not yet durable; after a failure it is gone again. */
export function writeNew(dir: number, name: string, text: string, flags: number, path: string): number {
  const file = openFile(dir, name, O_WRONLY | O_CREAT | flags, path);
  try {
    writeBytes(file, Buffer.from(text), 0, path);
    return file;
  } catch (error) {
    addon.unlinkFile(dir, name, 0);
    addon.closeFile(file);
    throw error;
  }
}

/** Writes and syncs a small new file; after a failure it is gone again. Its name is durable with the directory only. */
export function writeWhole(dir: number, name: string, text: string, flags: number, path: string): void {
  const file = writeNew(dir, name, text, flags, path);
  try {
    syncFile(file, path);
  } catch (error) {
    addon.unlinkFile(dir, name, 0);
    throw error;
  } finally {
    addon.closeFile(file);
  }
}

/** The file is replaced by `text`, durably: temporary, fsync, rename, fsync of the directory. */
export function replaceWhole(dir: number, name: string, temporary: string, text: string, path: string): void {
  writeWhole(dir, temporary, text, O_TRUNC, `${path}/${temporary}`);
  enterWhole(dir, name, temporary, path);
}

/** A temporary file that is durable takes its name, durably. */
export function enterWhole(dir: number, name: string, temporary: string, path: string): void {
  const renamed = addon.renameFile(dir, temporary, dir, name, 0);
  if (renamed < 0) {
    addon.unlinkFile(dir, temporary, 0);
    fail('rename', `${path}/${name}`, renamed);
  }
  syncFile(dir, path);
}

/** Names of a directory that fit into memory: an image's, an unfinished create's. Null where there is none. */
export function listNames(dir: number, name: string, max: number, path: string): string[] | null {
  const list = addon.openList(dir, name);
  if (list === -errno.ENOENT || list === -errno.ENOTDIR) return null;
  must(list, 'open', path);
  try {
    const names: string[] = [];
    while (names.length < max) {
      const more = addon.nextNames(list, max - names.length);
      if (typeof more === 'number') return fail('readdir', path, more);
      if (more.length === 0) break;
      names.push(...more);
    }
    return names;
  } finally {
    addon.closeList(list);
  }
}
