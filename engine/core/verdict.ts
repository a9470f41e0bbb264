/**
 * Which bottleneck the shares of a job name, and what to change. Nobody is accused where nothing stands out: each rule wants
 * a share that a balanced job does not have, and the figures that tell its cause from a like one.
 */
import type { Best, Limit, Shares } from './shares.ts';

export interface JobFacts {
  readonly mode: 'write' | 'read' | 'copy';
  readonly store: 'file' | 'nfs' | 's3';
  readonly seconds: number;
  /** Orders that moved bytes. */
  readonly moves: number;
  /** Of the job's time: between its first and last order, without one in a lane. */
  readonly idle: number;
  /** Of the job's time: with an order that moves bytes in a lane, or waiting for one. */
  readonly moving: number;
  /** Of the job's time, on its critical path: behind others' orders, for lanes that move bytes and for digest lanes. */
  readonly moveQueue: number;
  readonly digestQueue: number;
  /** Of the job's time: the coordinator's event loop was at work. */
  readonly eventLoop: number;
  /** B/s of this job's one copy; 0: none was made. */
  readonly copyRate: number;
  /** B/s of all jobs of the engine together, while this one ran. */
  readonly engineRate: number;
  /** That it had, and that the configuration asks for. */
  readonly slots: number;
  readonly slotsWanted: number;
  readonly digestLanes: number;
  readonly cores: number;
  /** What this storage gave to one job before. */
  readonly storageBest?: Best | null;
}

/** Shorter jobs are begin and end; of few blocks one odd one is a great part. */
export const secondsMin = 1;
export const movesMin = 6;
/** Wake-ups of a healthy engine take one or two per cent; with blocks of 4 MiB on a busy machine below ten. */
export const ringMin = 0.15;
/** Below, the coordinator sleeps most of the time, and a late wake-up has another cause: too few processors. */
export const eventLoopMin = 0.5;
/** More than a quarter of the time behind other images' digests: with lanes enough there is no queue at all. */
export const digestQueueMin = 0.25;
/** Both sides stand still in turns: a slot more lets them work side by side. Beginning and end of a job make some per cent. */
export const idleMin = 0.15;
/** With two and more the sides are not in turns by themselves: late wake-ups and slow first copies make some of it. */
export const idleMinSeveral = 0.3;
/** Each slot was used so often: before, it is the filling and draining of slots that one sees. */
export const roundsMin = 4;
export const slotWaitMin = 0.15;
/** How much idle time host program and copy may leave unexplained. */
const idleSlack = 0.1;
/** Most of the time nobody waits for vast-ost. */
export const hostMin = 0.5;
/** Without this wait the job would take a third of its time; begin and end, which fill and drain slots, are in the rest. */
export const moveMin = 0.7;
export const movingMin = 0.85;
/**
 * Of one copy's rate, all jobs together. Many streams wait for a fast storage too, each most of its time: that is no slow
 * storage as long as it takes from all of them a good part of what one core can copy. A restore copies twice as fast: from a
 * slot into the same buffer again and again, which stays in the cache.
 */
export const slowRate = { write: 0.25, read: 0.1 } as const;

/** Null: nothing stands out. The rules in order: the first cause that would explain the ones below it wins. */
export function limitOf(shares: Shares, facts: JobFacts): Limit | null {
  if (facts.seconds < secondsMin || facts.moves < movesMin || facts.mode === 'copy') return null;
  return (
    busyCoordinator(shares, facts) ??
    digestLanes(facts) ??
    tooFewSlots(shares, facts) ??
    slowHostProgram(shares) ??
    slowStorage(shares, facts)
  );
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}

function rate(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e9).toFixed(2)} GB/s`;
}

function busyCoordinator({ slotWait: { ring } }: Shares, { eventLoop, store }: JobFacts): Limit | null {
  if (ring < ringMin || eventLoop < eventLoopMin) return null;
  return {
    finding: 'coordinator',
    setting: 'block_size_mb',
    change: `raise [general] block_size_mb${store === 's3' ? ' and part_size_mb' : ''}, so that fewer blocks do the same, or run fewer small images at once`,
    because: `${percent(ring)} of the time was between frames, rings and wake-ups, and the coordinator's thread was at work for ${percent(eventLoop)}`,
  };
}

function digestLanes({ digestQueue, digestLanes: lanes, cores }: JobFacts): Limit | null {
  if (digestQueue < digestQueueMin) return null;
  const because = `${percent(digestQueue)} of the time its blocks waited behind other images' for one of ${lanes} digest lanes`;
  if (lanes >= cores) {
    const change = `every one of ${cores} cores has a digest lane: [integrity] checksum = none saves SHA-256, or fewer streams at once`;
    return { finding: 'digest', setting: 'checksum', change, because };
  }
  const change = `raise [engine] digest_lanes (now ${lanes}, ${cores} cores), or [integrity] checksum = none if SHA-256 is not needed`;
  return { finding: 'digest', setting: 'digest_lanes', change, because };
}

function tooFewSlots(shares: Shares, facts: JobFacts): Limit | null {
  const { memory, commit, ...waits } = shares.slotWait;
  const waited = Object.values(waits).reduce((sum, part) => sum + part, 0);
  const own = shares.hostProgram + shares.copy;
  if (facts.moves < roundsMin * facts.slots || facts.idle < (facts.slots > 1 ? idleMinSeveral : idleMin)) return null;
  if (waited < slotWaitMin || facts.idle > own + idleSlack) return null;
  const because =
    `for ${percent(facts.idle)} of the time none of its ${facts.slots} slots was with a lane, for ${percent(waited)} the ` +
    'host program waited for one: they worked in turns';
  if (facts.mode === 'read') {
    const change =
      'raise [performance] read_ahead_mb: the next blocks are then read while the host program has this one';
    return { finding: 'slots', setting: 'read_ahead_mb', change, because };
  }
  if (facts.slots < facts.slotsWanted) {
    const change = `raise [engine] max_memory_mb, or run fewer jobs at once: ${facts.slotsWanted} slots are configured, there was memory for ${facts.slots}`;
    return { finding: 'slots', setting: 'max_memory_mb', change, because };
  }
  if (facts.store === 's3') {
    const change = 'raise parts_in_flight of its [server:…]';
    return { finding: 'slots', setting: 'parts_in_flight', change, because };
  }
  const change = `raise [performance] write_buffer_count (now ${facts.slotsWanted})`;
  return { finding: 'slots', setting: 'write_buffer_count', change, because };
}

function slowHostProgram({ hostProgram, copy }: Shares): Limit | null {
  if (hostProgram < hostMin) return null;
  return {
    finding: 'hostProgram',
    setting: 'host program',
    change:
      'nothing in vast-ost.conf: give it data sooner (SIZE_DATA_BUFFERS and NUMBER_DATA_BUFFERS of NetBackup, faster clients), or run more streams at once',
    because: `for ${percent(hostProgram)} of the time the host program did something else between its calls, ${percent(copy)} went into copies`,
  };
}

/** A storage that could do more is another matter than one that never could. */
function before({ storageBest, mode }: JobFacts): string {
  if (storageBest === undefined || storageBest === null) return '';
  const { bytesPerSecond, at } = storageBest;
  return `; before, in this engine's life, a job ${mode === 'read' ? 'read' : 'wrote'} ${rate(bytesPerSecond)} here (${at.slice(0, 16).replace('T', ' ')} UTC)`;
}

const storageChange = {
  file: 'the storage itself: a faster disk or file system, or fewer jobs at once',
  nfs: 'the network or the storage: mount with nconnect and remoteports, more mount_points, and look at its load; [engine] blocks_in_flight where one stream alone is slow',
  s3: 'the network or the storage: more endpoints, a faster link, parts_in_flight of its [server:…] where one stream alone is slow',
} as const;

function slowStorage({ slotWait }: Shares, facts: JobFacts): Limit | null {
  const { store, moving, moveQueue, copyRate, engineRate, mode } = facts;
  // The syncs of a commit are waits for the same storage.
  const commit = mode === 'write' ? slotWait.commit : 0;
  const wait = (slotWait.network ?? slotWait.device ?? 0) + moveQueue + commit;
  if (wait < moveMin || moving + commit < movingMin || copyRate <= 0) return null;
  if (engineRate > (mode === 'read' ? slowRate.read : slowRate.write) * copyRate) return null;
  const because =
    `for ${percent(wait)} of the time the oldest block waited for it, with work for it during ${percent(moving)}; all jobs ` +
    `together moved ${rate(engineRate)}, one core copies ${rate(copyRate)}${before(facts)}`;
  const change = storageChange[store];
  return store === 'file'
    ? { finding: 'device', setting: 'storage', change, because }
    : { finding: 'network', setting: 'network', change, because };
}
