/**
 * Media servers that do not stand here, by the model: what a core does as measured in the run, memory and links between nodes as
 * data sheets have them, the network's cost of CPU as the bench's own bare sender and receiver had it. docs/scaling.md has the
 * sources, and what follows.
 */
import { benchSettings, blocksInFlight, cuts, digestLanesOf, slotsOf } from '../engine-process.ts';
import { predictLong } from '../model/predict.ts';
import type { Load, Mode, Prediction, Terms, Way } from '../model/types.ts';
import type { Shape } from './terms.ts';

/** Of one node, sustained: eight channels of DDR4-3200 are 205 GB/s, of which about five sixths can be had. */
const memoryRate = 170e9;
/** Of one node to all others, sustained: three links of 18 GT/s and sixteen lanes are 108 GB/s each way. */
const linkRate = 80e9;
/** What is left of a port's rate behind Ethernet, IP and TCP headers, with jumbo frames or without. */
const payloadShare = 0.94;
/** CPU seconds a GB of a bare sender and receiver over TCP: docs/performance.md, A bucket. */
const tcp = { write: 0.23e-9, restore: 0.29e-9 };
/** Over the memory bus: the kernel reads the slot, writes its own buffer with lines read first, the port reads that. */
const tcpTraffic = 4;
const laneRate = 2e9;
const blockBytes = 64 << 20;

export const grid = { cores: [32, 64, 128], nodes: [1, 2, 4], gbits: [100, 200, 400] } as const;
export const terabyte = 1e12;

export interface Server {
  readonly cores: number;
  readonly nodes: number;
  readonly gbit: number;
  readonly pinned: boolean;
  /** Null: as many as the engine makes by itself. */
  readonly digestLanes: number | null;
  readonly ioLanes: number;
}

export const asShipped: Pick<Server, 'pinned' | 'digestLanes' | 'ioLanes'> = {
  pinned: true,
  digestLanes: null,
  ioLanes: benchSettings.ioLanes,
};

/** `terms`: as measured here with many images at once, each of which stands for one of as many as the server has cores. */
export function project(
  terms: (shape: Shape) => Terms,
  measuredStreams: number,
  server: Server,
  mode: Mode,
  direction: Load['direction'],
): Prediction {
  const { cores, nodes, gbit, pinned, ioLanes } = server;
  const way: Way = {
    name: 'network port',
    rate: ((gbit * 1e9) / 8) * payloadShare,
    laneRate,
    cpuPerByte: tcp[direction],
    traffic: tcpTraffic,
  };
  const load: Load = {
    direction,
    mode,
    streams: cores,
    blockBytes,
    blocksPerStream: 1,
    slots: slotsOf(direction, blockBytes),
    blocksInFlight,
    cuts,
    ioLanes,
    digestLanes: server.digestLanes ?? digestLanesOf(cores),
    pinned,
  };
  const own = terms({ direction, mode, streams: measuredStreams, blockBytes });
  return predictLong({ cores, nodes, memoryRate, linkRate }, own, way, load);
}
