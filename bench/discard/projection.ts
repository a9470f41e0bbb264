/**
 * Media servers that do not stand here, by the model: rates of a core as measured, memory and links between nodes as data
 * sheets have them, the network's cost of CPU as the bench's own bare sender and receiver had it. docs/scaling.md has the
 * sources, and what follows.
 */
import { type Load, type Mode, type Prediction, predict, type Way } from '../model.ts';
import type { Parameters } from './check.ts';

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

export function project(
  { machine, costs }: Parameters,
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
    touches: true,
  };
  const load: Load = {
    direction,
    mode,
    streams: cores,
    blockBytes: 64 << 20,
    bytesPerStream: terabyte / cores,
    slots: 3,
    blocksInFlight: 2,
    ioLanes,
    digestLanes: server.digestLanes ?? Math.min(16, Math.max(1, Math.floor(cores / 4))),
    copies: true,
    freshArenas: true,
    pinned,
  };
  return predict({ ...machine, cores, nodes, memoryRate, linkRate }, costs, way, load);
}
