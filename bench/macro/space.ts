/**
 * How much each workload writes, and what it therefore needs on the target: at a time, and what it leaves for the workloads
 * behind it until the run ends.
 */
import type { StoreName, Workload } from '../run-context.ts';
import type { SpaceNeed } from '../workplace/limits.ts';

const mib = 1 << 20;

/**
 * Streams that write while round trips are timed: at least for as long as these take. Short runs have fewer calls, and need no
 * more to be written meanwhile.
 */
export const controlStreams = 16;
export const controlBytes = (quick: boolean): number => (quick ? 512 : 1024) * mib;
export const copyBytes = (quick: boolean): number => (quick ? 64 : 1024) * mib;
export const randomReadBytes = copyBytes;
/** `warmUp`: until V8 has compiled what an image needs. */
export const smallImageCounts = {
  perSample: 100,
  warmUp: 1000,
  warmUpQuick: 100,
  many: 10_000,
  manyQuick: 400,
  manyAlternations: 3,
} as const;
export const listedImages = (quick: boolean): number => (quick ? 2000 : 100_000);
/** An image of 4 KiB: its data, sums, meta and directory, each a block. */
const smallImageBytes = 4 * 4096;

/** Of a run. */
export interface Sizes {
  readonly store: StoreName;
  readonly streams: readonly number[];
  readonly modes: readonly unknown[];
  readonly quick: boolean;
  readonly alternations: number;
  readonly warmUps: number;
  bytesPerStream(streams: number): number;
}

interface Space {
  readonly peak: number;
  /** Of that: what stays until the run ends. */
  readonly left: number;
  readonly what: string;
}

const most = (values: readonly number[]): number => Math.max(0, ...values);

/** One subject's images lie there at a time. */
function backups({ streams, bytesPerStream }: Sizes): Space {
  const all = streams.map((count) => ({ count, bytes: count * bytesPerStream(count) }));
  const { count, bytes } = all.toSorted((a, b) => b.bytes - a.bytes)[0] ?? { count: 0, bytes: 0 };
  const what = `at ${count} ${count === 1 ? 'stream' : 'streams'} of ${bytes / Math.max(1, count) / mib} MiB`;
  return { peak: bytes, left: 0, what };
}

/** What is restored lies there for the floor and each mode, and one side's new images. */
function mixed({ streams, modes, bytesPerStream }: Sizes): Space {
  const halves = [...new Set(streams.map((count) => Math.max(2, count - (count % 2))))].map(
    (count) => (count / 2) * bytesPerStream(count),
  );
  const left = modes.length * halves.reduce((sum, half) => sum + half, 0);
  return { peak: left + 2 * most(halves), left, what: 'for mixed load' };
}

const spaces: Readonly<Partial<Record<Workload, (sizes: Sizes) => Space>>> = {
  write: backups,
  restore: backups,
  mixed,
  'random-read': ({ streams, modes, quick }) => {
    const bytes = (1 + modes.length) * Math.max(streams.at(0) ?? 1, streams.at(-1) ?? 1) * randomReadBytes(quick);
    return { peak: bytes, left: bytes, what: 'for random reads' };
  },
  copy: ({ modes, quick }) => {
    const left = (1 + modes.length) * copyBytes(quick);
    return { peak: left + copyBytes(quick), left, what: 'for copies' };
  },
  control: ({ quick }) => {
    const each = controlBytes(quick);
    return {
      peak: controlStreams * each,
      left: 0,
      what: `for control beside ${controlStreams} streams of ${each / mib} MiB`,
    };
  },
  'small-images': ({ quick, alternations, warmUps }) => {
    const { perSample, many, manyQuick, manyAlternations, warmUp } = smallImageCounts;
    const rounds = Math.min(alternations, manyAlternations) + 1;
    const images = warmUp + (alternations + warmUps) * perSample + rounds * (quick ? manyQuick : many);
    return { peak: 2 * images * smallImageBytes, left: images * smallImageBytes, what: 'for small images' };
  },
  list: ({ quick }) => {
    const bytes = listedImages(quick) * smallImageBytes;
    return { peak: bytes, left: bytes, what: 'for lists' };
  },
};

/** Of these workloads one behind the other, in the order in which they run: the most that lies there at a time. */
export function spaceOf(workloads: readonly Workload[], sizes: Sizes): SpaceNeed {
  let before = 0;
  let need: SpaceNeed = { bytes: 0, what: '' };
  for (const workload of workloads) {
    const space = spaces[workload]?.(sizes);
    if (space === undefined) continue;
    const bytes = before + space.peak;
    const also = before > 0 ? ', beside what the workloads before it left' : '';
    if (bytes > need.bytes) need = { bytes, what: `${space.what}${also}` };
    before += space.left;
  }
  return need;
}
