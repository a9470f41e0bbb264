/**
 * A disk held to a rate for a process and all that it starts from then on: the kernel's own throttle of block devices, in a
 * control group that is made for it and removed with it. Direct I/O is throttled as it is issued.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = '/sys/fs/cgroup/blkio';
const groupOf = (pid: number): string => join(root, `vast-ost-bench-${pid}`);
const group = groupOf(process.pid);

/** major:minor of the disk below a directory; null: no block device of its own (NFS, tmpfs, overlays). */
function deviceOf(directory: string): string | null {
  const { dev } = statSync(directory);
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  const entry = `/sys/dev/block/${major}:${minor}`;
  if (!existsSync(entry)) return null;
  // Whole disks are throttled, not their partitions, which lie below them.
  const disk = existsSync(join(entry, 'partition')) ? join(realpathSync(entry), '..') : entry;
  return readFileSync(join(disk, 'dev'), 'latin1').trim();
}

/** Why this machine cannot; null: it can. */
export function missingThrottle(directory: string): string | null {
  try {
    accessSync(join(root, 'blkio.throttle.write_bps_device'), constants.W_OK);
  } catch {
    return 'no block device throttle of control groups, version 1, that this user may write';
  }
  return deviceOf(directory) === null ? `${directory} lies on no block device` : null;
}

/** The group of a process in a text of /proc/PID/cgroup ('4:blkio:/system.slice'), as a path below the controller's root. */
export function blkioGroup(text: string): string {
  const found = /^\d+:(?:[a-z_,]+,)?blkio(?:,[a-z_,]+)?:(\/.*)$/m.exec(text)?.[1];
  if (found === undefined) throw new Error('the kernel names no blkio control group of this process');
  return found;
}

/** Reads and writes of `pid` take `bytesPerSecond` at most, each way, until it is disposed of; its children have ended then. */
export async function holdDisk(pid: number, directory: string, bytesPerSecond: number): Promise<AsyncDisposable> {
  const device = deviceOf(directory);
  if (device === null) throw new Error(`${directory} lies on no block device`);
  const home = join(root, blkioGroup(readFileSync(`/proc/${pid}/cgroup`, 'utf8')), 'cgroup.procs');
  mkdirSync(group);
  const limit = `${device} ${Math.floor(bytesPerSecond)}`;
  try {
    for (const way of ['read', 'write']) writeFileSync(join(group, `blkio.throttle.${way}_bps_device`), limit);
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  } catch (error) {
    rmdirSync(group);
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      try {
        writeFileSync(home, String(pid));
      } catch (error) {
        // A process that has ended is in no group.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
      rmdirSync(group);
    },
  };
}

/** For who ends without having removed it; the processes in it have ended. */
export function leftOfDisk(): string | null {
  return existsSync(group) ? `left: control group; remove it: rmdir ${group}` : null;
}

const endLooksMs = 50;
const endLooksMax = 100;

/** What a run left that was killed. Its processes were killed, too, and are in their group until the kernel is done with them. */
export async function removeDiskOf(pid: number): Promise<void> {
  if (!existsSync(groupOf(pid))) return;
  for (let look = 1; ; look++) {
    try {
      rmdirSync(groupOf(pid));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || look === endLooksMax) throw error;
    }
    await sleep(endLooksMs);
  }
}
