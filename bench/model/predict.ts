/**
 * What a machine moves: the images of a load go through host programs, coordinator and lanes on its cores (images.ts), and
 * whatever was busiest meanwhile is what limits. Nothing is fitted: every figure is a term of its own.
 *
 * Pure.
 */
import { Images, threadNames } from './images.ts';
import type { Cost, Load, Machine, Prediction, Resource, Stage, Terms, Way } from './types.ts';

const nothing: Cost = { alone: 0, besideCopies: 0, besideDigests: 0 };

/** Stage by stage, as if no cache held what the next stage wants: slots are larger than the last level. */
export function trafficOf(way: Way, { direction, mode }: Load): Stage[] {
  const stages: Stage[] = [];
  const add = (name: string, traffic: number): void => void (traffic > 0 && stages.push({ name, traffic }));
  if (direction === 'restore') add(`${way.name} into the slot`, way.traffic);
  if (direction === 'write') {
    add("host program's buffer read", 1);
    // Past the caches: its lines are not read first.
    add('slot written', 1);
  }
  if (mode !== 'io-only') add('slot read by the digest', 1);
  if (direction === 'write') add(`slot to ${way.name}`, way.traffic);
  // The host program's buffer stays in the cache.
  if (direction === 'restore') add('slot read by the plug-in', 1);
  return stages;
}

/** Bytes over the links of one node for a byte moved. */
function remoteShare({ nodes }: Machine, { pinned }: Load): number {
  return pinned || nodes === 1 ? 0 : 1 - 1 / nodes;
}

/** The load as it is: a short image's ends count. */
export function predict(machine: Machine, terms: Terms, way: Way, load: Load): Prediction {
  const stages = trafficOf(way, load);
  const traffic = stages.reduce((sum, stage) => sum + stage.traffic, 0);
  const memoryRate = machine.nodes * machine.memoryRate;
  const linked = remoteShare(machine, load);
  // What may cross the links bounds memory as well: so much of all traffic is remote.
  const linkRate = linked === 0 ? Number.POSITIVE_INFINITY : (machine.nodes * machine.linkRate) / linked;
  const limits = {
    cores: machine.cores,
    costs: { copy: terms.copy, digest: terms.digest ?? nothing },
    traffic: { copy: load.direction === 'write' ? 2 : 1, digest: 1, time: 0, transfer: way.traffic },
    memoryRate: Math.min(memoryRate, linkRate),
    wayRate: way.rate,
    laneRate: way.laneRate,
  };
  const images = new Images(limits, terms, way, load);
  const { cores } = images;
  images.go();
  const bytes = load.streams * load.blocksPerStream * load.blockBytes;
  const seconds = cores.now + terms.imagesS;
  const resources = used(images, machine, way, load, memoryRate, linkRate).toSorted((a, b) => b.used - a.used);
  const [limit, next] = resources as [Resource, Resource];
  return {
    rate: bytes / seconds,
    seconds,
    limit: limit.name,
    next: next.name,
    resources,
    coresUsed: cores.coreSeconds / cores.now,
    stages,
    traffic,
  };
}

function used(
  { cores }: Images,
  machine: Machine,
  way: Way,
  load: Load,
  memoryRate: number,
  linkRate: number,
): Resource[] {
  const of = (name: string): number =>
    [...cores.busy].reduce((sum, [thread, seconds]) => sum + (thread.startsWith(name) ? seconds : 0), 0) / cores.now;
  const rate = (bytes: number, most: number): number =>
    most === Number.POSITIVE_INFINITY ? 0 : bytes / cores.now / most;
  const digesters = load.mode === 'default' && load.direction === 'write' ? load.streams : Number.POSITIVE_INFINITY;
  return [
    { name: 'cores', used: cores.coreSeconds / cores.now / machine.cores },
    { name: 'coordinator', used: of(threadNames.coordinator) },
    { name: 'host programs', used: of(threadNames.host) / load.streams },
    // With SHA-256 an image is one chain: no more lanes than images have something to do.
    { name: 'digest lanes', used: of(threadNames.digest) / Math.min(load.digestLanes, digesters) },
    { name: 'io lanes', used: of(threadNames.io) / load.ioLanes },
    { name: 'memory', used: rate(cores.memoryBytes, memoryRate) },
    { name: 'links between nodes', used: rate(cores.memoryBytes, linkRate) },
    { name: way.name, used: rate(cores.transferBytes, way.rate) },
  ];
}

/** Of images so long that their ends count for nothing, and that do not go in step: what more blocks take. */
export function predictLong(machine: Machine, terms: Terms, way: Way, load: Load): Prediction {
  const beginS = load.slots * load.blockBytes * terms.copy.alone;
  const at = (blocksPerStream: number): Prediction =>
    predict(machine, terms, way, { ...load, beginS, blocksPerStream });
  const [short, long] = [at(3), at(9)];
  const bytes = 6 * load.streams * load.blockBytes;
  return { ...long, rate: bytes / (long.seconds - short.seconds) };
}
