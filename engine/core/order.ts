/**
 * The 64-byte records that travel in the rings: an order goes down to a lane, its completion comes back.
 *
 *   word  order                         completion
 *    0    op                            op
 *    1    order id                      order id
 *    2    file                          result, low word     (≥ 0 count, < 0 −errno; 53-bit two's complement pair)
 *    3    second file                   result, high word
 *    4    arena                         thread CPU time, ns, low word
 *    5    memory offset, low            … high word
 *    6    memory offset, high           time in the lane, ns, low word
 *    7    length                        … high word
 *    8    file or image offset, low     bytes of text in the lane's area
 *    9    … high                        count of CRCs in the lane's area
 *   10    sha id
 *   11    align or chunk bytes
 *   12    pieces, or bytes of text in the lane's area
 *   13    bytes of binary in the lane's area
 *   14    where the file begins in its image, low
 *   15    … high
 *
 * What does not fit a record travels in the lane's area: a SharedArrayBuffer that belongs to the order until its
 * completion. A lane has one order at a time, so there is one area a lane.
 */
import type { MessagePort } from 'node:worker_threads';
import type { BucketTold } from './bucket-status.ts';
import type { S3Settings } from './s3-settings.ts';

export const recordWords = 16;
export const recordBytes = 64;

export const op = {
  /** Ends the lane. */
  stop: 1,
  /** memory → file, aligned. Pieces 1: these are all bytes of the image. CRCs in the area seal what goes to a bucket. */
  write: 2,
  /** memory → file, any alignment, alone in its image. */
  writeEdge: 3,
  /** file → memory; with a second file also the sums of the image's chunks touched, into the area as CRCs. */
  read: 4,
  /** addon.digestSlot; CRCs into the area. */
  digest: 5,
  /** addon.verifySlot against the area's CRCs. */
  verify: 6,
  /** addon.digestFile; pairs in the area. */
  digestFile: 7,
  /** addon.splitPiece; area in: [expect, cuts…], out: CRCs. */
  splitPiece: 8,
  populate: 9,
  clone: 10,
  copyRange: 11,
  /** A call of the store contract: JSON in the area, JSON back. */
  store: 12,
} as const;
export type Op = (typeof op)[keyof typeof op];

export const orderWord = {
  op: 0,
  id: 1,
  file: 2,
  file2: 3,
  arena: 4,
  memoryLow: 5,
  memoryHigh: 6,
  length: 7,
  offsetLow: 8,
  offsetHigh: 9,
  sha: 10,
  align: 11,
  pieces: 12,
  binary: 13,
  startLow: 14,
  startHigh: 15,
} as const;
export const completionWord = {
  op: 0,
  id: 1,
  resultLow: 2,
  resultHigh: 3,
  cpuLow: 4,
  cpuHigh: 5,
  wallLow: 6,
  wallHigh: 7,
  text: 8,
  crcs: 9,
  /** Requests that were sent again. */
  retries: 10,
} as const;

/** Where a chunk's CRC stands in image.sums; the lanes read them there. engine/image/sums.ts has the whole format. */
export const sumsHeaderBytes = 64;
export const sumsEntryBytes = 8;

/**
 * Area of a lane: text (JSON) first, then binary, the same memory seen as CRCs.
 * A store call has no binary, so its text may fill the whole area.
 */
export const areaTextBytes = 256 * 1024;
export const areaBinaryBytes = 256 * 1024;
export const areaBytes = areaTextBytes + areaBinaryBytes;

/** Splits a number of up to 53 bits, negative ones in two's complement, into two 32-bit words. */
export function lowWord(value: number): number {
  return value >>> 0;
}
export function highWord(value: number): number {
  return Math.floor(value / 0x1_0000_0000) | 0;
}
export function joinWords(low: number, high: number): number {
  return (high | 0) * 0x1_0000_0000 + (low >>> 0);
}

/** What a lane's thread is started with: the argument of its one long task, workers/lane-main.ts. */
export interface ServeTask {
  orders: SharedArrayBuffer;
  completions: SharedArrayBuffer;
  area: SharedArrayBuffer;
  /** One word: not 0 while the lane has something left to do of an order that it has answered. */
  behind: SharedArrayBuffer;
  pool: 'io' | 'meta' | 'digest' | 'net';
  /** Nice value of the thread, above the process's own. */
  niceness: number;
  storeKind: 'file' | 'memory' | 's3';
}

/** Of a thread whose event loop has many lanes: the argument of its one long task, workers/net-main.ts. */
export interface ServeNetTask {
  /** NetStart down, NetTold up; closed by the coordinator when all lanes have ended. */
  port: MessagePort;
  s3: S3Settings;
}
export interface NetStart {
  lane: number;
  task: ServeTask;
}
/** What comes up: of a lane, or of the bucket. */
export type NetTold = NetEnd | BucketTold;
/** The lane has ended; `problem` null: after its stop word. */
export interface NetEnd {
  lane: number;
  problem: string | null;
}
