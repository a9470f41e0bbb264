/**
 * Where everything stands in a ring's memory, and the few facts that writer and reader must agree on.
 *
 *   byte 0     tail      written by the writer: number of records published so far, modulo 2^32
 *   byte 128   head      written by the reader: number of records given back so far, modulo 2^32
 *   byte 256   sleeping  written by the reader: 1 from before it looks a last time until it is awake again
 *   byte 384   records   capacity × 64 bytes; record n stands at place n & (capacity − 1)
 *
 *          head              tail
 *           ▼                 ▼
 *   ··free··│ready ready ready│··free··        (tail − head) | 0 = records that are ready
 *
 * Each word has one writer and 128 bytes of its own: two cache lines, because processors fetch them in pairs.
 * Indices run freely over 32 bits, so empty (equal) and full (capacity apart) are told apart without a wasted place.
 */
export const recordWords = 16;
export const recordBytes = recordWords * 4;

export const tailWord = 0;
export const headWord = 32;
export const sleepingWord = 64;
export const firstRecordWord = 96;

const capacityMin = 2;
const capacityMax = 65_536;

export type Words = Int32Array<SharedArrayBuffer>;
export type WaitResult = 'ok' | 'not-equal' | 'timed-out';
export type AsyncWait =
  | { async: false; value: 'not-equal' | 'timed-out' }
  | { async: true; value: Promise<'ok' | 'timed-out'> };

/** The part of `Atomics` that the ring uses. A stepper hands in its own to explore the shipped code. */
export interface AtomicsLike {
  load(words: Words, index: number): number;
  store(words: Words, index: number, value: number): number;
  notify(words: Words, index: number, count?: number): number;
  wait(words: Words, index: number, value: number, timeoutMs?: number): WaitResult;
  waitAsync(words: Words, index: number, value: number, timeoutMs?: number): AsyncWait;
}

function isCapacity(capacity: number): boolean {
  const inRange = Number.isInteger(capacity) && capacity >= capacityMin && capacity <= capacityMax;
  return inRange && (capacity & (capacity - 1)) === 0;
}

/**
 * Memory of an empty ring. Give it to one RingWriter and one RingReader, in any two threads.
 *
 * @param capacity records that fit: a power of two, 2 … 65,536
 * @throws RangeError for any other capacity
 */
export function createRing(capacity: number): SharedArrayBuffer {
  if (!isCapacity(capacity)) {
    throw new RangeError(`ring capacity must be a power of two from ${capacityMin} to ${capacityMax}, not ${capacity}`);
  }
  return new SharedArrayBuffer(firstRecordWord * 4 + capacity * recordBytes);
}

/**
 * Capacity of a ring, from the size of its memory.
 *
 * @throws RangeError when the memory was not made by createRing
 */
export function capacityOf(memory: SharedArrayBuffer): number {
  const capacity = (memory.byteLength - firstRecordWord * 4) / recordBytes;
  if (!isCapacity(capacity)) throw new RangeError(`${memory.byteLength} bytes are not the memory of a ring`);
  return capacity;
}

/** @throws RangeError when `record` is not 16 words: a shorter one would leave old words in its place. */
export function checkRecord(record: Int32Array): void {
  if (record.length !== recordWords) throw new RangeError(`a record has ${recordWords} words, not ${record.length}`);
}
