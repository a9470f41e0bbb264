/** RESUME after a lost connection: what the stored image says to a writer that shows its token. */
import { Failed, status } from '../core/errors.ts';
import { encodeBody, imageState } from '../core/wire.ts';
import { decodeClaim } from '../image/claim.ts';
import type { ServerContext } from './context.ts';
import { demandMove, type ImageKey, readMeta } from './image-info.ts';

/**
 * The stored result when this token completed the image; null when the image is pending and still this token's: then it
 * is opened for write. Throws Failed (gone) in every other case.
 */
export async function resumedResult(
  ctx: ServerContext,
  key: ImageKey,
  token: string,
  imageId: string,
): Promise<Buffer | null> {
  const stat = await ctx.mounts
    .run(key.id, 'always', ({ storage }) =>
      storage.call(key.what, 'statImage', { lsu: key.lsuDir, image: key.imageDir }),
    )
    .catch((error) => {
      if (error instanceof Failed && error.status === status.ENOENT) demandMove(key, 'absent', 'resume');
      throw error;
    });
  const meta = readMeta(key, stat.meta);
  const highest = stat.claims.reduce((best, claim) => (claim.n > best.n ? claim : best), { n: 0, text: '' });
  const holder = meta.state === 'pending' ? (decodeClaim(highest.text)?.token ?? meta.writerToken) : meta.writerToken;
  const ours = meta.imageId === imageId && holder === token;
  demandMove(key, meta.state, ours ? 'resume' : 'resumeOther');
  if (meta.state === 'pending') return null;
  return encodeBody('imageOpened', {
    image_id: Buffer.from(meta.imageId, 'hex'),
    size: meta.size,
    durable_size: meta.size,
    state: imageState.created,
    metadata_length: meta.opaque.length,
  });
}
