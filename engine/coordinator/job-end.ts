/** The end of a job: its line in the log, and the same for STATUS. */
import { mostOf } from '../core/shares.ts';
import { limitOf } from '../core/verdict.ts';
import type { Link } from '../intake/link.ts';
import type { Account, ImageFacts } from './account.ts';
import type { Context } from './context.ts';

/** How its storage is reached, for the words of a verdict. */
export function storeOf({ storage }: Context): ImageFacts['store'] {
  if (storage.options.kind === 's3') return 's3';
  return storage.root?.fsType.startsWith('nfs') ? 'nfs' : 'file';
}

interface JobEnd {
  readonly ctx: Context;
  readonly link: Link;
  /** As the log calls it. */
  readonly image: string;
  readonly account: Account;
  readonly facts: ImageFacts;
}

/** What the line says of the time, and the same for STATUS. */
export function jobEnded({ ctx, link, image, account, facts }: JobEnd): object {
  const now = ctx.now();
  const { root } = ctx.storage.options;
  const storageBest = ctx.finished.best({ server: link.server, mode: facts.mode }, root);
  const { shares, accounted, facts: told } = account.shares(now, facts);
  const all = { ...told, storageBest };
  const limit = limitOf(shares, all);
  ctx.log.debug({ job: link.job, image, ...all }, 'what the verdict is made of, beside the shares');
  const job = {
    job: link.job,
    server: link.server,
    image,
    mode: facts.mode,
    endedAt: new Date().toISOString(),
    seconds: Math.round(all.seconds * 1000) / 1000,
    bytes: account.bytes,
    shares,
    accounted,
    limit,
    storageBest,
  };
  ctx.finished.add(job, root);
  return { ...account.summary(now), shares, accounted, most: mostOf(shares), limit, storageBest };
}
