/**
 * What the model is made of, each measured alone: copies and digests in the shapes of a load, beside each other as well
 * (bench/native/flows), CRC-64 and SHA-256, and the bare hand-over between two processes and two threads.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { addon } from '../../native/addon/index.ts';
import { benchSettings, slotsOf } from '../engine-process.ts';
import type { Direction } from '../model/types.ts';
import type { Load, Measure, Subject, Taken } from '../run-context.ts';
import { runJson } from './clients.ts';

const native = join(import.meta.dirname, '../native/build');
const mib = 1 << 20;
const shaBlock = 64 * mib;
const flowBytes = 2e9;
/** Of a pair's slots, where more images are there than one: larger than any last level of a cache that is shared by two. */
const manyBytes = 256 * mib;
/** No more than these of all copies together: it is many times a cache, and making pages takes longer than the copies. */
const arenasMost = 1024 * mib;
const handovers = 2000;

/** Names that the model looks for. 'B/s' are of one core: bytes ÷ CPU seconds. */
export const floorNames = {
  copy: { write: 'floor, copy into slots', restore: 'floor, copy out of slots' },
  pair: { write: 'floor, copy into slots beside CRC-64', restore: 'floor, copy out of slots beside CRC-64' },
  crc: 'floor, CRC-64',
  sha: 'floor, CRC-64 + SHA-256',
  besideSha: 'floor, copy into slots beside SHA-256',
  process: 'floor, socket hand-over, two processes',
  thread: 'floor, futex hand-over, two threads',
} as const;

/** Of a sample of two at once: CPU of the digest, and of both the bytes. */
export const pairCounter = { digestUs: 'digest.cpuUs', digestBytes: 'digest.bytes' } as const;

function sample(told: Record<string, number>, more: Partial<Taken> = {}): Taken {
  const { bytes = Number.NaN, seconds = Number.NaN, cpu_s = Number.NaN } = told;
  return { value: bytes / cpu_s, seconds, bytes, cpu: { hostProgram: cpu_s, engine: null, rest: null }, ...more };
}

async function flows(args: readonly (string | number)[], signal: AbortSignal): Promise<Taken> {
  const told = await runJson(join(native, 'flows'), args, signal);
  const { digest_cpu_s = 0, bytes = 0 } = told;
  const paired = { [pairCounter.digestUs]: digest_cpu_s * 1e6, [pairCounter.digestBytes]: bytes };
  return sample(told, digest_cpu_s === 0 ? {} : { counters: paired });
}

/** So many blocks of a pair are there before the second half begins: one of one image; of many as many as there is memory for. */
function pairShape(direction: Direction, { streams, blockBytes }: Load): [lag: number, slots: number] {
  const slots = slotsOf(direction, blockBytes);
  if (streams === 1) return [1, slots];
  const many = Math.max(slots, Math.min(streams * slots, Math.ceil(manyBytes / blockBytes)));
  return [direction === 'write' ? many - 1 : 1, many];
}

/** `passes` times over one slot of a populated arena, in this thread, with a pause in which signals are let in. */
async function digested(goesOn: (pass: number) => boolean): Promise<Taken> {
  const arena = addon.arenaOpen(shaBlock);
  addon.arenaPopulate(arena, 0, shaBlock);
  const sha = addon.shaOpen();
  const crcs = new BigUint64Array(shaBlock / mib + 1);
  try {
    let [cpu, passes] = [0, 0];
    const begin = performance.now();
    for (; goesOn(passes); passes++) {
      const before = addon.threadCpuNs();
      addon.digestSlot(arena, 0, shaBlock, passes * shaBlock, mib, sha, crcs);
      cpu += (addon.threadCpuNs() - before) / 1e9;
      await new Promise((done) => setImmediate(done));
    }
    return sample({ bytes: passes * shaBlock, seconds: (performance.now() - begin) / 1000, cpu_s: cpu });
  } finally {
    addon.shaClose(sha);
    addon.arenaClose(arena);
  }
}

async function besideSha(signal: AbortSignal): Promise<Taken> {
  let copying = true;
  const shape = [1, benchSettings.writeSlots, shaBlock / mib, 2 * flowBytes];
  const copied = flows(['copy', ...shape], signal).finally(() => {
    copying = false;
  });
  const [copy, sha] = await Promise.all([copied, digested(() => copying)]);
  const cpu = sha.cpu?.hostProgram ?? Number.NaN;
  return { ...copy, counters: { [pairCounter.digestUs]: cpu * 1e6, [pairCounter.digestBytes]: sha.bytes } };
}

async function handover(name: 'process_us' | 'thread_us', signal: AbortSignal): Promise<Taken> {
  const begin = performance.now();
  const told = await runJson(join(native, 'handover'), [handovers], signal);
  return { value: told[name] ?? Number.NaN, seconds: (performance.now() - begin) / 1000, bytes: 0, cpu: null };
}

function floor(name: string, unit: Measure['unit'], take: (load: Load) => Promise<Taken>): Subject {
  return { name, role: 'floor', mode: null, store: 'none', measures: [{ workload: 'orders', unit, take }] };
}

/** Of no load: once a run. */
export function bareFloors(signal: AbortSignal): Subject[] {
  const sha = floor(floorNames.sha, 'B/s', () => digested((pass) => pass < 6));
  // Both ends stay on processors 0 and 1: on a machine with one there is nothing to hand over.
  if (availableParallelism() < 2) return [sha];
  return [
    sha,
    floor(floorNames.besideSha, 'B/s', () => besideSha(signal)),
    floor(floorNames.process, 'us', () => handover('process_us', signal)),
    floor(floorNames.thread, 'us', () => handover('thread_us', signal)),
  ];
}

const directions = ['write', 'restore'] as const;

/** Of one load: copies of as many images at once. */
export function copyFloors(signal: AbortSignal): Subject[] {
  return directions.map((direction) =>
    floor(floorNames.copy[direction], 'B/s', ({ streams, blockBytes }) => {
      const each = Math.ceil(flowBytes / streams);
      const how = direction === 'write' ? 'copy' : 'out';
      const slots = Math.max(
        1,
        Math.min(slotsOf(direction, blockBytes), Math.floor(arenasMost / streams / blockBytes)),
      );
      return flows([how, streams, slots, blockBytes / mib, each], signal);
    }),
  );
}

/** Of one load: the digest, alone and beside a copy. */
export function digestFloors(signal: AbortSignal): Subject[] {
  return [
    floor(floorNames.crc, 'B/s', ({ blockBytes }) =>
      flows(['crc', 1, slotsOf('restore', blockBytes), blockBytes / mib, flowBytes], signal),
    ),
    ...directions.map((direction) =>
      floor(floorNames.pair[direction], 'B/s', (load) => {
        const how = direction === 'write' ? 'pair-copy' : 'pair-out';
        return flows([how, ...pairShape(direction, load), load.blockBytes / mib, flowBytes], signal);
      }),
    ),
  ];
}
