/** Limits of time and space of a run: looked at before it and while it runs. */
import type { Dirent } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { BenchError } from '../bench-error.ts';

/** Left for everybody else who writes there. */
const reserveBytes = 1e9;
const entriesMax = 20_000;

export interface SpaceNeed {
  /** What lies there at a time, at most. */
  readonly bytes: number;
  /** 'at 16 streams of 512 MiB'. */
  readonly what: string;
}

function gb(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`;
}

/** Throws BenchError. */
export async function checkSpace(directory: string, need: SpaceNeed, maxBytes: number | null): Promise<void> {
  checkAgainst(need, maxBytes);
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free < need.bytes * 1.1 + reserveBytes) {
    throw new BenchError(
      `${directory} has ${gb(free)} free, the bench needs ${gb(need.bytes * 1.1)} ${need.what} and leaves ${gb(reserveBytes)} alone: lower --size or --streams, give fewer --workloads, or name another --target`,
    );
  }
}

export function checkAgainst(need: SpaceNeed, maxBytes: number | null): void {
  if (maxBytes === null || need.bytes <= maxBytes) return;
  throw new BenchError(
    `the bench needs ${gb(need.bytes)} ${need.what}, --max-gb allows ${gb(maxBytes)}: lower --size or --streams, give fewer --workloads, or raise --max-gb`,
  );
}

/** Null server and peers keep images in memory: out of it, everything stands. Throws BenchError. */
export function checkMemory(need: SpaceNeed, memoryBytes: number, share = 0.9): void {
  if (need.bytes <= memoryBytes * share) return;
  throw new BenchError(
    `what is kept in memory needs ${gb(need.bytes)} ${need.what}, this machine has ${gb(memoryBytes)}: lower --size or --streams`,
  );
}

/** Bytes on the disk below a directory; null: too many files to be counted while something is measured. */
export async function usedBytes(directory: string): Promise<number | null> {
  let bytes = 0;
  let entries = 0;
  const open = [directory];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const found = await readdir(at, { withFileTypes: true }).catch((): Dirent[] => []);
    entries += found.length;
    if (entries > entriesMax) return null;
    for (const entry of found) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) open.push(path);
      else if (entry.isFile())
        bytes += await stat(path).then(
          ({ blocks }) => blocks * 512,
          () => 0,
        );
    }
  }
  return bytes;
}

export interface RunLimits {
  readonly maxSeconds: number | null;
  readonly maxBytes: number | null;
  /** Null: a bucket, where only --max-gb before the run counts. */
  readonly directory: string | null;
}

/** Why the run must end now; null: it may go on. */
export async function reached(limits: RunLimits, seconds: number): Promise<string | null> {
  const { maxSeconds, maxBytes, directory } = limits;
  if (maxSeconds !== null && seconds >= maxSeconds) return `--max-minutes ${maxSeconds / 60} are over`;
  if (directory === null) return null;
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < reserveBytes / 2)
    return `${directory} has less than ${gb(reserveBytes / 2)} free: others write there too, make space or lower --size`;
  if (maxBytes === null) return null;
  const used = await usedBytes(directory);
  return used !== null && used > maxBytes ? `${gb(used)} lie on the target, --max-gb allows ${gb(maxBytes)}` : null;
}
