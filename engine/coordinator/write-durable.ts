/** From written to durable: the meta and the sums that flush, either close and a write below the durable size need. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { addon } from '../../native/addon/index.ts';
import { Failed, status } from '../core/errors.ts';
import type { LastBytes, Store } from '../core/store.ts';
import { encodeMeta, type Fragment, type ImageMeta } from '../image/meta.ts';
import { ownedToken } from '../image/owner.ts';
import { encodeSumsTail, sumsOffset, wholeChunks } from '../image/sums.ts';
import type { Checkpoint } from '../transfer/checkpoints.ts';
import type { ShaFrontier, ShaPlace } from '../transfer/sha-frontier.ts';
import type { Account } from './account.ts';
import { type Context, chunkBytes } from './context.ts';
import { crcOf, demandMove } from './image-info.ts';
import { catchUp, shaState } from './write-digest.ts';
import { dataName, forgetFiles, type WriteTarget } from './write-target.ts';

/** Of a resumed image, whose sums came all at once: some milliseconds, then others have their turn. */
const combinesPerTurn = 8192;
/** Chunks whose sums travel in one call: their base64 fits a lane's area beside the meta. */
const chunksPerCall = 8192;

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/** A step on the image that this writer holds: when it is not there any more, somebody took it away. */
async function step<M extends 'flushImage' | 'replaceMeta' | 'commitImage'>(
  ctx: Context,
  t: WriteTarget,
  method: M,
  arg: Parameters<Store[M]>[0],
): Promise<void> {
  try {
    await ctx.storage.call(t.key.what, method, arg);
  } catch (error) {
    if (error instanceof Failed && error.status === status.ENOENT) demandMove(t.key, 'absent', 'resume');
    throw error;
  }
}

/** A hole is an error of the host program's that it may still mend. */
export function checkNoGap(t: WriteTarget, end: number): void {
  const gap = t.coverage.firstGap(end);
  if (gap === null) return;
  throw new Failed(
    status.EINVAL,
    `${t.key.what}: bytes ${gap.offset} to ${gap.offset + gap.length} were never written; write them before flush or close`,
  );
}

/** A state at the very end saves the next opener from reading back: after sequential writing it stands there. */
function shaPlace(t: WriteTarget, frontier: ShaFrontier, size: number): ShaPlace {
  return frontier.frontier === size && size > 0 ? { offset: size, state: shaState(t) } : frontier.placeAt(size);
}

/** What holds the bytes below `size`, all of which were written: a store of objects goes on in the next one when one is full. */
export async function fragmentsOf(ctx: Context, t: WriteTarget, size: number): Promise<Fragment[]> {
  if (!ctx.settings.sequential) return [{ name: dataName, size, crc64: null }];
  const { fragments } = await ctx.storage.call(t.key.what, 'fragmentsOf', { files: t.files, size });
  return fragments.map((one) => ({ ...one, crc64: null }));
}

/** The same with the CRC of each; null without sums. */
export function withCrcs(t: WriteTarget, fragments: readonly Fragment[]): Fragment[] {
  if (t.meta.sums === null) return [...fragments];
  let end = 0;
  return fragments.map(({ name, size }) => {
    end += size;
    return { name, size, crc64: t.coverage.imageCrc(end, end - size) };
  });
}

/** The pending meta for a durable size of `size` bytes, all of them covered; `sha`: its state there, where it is known. */
function pendingMeta(
  t: WriteTarget,
  size: number,
  fragments: readonly Fragment[],
  sha: Uint8Array | null = null,
): ImageMeta {
  const known = sha === null ? null : { offset: size, state: sha };
  const saved = t.frontier === null ? null : (known ?? shaPlace(t, t.frontier, size));
  const partial = t.meta.sums === null ? null : t.coverage.partialAt(size);
  return {
    ...t.meta,
    state: 'pending',
    size,
    opaque: t.opaque,
    writerToken: t.token,
    fragments,
    sums: t.meta.sums === null ? null : { chunkBytes, crc64: t.coverage.crcOfSums(size, addon.crcBytes) },
    partial: partial === null || partial.length === 0 ? null : { length: partial.length, crc64: partial.crc },
    sha256: null,
    shaState:
      saved === null || saved.state === null || saved.offset === 0
        ? null
        : { offset: saved.offset, h: Buffer.from(saved.state).toString('hex') },
  };
}

/** Sums that do not fit the last call go before it, unsynced: the step that follows syncs the file. */
async function sumsForCall(ctx: Context, t: WriteTarget, size: number): Promise<{ at: number; bytes: Uint8Array }> {
  if (t.meta.sums === null) return { at: -1, bytes: new Uint8Array(0) };
  const end = wholeChunks(size, chunkBytes);
  let chunk = t.durable.sumsChunks;
  while (end - chunk > chunksPerCall) {
    await ctx.storage.call(t.key.what, 'appendSums', {
      sums: t.files.sums,
      at: sumsOffset(chunk),
      crcs: base64(t.coverage.sumsBytes(chunk, chunksPerCall)),
    });
    chunk += chunksPerCall;
    t.durable.appended(chunk);
  }
  return { at: sumsOffset(chunk), bytes: t.coverage.sumsBytes(chunk, end - chunk) };
}

/** Everything below `end` becomes durable; the image stays pending. A checkpoint leaves the opaque metadata as it was. */
export async function flushTarget(
  ctx: Context,
  t: WriteTarget,
  end: number,
  checkpoint: Checkpoint | null = null,
): Promise<void> {
  checkNoGap(t, end);
  const opaque = checkpoint === null ? t.opaque : t.meta.opaque;
  const fragments = await fragmentsOf(ctx, t, end);
  const meta = { ...pendingMeta(t, end, fragments, checkpoint?.shaState), opaque };
  const sums = await sumsForCall(ctx, t, end);
  await step(ctx, t, 'flushImage', {
    lsu: t.key.lsuDir,
    image: t.key.imageDir,
    files: t.files,
    token: ownedToken(t.token, ctx.self),
    meta: encodeMeta(meta, crcOf),
    size: end,
    sumsAt: sums.at,
    crcs: base64(sums.bytes),
  });
  t.durable.flushed(end);
  t.meta = meta;
}

/** Before a write below the durable size: the meta promises less from now on. `to` is a chunk's begin. */
export async function lowerDurable(ctx: Context, t: WriteTarget, to: number): Promise<void> {
  const meta = { ...pendingMeta(t, to, await fragmentsOf(ctx, t, to)), opaque: t.meta.opaque };
  await step(ctx, t, 'replaceMeta', {
    lsu: t.key.lsuDir,
    image: t.key.imageDir,
    dir: t.files.dir,
    token: ownedToken(t.token, ctx.self),
    meta: encodeMeta(meta, crcOf),
  });
  t.durable.lowered(to);
  t.meta = meta;
}

/** The commit: data, sums and meta durable, the image complete. */
export async function commitTarget(
  ctx: Context,
  t: WriteTarget,
  account: Account,
  size: number,
  last?: LastBytes,
): Promise<void> {
  checkNoGap(t, size);
  await catchUp(ctx, t, account, size);
  while (!t.coverage.condense(combinesPerTurn)) await nextTurn();
  const digest = new Uint8Array(32);
  if (t.sha !== 0) addon.shaDigest(t.sha, digest);
  const withSums = t.meta.sums !== null;
  const sums = await sumsForCall(ctx, t, size);
  const partial = withSums ? t.coverage.partialAt(size) : { length: 0, crc: 0n };
  const tail = partial.length > 0 ? encodeSumsTail(partial.crc, partial.length) : new Uint8Array(0);
  const crcs = new Uint8Array(sums.bytes.length + tail.length);
  crcs.set(sums.bytes);
  crcs.set(tail, sums.bytes.length);
  const fragments = withCrcs(t, await fragmentsOf(ctx, t, size));
  const meta: ImageMeta = {
    ...pendingMeta(t, size, fragments),
    state: 'complete',
    sha256: t.sha !== 0 ? Buffer.from(digest).toString('hex') : null,
    shaState: null,
  };
  await step(ctx, t, 'commitImage', {
    lsu: t.key.lsuDir,
    image: t.key.imageDir,
    files: t.files,
    token: ownedToken(t.token, ctx.self),
    meta: encodeMeta(meta, crcOf),
    sumsAt: sums.at,
    crcs: base64(crcs),
    size,
    claim: t.claim.text,
    claimN: t.claim.n,
    ...(last === undefined ? {} : { last }),
  });
  forgetFiles(t);
  t.durable.flushed(size);
  t.meta = meta;
}
