/**
 * A complete image that is open for reading: its fragments, looked at, and a range of its bytes with their sums into
 * memory. Everything that stands in a meta is hostile until it is checked here.
 */
import { BugError } from '../core/assert.ts';
import { Failed, status } from '../core/errors.ts';
import { op } from '../core/order.ts';
import type { OpenFiles, Store } from '../core/store.ts';
import type { ImageMeta } from '../image/meta.ts';
import type { LaneResult, OrderWatch } from '../lanes/lane-order.ts';
import { runOrder } from './again.ts';
import { type Context, chunkBytes } from './context.ts';
import { demandMove, type ImageKey, noSuchImage, readMeta } from './image-info.ts';
import { ioFailure } from './storage.ts';
import { dataName } from './write-target.ts';

export interface OpenFragment {
  readonly name: string;
  readonly file: number;
  /** Of its first byte in the image. */
  readonly start: number;
  /** Bytes of it that belong to the image. */
  readonly size: number;
}

export interface ReadTarget {
  readonly key: ImageKey;
  readonly meta: ImageMeta;
  readonly files: OpenFiles;
  /** In the image's order, without a gap; none of them empty, but for the only one of an empty image. */
  readonly fragments: readonly OpenFragment[];
  readonly physicalBytes: number;
}

type Opened = ReturnType<Store['openImage']>;

/** An image may be made anew between the look at its meta and the opening of what it names. */
const openTries = 4;

/** Opens a complete image. Throws Failed: no such image, pending, damaged. */
export async function openForRead(ctx: Context, key: ImageKey): Promise<ReadTarget> {
  let names = [dataName];
  for (let i = 0; i < openTries; i++) {
    const opened = await ctx.storage
      .call(key.what, 'openImage', { lsu: key.lsuDir, image: key.imageDir, data: names, sums: true })
      .catch((error) => {
        throw error instanceof Failed && error.status === status.ENOENT ? noSuchImage(key) : error;
      });
    let isOpen = false;
    try {
      const meta = readMeta(key, opened.meta);
      demandMove(key, meta.state, 'openRead');
      const named = meta.fragments.map(({ name }) => name);
      if (named.join() === names.join()) {
        const fragments = openFragments(key, meta, opened);
        isOpen = true;
        return { key, meta, files: opened, fragments, physicalBytes: opened.physicalBytes };
      }
      names = named;
    } finally {
      if (!isOpen) await closeFiles(ctx, key, opened, opened.dataFiles);
    }
  }
  throw new Failed(status.EBUSY, `${key.what}: it was replaced again and again while it was opened; try again`);
}

export async function closeRead(ctx: Context, target: Pick<ReadTarget, 'key' | 'files' | 'fragments'>): Promise<void> {
  const data = target.fragments.map(({ file }) => file);
  await closeFiles(ctx, target.key, target.files, data);
}

async function closeFiles(
  ctx: Context,
  key: ImageKey,
  { sums, dir }: OpenFiles,
  data: readonly number[],
): Promise<void> {
  const files = [...data, sums, dir].filter((file) => file >= 0);
  await ctx.storage.letGo(key.what, 'closeFiles', { files });
}

/** `dataFiles` belong to the meta's fragments, one by one. Throws Failed where one is not what the meta says. */
function openFragments(key: ImageKey, meta: ImageMeta, opened: Opened): OpenFragment[] {
  const damaged = (text: string): Failed => new Failed(status.EDAMAGED, `${key.what}: ${text}`);
  const fragments: OpenFragment[] = [];
  let start = 0;
  for (const [i, { name, size }] of meta.fragments.entries()) {
    const [file, found] = [opened.dataFiles[i] ?? -1, opened.dataSizes[i] ?? 0];
    const isLast = i === meta.fragments.length - 1;
    if (file < 0) throw damaged(`${name} is missing`);
    // Behind a fragment that another one goes on from may lie what its writer was never promised (docs/format.md).
    if (found < size || (isLast && found !== size)) throw damaged(`${name} has ${found} bytes, ${size} were stored`);
    if (start % opened.align !== 0) {
      throw new Failed(
        status.ENOTSUP,
        `${key.what}: ${name} begins at ${start}, where direct I/O of this storage cannot; set use_direct_io = false to read it`,
      );
    }
    fragments.push({ name, file, start, size });
    start += size;
  }
  if (meta.sums !== null && opened.sums < 0) throw damaged('image.sums is missing');
  return fragments;
}

export interface RangeRead {
  /** One for each fragment touched. */
  results: LaneResult[];
  /** Of all chunks that the range touches; null: the image has no sums. */
  crcs: BigUint64Array | null;
  failure: Failed | null;
}

/**
 * Bytes [offset, offset + length) of the image into memory, with their sums; `offset` on a chunk border, `length` whole
 * chunks or up to the end. `what` begins the text of a failure. Across the border of two fragments one after the other.
 */
export async function readRange(
  ctx: Context,
  { key, meta, files, fragments }: ReadTarget,
  into: { arena: number; memoryOffset: number; align?: number; watch?: () => OrderWatch },
  offset: number,
  length: number,
  handle: number,
  what: string,
): Promise<RangeRead> {
  const align = Math.max(files.align, into.align ?? 1);
  const crcs = meta.sums === null ? null : new BigUint64Array(Math.ceil(length / chunkBytes));
  const results: LaneResult[] = [];
  const fail = (failure: Failed): RangeRead => ({ results, crcs, failure });
  for (let at = offset; at < offset + length; ) {
    const fragment = fragments.find(({ start, size }) => at < start + size);
    if (fragment === undefined) throw new BugError('a range ends where its image ends');
    const { name, file, start, size } = fragment;
    const piece = Math.min(offset + length, start + size) - at;
    const read = await runOrder(
      ctx.io,
      {
        op: op.read,
        watch: into.watch?.() ?? null,
        file,
        file2: crcs === null ? -1 : files.sums,
        arena: into.arena,
        memoryOffset: into.memoryOffset + at - offset,
        // Whole sectors, also where the image ends inside one: direct I/O wants it so, and the rest comes back short.
        length: Math.ceil(piece / align) * align,
        offset: at - start,
        start,
        align: chunkBytes,
      },
      handle,
    );
    results.push(read);
    if (read.result < 0) return fail(ioFailure(what, 'read', `${key.id}/${name}`, read.result, read.text));
    if (read.result < piece) {
      const end = at - start + read.result;
      return fail(new Failed(status.EDAMAGED, `${name} ends at ${end}, it had ${size} bytes`));
    }
    if (crcs !== null) {
      const first = Math.floor(at / chunkBytes);
      const count = Math.floor((at + piece - 1) / chunkBytes) - first + 1;
      if (read.crcs === null || read.crcs.length < count) {
        const known = (first + (read.crcs?.length ?? 0)) * chunkBytes;
        return fail(new Failed(status.EDAMAGED, `image.sums ends before the chunk at offset ${known}`));
      }
      crcs.set(read.crcs.subarray(0, count), first - Math.floor(offset / chunkBytes));
    }
    at += piece;
  }
  return { results, crcs, failure: null };
}
