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
  /** B/s that one core copies, measured apart from all jobs; 0: not known. */
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
/** Wake-ups of a healthy engine take one or two per cent; sixteen first images on two cores make a fifth. */
export const ringMin = 0.3;
/** Below, the coordinator sleeps often enough, and a late wake-up has another cause: its thread waits for a processor, too. */
export const eventLoopMin = 0.6;
/** More than a quarter of the time behind other images' digests: with lanes enough there is no queue at all. */
export const digestQueueMin = 0.25;
/** Both sides stand still in turns: a slot more lets them work side by side. Beginning and end of a job make some per cent. */
export const idleMin = 0.15;
/** With two and more the sides are not in turns by themselves: late wake-ups and slow first copies make some of it. */
export const idleMinSeveral = 0.3;
/** Each slot was used so often: before, it is the filling and draining of slots that one sees. */
export const roundsMin = 4;
export const slotWaitMin = 0.15;
/**
 * In turns the lanes stand still just while host program and copy work. More of it has another cause; less says that they
 * worked side by side, as streams do that copy slowly into new memory, and then no slot more lets them do more.
 */
export const turnsSlack = 0.12;
/** Most of the time nobody waits for vast-ost. */
export const hostMin = 0.5;
/** Without this wait the job would take less than half of its time; begin and end, and first copies into new memory, are in the rest. */
export const moveMin = 0.6;
export const movingMin = 0.85;
/**
 * Jobs wait for a fast storage too, and many streams each most of its time. It is slow when all jobs together get less from
 * it than a third of what one job had before, as a disk or a network that others load, or that has lost a part; or
 * so little that one core could feed twenty of it, whatever it did before.
 */
export const slowOfBest = 1 / 3;
export const slowOfCopy = 1 / 20;

/** B/s of all jobs together, below which a storage that they wait for is slow. */
export function slowBelow({ copyRate, storageBest }: Pick<JobFacts, 'copyRate' | 'storageBest'>): number {
  return Math.max(slowOfCopy * copyRate, slowOfBest * (storageBest?.bytesPerSecond ?? 0));
}

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
  // Late wake-ups are no turns of the other side.
  const { memory, commit, ring, ...waits } = shares.slotWait;
  const waited = Object.values(waits).reduce((sum, part) => sum + part, 0);
  const own = shares.hostProgram + shares.copy;
  if (facts.moves < roundsMin * facts.slots || facts.idle < (facts.slots > 1 ? idleMinSeveral : idleMin)) return null;
  if (waited < slotWaitMin || Math.abs(facts.idle - own) > turnsSlack) return null;
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

/** Its oldest block's wait for the storage, as a part of 1. The syncs of a commit are waits for the same storage. */
function storageWait({ slotWait }: Shares, { moveQueue, mode }: JobFacts): number {
  return (slotWait.network ?? slotWait.device ?? 0) + moveQueue + (mode === 'write' ? slotWait.commit : 0);
}

/** Most of the time, and the storage had work all along: it is what the job waits for, slow or not. */
export function waitsForStorage(shares: Shares, facts: JobFacts): boolean {
  const commit = facts.mode === 'write' ? shares.slotWait.commit : 0;
  return storageWait(shares, facts) >= moveMin && facts.moving + commit >= movingMin;
}

function slowStorage(shares: Shares, facts: JobFacts): Limit | null {
  const { store, moving, copyRate, engineRate } = facts;
  if (!waitsForStorage(shares, facts) || engineRate >= slowBelow(facts)) return null;
  const core = copyRate > 0 ? `, one core copies ${rate(copyRate)}` : '';
  const because =
    `for ${percent(storageWait(shares, facts))} of the time the oldest block waited for it, with work for it during ` +
    `${percent(moving)}; all jobs together moved ${rate(engineRate)}${core}${before(facts)}`;
  const change = storageChange[store];
  return store === 'file'
    ? { finding: 'device', setting: 'storage', change, because }
    : { finding: 'network', setting: 'network', change, because };
}
