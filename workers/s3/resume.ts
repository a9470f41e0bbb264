/** What a pending image has in the bucket, found again: parts of its upload, and the tail that is in none. */
import {
  AbortMultipartUploadCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { errno } from '../../engine/core/errors.ts';
import { partBytesMin } from '../../engine/core/parts.ts';
import { s3PartsMax } from '../../engine/core/passport.ts';
import type { Labels } from '../../engine/core/store.ts';
import { failed } from './failures.ts';
import type { ImageKeys } from './keys.ts';
import { isErrno, type Objects } from './objects.ts';
import { crcOfText } from './seal.ts';
import { beginUpload, chunkBytes, nothingYet, type UploadStart } from './upload.ts';
import {
  decodeRecord,
  encodeRecord,
  type ListedPart,
  type Part,
  partsBelow,
  recordBytesMax,
  spansWith,
  type UploadRecord,
} from './upload-record.ts';
import { listUploads, type UploadMarker } from './uploads.ts';

/** Numbers left to parts of a dead writer that are still on their way. */
const gapAtResume = 32;
/** What waits for a part that is long enough, and the chunk behind it. */
const tailBytesMax = partBytesMin + chunkBytes;
/** Of uploads of one image: a thousand each. */
const uploadPagesMax = 100;
/** Bytes of one part that is copied from an object: S3 takes up to 5 GiB. */
const copyBytes = 1024 ** 3;

/**
 * Throws StoreError; ENODATA when bytes below `size` are gone. Uploads that nothing names are ended when all that is
 * durable has been found, and not before: an answer that is wrong once must cost no bytes.
 */
export async function findUpload(
  objects: Objects,
  keys: ImageKeys,
  size: number,
  labels: Labels,
): Promise<UploadStart> {
  const record = await readRecord(objects, keys);
  if (record === 'unreadable') failed('an unreadable record of', keys.upload, errno.EBADMSG);
  if (size === 0 || record === null) {
    const tail = size === 0 ? new Uint8Array(0) : await tailOf(objects, keys, 0, size);
    if (record !== null) await abortUpload(objects, keys, record.uploadId);
    await abortOthers(objects, keys, null);
    // A record of an upload that has ended would be looked at when the tail alone is durable.
    if (record !== null) await objects.remove([keys.upload]);
    return { ...nothingYet, tail };
  }
  const listed = await listParts(objects, keys, record.uploadId);
  const start =
    listed === null
      ? await fromObject(objects, keys, size, labels)
      : await fromParts(objects, keys, size, record, listed);
  await abortOthers(objects, keys, start.uploadId);
  return start;
}

async function fromParts(
  objects: Objects,
  keys: ImageKeys,
  size: number,
  { uploadId, spans: before }: UploadRecord,
  listed: readonly ListedPart[],
): Promise<UploadStart> {
  const parts = partsBelow(listed, before, size);
  const start = parts.reduce((sum, part) => sum + part.size, 0);
  const tail = start === size ? new Uint8Array(0) : await tailOf(objects, keys, start, size);
  // The writer before may have sent nothing yet that is listed, and yet have parts on their way.
  const numbers = [before.at(-1)?.first ?? 0, ...listed.map(({ number }) => number)];
  const next = Math.max(...numbers) + gapAtResume;
  const spans = spansWith(parts, next);
  await objects.put(keys.upload, [encodeRecord({ uploadId, spans })]);
  return { uploadId, parts, next, spans, tail };
}

/** Does the image's record name this upload? A record that cannot be read may name any. */
export async function isRecorded(objects: Objects, keys: ImageKeys, uploadId: string): Promise<boolean> {
  const record = await readRecord(objects, keys);
  return record === 'unreadable' || record?.uploadId === uploadId;
}

async function readRecord({ bucket }: Objects, keys: ImageKeys): Promise<UploadRecord | 'unreadable' | null> {
  const got = await bucket.get(keys.upload, recordBytesMax);
  return got === null ? null : (decodeRecord(got.bytes) ?? 'unreadable');
}

/** Uploads of a pending image that its writer had not yet written down. */
export async function abortUnrecorded(objects: Objects, keys: ImageKeys): Promise<void> {
  const record = await readRecord(objects, keys);
  if (record === 'unreadable') return;
  // A new writer may come while this goes on, and write down the one that it has begun.
  await abortOthers(objects, keys, record?.uploadId ?? null, (id) => isRecorded(objects, keys, id));
}

/** Ends an upload; what is gone is no failure. */
export async function abortUpload({ bucket }: Objects, keys: ImageKeys, uploadId: string): Promise<void> {
  try {
    await bucket.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key: keys.data, UploadId: uploadId }));
  } catch (error) {
    if (!isErrno(error, errno.ENOENT)) throw error;
  }
}

/** Uploads of this image that no record names: their writer died before it had written one. */
export async function abortOthers(
  objects: Objects,
  keys: ImageKeys,
  but: string | null,
  isKept: (uploadId: string) => Promise<boolean> = async () => false,
): Promise<void> {
  let from: UploadMarker | null = null;
  for (let pages = 0; pages === 0 || from !== null; pages++) {
    if (pages > uploadPagesMax) failed('ListMultipartUploads', keys.data, errno.EOVERFLOW);
    const page: Awaited<ReturnType<typeof listUploads>> = await listUploads(objects, keys.data, from);
    for (const { key, uploadId } of page.uploads) {
      if (key !== keys.data || uploadId === but || (await isKept(uploadId))) continue;
      await abortUpload(objects, keys, uploadId);
    }
    from = page.next;
  }
}

async function tailOf({ bucket }: Objects, keys: ImageKeys, start: number, size: number): Promise<Uint8Array> {
  const want = size - start;
  const got = want > tailBytesMax ? null : await bucket.get(keys.tail(size), tailBytesMax);
  // It ends at `size`; parts copied from the object reach into it.
  if (got === null || got.bytes.length < want)
    failed(`bytes ${start} to ${size} are not in`, keys.tail(size), errno.ENODATA);
  return got.bytes.subarray(got.bytes.length - want);
}

/** Null: there is no such upload any more. */
async function listParts({ bucket }: Objects, keys: ImageKeys, uploadId: string): Promise<ListedPart[] | null> {
  const all: ListedPart[] = [];
  let marker: string | undefined;
  do {
    let page: ListPartsCommandOutput;
    try {
      page = await bucket.send(
        new ListPartsCommand({ Bucket: bucket.name, Key: keys.data, UploadId: uploadId, PartNumberMarker: marker }),
      );
    } catch (error) {
      if (isErrno(error, errno.ENOENT)) return null;
      throw error;
    }
    for (const { PartNumber = 0, Size = 0, ETag = '', ChecksumCRC64NVME } of page.Parts ?? []) {
      all.push({ number: PartNumber, size: Size, etag: ETag, crc: crcOfText(ChecksumCRC64NVME) });
    }
    const before = Number(marker ?? 0);
    marker = page.IsTruncated === true ? (page.NextPartNumberMarker ?? '') : undefined;
    // Numbers rise: a list that does not would never end, one cut short would be taken for all there is.
    if (marker !== undefined && !(Number(marker) > before && Number(marker) <= s3PartsMax))
      failed('an answer that goes on without saying where: ListParts', keys.data, errno.EPROTO);
  } while (marker !== undefined);
  return all;
}

/**
 * The upload was completed, and its writer died before the meta could say so: the object is the source of a new upload,
 * copied inside the storage. What lies above `size` in it is sent again.
 */
async function fromObject(objects: Objects, keys: ImageKeys, size: number, labels: Labels): Promise<UploadStart> {
  const { bucket, abilities } = objects;
  const there = await objects.head(keys.data);
  if (there === null || there.size < size) failed(`${size} bytes are not in`, keys.data, errno.ENODATA);
  const border = size < partBytesMin ? 0 : size - (size % chunkBytes);
  const tail = new Uint8Array(size - border);
  if (tail.length > 0) await bucket.read(keys.data, border, tail, { ifMatch: there.etag });
  if (border === 0) {
    await objects.remove([keys.upload]);
    return { ...nothingYet, tail };
  }
  if (!abilities.copyPart) failed('an endpoint without UploadPartCopy cannot go on with', keys.data, errno.EOPNOTSUPP);
  const uploadId = await beginUpload(objects, keys, labels);
  const parts: Part[] = [];
  for (let offset = 0; offset < border; ) {
    const size = copyPieceBytes(border - offset);
    const number = parts.length + 1;
    const { CopyPartResult } = await bucket.send(
      new UploadPartCopyCommand({
        Bucket: bucket.name,
        Key: keys.data,
        UploadId: uploadId,
        PartNumber: number,
        CopySource: `${bucket.name}/${keys.data.split('/').map(encodeURIComponent).join('/')}`,
        CopySourceRange: `bytes=${offset}-${offset + size - 1}`,
        CopySourceIfMatch: there.etag === '' ? undefined : there.etag,
      }),
      {},
      { part: number },
    );
    const crc = crcOfText(CopyPartResult?.ChecksumCRC64NVME);
    parts.push({ number, size, etag: CopyPartResult?.ETag ?? '', crc, offset });
    offset += size;
  }
  const next = parts.length + gapAtResume;
  const spans = spansWith(parts, next);
  await objects.put(keys.upload, [encodeRecord({ uploadId, spans })]);
  return { uploadId, parts, next, spans, tail, replaces: there.etag };
}

/** None is smaller than a part may be. */
function copyPieceBytes(left: number): number {
  return left <= copyBytes ? left : left < copyBytes + partBytesMin ? copyBytes / 2 : copyBytes;
}
