/** Uploads of an image that end without an object; and the records that tell which of them an image has. */
import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3';
import { errno } from '../../engine/core/errors.ts';
import { failed } from './failures.ts';
import type { ImageKeys } from './keys.ts';
import { isErrno, type Objects } from './objects.ts';
import { decodeRecord, recordBytesMax, type UploadRecord } from './upload-record.ts';
import { listUploads, type UploadMarker } from './uploads.ts';

/** Of uploads of one image: a thousand each. */
const uploadPagesMax = 100;

/** Does the image's record name this upload of its fragment? A record that cannot be read may name any. */
export async function isRecorded(objects: Objects, keys: ImageKeys, n: number, uploadId: string): Promise<boolean> {
  const record = await readRecord(objects, keys, n);
  return record === 'unreadable' || record?.uploadId === uploadId;
}

export async function readRecord(
  { bucket }: Objects,
  keys: ImageKeys,
  n: number,
): Promise<UploadRecord | 'unreadable' | null> {
  const got = await bucket.get(keys.record(n), recordBytesMax);
  return got === null ? null : (decodeRecord(got.bytes) ?? 'unreadable');
}

/** Uploads of a pending image that its writer had not yet written down; each is looked up as it stands then. */
export async function abortUnrecorded(objects: Objects, keys: ImageKeys): Promise<void> {
  await abortOthers(objects, keys, (n, uploadId) => isRecorded(objects, keys, n, uploadId));
}

/** Ends an upload; what is gone is no failure. */
export async function abortUpload({ bucket }: Objects, key: string, uploadId: string): Promise<void> {
  try {
    await bucket.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key: key, UploadId: uploadId }));
  } catch (error) {
    if (!isErrno(error, errno.ENOENT)) throw error;
  }
}

/** All uploads of an image that is to go. Records tell of those that an endpoint lists by their very key only. */
export async function abortAll(objects: Objects, keys: ImageKeys, found: readonly string[]): Promise<void> {
  await abortRecorded(objects, keys, found);
  await abortOthers(objects, keys, () => false);
}

export async function abortRecorded(objects: Objects, keys: ImageKeys, found: readonly string[]): Promise<void> {
  for (const key of found) {
    const n = keys.recordOf(key);
    const record = n > 0 ? await readRecord(objects, keys, n) : null;
    if (record !== null && record !== 'unreadable') await abortUpload(objects, keys.fragment(n), record.uploadId);
  }
}

/** Uploads of this image but those that `stays` names: their writer died before it had written a record, say. */
export async function abortOthers(
  objects: Objects,
  keys: ImageKeys,
  stays: (n: number, uploadId: string) => boolean | Promise<boolean>,
): Promise<void> {
  let from: UploadMarker | null = null;
  for (let pages = 0; pages === 0 || from !== null; pages++) {
    if (pages > uploadPagesMax) failed('ListMultipartUploads', keys.data, errno.EOVERFLOW);
    const page: Awaited<ReturnType<typeof listUploads>> = await listUploads(objects, keys.data, from);
    for (const { key, uploadId } of page.uploads) {
      const n = keys.fragmentOf(key);
      if (n > 0 && !(await stays(n, uploadId))) await abortUpload(objects, key, uploadId);
    }
    from = page.next;
  }
}
