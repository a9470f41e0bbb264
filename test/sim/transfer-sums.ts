/** What the addon computes, made up of sums that are plain to read. */
import { combineSums, sumOf } from '../support/property.ts';
import { expectEqual } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';

/** CRCs of the parts between chunk borders, as addon.digestSlot gives them. */
export function crcsOf(bytes: Uint8Array, offset: number, chunkBytes: number): BigUint64Array {
  const crcs: bigint[] = [];
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, (Math.floor((offset + at) / chunkBytes) + 1) * chunkBytes - offset);
    crcs.push(sumOf(bytes, at, next));
    at = next;
  }
  return BigUint64Array.from(crcs);
}

/** A SHA state: knows how many bytes it has seen, and which. */
export class FakeSha {
  sum = 0n;
  length = 0;

  static stateOf(bytes: Uint8Array): Uint8Array {
    const sha = new FakeSha();
    sha.feed(bytes);
    return sha.save();
  }

  feed(bytes: Uint8Array): void {
    this.sum = combineSums(this.sum, sumOf(bytes), bytes.length);
    this.length += bytes.length;
  }

  save(): Uint8Array {
    const state = new Uint8Array(32);
    const view = new DataView(state.buffer);
    view.setBigUint64(0, this.sum);
    view.setUint32(8, this.length);
    return state;
  }

  /** Goes on from a saved state, which must have seen the first bytes of `storage`. */
  restore(place: { offset: number; state: Uint8Array | null }, storage: Uint8Array): void {
    const view = new DataView((place.state ?? new Uint8Array(32)).buffer);
    this.sum = view.getBigUint64(0);
    this.length = view.getUint32(8);
    expectEqual(this.length, place.offset, 'a state belongs to its offset');
    expectEqual(this.sum, sumOf(storage, 0, place.offset), 'a saved state has seen what is on storage');
  }
}

/** Sums that stand in the file stop to count once bytes of their chunks change, durable or not. */
export function checkDurableMoves(code: TransferCode): void {
  const durable = new code.Durable({ size: 0, reopened: false, chunkBytes: 1024 });
  durable.appended(10);
  expectEqual(durable.rewriteFrom(4100), null, 'nothing is durable yet');
  expectEqual(durable.sumsChunks, 4, 'chunks below the rewritten one');
  durable.flushed(10_240);
  expectEqual([durable.size, durable.sumsChunks], [10_240, 10], 'after a flush');
  expectEqual(durable.rewriteFrom(10_240), null, 'what follows the durable size is no rewrite of it');
  expectEqual(durable.rewriteFrom(4100), 4096, 'the start of the chunk');
  durable.lowered(4096);
  expectEqual([durable.size, durable.sumsChunks], [4096, 4], 'lowered');
}
