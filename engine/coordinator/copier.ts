/**
 * copy_image inside one storage server: a reflink where the file system has it, else copy_file_range, else through the
 * lanes. The copy is pending until everything is durable. Sums and checksum are the source's own: damage in the source
 * stays findable in the copy, and is never blessed by a new sum.
 */

import { addon } from '../../native/addon/index.ts';
import { errno, Failed, status } from '../core/errors.ts';
import { op } from '../core/order.ts';
import { copyMethod, type ImageDef } from '../core/wire.ts';
import { encodeMeta, type Fragment, type ImageMeta } from '../image/meta.ts';
import { ownedToken } from '../image/owner.ts';
import { decodeSums, sumsFileBytes, sumsHeaderBytes, sumsOffset, wholeChunks } from '../image/sums.ts';
import type { Link } from '../intake/link.ts';
import type { Account } from './account.ts';
import { runOrder } from './again.ts';
import { type Context, chunkBytes } from './context.ts';
import { crcOf, type ImageKey } from './image-info.ts';
import { slotBytesMin } from './memory.ts';
import { closeRead, openForRead, type ReadTarget, readRange } from './read-target.ts';
import { readSurely } from './reread.ts';
import { ioFailure } from './storage.ts';
import { fragmentsOf, withCrcs } from './write-durable.ts';
import { closeTarget, createTarget, dataName, dropClaim, forgetFiles, type WriteTarget } from './write-target.ts';

/** Sums that travel in one call. */
const sumsPerCall = 8192;
/** Refusals that mean "not by this way": the next way is tried. */
const noWay: ReadonlySet<number> = new Set([
  -errno.EOPNOTSUPP,
  -errno.EXDEV,
  -errno.EINVAL,
  -errno.ENOTTY,
  -errno.ENOSYS,
  -errno.EBADF,
  -errno.EPERM,
]);

export interface Copied {
  size: number;
  method: number;
}

export async function copyImage(
  ctx: Context,
  link: Link,
  from: ImageKey,
  to: ImageKey,
  def: ImageDef,
  token: string,
  account: Account,
): Promise<Copied> {
  const source = await openForRead(ctx, from);
  try {
    const { sums, checksumMode } = source.meta;
    const checks = { sums: sums !== null, checksum: checksumMode };
    const target = await createTarget(ctx, link.id, to, def, token, checks);
    try {
      const method = await copyData(ctx, link, source, target, account);
      demandClient(link, target);
      await copySums(ctx, source, target);
      await commitCopy(ctx, source.meta, target);
      account.moved(source.meta.size, ctx.now());
      return { size: source.meta.size, method };
    } catch (error) {
      await abandon(ctx, target);
      throw error;
    } finally {
      await closeTarget(ctx, target);
    }
  } finally {
    await closeRead(ctx, source);
  }
}

/** A copy that failed leaves nothing: nobody could resume it. */
async function abandon(ctx: Context, target: WriteTarget): Promise<void> {
  const { key } = target;
  const token = ownedToken(ctx.newToken(), ctx.self);
  await ctx.storage
    .call(key.what, 'removeImage', { lsu: key.lsuDir, image: key.imageDir, token })
    .catch(async (error) => {
      ctx.log.warn({ image: key.id, problem: String(error) }, 'an unfinished copy stays behind, pending');
      await dropClaim(ctx, key, target.claim);
    });
}

/** Terabytes are not copied for a host program that is gone, nor against an engine that wants to stop. */
function demandClient(link: Link, target: WriteTarget): void {
  if (link.ended) throw new Failed(status.EABORT, `${target.key.what}: the copy was given up`);
}

async function copyData(
  ctx: Context,
  link: Link,
  source: ReadTarget,
  target: WriteTarget,
  account: Account,
): Promise<number> {
  // Both ways copy within one pair of files, from an offset to the same one.
  if (source.fragments.length > 1) {
    await copyThroughLanes(ctx, link, source, target, account);
    return copyMethod.lanes;
  }
  const watch = account.order('device');
  const order = { op: op.clone, file: target.files.data, file2: source.files.data, watch };
  const cloned = await runOrder(ctx.io, order, link.id);
  account.device(cloned);
  if (cloned.result >= 0) return copyMethod.reflink;
  if (!noWay.has(cloned.result)) throw failure(target, 'clone', cloned.result);
  if (await copyRanges(ctx, link, source, target, account)) return copyMethod.range;
  await copyThroughLanes(ctx, link, source, target, account);
  return copyMethod.lanes;
}

function failure(target: WriteTarget, step: string, result: number): Failed {
  return ioFailure(target.key.what, step, `${target.key.id}/${dataName}`, result);
}

/** False: the kernel or the file system refuses this way, nothing was copied. */
async function copyRanges(
  ctx: Context,
  link: Link,
  source: ReadTarget,
  target: WriteTarget,
  account: Account,
): Promise<boolean> {
  const { size } = source.meta;
  for (let at = 0; at < size; at += ctx.settings.blockBytes) {
    demandClient(link, target);
    const length = Math.min(ctx.settings.blockBytes, size - at);
    const watch = account.order('device');
    const order = { op: op.copyRange, file: target.files.data, file2: source.files.data, offset: at, length, watch };
    const copied = await runOrder(ctx.io, order, link.id);
    account.device(copied);
    const { result } = copied;
    if (result < 0 && at === 0 && noWay.has(result)) return false;
    if (result < 0) throw failure(target, 'copy', result);
    if (result !== length) {
      throw new Failed(status.EDAMAGED, `${source.key.what}: ${dataName} ends at ${at + result}, it had ${size} bytes`);
    }
  }
  return true;
}

/** Read, verified, written: block by block through an arena of its own. */
async function copyThroughLanes(
  ctx: Context,
  link: Link,
  source: ReadTarget,
  target: WriteTarget,
  account: Account,
): Promise<void> {
  const { size } = source.meta;
  account.opening('memory');
  const shape = await ctx.memory.claim(link.id, 'read', { slots: 1, slotBytes: slotBytesMin }, () => undefined);
  try {
    const arena = ctx.memory.open(shape, link.peer);
    account.opening('commit');
    try {
      for (let at = 0; at < size; at += shape.slotBytes) {
        demandClient(link, target);
        await copyPiece(ctx, link.id, source, target, account, arena.id, at, Math.min(shape.slotBytes, size - at));
      }
    } finally {
      addon.arenaClose(arena.id);
    }
  } finally {
    ctx.memory.release(link.id);
  }
}

async function copyPiece(
  ctx: Context,
  handle: number,
  source: ReadTarget,
  target: WriteTarget,
  account: Account,
  arena: number,
  at: number,
  length: number,
): Promise<void> {
  const { files, key } = source;
  const align = Math.max(files.align, target.files.align);
  const rounded = Math.ceil(length / align) * align;
  const into = { arena, memoryOffset: 0, align, watch: () => account.order('device') };
  const { good } = await readSurely(
    length,
    () => readPiece(ctx, handle, source, account, into, at, length),
    () => ctx.log.warn({ image: key.id, offset: at }, 'a piece does not match its checksums: read again'),
  );
  if (good < length) {
    throw new Failed(
      status.EDAMAGED,
      `${key.what}: damaged between offset ${at} and ${at + length}; nothing was copied`,
    );
  }
  // The last sector is written whole; the commit cuts the file to its size.
  const written = await runOrder(
    ctx.io,
    {
      op: op.write,
      file: target.files.data,
      arena,
      memoryOffset: 0,
      length: rounded,
      offset: at,
      align,
      watch: account.order('device'),
    },
    handle,
  );
  account.device(written);
  if (written.result !== rounded) throw failure(target, 'write', written.result);
}

/** Reads and verifies. Throws Failed where it cannot be read. */
async function readPiece(
  ctx: Context,
  handle: number,
  source: ReadTarget,
  account: Account,
  into: Parameters<typeof readRange>[2],
  at: number,
  length: number,
): Promise<{ good: number; failure: Failed | null }> {
  const { results, crcs, failure } = await readRange(ctx, source, into, at, length, handle, source.key.what);
  for (const read of results) account.device(read);
  if (failure !== null) {
    if (failure.status !== status.EDAMAGED) throw failure;
    return { good: 0, failure };
  }
  if (crcs === null) return { good: length, failure: null };
  const { arena, memoryOffset } = into;
  const verified = await runOrder(
    ctx.digest,
    { op: op.verify, arena, memoryOffset, length, offset: at, align: chunkBytes, crcs, watch: account.order('digest') },
    handle,
  );
  account.digest(verified);
  return { good: Math.max(0, verified.result), failure: null };
}

/** Entries of the whole chunks, and what stands behind the last one, as they are. */
async function copySums(ctx: Context, source: ReadTarget, target: WriteTarget): Promise<void> {
  const { meta, files, key } = source;
  if (meta.sums === null) return;
  const entries = (sumsFileBytes(meta.size, chunkBytes, true) - sumsHeaderBytes) / 8;
  for (let at = 0; at < entries; at += sumsPerCall) {
    const count = Math.min(sumsPerCall, entries - at);
    const { crcs } = await ctx.storage.call(key.what, 'readSums', { sums: files.sums, first: at, count });
    const decoded = decodeSums(Buffer.from(crcs, 'base64'));
    if (decoded.length !== count) {
      throw new Failed(status.EDAMAGED, `${key.what}: image.sums is too short; nothing was copied`);
    }
    await ctx.storage.call(target.key.what, 'appendSums', { sums: target.files.sums, at: sumsOffset(at), crcs });
    target.coverage.loadWhole(at, decoded.subarray(0, Math.max(0, wholeChunks(meta.size, chunkBytes) - at)));
  }
  const { partial } = meta;
  if (partial !== null) target.coverage.cover(meta.size - partial.length, partial.length, [partial.crc64]);
}

/** With the source's own CRCs where the cuts are the same; where they are others, what its sums make them. */
async function copiedFragments(ctx: Context, from: ImageMeta, target: WriteTarget): Promise<Fragment[]> {
  const fragments = await fragmentsOf(ctx, target, from.size);
  const [only] = fragments;
  if (only !== undefined && fragments.length === 1) return [{ ...only, crc64: wholeCrc(from) }];
  const isSame = (one: Fragment, i: number): boolean => from.fragments[i]?.size === one.size;
  if (fragments.length !== from.fragments.length || !fragments.every(isSame)) return withCrcs(target, fragments);
  return fragments.map((one, i) => ({ ...one, crc64: from.fragments[i]?.crc64 ?? null }));
}

async function commitCopy(ctx: Context, from: ImageMeta, target: WriteTarget): Promise<void> {
  const { key, files, token, claim } = target;
  const meta: ImageMeta = {
    ...target.meta,
    state: 'complete',
    size: from.size,
    opaque: from.opaque,
    fragments: await copiedFragments(ctx, from, target),
    checksumMode: from.checksumMode,
    sha256: from.sha256,
    sums: from.sums,
    partial: from.partial,
    shaState: null,
  };
  const end = from.sums === null ? -1 : sumsFileBytes(from.size, chunkBytes, true);
  await ctx.storage.call(key.what, 'commitImage', {
    lsu: key.lsuDir,
    image: key.imageDir,
    files,
    token: ownedToken(token, ctx.self),
    meta: encodeMeta(meta, crcOf),
    sumsAt: end,
    crcs: '',
    size: from.size,
    claim: claim.text,
    claimN: claim.n,
  });
  forgetFiles(target);
  target.meta = meta;
}

/** Of all fragments as one; null without sums. */
function wholeCrc({ fragments }: ImageMeta): bigint | null {
  let crc = 0n;
  for (const { crc64, size } of fragments) {
    if (crc64 === null) return null;
    crc = addon.crcCombine(crc, crc64, size);
  }
  return crc;
}
