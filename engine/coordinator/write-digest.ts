/**
 * The digest side of one image that is written: blocks in submit order through the digest lanes, one at a time, and
 * what lies written behind them read back when SHA-256 has to catch up (a hole that was filled, a range rewritten).
 */
import { addon } from '../../native/addon/index.ts';
import { assert } from '../core/assert.ts';
import { Failed, status } from '../core/errors.ts';
import { op } from '../core/order.ts';
import type { LaneResult, OrderWatch } from '../lanes/lane-order.ts';
import { pageChunks } from '../transfer/chunks.ts';
import { shaStateBytes } from '../transfer/sha-frontier.ts';
import type { Block } from '../transfer/write-plan.ts';
import type { Account } from './account.ts';
import { runOrder } from './again.ts';
import { type Context, chunkBytes } from './context.ts';
import { ioFailure } from './storage.ts';
import { dataName, type WriteTarget } from './write-target.ts';

/** Pieces of one read-back order: its pairs fit a lane's area, and other orders get their turn. */
const piecesPerOrder = 64;
/** Room for a block's CRCs: one a chunk and one more for each ragged end. */
const slackCrcs = 2;

/** A block that is digested sooner than a lane is woken: 16 KiB take some 10 µs, one bell 20 to 50. */
export const hereBytesMax = 16 * 1024;

interface DigestOrder {
  arena: number;
  memoryOffset: number;
  length: number;
  offset: number;
  align: number;
  sha: number;
  watch: OrderWatch | null;
}

function digestHere(ctx: Context, order: DigestOrder): LaneResult {
  const { arena, memoryOffset, length, offset, align, sha } = order;
  const since = ctx.now();
  const crcs = new BigUint64Array(slackCrcs);
  const result = addon.digestSlot(arena, memoryOffset, length, offset, align, sha, crcs);
  const ns = (ctx.now() - since) * 1e6;
  return {
    result,
    text: null,
    crcs: result < 0 ? null : crcs.subarray(0, result),
    cpuNs: ns,
    wallNs: ns,
    queueNs: 0,
    ringNs: 0,
    retries: 0,
  };
}

/**
 * Digests one block whose bytes lie in its slot. Returns its CRCs; null where nobody wants any: the image has no sums, and
 * its store is none of objects, whose requests carry CRCs too and would make them in the one thread that sends them.
 */
export async function digestBlock(
  ctx: Context,
  t: WriteTarget,
  account: Account,
  arena: number,
  memoryOffset: number,
  block: Block & { readonly digest: OrderWatch | null },
): Promise<BigUint64Array | null> {
  const withCrcs = t.meta.sums !== null || ctx.settings.sequential;
  if (!withCrcs && t.frontier === null) return null;
  const withSha = t.frontier !== null && (await reachBlock(ctx, t, account, block));
  const { length, offset, digest: watch } = block;
  const order = {
    op: op.digest,
    arena,
    memoryOffset,
    length,
    offset,
    align: chunkBytes,
    sha: withSha ? t.sha : 0,
    watch,
  };
  const result = length <= hereBytesMax ? digestHere(ctx, order) : await runOrder(ctx.digest, order, t.handle);
  account.digest(result);
  if (result.result < 0) throw ioFailure(t.key.what, 'digest', t.key.id, result.result);
  assert(result.crcs !== null && result.crcs.length <= block.length / chunkBytes + slackCrcs, 'one CRC a piece');
  if (withSha) advance(t, block.offset + block.length);
  // Little by little: at the commit of a terabyte it would hold up everybody for most of a second.
  t.coverage.condense(pageChunks);
  return withCrcs ? result.crcs : null;
}

/** True when SHA-256 stands at the block's begin, after reading back what is written before it. */
async function reachBlock(ctx: Context, t: WriteTarget, account: Account, block: Block): Promise<boolean> {
  const { frontier, coverage } = t;
  assert(frontier !== null, 'only with a checksum');
  for (;;) {
    const step = frontier.next(block, coverage.coveredTo(frontier.frontier));
    if (step.kind !== 'read-back') return step.kind === 'with-sha';
    await readBack(ctx, t, account, step.from, step.to);
  }
}

/** SHA-256 over everything below `size`, which is covered without a gap. */
export async function catchUp(ctx: Context, t: WriteTarget, account: Account, size: number): Promise<void> {
  const { frontier, coverage } = t;
  if (frontier === null) return;
  for (;;) {
    const step = frontier.catchUp(size, coverage.coveredTo(frontier.frontier));
    if (step === null) return;
    await readBack(ctx, t, account, step.from, step.to);
  }
}

async function readBack(ctx: Context, t: WriteTarget, account: Account, from: number, to: number): Promise<void> {
  let at = from;
  while (at < to) {
    const pieces = t.coverage.pieces(at, to, piecesPerOrder);
    assert(pieces.length > 0, 'what is read back is covered');
    const pairs = new BigUint64Array(pieces.length * 2);
    let length = 0;
    for (const [i, piece] of pieces.entries()) {
      pairs[i * 2] = BigInt(piece.length);
      pairs[i * 2 + 1] = piece.crc;
      length += piece.length;
    }
    const verified = t.meta.sums !== null;
    const result = await runOrder(
      ctx.io,
      {
        op: op.digestFile,
        file: t.files.data,
        offset: at,
        length,
        sha: t.sha,
        pieces: verified ? pieces.length : 0,
        crcs: verified ? pairs : null,
      },
      t.handle,
    );
    account.device(result);
    if (result.result < 0) throw ioFailure(t.key.what, 'read back', `${t.key.id}/${dataName}`, result.result);
    const bad = verified ? pieces[result.result] : undefined;
    if (bad !== undefined) {
      throw new Failed(
        status.EDAMAGED,
        `${t.key.what}: the storage gave back other bytes than were written, at offset ${bad.offset}; write it again`,
      );
    }
    at += length;
    advance(t, at);
  }
}

function advance(t: WriteTarget, to: number): void {
  const { frontier, coverage } = t;
  assert(frontier !== null, 'only with a checksum');
  frontier.advance(to);
  coverage.setBorder(to);
  if (frontier.wantsSave) frontier.save(shaState(t));
  t.shaReached(to, () => shaState(t));
}

/** The SHA state at the frontier, a multiple of 64 as all lengths are. */
export function shaState(t: WriteTarget): Uint8Array {
  const state = new Uint8Array(shaStateBytes);
  assert(addon.shaSave(t.sha, state) >= 0, 'a SHA state can be saved');
  return state;
}

/**
 * Takes SHA-256 back to the best saved state at or below `to`: bytes from there on are about to change. Returns where
 * it stands now, or null when it had not come so far. The caller then sets the coverage's border there.
 */
export function rewind(t: WriteTarget, to: number): number | null {
  const back = t.frontier?.rewind(to) ?? null;
  if (back === null) return null;
  if (back.state === null) {
    addon.shaClose(t.sha);
    t.sha = addon.shaOpen();
  } else addon.shaRestore(t.sha, back.state, back.offset);
  return back.offset;
}
