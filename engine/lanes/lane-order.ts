/** Orders and results as the coordinator sees them, and their way into and out of a lane's record and area. */

import { assert } from '../core/assert.ts';
import {
  areaBinaryBytes,
  areaBytes,
  areaTextBytes,
  completionWord,
  highWord,
  joinWords,
  lowWord,
  type Op,
  op,
  orderWord,
} from '../core/order.ts';
import type { StoreMethod } from '../core/store.ts';

/** Whoever wants to know where an order is; its pool tells. */
export interface OrderWatch {
  submitted(): void;
  given(): void;
  /** Milliseconds from given to noticed that it was not in the lane. */
  ended(ringMs: number): void;
}

/** What a lane is to do. Fields that an operation does not use stay away; which ones it uses: engine/core/order.ts. */
export interface LaneOrder {
  op: Op;
  file?: number;
  file2?: number;
  arena?: number;
  /** Bytes from the start of the arena. */
  memoryOffset?: number;
  /** Bytes, below 2^32. */
  length?: number;
  /** Bytes in the file or image. */
  offset?: number;
  /** Of a file that is not the image's first: bytes of the image in front of it. */
  start?: number;
  sha?: number;
  /** Alignment, or bytes of a chunk. */
  align?: number;
  pieces?: number;
  /** For `store` only. */
  text?: string;
  crcs?: BigUint64Array | null;
  /** Where the completion's CRCs go, if they fit; else they are in new memory. Stays with the coordinator, as does `watch`. */
  into?: BigUint64Array | null;
  watch?: OrderWatch | null;
}

export interface LaneResult {
  /** ≥ 0: count, as the addon's call returns it; < 0: −errno. */
  result: number;
  /** CPU time of the lane's thread, and time in the lane: nanoseconds. */
  cpuNs: number;
  wallNs: number;
  /** From submitted to given, and from given to noticed less the time in the lane: nanoseconds. */
  queueNs: number;
  ringNs: number;
  /** Requests over the network that were sent again. */
  retries: number;
  text: string | null;
  /** A copy: the lane's area is taken by the next order. */
  crcs: BigUint64Array | null;
}

/** One lane's area: the order's until its completion, then the completion's until the next order. */
export class Area {
  readonly memory = new SharedArrayBuffer(areaBytes);
  readonly #bytes = Buffer.from(this.memory);
  readonly #crcs = new BigUint64Array(this.memory, areaTextBytes, areaBinaryBytes / 8);

  /** Returns the bytes of the text. A text that does not fit is a bug: every text has its limit in the contracts. */
  writeText(text: string): number {
    // A character is at most three bytes of UTF-8; only a long text is worth counting exactly.
    const bytes = text.length * 3 <= areaBytes ? text.length : Buffer.byteLength(text);
    assert(bytes <= areaBytes, 'the text of an order fits the area');
    return this.#bytes.write(text, 0);
  }

  /** Returns the bytes. */
  writeCrcs(crcs: BigUint64Array): number {
    assert(crcs.byteLength <= areaBinaryBytes, 'the CRCs of an order fit the area');
    this.#crcs.set(crcs);
    return crcs.byteLength;
  }

  readText(bytes: number): string {
    return this.#bytes.toString('utf8', 0, bytes);
  }

  readCrcs(count: number, into: BigUint64Array | null): BigUint64Array {
    if (into === null || count > into.length) return this.#crcs.slice(0, count);
    into.set(this.#crcs.subarray(0, count));
    return into.subarray(0, count);
  }
}

/** Fills the record (16 words) and the area. */
export function encodeOrder(record: Int32Array, area: Area, id: number, order: LaneOrder): void {
  assert(order.text === undefined || order.op === op.store, 'only store orders carry text');
  record[orderWord.op] = order.op;
  record[orderWord.id] = id;
  record[orderWord.file] = order.file ?? -1;
  record[orderWord.file2] = order.file2 ?? -1;
  record[orderWord.arena] = order.arena ?? -1;
  const memoryOffset = order.memoryOffset ?? 0;
  record[orderWord.memoryLow] = lowWord(memoryOffset);
  record[orderWord.memoryHigh] = highWord(memoryOffset);
  const length = order.length ?? 0;
  assert(length >= 0 && length <= 0xffff_ffff, 'the length of an order fits a word');
  record[orderWord.length] = length;
  const offset = order.offset ?? 0;
  record[orderWord.offsetLow] = lowWord(offset);
  record[orderWord.offsetHigh] = highWord(offset);
  record[orderWord.sha] = order.sha ?? 0;
  record[orderWord.align] = order.align ?? 0;
  record[orderWord.pieces] = order.text === undefined ? (order.pieces ?? 0) : area.writeText(order.text);
  record[orderWord.binary] = order.crcs ? area.writeCrcs(order.crcs) : 0;
  const start = order.start ?? 0;
  record[orderWord.startLow] = lowWord(start);
  record[orderWord.startHigh] = highWord(start);
}

export function decodeResult(record: Int32Array, area: Area, into: BigUint64Array | null = null): LaneResult {
  const text = record[completionWord.text];
  const crcs = record[completionWord.crcs];
  return {
    result: joinWords(record[completionWord.resultLow], record[completionWord.resultHigh]),
    cpuNs: joinWords(record[completionWord.cpuLow], record[completionWord.cpuHigh]),
    wallNs: joinWords(record[completionWord.wallLow], record[completionWord.wallHigh]),
    queueNs: 0,
    ringNs: 0,
    retries: record[completionWord.retries],
    text: text === 0 ? null : area.readText(text),
    crcs: crcs === 0 ? null : area.readCrcs(crcs, into),
  };
}

/** An order that never reached a lane, or whose lane died. */
export function failedResult(errno: number, text: string): LaneResult {
  return { result: errno, cpuNs: 0, wallNs: 0, queueNs: 0, ringNs: 0, retries: 0, text, crcs: null };
}

/** Store calls that neither change anything nor hand out files. */
const repeatableMethods: ReadonlySet<StoreMethod> = new Set([
  'openRoot',
  'capacity',
  'readLsu',
  'statImage',
  'claims',
  'readSums',
  'fenceImage',
]);

/**
 * May the order be carried out a second time when its lane died over it? Payload may: the same bytes go to the same
 * place. A SHA state may not, it would count bytes twice.
 */
export function isRepeatable(order: LaneOrder, method: StoreMethod | null): boolean {
  return method === null ? (order.sha ?? 0) === 0 : repeatableMethods.has(method);
}
