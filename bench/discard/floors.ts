/**
 * What the discarding engine's rows stand beside: a copy on one core and on all, CRC-64 and CRC-64 + SHA-256 alone on one
 * core, pages of a fresh arena made ready, and the bare hand-over between two processes and two threads.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { addon } from '../../native/addon/index.ts';
import type { Measure, Subject, Taken } from '../run-context.ts';
import { runJson } from './clients.ts';

const native = join(import.meta.dirname, '../native/build');
const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const pagesMain = join(import.meta.dirname, `pages-main.${ending}`);
const mib = 1 << 20;
const block = 64 * mib;
const copyBytes = 4e9;
const pageBytes = 512 * mib;
const handovers = 2000;

/** In the order of what they cost a byte; names that the model looks for. */
export const floorNames = {
  copy: 'floor, memcpy on one core',
  copyAll: 'floor, memcpy on all cores',
  copyCached: 'floor, memcpy into 12 MiB on one core',
  copyOut: 'floor, memcpy out of slots on one core',
  copyOutAll: 'floor, memcpy out of slots on all cores',
  crc: 'floor, CRC-64 on one core',
  sha: 'floor, CRC-64 + SHA-256 on one core',
  zero: 'floor, fresh pages on one core',
  zeroAll: 'floor, fresh pages on all cores',
  touch: 'floor, fresh pages of 4 KiB on one core',
  touchAll: 'floor, fresh pages of 4 KiB on all cores',
  free: 'floor, pages given back on one core',
  process: 'floor, socket hand-over, two processes',
  thread: 'floor, futex hand-over, two threads',
} as const;

/** `how`: of the program floor; slots that stay in the cache, or not; into them, or out of them. */
async function copies(count: number, signal: AbortSignal, how: readonly (string | number)[]): Promise<Taken> {
  const run = () => runJson(join(native, 'floor'), how, signal);
  const begin = performance.now();
  const told = await Promise.all(Array.from({ length: count }, run));
  const seconds = (performance.now() - begin) / 1000;
  const cpu = told.reduce((sum, { cpu_s = 0 }) => sum + cpu_s, 0);
  const rate = told.reduce((sum, one) => sum + (one.bytes ?? 0) / (one.seconds ?? Number.NaN), 0);
  return { value: rate, seconds, bytes: count * copyBytes, cpu: { hostProgram: cpu, engine: null, rest: null } };
}

/** `passes` times over one slot of a populated arena, in this thread. */
function digested(passes: number, withSha: boolean): Taken {
  const arena = addon.arenaOpen(block);
  addon.arenaPopulate(arena, 0, block);
  const sha = withSha ? addon.shaOpen() : 0;
  const crcs = new BigUint64Array(block / mib + 1);
  const cpuBefore = addon.threadCpuNs();
  const begin = performance.now();
  for (let i = 0; i < passes; i++) addon.digestSlot(arena, 0, block, i * block, mib, sha, crcs);
  const taken = inThread(passes * block, begin, cpuBefore);
  if (withSha) addon.shaClose(sha);
  addon.arenaClose(arena);
  return taken;
}

/** Making them, or giving them back: the other half of the same program's time. */
async function fresh(
  count: number,
  part: 'seconds' | 'free_seconds',
  signal: AbortSignal,
  size: 'huge' | 'small' = 'huge',
): Promise<Taken> {
  const told = await Promise.all(
    Array.from({ length: count }, () => runJson(process.execPath, [pagesMain, pageBytes, size], signal)),
  );
  const rate = told.reduce((sum, one) => sum + (one.bytes ?? 0) / (one[part] ?? Number.NaN), 0);
  const seconds = Math.max(...told.map((one) => one[part] ?? Number.NaN));
  return { value: rate, seconds, bytes: count * pageBytes, cpu: null };
}

function inThread(bytes: number, begin: number, cpuBefore: number): Taken {
  const seconds = (performance.now() - begin) / 1000;
  const cpu = { hostProgram: (addon.threadCpuNs() - cpuBefore) / 1e9, engine: null, rest: null };
  return { value: bytes / seconds, seconds, bytes, cpu };
}

async function handover(name: 'process_us' | 'thread_us', signal: AbortSignal): Promise<Taken> {
  const begin = performance.now();
  const told = await runJson(join(native, 'handover'), [handovers], signal);
  return { value: told[name] ?? Number.NaN, seconds: (performance.now() - begin) / 1000, bytes: 0, cpu: null };
}

function floor(name: string, unit: Measure['unit'], take: () => Taken | Promise<Taken>): Subject {
  const measures: Measure[] = [{ workload: 'orders', unit, take: async () => take() }];
  return { name, role: 'floor', mode: null, store: 'none', measures };
}

const into = ['memcpy', copyBytes];
const outOf = ['copy-out', copyBytes];

export function floors(signal: AbortSignal): Subject[] {
  const cores = availableParallelism();
  return [
    floor(floorNames.copy, 'B/s', () => copies(1, signal, into)),
    floor(floorNames.copyAll, 'B/s', () => copies(cores, signal, into)),
    floor(floorNames.copyCached, 'B/s', () => copies(1, signal, [...into, 12])),
    floor(floorNames.copyOut, 'B/s', () => copies(1, signal, outOf)),
    floor(floorNames.copyOutAll, 'B/s', () => copies(cores, signal, outOf)),
    floor(floorNames.crc, 'B/s', () => digested(48, false)),
    floor(floorNames.sha, 'B/s', () => digested(8, true)),
    floor(floorNames.zero, 'B/s', () => fresh(1, 'seconds', signal)),
    floor(floorNames.zeroAll, 'B/s', () => fresh(availableParallelism(), 'seconds', signal)),
    floor(floorNames.touch, 'B/s', () => fresh(1, 'seconds', signal, 'small')),
    floor(floorNames.touchAll, 'B/s', () => fresh(cores, 'seconds', signal, 'small')),
    floor(floorNames.free, 'B/s', () => fresh(1, 'free_seconds', signal)),
    // Both ends stay on processors 0 and 1: on a machine with one there is nothing to hand over.
    ...(availableParallelism() < 2
      ? []
      : [
          floor(floorNames.process, 'us', () => handover('process_us', signal)),
          floor(floorNames.thread, 'us', () => handover('thread_us', signal)),
        ]),
  ];
}
