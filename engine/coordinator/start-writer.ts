/**
 * From a call that opens an image for write to its writer: memory, then the image, then the registry. What fails on the
 * way leaves nothing behind: no memory, no descriptor, no claim.
 */
import { Failed, status } from '../core/errors.ts';
import type { ImageDef } from '../core/wire.ts';
import type { ImageCall } from '../image/lifecycle.ts';
import type { Link } from '../intake/link.ts';
import { Account } from './account.ts';
import type { Context, ServerContext } from './context.ts';
import { demandMove, type ImageKey } from './image-info.ts';
import type { ArenaShape } from './memory.ts';
import { type Alive, closeTarget, createTarget, dropClaim, reopenTarget, type WriteTarget } from './write-target.ts';
import { ImageWriter } from './writer.ts';

/** An image on the mount on which it is written. */
export interface Opened {
  readonly ctx: Context;
  readonly target: WriteTarget;
}
type Open = () => Promise<Opened>;

/** Throws Failed, with the words for a host program. A mount that is not there is found out before anything is made. */
export async function createOpened(
  server: ServerContext,
  handle: number,
  key: ImageKey,
  def: ImageDef,
  token: string,
): Promise<Opened> {
  try {
    return await server.mounts.run(key.id, 'untouched', async (ctx) => ({
      ctx,
      target: await createTarget(ctx, handle, key, def, token),
    }));
  } catch (error) {
    if (error instanceof Failed && error.status === status.EEXIST) demandMove(key, 'pending', 'create');
    if (error instanceof Failed && error.status === status.ENOENT) {
      throw new Failed(status.ENOENT, `${key.what}: there is no such LSU; create it first`, error.errno);
    }
    throw error;
  }
}

export function reopenOpened(
  server: ServerContext,
  handle: number,
  key: ImageKey,
  token: string,
  alive: Alive,
): Promise<Opened> {
  return server.mounts.run(key.id, 'untouched', async (ctx) => ({
    ctx,
    target: await reopenTarget(ctx, handle, key, token, alive),
  }));
}

/** Throws Failed. Memory comes first: an image that has to wait for it is not held meanwhile. */
export async function startWriter(
  ctx: ServerContext,
  link: Link,
  key: ImageKey,
  call: ImageCall,
  open: Open,
): Promise<ImageWriter> {
  const account = new Account(ctx);
  const want = { slots: ctx.settings.writeBufferCount, slotBytes: ctx.settings.blockBytes };
  // Others may want memory back while the image is still being opened: then as soon as it is.
  const asked: { writer: ImageWriter | null; shape: ArenaShape | null } = { writer: null, shape: null };
  account.opening('memory');
  const shape = await ctx.memory.claim(link.id, 'write', want, (to) => {
    if (asked.writer === null) asked.shape = to;
    else asked.writer.slots.shrink(to);
  });
  account.opening('commit');
  try {
    const writer = await ctx.open.exclusive(key.id, () => openWriter(ctx, link, key, call, shape, account, open));
    asked.writer = writer;
    if (asked.shape !== null) writer.slots.shrink(asked.shape);
    return writer;
  } catch (error) {
    ctx.memory.release(link.id);
    throw error;
  }
}

async function openWriter(
  server: ServerContext,
  link: Link,
  key: ImageKey,
  call: ImageCall,
  shape: ArenaShape,
  account: Account,
  open: Open,
): Promise<ImageWriter> {
  demandClient(link, key);
  if (server.open.writer(key.id) !== null) demandMove(key, 'busy', call);
  const { ctx, target } = await open();
  try {
    demandClient(link, key);
    const writer = new ImageWriter(ctx, link, target, ctx.memory.open(shape, link.peer), account);
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
