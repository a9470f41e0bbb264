/** What a host program may not write: told by the texts that it gets. */
import { Failed, status } from '../core/errors.ts';
import { wire } from '../core/wire.ts';
import { piecesMax } from '../transfer/coverage.ts';
import type { Context } from './context.ts';
import type { WriteTarget } from './write-target.ts';

/** Why this block cannot be taken, or null. `end`: of all blocks before it. */
export function refusalOf(ctx: Context, target: WriteTarget, end: number, block: { offset: number }): Failed | null {
  const { key, coverage, durable } = target;
  if (ctx.settings.sequential && block.offset !== end) {
    return new Failed(
      status.ENOTSUP,
      `${key.what}: a write at ${block.offset}, but a bucket takes an image's bytes in order and ${end} is next; write it to an NFS storage server`,
    );
  }
  const missing = durable.firstWrite(block.offset);
  if (missing !== null) {
    return new Failed(
      status.EINVAL,
      `${key.what}: the first write begins at ${block.offset}, but bytes from ${missing.offset} are missing: go on there`,
    );
  }
  if (coverage.pieceCount >= piecesMax) {
    return new Failed(
      status.EINVAL,
      `${key.what}: too many scattered pieces; write in rising order, or close and reopen`,
    );
  }
  return null;
}

/** Between what a client says and what came of it nothing may be lost. Throws Failed. */
export function demandLast({ key }: WriteTarget, announced: number, came: number): void {
  if (announced === came) return;
  throw new Failed(status.EINVAL, `${key.what}: block ${announced} was announced as the last, ${came} came`);
}

/** Whatever was thrown, in words for the host program. */
export function asFailed(ctx: Context, { key }: WriteTarget, where: string, error: unknown): Failed {
  if (error instanceof Failed) return error;
  ctx.bug(`${where} of ${key.id}`, error);
  return new Failed(status.EINTERNAL, `${key.what}: internal error in ${where}; see the engine's log`);
}

/** The opaque metadata after this write into it. Throws Failed. */
export function withMetadata({ key, opaque }: WriteTarget, offset: number, bytes: Uint8Array): Uint8Array {
  const end = offset + bytes.length;
  if (end > wire.metadataMax) {
    throw new Failed(status.EINVAL, `${key.what}: opaque metadata beyond ${wire.metadataMax} bytes`);
  }
  if (offset > opaque.length) {
    throw new Failed(status.EINVAL, `${key.what}: opaque metadata would have a hole at ${opaque.length}`);
  }
  const all = new Uint8Array(Math.max(end, opaque.length));
  all.set(opaque);
  all.set(bytes, offset);
  return all;
}
