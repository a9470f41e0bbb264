/** Before a block that overwrites: the meta promises less, and what the coverage and SHA-256 know of its range is undone. */
import { Failed, status } from '../core/errors.ts';
import { op } from '../core/order.ts';
import type { Sum } from '../transfer/coverage.ts';
import type { Block } from '../transfer/write-plan.ts';
import type { Account } from './account.ts';
import { runOrder } from './again.ts';
import type { Context } from './context.ts';
import { ioFailure } from './storage.ts';
import { rewind } from './write-digest.ts';
import { lowerDurable } from './write-durable.ts';
import { dataName, type WriteTarget } from './write-target.ts';

/** Nothing else of this image is under way meanwhile. Throws Failed. */
export async function makeRoom(ctx: Context, t: WriteTarget, account: Account, block: Block): Promise<void> {
  const lower = t.durable.rewriteFrom(block.offset);
  if (lower !== null) await lowerDurable(ctx, t, lower);
  await splitAt(ctx, t, account, block.offset, block.length);
  const place = rewind(t, block.offset);
  if (place === null) return;
  // The state of a resume may stand inside a chunk, whose CRCs were merged since: reading back begins at a piece.
  t.coverage.setBorder(place);
  await splitAt(ctx, t, account, place, 0);
}

/** Forgets a range of the coverage. What it holds only partly is read, verified and split first. */
async function splitAt(ctx: Context, t: WriteTarget, account: Account, offset: number, length: number): Promise<void> {
  const { coverage, key, files, meta } = t;
  const splits: Sum[] = [];
  for (const piece of coverage.ragged(offset, length)) {
    if (meta.sums === null) {
      splits.push(...piece.keep.map((keep) => ({ ...keep, crc: 0n })));
      continue;
    }
    const cuts = piece.keep.flatMap((keep) => [BigInt(keep.offset - piece.offset), BigInt(keep.length)]);
    const order = {
      op: op.splitPiece,
      file: files.data,
      offset: piece.offset,
      length: piece.length,
      pieces: piece.keep.length,
      crcs: new BigUint64Array([piece.crc, ...cuts]),
    };
    const result = await runOrder(ctx.io, order, t.handle);
    account.device(result);
    if (result.result < 0) throw ioFailure(key.what, 'read', `${key.id}/${dataName}`, result.result);
    if (result.result === 0) {
      const text = `${key.what}: stored bytes at offset ${piece.offset} are damaged; write them whole`;
      throw new Failed(status.EDAMAGED, text);
    }
    splits.push(...piece.keep.map((keep, i) => ({ ...keep, crc: result.crcs?.[i] ?? 0n })));
  }
  coverage.cut(offset, length, splits);
}
