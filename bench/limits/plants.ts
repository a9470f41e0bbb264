/**
 * The bottlenecks that are planted, each at two strengths, and the runs in which nothing is. A plant acts from outside the
 * shipped code: through the host program's pace, the kernel's throttles, a setting, or a module loaded into the engine.
 */
import { join } from 'node:path';
import type { Trial } from './trial.ts';
import type { Finding } from './verdict.ts';

/** Without its size: the runner makes it as long as it should last. */
export type Shape = Omit<Trial, 'mib' | 'host'> & {
  /** The host program moves at most so many times the storage's own rate. */
  readonly pace?: number;
  /** The host program works on its data for itself: for so many times as long as the storage takes for them. */
  readonly think?: number;
};

export interface Plant {
  readonly name: string;
  readonly strength: string;
  /** Without the plant. */
  readonly free: Shape;
  /** With it, where it is a setting or an option of the host program. */
  readonly planted: Shape;
  /** Where it is done to the machine: so many times the free run's rate are left. */
  readonly throttle?: { readonly what: 'disk' | 'network'; readonly to: number };
  /** About how many times the storage's own rate comes out of it: a planted run is cut to a length of seconds by it. */
  readonly expected: number;
  readonly finding: Finding;
  /** One of these must be named as what to change. */
  readonly settings: readonly string[];
}

export interface Unplanted {
  readonly name: string;
  readonly shape: Shape;
}

const plain: Shape = { store: 'file', direction: 'backup', mode: 'io-only', streams: 1 };
const bucket: Shape = { ...plain, store: 's3' };
const restore = { direction: 'restore' } as const;

const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

function busy(share: number): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${join(import.meta.dirname, `busy.${ending}`)}`,
    VAST_OST_BUSY: String(share),
    VAST_OST_BUSY_MS: '10',
  };
}

const slowHost = { name: 'slow host program', finding: 'hostProgram', settings: ['host program'] } as const;
const slowDisk = { name: 'slow disk', finding: 'device', settings: ['storage'] } as const;
const slowNetwork = { name: 'slow network', finding: 'network', settings: ['network'] } as const;
const oneDigest = { name: 'one core for digests', finding: 'digest', settings: ['digest_lanes', 'checksum'] } as const;
const fewSlots = { name: 'too few slots', finding: 'slots' } as const;
const coordinator = { name: 'busy coordinator', finding: 'coordinator', settings: ['block_size_mb'] } as const;

/**
 * Storage that is faster than a core can digest, as that of large machines is. Small blocks: images whose first slots are no
 * great part of them, as each of many streams fills its own.
 */
const fastStorage: Shape = { ...plain, store: 'discard', blockMib: 16 };
/** As many orders a second as a machine of 100 Gbit/s has of 64 MiB with some streams. */
const smallBlocks: Shape = { ...plain, blockMib: 4 };

export const plants: readonly Plant[] = [
  { ...slowHost, strength: '1/2 of the storage', free: plain, planted: { ...plain, pace: 1 / 2 }, expected: 1 / 2 },
  { ...slowHost, strength: '1/8 of the storage', free: plain, planted: { ...plain, pace: 1 / 8 }, expected: 1 / 8 },
  ...[1 / 4, 1 / 8].flatMap((to): Plant[] => [
    {
      ...slowDisk,
      strength: `1/${1 / to} of its rate`,
      free: plain,
      planted: plain,
      throttle: { what: 'disk', to },
      expected: to,
    },
    {
      ...slowNetwork,
      strength: `1/${1 / to} of its rate`,
      free: bucket,
      planted: bucket,
      throttle: { what: 'network', to },
      expected: to,
    },
  ]),
  ...[4, 8].map(
    (streams): Plant => ({
      ...oneDigest,
      strength: `${streams} images`,
      free: { ...fastStorage, mode: 'sums', streams, digestLanes: 1 },
      planted: { ...fastStorage, mode: 'default', streams, digestLanes: 1 },
      expected: 0.5,
    }),
  ),
  {
    ...fewSlots,
    strength: '1 slot',
    settings: ['write_buffer_count'],
    // Host program and storage take about as long for a block: only side by side do they keep up.
    free: { ...plain, think: 0.7 },
    planted: { ...plain, think: 0.7, config: { performance: { write_buffer_count: 1 } } },
    expected: 0.5,
  },
  {
    ...fewSlots,
    strength: 'no read-ahead',
    settings: ['read_ahead_mb'],
    free: { ...plain, ...restore, mode: 'sums', think: 0.7 },
    planted: { ...plain, ...restore, mode: 'sums', think: 0.7, config: { performance: { read_ahead_mb: 0 } } },
    expected: 0.6,
  },
  ...[0.6, 0.9].map(
    (share): Plant => ({
      ...coordinator,
      strength: `${share * 100} % of its time`,
      free: smallBlocks,
      planted: { ...smallBlocks, env: busy(share) },
      expected: 0.9 - share / 2,
    }),
  ),
];

export const unplanted: readonly Unplanted[] = [
  { name: 'backup, I/O only', shape: plain },
  { name: 'backup, I/O only, 4 streams', shape: { ...plain, streams: 4 } },
  { name: 'backup, with sums', shape: { ...plain, mode: 'sums' } },
  { name: 'backup, default', shape: { ...plain, mode: 'default' } },
  { name: 'restore, I/O only', shape: { ...plain, ...restore } },
  { name: 'restore, with sums, 2 streams', shape: { ...plain, ...restore, mode: 'sums', streams: 2 } },
  { name: 'restore, default', shape: { ...plain, ...restore, mode: 'default' } },
  { name: 'bucket: backup, I/O only', shape: bucket },
  { name: 'bucket: backup, with sums, 2 streams', shape: { ...bucket, mode: 'sums', streams: 2 } },
  { name: 'bucket: restore, with sums', shape: { ...bucket, ...restore, mode: 'sums' } },
];
