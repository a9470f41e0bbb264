/** What probes left that were cut short: everything below their directory is theirs. */
import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3';
import { errno } from '../../engine/core/errors.ts';
import { isErrno, type Objects } from './objects.ts';
import { probeDirectory } from './probe.ts';
import { listUploads, type UploadMarker } from './uploads.ts';

export interface ProbeRemains {
  /** Below the prefix. */
  readonly path: string;
  /** Seconds since 1970 by the endpoint's clock. */
  readonly modifiedAt: number;
  remove(): Promise<void>;
}

export async function* probeRemains(objects: Objects): AsyncGenerator<ProbeRemains> {
  const { bucket } = objects;
  const base = bucket.keyPrefix + probeDirectory;
  const pathOf = (key: string): string => key.slice(bucket.keyPrefix.length);
  let token: string | null = null;
  do {
    const page: Awaited<ReturnType<Objects['list']>> = await objects.list(base, { token });
    for (const { key, modifiedAt } of page.objects)
      yield { path: pathOf(key), modifiedAt, remove: () => objects.remove([key]) };
    token = page.next;
  } while (token !== null);
  let from: UploadMarker | null = null;
  do {
    const page: Awaited<ReturnType<typeof listUploads>> = await listUploads(objects, base, from);
    for (const { key, uploadId, begunAt } of page.uploads.filter((one) => one.key.startsWith(base))) {
      const remove = async (): Promise<void> => {
        await bucket
          .send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key: key, UploadId: uploadId }))
          .catch((error: unknown) => {
            if (!isErrno(error, errno.ENOENT)) throw error;
          });
      };
      yield { path: pathOf(key), modifiedAt: begunAt, remove };
    }
    from = page.next;
  } while (from !== null);
}
