/**
 * From a call that opens an image for write to its writer: memory, then the image, then the registry. What fails on the
 * way leaves nothing behind: no memory, no descriptor, no claim.
 */
import { Failed, status } from '../core/errors.ts';
import type { ImageCall } from '../image/lifecycle.ts';
import type { Link } from '../intake/link.ts';
import type { Context } from './context.ts';
import { demandMove, type ImageKey } from './image-info.ts';
import { type ArenaShape, openArena } from './memory.ts';
import { closeTarget, dropClaim, type WriteTarget } from './write-target.ts';
import { ImageWriter } from './writer.ts';

type Open = () => Promise<WriteTarget>;

/** Throws Failed. Memory comes first: an image that has to wait for it is not held meanwhile. */
export async function startWriter(
  ctx: Context,
  link: Link,
  key: ImageKey,
  call: ImageCall,
  open: Open,
): Promise<ImageWriter> {
  const want = { slots: ctx.settings.writeBufferCount, slotBytes: ctx.settings.blockBytes };
  // Others may want memory back while the image is still being opened: then as soon as it is.
  const asked: { writer: ImageWriter | null; shape: ArenaShape | null } = { writer: null, shape: null };
  const shape = await ctx.memory.claim(link.id, 'write', want, (to) => {
    if (asked.writer === null) asked.shape = to;
    else asked.writer.slots.shrink(to);
  });
  try {
    const writer = await ctx.open.exclusive(key.id, () => openWriter(ctx, link, key, call, shape, open));
    asked.writer = writer;
    if (asked.shape !== null) writer.slots.shrink(asked.shape);
    return writer;
  } catch (error) {
    ctx.memory.release(link.id);
    throw error;
  }
}

async function openWriter(
  ctx: Context,
  link: Link,
  key: ImageKey,
  call: ImageCall,
  shape: ArenaShape,
  open: Open,
): Promise<ImageWriter> {
  demandClient(link, key);
  if (ctx.open.writer(key.id) !== null) demandMove(key, 'busy', call);
  const target = await open();
  try {
    demandClient(link, key);
    const writer = new ImageWriter(ctx, link, target, openArena(shape));
    ctx.open.setWriter(key.id, writer);
    return writer;
  } catch (error) {
    await closeTarget(ctx, target);
    await dropClaim(ctx, key, target.claim);
    throw error;
  }
}

/** Nothing is opened for a host program that does not wait for it any more. */
function demandClient(link: Link, key: ImageKey): void {
  if (link.ended) throw new Failed(status.EABORT, `${key.what}: the host program went away`);
}
