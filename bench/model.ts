/**
 * What a machine can move, as the least over its resources: cores, the coordinator, the host programs' copies, digest and
 * io lanes, memory, the links between NUMA nodes, and the way to the storage. It tells which one limits, and which next.
 *
 * Pure. Rates are bytes per second, times seconds; "per byte" times are CPU seconds for one byte. docs/scaling.md says
 * where each parameter comes from, and bench/discard/check.ts holds the model against what was measured.
 */

/** What the bench measures on the machine itself, on one core each; memory and links are the machine's data sheet's. */
export interface Machine {
  readonly cores: number;
  readonly nodes: number;
  /** Of one node. */
  readonly memoryRate: number;
  /** Of one node, to all others together. */
  readonly linkRate: number;
  readonly copyRate: number;
  /** Of one core while all others do the same. */
  readonly copyBusyRate: number;
  /** Into slots that stay in the last level of the cache, and how much that holds. */
  readonly copyCachedRate: number;
  readonly cacheBytes: number;
  /** Out of slots into a buffer of a host program, which stays in the cache. */
  readonly copyOutRate: number;
  readonly copyOutBusyRate: number;
  readonly crcRate: number;
  /** CRC-64 and SHA-256 in one pass. */
  readonly shaRate: number;
  /** Pages that nobody had before: made ready for an arena that is not handed on from an image before. */
  readonly zeroRate: number;
  readonly zeroBusyRate: number;
  /** The same by 4 KiB, as whoever touches them first gets them where no lane has made them. */
  readonly touchRate: number;
  readonly touchBusyRate: number;
  /** The same pages given back. */
  readonly freeRate: number;
}

/** Of the engine itself, by the discarding store. */
export interface EngineCosts {
  /** CPU of the coordinator's thread for an order: told, planned, given, answered. */
  readonly coordinatorS: number;
  /** The same for each MiB of a block: what is covered is noted chunk by chunk. */
  readonly coordinatorMibS: number;
  /** Both for an order that comes alone, behind a block's payload that has been through the caches: the more, the colder. */
  cold(blockBytes: number): { readonly coordinatorS: number; readonly laneS: number };
  /**
   * From one order to the next when nothing but orders is to be done, wakes of other threads included: the more images,
   * the more orders a wake brings.
   */
  orderS(streams: number): number;
  /** CPU of the lane's thread, beside what the order does. */
  readonly laneS: number;
  /** Of the client's process, which only submits. */
  readonly submitS: number;
  /** One way between two processes, and between two threads, of which one sleeps. */
  readonly processS: number;
  readonly threadS: number;
  /** Of an image beside its bytes: what its opening and its end take, one after the other. */
  readonly imageS: number;
}

/** Between a slot and the storage. */
export interface Way {
  readonly name: string;
  /** Of the device, or of all ports together. */
  readonly rate: number;
  /** Of one order at a time on one lane. */
  readonly laneRate: number;
  /** Of the kernel, for one byte. */
  readonly cpuPerByte: number;
  /** Bytes over the memory bus for one byte: DMA, and the kernel's copies. */
  readonly traffic: number;
  /** A slot's pages are touched on the way; the discarding store never looks at them. */
  readonly touches: boolean;
}

export type Mode = 'io-only' | 'sums' | 'default';

export interface Load {
  readonly direction: 'write' | 'restore';
  readonly mode: Mode;
  readonly streams: number;
  readonly blockBytes: number;
  readonly bytesPerStream: number;
  /** Of one image. */
  readonly slots: number;
  readonly blocksInFlight: number;
  readonly ioLanes: number;
  readonly digestLanes: number;
  /** False: the submitter, which copies no payload and touches no slot. */
  readonly copies: boolean;
  /** False: arenas come from images before, and their pages with them. */
  readonly freshArenas: boolean;
  /** Threads, host programs and arenas of an image lie on one node. */
  readonly pinned: boolean;
}

export interface Resource {
  readonly name: string;
  /** What it would let through if nothing else limited; Infinity: it takes no part. */
  readonly rate: number;
}

export interface Stage {
  readonly name: string;
  readonly traffic: number;
}

export interface Prediction {
  readonly rate: number;
  readonly limit: string;
  readonly next: string;
  /** The tightest first. */
  readonly resources: readonly Resource[];
  /** CPU seconds for one byte. */
  readonly cpu: {
    readonly hostProgram: number;
    readonly coordinator: number;
    readonly lanes: number;
    readonly kernel: number;
  };
  readonly coresUsed: number;
  /** Bytes over the memory bus for one byte moved, stage by stage. */
  readonly stages: readonly Stage[];
  readonly traffic: number;
}

/** The engine makes slots ready in steps of this (engine/coordinator/writer-slots.ts). */
const populateBytes = 16 * 1024 * 1024;
const mib = 1024 * 1024;

/** Part of an image's bytes whose pages are made for it. */
export function freshShare({ freshArenas, slots, blockBytes, bytesPerStream }: Load): number {
  return freshArenas ? Math.min(1, (slots * blockBytes) / bytesPerStream) : 0;
}

interface Zeroing {
  readonly host: number;
  readonly io: number;
  readonly digest: number;
}

/**
 * Who makes those pages: whoever touches them first. A writer's own copy makes its first slot, by 4 KiB, and the lanes the
 * others, by 2 MiB. A reader's are made by the lane that fills them; where it only says that it did, by the digest or the
 * plug-in.
 */
function zeroing({ direction, copies, slots, mode }: Load, { touches }: Way): Zeroing {
  const digests = mode !== 'io-only';
  if (direction === 'restore' && touches) return { host: 0, io: 1, digest: 0 };
  if (direction === 'write' && copies) {
    const host = 1 / slots;
    return { host, io: 1 - host, digest: 0 };
  }
  if (digests) return { host: 0, io: 0, digest: 1 };
  return { host: copies ? 1 : 0, io: 0, digest: 0 };
}

interface Work {
  readonly host: number;
  readonly coordinator: number;
  readonly digest: number;
  readonly io: number;
  /** Of pages, by a thread of its own. */
  readonly freeing: number;
  readonly kernel: number;
  /** Of lanes, for one byte. */
  readonly orders: number;
}

/** A core's time for a byte when `busy` of the others, 0 to 1, are at work on memory as well. */
function between(aloneRate: number, busyRate: number, busy: number): number {
  return (1 - busy) / aloneRate + busy / busyRate;
}

function copyTime(machine: Machine, { direction, streams, slots, blockBytes }: Load, busy: number): number {
  if (direction === 'restore') return between(machine.copyOutRate, machine.copyOutBusyRate, busy);
  if (streams * slots * blockBytes <= machine.cacheBytes) return 1 / machine.copyCachedRate;
  return between(machine.copyRate, machine.copyBusyRate, busy);
}

/** CPU seconds of each thread for one byte. */
function workOf(machine: Machine, costs: EngineCosts, way: Way, load: Load, busy: number): Work {
  const { mode, direction, blockBytes, copies } = load;
  const fresh = freshShare(load);
  const digests = mode === 'io-only' ? 0 : 1;
  const populates = direction === 'write' && copies ? (fresh * blockBytes) / populateBytes : 0;
  const orders = (1 + digests + populates) / blockBytes;
  // A restore verifies the sums of the chunks; SHA-256 is of writing only.
  const digestRate = mode === 'default' && direction === 'write' ? machine.shaRate : machine.crcRate;
  const zero = fresh * between(machine.zeroRate, machine.zeroBusyRate, busy);
  const touch = fresh * between(machine.touchRate, machine.touchBusyRate, busy);
  const zeroes = zeroing(load, way);
  const isCold = copies || digests > 0;
  const { coordinatorS, laneS } = isCold ? costs.cold(blockBytes) : costs;
  const copy = copies ? copyTime(machine, load, busy) : costs.submitS / blockBytes;
  return {
    host: copy + touch * zeroes.host,
    coordinator: coordinatorS * orders + costs.coordinatorMibS / mib,
    digest: digests * (1 / digestRate + laneS / blockBytes) + zero * zeroes.digest,
    io: (laneS * (1 + populates)) / blockBytes + zero * zeroes.io,
    freeing: fresh / machine.freeRate,
    kernel: way.cpuPerByte,
    orders,
  };
}

/** From the SUBMIT of a block to its credit when nobody else is there: three sleepers are woken on the way. */
function roundTrip(costs: EngineCosts, work: Work, ioPerByte: number, blockBytes: number): number {
  const threads = 2 * costs.threadS + costs.processS;
  return threads + (work.coordinator + Math.max(ioPerByte, work.digest)) * blockBytes;
}

/** Stage by stage, as if no cache held what the next stage wants: slots are larger than the last level. */
export function trafficOf(way: Way, load: Load): Stage[] {
  const fresh = freshShare(load);
  const { direction, mode, copies } = load;
  const stages: Stage[] = [];
  const add = (name: string, traffic: number): void => void (traffic > 0 && stages.push({ name, traffic }));
  const touched = copies || way.touches || mode !== 'io-only';
  add('pages of fresh arenas zeroed', touched ? fresh : 0);
  if (direction === 'restore') add(`${way.name} into the slot`, way.traffic);
  if (copies && direction === 'write') {
    add("host program's buffer read", 1);
    // A store into a line that is not in the cache reads it first.
    add('slot written, with its lines read first', 2);
  }
  if (mode !== 'io-only') add('slot read by the digest', 1);
  if (direction === 'write') add(`slot to ${way.name}`, way.traffic);
  if (copies && direction === 'restore') {
    // The host program's buffer stays in the cache.
    add('slot read by the plug-in', 1);
  }
  return stages;
}

/** Lanes that can be at work at a time for so many images. */
function lanesAtWork(lanes: number, perImage: number, streams: number): number {
  return Math.min(lanes, perImage * streams);
}

/** Blocks of one image that are digested at the same time: with SHA-256 it is one chain. */
function digestsPerImage({ mode, direction, blocksInFlight }: Load): number {
  return mode === 'default' && direction === 'write' ? 1 : blocksInFlight;
}

export function predict(machine: Machine, costs: EngineCosts, way: Way, load: Load): Prediction {
  // How busy the cores are depends on the rate, and the rate on how busy they are: the third look changes nothing more.
  let found = predictAt(machine, costs, way, load, 0);
  for (let look = 0; look < 3; look++) {
    const busy = machine.cores === 1 ? 0 : (found.coresUsed - 1) / (machine.cores - 1);
    found = predictAt(machine, costs, way, load, Math.max(0, Math.min(1, busy)));
  }
  return found;
}

function predictAt(machine: Machine, costs: EngineCosts, way: Way, load: Load, busy: number): Prediction {
  const work = workOf(machine, costs, way, load, busy);
  const { streams, ioLanes, digestLanes, blocksInFlight, blockBytes } = load;
  const stages = trafficOf(way, load);
  const traffic = stages.reduce((sum, stage) => sum + stage.traffic, 0);
  const perByte = work.host + work.coordinator + work.digest + work.io + work.freeing + work.kernel;
  const remote = load.pinned || machine.nodes === 1 ? 0 : 1 - 1 / machine.nodes;
  // A lane has one order at a time: between two of them the coordinator is woken, and wakes it.
  const gap = (2 * costs.threadS + work.coordinator / work.orders) / blockBytes;
  const ioPerByte = work.io + work.kernel + 1 / way.laneRate + gap;
  const turn = roundTrip(costs, work, ioPerByte, blockBytes);
  const digesters = lanesAtWork(digestLanes, digestsPerImage(load), streams);
  const resources: Resource[] = [
    { name: 'cores', rate: machine.cores / perByte },
    { name: 'coordinator', rate: 1 / (work.orders * costs.orderS(streams) + costs.coordinatorMibS / mib) },
    { name: 'hand-overs', rate: (blocksInFlight * streams * blockBytes) / turn },
    { name: 'host programs', rate: streams / work.host },
    { name: 'digest lanes', rate: work.digest === 0 ? Number.POSITIVE_INFINITY : digesters / (work.digest + gap) },
    { name: 'io lanes', rate: lanesAtWork(ioLanes, blocksInFlight, streams) / ioPerByte },
    { name: 'memory', rate: (machine.nodes * machine.memoryRate) / traffic },
    { name: 'links between nodes', rate: (machine.nodes * machine.linkRate) / (traffic * remote) },
    { name: way.name, rate: way.rate },
  ].toSorted((a, b) => a.rate - b.rate);
  const [limit, next] = resources as [Resource, Resource];
  const lost = costs.imageS + endsOf(limit.name, machine, work, ioPerByte, load);
  const bytes = streams * load.bytesPerStream;
  const rate = load.copies ? bytes / (bytes / limit.rate + lost) : limit.rate;
  const lanes = work.digest + work.io + work.freeing;
  return {
    rate,
    limit: limit.name,
    next: next.name,
    resources,
    cpu: { hostProgram: work.host, coordinator: work.coordinator, lanes, kernel: work.kernel },
    coresUsed: rate * perByte,
    stages,
    traffic,
  };
}

/**
 * Seconds in which what limits has nothing to do: an image is a pipeline, whose first block must be filled before
 * anybody works on it, and whose last one is drained when nobody fills any more. All images of a load begin together.
 */
function endsOf(limit: string, machine: Machine, work: Work, ioPerByte: number, load: Load): number {
  const { streams, blockBytes, direction, freshArenas } = load;
  if (limit === 'cores' || limit === 'memory') return 0;
  const side = Math.min(machine.cores, streams);
  if (limit === 'host programs') return blockBytes * Math.max(work.digest, ioPerByte);
  if (direction === 'restore') return (blockBytes * work.host * streams) / side;
  // No page of the first slot is there yet.
  const first = 1 / machine.copyRate + (freshArenas ? 1 / machine.touchRate : 0);
  return (streams * blockBytes * first) / side;
}
