/** An image that this engine may write: won, opened, with all that is known of its bytes. */
import { addon } from '../../native/addon/index.ts';
import { Failed, status } from '../core/errors.ts';
import { op } from '../core/order.ts';
import type { Claim, Labels, OpenFiles } from '../core/store.ts';
import type { ImageDef } from '../core/wire.ts';
import { claimVerdict, decodeClaim, encodeClaim } from '../image/claim.ts';
import { labelsOf } from '../image/labels.ts';
import { encodeMeta, type ImageMeta } from '../image/meta.ts';
import { ownedToken } from '../image/owner.ts';
import { decodeSums, encodeSumsHeader, wholeChunks } from '../image/sums.ts';
import { Coverage } from '../transfer/coverage.ts';
import { Durable } from '../transfer/durable.ts';
import { ShaFrontier } from '../transfer/sha-frontier.ts';
import { runOrder } from './again.ts';
import { type Context, chunkBytes, type ServerContext, type Settings } from './context.ts';
import { fenceMounts } from './fence.ts';
import { crcOf, demandMove, type ImageKey, noSuchImage, readMeta } from './image-info.ts';
import { ioFailure } from './storage.ts';

export const dataName = 'image.data';

export interface WriteTarget {
  /** Number of the handle: orders of different handles take turns in the lanes. */
  readonly handle: number;
  readonly key: ImageKey;
  /** 32 hex digits. */
  readonly token: string;
  readonly files: OpenFiles;
  readonly claim: Claim;
  readonly coverage: Coverage;
  readonly durable: Durable;
  /** null with checksum = none. */
  readonly frontier: ShaFrontier | null;
  /** SHA state of the addon; 0: none. */
  sha: number;
  /** As it stands on storage. */
  meta: ImageMeta;
  /** Opaque metadata as the host program sees it. */
  opaque: Uint8Array;
  /** In a bucket: bytes below lie in parts of an upload, at open. */
  readonly partStart: number;
  /** Told when SHA-256 has come to an offset; `state` gives its state there, now or never. */
  shaReached: (offset: number, state: () => Uint8Array) => void;
}

/**
 * It names its mount where there are others, of another storage server too: whoever takes over from a dead writer must
 * know where that one wrote.
 */
function claimText({ self, mount, engineMounts }: Context, token: string): string {
  return encodeClaim({ ...self, token, ...(mount !== null && engineMounts.length > 1 ? { mount } : {}) });
}

/** Files have no place for labels: they need not travel to their lanes. */
function labelled(ctx: Context, meta: ImageMeta): { labels?: Labels } {
  return ctx.storage.options.kind === 's3' ? { labels: labelsOf(meta) } : {};
}

/** Proc is read in a lane's time nowhere: one small read of /proc at a claim, never on a mount that may hang. */
export type Alive = (pid: number, startTime: number) => boolean;

export async function createTarget(
  ctx: Context,
  handle: number,
  key: ImageKey,
  def: ImageDef,
  token: string,
  /** How its bytes are to be checked: a copy keeps the ways of its source. */
  checks: Pick<Settings, 'sums' | 'checksum'> = ctx.settings,
): Promise<WriteTarget> {
  const { sums, checksum } = checks;
  const { engineVersion } = ctx.settings;
  const imageId = ctx.newToken();
  const meta: ImageMeta = {
    state: 'pending',
    lsu: key.lsu,
    basename: key.basename,
    date: key.date,
    policy: def.policy || null,
    schedule: def.schedule || null,
    client: def.client || null,
    definitionOpaque: def.opaque.subarray(0, def.opaque_length),
    opaque: new Uint8Array(0),
    imageId,
    writerToken: token,
    size: 0,
    fragments: [{ name: dataName, size: 0, crc64: null }],
    checksumMode: checksum,
    sha256: null,
    sums: sums ? { chunkBytes, crc64: 0n } : null,
    partial: null,
    shaState: null,
    engineVersion,
  };
  const claim = claimText(ctx, token);
  const header = sums ? Buffer.from(encodeSumsHeader({ chunkBytes, imageId }, crcOf)).toString('base64') : null;
  const files = await ctx.storage.call(key.what, 'createImage', {
    lsu: key.lsuDir,
    image: key.imageDir,
    token: ownedToken(token, ctx.self),
    meta: encodeMeta(meta, crcOf),
    claim,
    sumsHeader: header,
    ...labelled(ctx, meta),
  });
  return target(handle, key, token, meta, files, { n: 1, text: claim }, false);
}

function target(
  handle: number,
  key: ImageKey,
  token: string,
  meta: ImageMeta,
  files: OpenFiles,
  claim: Claim,
  reopened: boolean,
  partStart = 0,
): WriteTarget {
  const coverage = new Coverage({ crcCombine: addon.crcCombine, sums: meta.sums !== null, chunkBytes });
  const start = meta.shaState;
  const state = start === null ? null : new Uint8Array(Buffer.from(start.h, 'hex'));
  const frontier =
    meta.checksumMode === 'none' ? null : new ShaFrontier({ chunkBytes, start: { offset: start?.offset ?? 0, state } });
  const sha = frontier === null ? 0 : addon.shaOpen();
  if (frontier !== null && state !== null) addon.shaRestore(sha, state, start?.offset ?? 0);
  coverage.setBorder(frontier?.frontier ?? -1);
  const durable = new Durable({ size: meta.size, reopened, chunkBytes });
  return {
    handle,
    key,
    token,
    files,
    claim,
    coverage,
    durable,
    frontier,
    sha,
    meta,
    opaque: meta.opaque,
    partStart,
    shaReached: () => {},
  };
}

/** Wins a pending image for writing. Throws Failed: no such image, complete, held by another, damaged. */
export async function reopenTarget(
  ctx: Context,
  handle: number,
  key: ImageKey,
  token: string,
  alive: Alive,
): Promise<WriteTarget> {
  const stat = await ctx.storage
    .call(key.what, 'statImage', { lsu: key.lsuDir, image: key.imageDir })
    .catch((error) => {
      throw error instanceof Failed && error.status === status.ENOENT ? noSuchImage(key) : error;
    });
  const before = readMeta(key, stat.meta);
  demandMove(key, before.state, 'openWrite');
  const n = judgeClaims(ctx, key, stat.claims, alive);
  await fenceMounts(ctx, key, stat.claims);
  const claim = { n, text: claimText(ctx, token) };
  const { won } = await ctx.storage
    .call(key.what, 'takeClaim', {
      lsu: key.lsuDir,
      image: key.imageDir,
      n,
      claim: claim.text,
      token: ownedToken(token, ctx.self),
      over: stat.claims,
    })
    .catch(async (error) => {
      // It may stand there all the same: nobody would take it away before this engine ends.
      await dropClaim(ctx, key, claim);
      throw error;
    });
  if (!won) throw new Failed(status.EBUSY, `${key.what}: another writer took it at this moment; try again`);
  try {
    return await openWon(ctx, handle, key, token, claim);
  } catch (error) {
    await dropClaim(ctx, key, claim);
    throw error;
  }
}

export async function dropClaim(ctx: Context, key: ImageKey, claim: Claim): Promise<void> {
  await ctx.storage
    .call(key.what, 'dropClaim', { lsu: key.lsuDir, image: key.imageDir, n: claim.n, claim: claim.text })
    .catch((error) =>
      ctx.log.warn({ image: key.id, problem: String(error) }, 'a claim stays behind; the next writer takes it over'),
    );
}

/** The number to take; throws busy when one of the claims is not provably dead. */
export function judgeClaims(ctx: ServerContext, key: ImageKey, claims: readonly Claim[], alive: Alive): number {
  let highest = 0;
  for (const { n, text } of claims) {
    highest = Math.max(highest, n);
    const content = decodeClaim(text);
    // 'ours' too is taken over: the registry knows our live writers, so this one is left over from a failed drop.
    if (claimVerdict(content, ctx.self, alive) === 'busy' || ctx.tokens.heldElsewhere(content?.token, ctx.server)) {
      const holder = content === null ? 'an unreadable claim' : `process ${content.pid} (claim.${n})`;
      throw new Failed(
        status.EBUSY,
        `${key.what}: ${holder} is writing it; wait, or see docs/operators for stale claims`,
      );
    }
  }
  return highest + 1;
}

async function openWon(ctx: Context, handle: number, key: ImageKey, token: string, claim: Claim): Promise<WriteTarget> {
  // Read again under the claim: what was read before may be another writer's past.
  const stat = await ctx.storage.call(key.what, 'statImage', { lsu: key.lsuDir, image: key.imageDir });
  const meta = readMeta(key, stat.meta);
  demandMove(key, meta.state, 'openWrite');
  const last = meta.fragments.at(-1);
  if (last === undefined || (meta.fragments.length > 1 && !ctx.settings.sequential)) {
    throw new Failed(
      status.ENOTSUP,
      `${key.what}: it has ${meta.fragments.length} fragments: go on with it on the storage server where it was begun`,
    );
  }
  const chunks = meta.sums === null ? 0 : wholeChunks(meta.size, chunkBytes);
  const opened = await ctx.storage.call(key.what, 'reopenImage', {
    lsu: key.lsuDir,
    image: key.imageDir,
    data: last.name,
    before: meta.fragments.slice(0, -1).map(({ name, size }) => ({ name, size })),
    sums: meta.sums !== null,
    size: meta.size,
    wholeChunks: chunks,
    ...labelled(ctx, meta),
  });
  const made = target(handle, key, token, { ...meta, writerToken: token }, opened, claim, true, opened.partStart);
  try {
    if (opened.dataSize < meta.size) {
      throw new Failed(
        status.EDAMAGED,
        `${key.what}: image.data has ${opened.dataSize} bytes, ${meta.size} were durable; delete the image`,
      );
    }
    await loadSums(ctx, made, opened.crcs, chunks);
    await renewSumsHeader(ctx, made);
    await loadPartial(ctx, made);
    return made;
  } catch (error) {
    await closeTarget(ctx, made);
    throw error;
  }
}

/** Create does not sync the sums: until the first flush does, a loss of power may have taken their header. */
async function renewSumsHeader(ctx: Context, t: WriteTarget): Promise<void> {
  const { meta, key, files } = t;
  if (meta.sums === null || meta.size > 0) return;
  const header = encodeSumsHeader({ chunkBytes, imageId: meta.imageId }, crcOf);
  await ctx.storage.call(key.what, 'appendSums', {
    sums: files.sums,
    at: 0,
    crcs: Buffer.from(header).toString('base64'),
  });
}

/** Sums below the durable size, verified as a whole against the meta's CRC over them. */
async function loadSums(ctx: Context, t: WriteTarget, first: string, chunks: number): Promise<void> {
  const { coverage, meta, key, files } = t;
  if (meta.sums === null) {
    coverage.loadWhole(0, wholeChunks(meta.size, chunkBytes));
    return;
  }
  let at = 0;
  let crcs = decodeSums(Buffer.from(first, 'base64'));
  for (;;) {
    if (crcs.length > 0) coverage.loadWhole(at, crcs);
    at += crcs.length;
    if (at >= chunks) break;
    const more = await ctx.storage.call(key.what, 'readSums', { sums: files.sums, first: at, count: chunks - at });
    crcs = decodeSums(Buffer.from(more.crcs, 'base64'));
    if (crcs.length === 0)
      throw new Failed(status.EDAMAGED, `${key.what}: image.sums ends after ${at} of ${chunks} chunks`);
  }
  const found = coverage.crcOfSums(chunks * chunkBytes, addon.crcBytes);
  if (found !== meta.sums.crc64) {
    throw new Failed(status.EDAMAGED, `${key.what}: image.sums is damaged: its CRC differs from the one in image.meta`);
  }
}

/** The partial chunk at the durable size: verified by reading it back. */
async function loadPartial(ctx: Context, t: WriteTarget): Promise<void> {
  const { meta, coverage, files, key } = t;
  const start = meta.size - (meta.size % chunkBytes);
  const length = meta.size - start;
  if (length === 0) return;
  if (meta.sums === null) {
    coverage.cover(start, length, null);
    return;
  }
  const crc = meta.partial?.crc64 ?? 0n;
  const crcs = new BigUint64Array([BigInt(length), crc]);
  const { result } = await runOrder(
    ctx.io,
    {
      op: op.digestFile,
      file: files.data,
      offset: start,
      length,
      sha: 0,
      pieces: 1,
      crcs,
    },
    t.handle,
  );
  if (result < 0) throw ioFailure(key.what, 'read', `${key.id}/${dataName}`, result);
  if (result !== 1) {
    throw new Failed(status.EDAMAGED, `${key.what}: image.data is damaged in the ${length} bytes at offset ${start}`);
  }
  coverage.cover(start, length, new BigUint64Array([crc]));
}

/** The commit has closed them. */
export function forgetFiles(t: WriteTarget): void {
  t.files.data = -1;
  t.files.sums = -1;
  t.files.dir = -1;
}

/** Frees what a target holds here; its claim is another matter. */
export async function closeTarget(ctx: Context, t: WriteTarget): Promise<void> {
  if (t.sha !== 0) addon.shaClose(t.sha);
  t.sha = 0;
  const files = [t.files.data, t.files.sums, t.files.dir].filter((file) => file >= 0);
  if (files.length > 0) await ctx.storage.letGo(t.key.what, 'closeFiles', { files });
}
