/**
 * What the model is told: a machine, what each part of the work costs there, a way to the storage, and a load. Rates are bytes per
 * second, times seconds; a cost is the seconds of one core for one byte. docs/scaling.md says where each of them comes from.
 */

/** Seconds of a core for a byte, by what all other cores do at that moment. */
export interface Cost {
  readonly alone: number;
  readonly besideCopies: number;
  readonly besideDigests: number;
}

export interface Machine {
  readonly cores: number;
  readonly nodes: number;
  /** Of one node; Infinity: what copies and digests take from each other says it already. */
  readonly memoryRate: number;
  /** Of one node, to all others together. */
  readonly linkRate: number;
}

/** Measured one by one, each without the others. Of the load's direction, mode, block size and number of images. */
export interface Terms {
  /** The host program's copy, into slots or out of them. */
  readonly copy: Cost;
  /** CRC-64, or CRC-64 and SHA-256; null: nothing is digested. */
  readonly digest: Cost | null;
  /** The coordinator's CPU for a block, in equal parts: when the block comes, and when each of its orders has ended. */
  readonly coordinatorS: number;
  /** CPU of a lane for one order, beside what is done to the bytes. */
  readonly laneS: number;
  /** Of the client's process for a block, beside the copy. */
  readonly clientS: number;
  /** One way between two processes, and between two threads, of which one sleeps. */
  readonly processS: number;
  readonly threadS: number;
  /** All images of a load together, beside their bytes: opened, closed, and begun one after the other. */
  readonly imagesS: number;
}

/** Between a slot and the storage. */
export interface Way {
  readonly name: string;
  /** Of the device, or of all ports together. */
  readonly rate: number;
  /** Of one order at a time on one lane. */
  readonly laneRate: number;
  /** Of the kernel. */
  readonly cpuPerByte: number;
  /** Bytes over the memory bus for one byte: DMA, and the kernel's copies. */
  readonly traffic: number;
}

export type Mode = 'io-only' | 'sums' | 'default';
export type Direction = 'write' | 'restore';

/** How an image in files is cut at its ends. */
export interface Cuts {
  /** Of the first block that is written; each one behind it is twice as long, up to a whole one. */
  readonly firstBytes: number;
  /** What a reader asks for before it is known to go on. */
  readonly chunkBytes: number;
  /** The last pieces that are read are halved down to this. */
  readonly tailBytes: number;
}

export interface Load {
  readonly direction: Direction;
  readonly mode: Mode;
  readonly streams: number;
  readonly blockBytes: number;
  readonly blocksPerStream: number;
  /** Of one image. */
  readonly slots: number;
  /** Of one image that is written. */
  readonly blocksInFlight: number;
  readonly ioLanes: number;
  readonly digestLanes: number;
  /** Threads, host programs and arenas of an image lie on one node. */
  readonly pinned: boolean;
  /** Cores that something else takes meanwhile. */
  readonly othersCores?: number;
  /** Not given: an image is cut into whole blocks. */
  readonly cuts?: Cuts;
  /** Images begin one after the other over so many seconds; else all at once. */
  readonly beginS?: number;
}

export interface Resource {
  readonly name: string;
  /** Part of 1. */
  readonly used: number;
}

export interface Stage {
  readonly name: string;
  readonly traffic: number;
}

export interface Prediction {
  readonly rate: number;
  readonly seconds: number;
  readonly limit: string;
  readonly next: string;
  /** The busiest first. */
  readonly resources: readonly Resource[];
  readonly coresUsed: number;
  /** Bytes over the memory bus for one byte moved, stage by stage. */
  readonly stages: readonly Stage[];
  readonly traffic: number;
}
