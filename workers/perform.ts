/** One order: the switch over what a lane can do. Every case is one call of the addon, or one of the store. */

import { errno } from '../engine/core/errors.ts';
import { joinWords, op, orderWord, sumsEntryBytes, sumsHeaderBytes } from '../engine/core/order.ts';
import { addon } from '../native/addon/index.ts';
import type { LaneArea } from './lane-area.ts';
import type { Store } from './store.ts';
import { storeCall } from './store-call.ts';

/** CRCs of the pieces of one chunk, while the area still holds what was asked. */
let cutCrcs = new BigUint64Array(64);

/**
 * Performs the order in `record` (layout: engine/core/order.ts); text and CRCs of the answer stand in `area`.
 * Returns ≥ 0: what the addon's call returned; < 0: −errno. A bug of the caller is told as −EINVAL with a text: it ends
 * one order, not the lane.
 */
export function perform(record: Int32Array, area: LaneArea, store: Store | null): number {
  try {
    return performChecked(record, area, store);
  } catch (error) {
    area.clear();
    area.answerText(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    return -errno.EINVAL;
  }
}

function performChecked(record: Int32Array, area: LaneArea, store: Store | null): number {
  const file = record[orderWord.file];
  const file2 = record[orderWord.file2];
  const arena = record[orderWord.arena];
  const memoryOffset = joinWords(record[orderWord.memoryLow], record[orderWord.memoryHigh]);
  const length = record[orderWord.length] >>> 0;
  const offset = joinWords(record[orderWord.offsetLow], record[orderWord.offsetHigh]);
  const sha = record[orderWord.sha];
  const align = record[orderWord.align];
  const pieces = record[orderWord.pieces];
  const start = joinWords(record[orderWord.startLow], record[orderWord.startHigh]);
  switch (record[orderWord.op]) {
    case op.write:
      return addon.writeSlot(file, arena, memoryOffset, length, offset);
    case op.writeEdge:
      return addon.writeEdge(file, arena, memoryOffset, length, offset, align);
    case op.read: {
      const count = addon.readSlot(file, arena, memoryOffset, length, offset);
      return count > 0 && file2 >= 0 ? readSumsOf(count, start + offset, file2, align, area) : count;
    }
    case op.digest: {
      const count = addon.digestSlot(arena, memoryOffset, length, offset, align, sha, area.crcs);
      area.crcCount = Math.max(0, count);
      return count;
    }
    case op.verify:
      return addon.verifySlot(arena, memoryOffset, length, align, area.crcs);
    case op.digestFile:
      return addon.digestFile(file, offset, length, area.crcs, pieces, sha);
    case op.splitPiece:
      return splitPiece(file, offset, length, (record[orderWord.binary] / 8 - 1) / 2, area);
    case op.populate:
      return addon.arenaPopulate(arena, memoryOffset, length);
    case op.clone:
      return addon.cloneFile(file, file2);
    case op.copyRange:
      return addon.copyRange(file, file2, offset, length);
    case op.store:
      if (store === null) throw new Error('only a meta lane has a store');
      return storeCall(store, pieces, area);
    default:
      throw new Error(`operation ${record[orderWord.op]} is not known`);
  }
}

/** The sums of all chunks that the `count` bytes from `offset` of the image touch, into the area. Returns `count`, or −errno. */
export function readSumsOf(count: number, offset: number, sums: number, chunkBytes: number, area: LaneArea): number {
  const first = Math.floor(offset / chunkBytes);
  const chunks = Math.floor((offset + count - 1) / chunkBytes) - first + 1;
  const bytes = chunks * sumsEntryBytes;
  if (!(bytes <= area.crcBytes.length)) throw new Error(`${chunks} chunks are too many for one read`);
  const read = addon.readBytes(sums, area.crcBytes, bytes, sumsHeaderBytes + first * sumsEntryBytes);
  if (read < 0) return read;
  area.crcCount = Math.floor(read / sumsEntryBytes);
  return count;
}

/** The area holds [expected CRC, offset, length, offset, length …]; the CRCs of the cuts take their place. */
function splitPiece(file: number, offset: number, length: number, count: number, area: LaneArea): number {
  if (!Number.isInteger(count) || count < 0) throw new Error('a split needs one CRC and pairs of cuts');
  if (cutCrcs.length < count) cutCrcs = new BigUint64Array(count);
  const cuts = area.crcs.subarray(1, 1 + 2 * count);
  const good = addon.splitPiece(file, offset, length, area.crcs[0], cuts, count, cutCrcs);
  if (good !== 1) return good;
  area.crcs.set(cutCrcs.subarray(0, count));
  area.crcCount = count;
  return good;
}
