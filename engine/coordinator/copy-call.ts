/** The call that copies an image: who may be copied onto whom, and what the log says of it. */
import { Failed, status } from '../core/errors.ts';
import { encodeBody, type FrameOf } from '../core/wire.ts';
import type { Link } from '../intake/link.ts';
import { Account } from './account.ts';
import type { Context, ServerContext } from './context.ts';
import { type Copied, copyImage } from './copier.ts';
import { demandMove, imageKey } from './image-info.ts';
import { jobEnded, storeOf } from './job-end.ts';

/** Throws Failed. */
export async function copyCall(
  server: ServerContext,
  link: Link,
  body: FrameOf<'imageCopy'>,
  token: string,
): Promise<Buffer> {
  const account = new Account(server);
  const from = imageKey(body.from_lsu, body.from);
  const to = imageKey(body.to_lsu, body.to);
  const { open, mounts } = server;
  if (open.writer(from.id) !== null) demandMove(from, 'busy', 'copyFrom');
  const copy = async (): Promise<{ ctx: Context; copied: Copied }> => {
    const ctx = await mounts.pick(to.id);
    return { ctx, copied: await copyImage(ctx, link, from, to, body.to, token, account) };
  };
  const { ctx, copied } = await open.exclusive(to.id, copy).catch((error) => {
    if (error instanceof Failed && error.status === status.EEXIST) demandMove(to, 'pending', 'copyTo');
    throw error;
  });
  const facts = { mode: 'copy', store: storeOf(ctx), slots: 0, slotsWanted: 0 } as const;
  const ended = jobEnded({ ctx, link, image: to.id, account, facts });
  ctx.log.info(
    { job: link.job, server: link.server, image: to.id, from: from.id, ...copied, ...ended },
    'image copied',
  );
  return encodeBody('copied', { size: copied.size, method: copied.method });
}
