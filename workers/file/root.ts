/**
 * The storage root as one lane holds it: a descriptor, the marker as it was last seen, descriptors of its LSUs.
 *
 * Not mounted is not a directory: each step that creates or commits checks the marker through the held descriptor, so
 * no byte reaches the disk below a mount point. The check is one stat: only a marker that changed is read again.
 */
import { realpathSync } from 'node:fs';
import { errno } from '../../engine/core/errors.ts';
import { addon, fsField, fsFields, noDir, statField } from '../../native/addon/index.ts';
import { checkName, markerName } from '../layout.ts';
import { type Capacity, type RootInfo, type Store, StoreError, storeErrno } from '../store.ts';
import {
  fail,
  isErrno,
  must,
  O_DIRECT,
  O_DIRECTORY,
  O_RDONLY,
  openDir,
  readBytes,
  readWhole,
  statOut,
} from './calls.ts';
import { findMount, isNfs, type MountEntry, parseMountInfo, refusal, warningsOf } from './mounts.ts';

const markerBytesMax = 4096;
const mountInfoBytesMax = 4 * 1024 * 1024;
/** LSUs held open per lane: more are closed again, the one that waited longest first. */
const lsusOpenMax = 64;

type RootArg = Parameters<Store['openRoot']>[0];

/** What was seen of the marker, and what its file was then. */
interface Marker {
  storeId: string;
  inode: number;
  modifiedAt: number;
}

function notMounted(text: string): never {
  throw new StoreError({ errno: storeErrno.notMounted, step: 'marker', path: text });
}

/** Store id of a marker's text; null when it is none. */
export function storeIdOf(text: string): string | null {
  try {
    const id = (JSON.parse(text) as { store_id?: unknown }).store_id;
    return typeof id === 'string' && id !== '' ? id : null;
  } catch {
    return null;
  }
}

export class Root {
  readonly dir: number;
  readonly info: RootInfo;
  readonly isNfs: boolean;
  /** Direct I/O is wanted, and the file system takes it. */
  readonly direct: boolean;
  #marker: Marker;
  readonly #lsus = new Map<string, number>();

  private constructor(dir: number, arg: RootArg) {
    this.dir = dir;
    const mount = checkMount(dir, arg.root, arg.requireMount);
    this.#marker = readMarker(dir);
    const { storeId } = this.#marker;
    if (arg.storeId !== undefined && arg.storeId !== storeId) {
      throw new StoreError({ errno: storeErrno.notMounted, step: 'store', path: storeId });
    }
    const warnings = mount === null ? [] : warningsOf(mount);
    this.direct = arg.direct && takesDirect(dir);
    if (arg.direct && !this.direct) warnings.push(`${arg.root} has no direct I/O: the page cache is used`);
    this.isNfs = mount !== null && isNfs(mount.fsType);
    this.info = {
      storeId,
      fsType: mount?.fsType ?? '',
      mountPoint: mount?.mountPoint ?? '',
      mountOptions: mount?.options ?? '',
      warnings,
    };
  }

  static open(arg: RootArg): Root {
    // The root itself may be a link that an administrator made: it is followed, nothing below it is.
    const dir = addon.openFile(noDir, arg.root, O_RDONLY | O_DIRECTORY, 0);
    if (dir === -errno.ENOENT || dir === -errno.ENOTDIR) notMounted('there is no such directory');
    must(dir, 'open', '');
    try {
      return new Root(dir, arg);
    } catch (error) {
      addon.closeFile(dir);
      throw error;
    }
  }

  close(): void {
    for (const dir of this.#lsus.values()) addon.closeFile(dir);
    this.#lsus.clear();
    addon.closeFile(this.dir);
  }

  /** Throws "not mounted" unless the marker is the one that was seen when the root was opened. */
  checkMarker(): void {
    const result = addon.statAt(this.dir, markerName, statOut);
    if (result === -errno.ENOENT) notMounted(`there is no ${markerName}`);
    must(result, 'stat', markerName);
    const { inode, modifiedAt, storeId } = this.#marker;
    if (statOut[statField.inode] === inode && statOut[statField.modifiedAt] === modifiedAt) return;
    const now = readMarker(this.dir);
    if (now.storeId !== storeId) notMounted(`${markerName} names store ${now.storeId}, it was ${storeId}`);
    this.#marker = now;
  }

  capacity(): Capacity {
    this.checkMarker();
    const out = new Float64Array(fsFields);
    must(addon.statFileSystem(this.dir, out), 'statfs', '');
    return { capacity: out[fsField.capacity], free: out[fsField.free], available: out[fsField.available] };
  }

  /** Descriptor of an LSU, held until forgotten. ENOENT when there is none. */
  lsu(name: string): number {
    const known = this.#lsus.get(name);
    if (known !== undefined) return known;
    const dir = openDir(this.dir, checkName(name), name);
    if (this.#lsus.size >= lsusOpenMax) this.forget(this.#lsus.keys().next().value!);
    this.#lsus.set(name, dir);
    return dir;
  }

  /**
   * Runs `use` with an LSU's descriptor. Where the directory was removed and made anew behind our back, the held
   * descriptor only answers ENOENT: it is opened again, and `use` runs once more, having found nothing to change.
   */
  inLsu<T>(name: string, use: (dir: number) => T): T {
    const dir = this.lsu(name);
    try {
      return use(dir);
    } catch (error) {
      if (isErrno(error, errno.ESTALE)) this.forget(name);
      if (!isErrno(error, errno.ENOENT) || !isRemoved(dir)) throw error;
      this.forget(name);
      return use(this.lsu(name));
    }
  }

  forget(name: string): void {
    const dir = this.#lsus.get(name);
    if (dir !== undefined) addon.closeFile(dir);
    this.#lsus.delete(name);
  }
}

function readMarker(dir: number): Marker {
  const result = addon.statAt(dir, markerName, statOut);
  if (result === -errno.ENOENT) notMounted(`there is no ${markerName}`);
  must(result, 'stat', markerName);
  const [inode, modifiedAt] = [statOut[statField.inode], statOut[statField.modifiedAt]];
  const bytes = readWhole(dir, markerName, markerBytesMax, markerName);
  const storeId = bytes === null ? null : storeIdOf(bytes.toString('utf8'));
  if (storeId === null) return notMounted(`${markerName} is damaged`);
  return { storeId, inode, modifiedAt };
}

function isRemoved(dir: number): boolean {
  return addon.statFile(dir, statOut) >= 0 && statOut[statField.links] === 0;
}

/** The mount of the root; null where /proc does not tell. Throws when it must not be used. */
function checkMount(dir: number, root: string, requireMount: boolean): MountEntry | null {
  const path = realPath(root);
  const text = readMountInfo();
  const mount = text === null ? null : findMount(parseMountInfo(text), path);
  if (requireMount) {
    must(addon.statFile(dir, statOut), 'stat', '');
    const told = statOut[statField.mountRoot];
    const isMountPoint = told >= 0 ? told === 1 : mount?.mountPoint === path;
    if (!isMountPoint) notMounted('it is a plain directory and no mount point');
  }
  const refused = mount === null ? null : refusal(mount);
  if (refused !== null) notMounted(refused);
  return mount;
}

function realPath(root: string): string {
  try {
    return realpathSync(root);
  } catch (error) {
    return fail('realpath', '', (error as NodeJS.ErrnoException).errno ?? -errno.EIO);
  }
}

function readMountInfo(): string | null {
  const file = addon.openFile(noDir, '/proc/self/mountinfo', O_RDONLY, 0);
  if (file < 0) return null;
  try {
    return readBytes(file, mountInfoBytesMax, 0, '/proc/self/mountinfo').toString('utf8');
  } finally {
    addon.closeFile(file);
  }
}

/** Opening the marker tells whether the file system takes direct I/O at all. */
function takesDirect(dir: number): boolean {
  const file = addon.openFile(dir, markerName, O_RDONLY | O_DIRECT, 0);
  if (file === -errno.EINVAL) return false;
  addon.closeFile(must(file, 'open', markerName));
  return true;
}
