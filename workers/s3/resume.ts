/** What a pending image has in the bucket, found again: parts of its upload, and the tail that is in none. */
import { ListPartsCommand, type ListPartsCommandOutput, UploadPartCopyCommand } from '@aws-sdk/client-s3';
import { errno } from '../../engine/core/errors.ts';
import { partBytesMin } from '../../engine/core/parts.ts';
import { s3PartsMax } from '../../engine/core/passport.ts';
import type { Labels } from '../../engine/core/store.ts';
import { abortOthers, abortRecorded, abortUpload, readRecord } from './abort.ts';
import { failed } from './failures.ts';
import { beginUpload, type FragmentStart, freshFragment } from './fragment-upload.ts';
import type { ImageKeys } from './keys.ts';
import { isErrno, type Objects } from './objects.ts';
import { crcOfText } from './seal.ts';
import { chunkBytes, type UploadStart } from './upload.ts';
import { encodeRecord, type ListedPart, type Part, partsBelow, spansWith, type UploadRecord } from './upload-record.ts';

/** Numbers left to parts of a dead writer that are still on their way. */
const gapAtResume = 32;
/** What waits for a part that is long enough, and the chunk behind it. */
const tailBytesMax = partBytesMin + chunkBytes;
/** Bytes of one part that is copied from an object: S3 takes up to 5 GiB. */
const copyBytes = 1024 ** 3;

/** Of one image: more objects are damage, or somebody's game. */
const objectsMax = 100_000;
const fragmentsAtOnce = 8;

/**
 * `before`: sizes of the fragments in front of the one in which the durable size `size` lies. Throws StoreError; ENODATA
 * when bytes below `size` are gone. Uploads and objects that nothing names go when all that is durable has been found,
 * and not before: an answer that is wrong once must cost no bytes.
 */
export async function findUpload(
  objects: Objects,
  keys: ImageKeys,
  { before, size }: { before: readonly number[]; size: number },
  labels: Labels,
): Promise<UploadStart> {
  const n = before.length + 1;
  const records = await readRecords(objects, keys, n);
  const full = await fullFragments(objects, keys, records, before);
  const start = before.reduce((sum, one) => sum + one, 0);
  const last = await lastFragment(objects, keys, { n, start, size, record: records.get(n) ?? null }, labels);
  const fragments = [...full, last.fragment];
  await removeBehind(objects, keys, n);
  await abortOthers(objects, keys, (of, uploadId) => fragments[of - 1]?.uploadId === uploadId);
  return { fragments, tail: last.tail };
}

/** Of the fragments up to `n`. */
async function readRecords(objects: Objects, keys: ImageKeys, n: number): Promise<Map<number, UploadRecord>> {
  const records = new Map<number, UploadRecord>();
  await eachOf(n, async (i) => {
    const record = await readRecord(objects, keys, i + 1);
    if (record === 'unreadable') failed('an unreadable record of', keys.record(i + 1), errno.EBADMSG);
    if (record !== null) records.set(i + 1, record);
  });
  return records;
}

/** What a writer that died had of fragments that begin above the durable size. */
async function removeBehind(objects: Objects, keys: ImageKeys, n: number): Promise<void> {
  const found = (await objects.listAll(keys.dir, objectsMax)).map(({ key }) => key);
  const behind = found.filter((key) => Math.max(keys.fragmentOf(key), keys.recordOf(key)) > n);
  await abortRecorded(objects, keys, behind);
  await objects.remove(behind);
}

/** Each is an object, or has all its parts. */
async function fullFragments(
  objects: Objects,
  keys: ImageKeys,
  records: ReadonlyMap<number, UploadRecord>,
  sizes: readonly number[],
): Promise<FragmentStart[]> {
  const full: FragmentStart[] = [];
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, one) => sum + one, 0));
  await eachOf(sizes.length, async (i) => {
    const [n, start, size, record] = [i + 1, starts[i] ?? 0, sizes[i] ?? 0, records.get(i + 1)];
    const fresh = freshFragment(n, start);
    const listed = record === undefined ? null : await listParts(objects, keys.fragment(n), record.uploadId);
    if (record === undefined || listed === null) {
      const there = await objects.head(keys.fragment(n));
      if (there?.size !== size) failed(`${size} bytes are not in`, keys.fragment(n), errno.ENODATA);
      full[i] = { ...fresh, object: size };
      return;
    }
    const parts = partsBelow(listed.all, record.spans, start, start + size);
    if (endOf(parts, start) !== start + size) failed(`parts are missing of`, keys.fragment(n), errno.ENODATA);
    full[i] = { ...fresh, uploadId: record.uploadId, parts, next: Infinity, withCrc: listed.withCrc };
  });
  return full;
}

interface LastFragment {
  fragment: FragmentStart;
  tail: Uint8Array;
}

/** The fragment that begins at `start`, with the bytes up to `size` that are in none of its parts. */
async function lastFragment(
  objects: Objects,
  keys: ImageKeys,
  { n, start, size, record }: { n: number; start: number; size: number; record: UploadRecord | null },
  labels: Labels,
): Promise<LastFragment> {
  const fresh = freshFragment(n, start);
  if (size === start) {
    if (record !== null) await forget(objects, keys, n, record);
    return { fragment: fresh, tail: new Uint8Array(0) };
  }
  if (record === null) return { fragment: fresh, tail: await tailOf(objects, keys, start, size) };
  const listed = await listParts(objects, keys.fragment(n), record.uploadId);
  if (listed === null) return fromObject(objects, keys, { n, start, size }, labels);
  const parts = partsBelow(listed.all, record.spans, start, size);
  const end = endOf(parts, start);
  const tail = end === size ? new Uint8Array(0) : await tailOf(objects, keys, end, size);
  // The writer before may have sent nothing yet that is listed, and yet have parts on their way.
  const numbers = [record.spans.at(-1)?.first ?? 0, ...listed.all.map(({ number }) => number)];
  const next = Math.max(...numbers) + gapAtResume;
  if (parts.length === 0 && next > objects.abilities.partsMax) {
    // Nothing is in it, and its numbers are used up.
    await forget(objects, keys, n, record);
    return { fragment: fresh, tail };
  }
  const spans = spansWith(parts, next);
  await objects.put(keys.record(n), [encodeRecord({ uploadId: record.uploadId, spans })]);
  return { fragment: { ...fresh, uploadId: record.uploadId, parts, next, spans, withCrc: listed.withCrc }, tail };
}

/** The record first: one that names an upload which is gone would look like an upload that was completed. */
async function forget(objects: Objects, keys: ImageKeys, n: number, { uploadId }: UploadRecord): Promise<void> {
  await objects.remove([keys.record(n)]);
  await abortUpload(objects, keys.fragment(n), uploadId);
}

function endOf(parts: readonly Part[], start: number): number {
  const last = parts.at(-1);
  return last === undefined ? start : last.offset + last.size;
}

/** Calls `work` with 0 … count − 1, a few at once. */
async function eachOf(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(fragmentsAtOnce, count) }, one));
}

async function tailOf({ bucket }: Objects, keys: ImageKeys, start: number, size: number): Promise<Uint8Array> {
  const want = size - start;
  const got = want > tailBytesMax ? null : await bucket.get(keys.tail(size), tailBytesMax);
  // It ends at `size`; parts copied from the object reach into it.
  if (got === null || got.bytes.length < want)
    failed(`bytes ${start} to ${size} are not in`, keys.tail(size), errno.ENODATA);
  return got.bytes.subarray(got.bytes.length - want);
}

interface ListedParts {
  all: ListedPart[];
  /** The upload was begun with CRC-64/NVME. */
  withCrc: boolean;
}

/** Null: there is no such upload any more. */
async function listParts({ bucket }: Objects, key: string, uploadId: string): Promise<ListedParts | null> {
  const all: ListedPart[] = [];
  let algorithm: string | undefined;
  let marker: string | undefined;
  do {
    let page: ListPartsCommandOutput;
    try {
      page = await bucket.send(
        new ListPartsCommand({ Bucket: bucket.name, Key: key, UploadId: uploadId, PartNumberMarker: marker }),
      );
    } catch (error) {
      if (isErrno(error, errno.ENOENT)) return null;
      throw error;
    }
    for (const { PartNumber = 0, Size = 0, ETag = '', ChecksumCRC64NVME } of page.Parts ?? []) {
      all.push({ number: PartNumber, size: Size, etag: ETag, crc: crcOfText(ChecksumCRC64NVME) });
    }
    algorithm ??= page.ChecksumAlgorithm;
    const before = Number(marker ?? 0);
    marker = page.IsTruncated === true ? (page.NextPartNumberMarker ?? '') : undefined;
    // Numbers rise: a list that does not would never end, one cut short would be taken for all there is.
    if (marker !== undefined && !(Number(marker) > before && Number(marker) <= s3PartsMax))
      failed('an answer that goes on without saying where: ListParts', key, errno.EPROTO);
  } while (marker !== undefined);
  // Not every endpoint tells with what the upload was begun; then its parts do.
  const withCrc = (algorithm ?? (all.some(({ crc }) => crc !== null) ? 'CRC64NVME' : '')) === 'CRC64NVME';
  return { all, withCrc };
}

/**
 * The upload was completed. What the object has below `size` is all there is of the fragment, and the image goes on in the
 * next one. Or its writer died in the commit, before the meta could say so, and it holds more: then it is the source of a
 * new upload, copied inside the storage, and what lies above `size` in it is sent again.
 */
async function fromObject(
  objects: Objects,
  keys: ImageKeys,
  { n, start, size }: { n: number; start: number; size: number },
  labels: Labels,
): Promise<LastFragment> {
  const key = keys.fragment(n);
  const there = await objects.head(key);
  if (there === null) failed(`bytes ${start} to ${size} are not in`, key, errno.ENODATA);
  const end = start + there.size;
  if (end <= size && there.size % chunkBytes === 0) {
    const tail = end === size ? new Uint8Array(0) : await tailOf(objects, keys, end, size);
    return { fragment: { ...freshFragment(n, start), object: there.size }, tail };
  }
  if (end < size) failed(`bytes ${end} to ${size} are not in`, key, errno.ENODATA);
  const length = size - start;
  const border = length < partBytesMin ? 0 : length - (length % chunkBytes);
  const tail = new Uint8Array(length - border);
  if (tail.length > 0) await objects.bucket.read(key, border, tail, { ifMatch: there.etag });
  if (border === 0) {
    await objects.remove([keys.record(n)]);
    return { fragment: freshFragment(n, start), tail };
  }
  return { fragment: await copied(objects, keys, { n, start, border, etag: there.etag }, labels), tail };
}

/** A new upload with the first `border` bytes of the object that is there. */
async function copied(
  objects: Objects,
  keys: ImageKeys,
  { n, start, border, etag }: { n: number; start: number; border: number; etag: string },
  labels: Labels,
): Promise<FragmentStart> {
  const { bucket, abilities } = objects;
  const key = keys.fragment(n);
  if (!abilities.copyPart) failed('an endpoint without UploadPartCopy cannot go on with', key, errno.EOPNOTSUPP);
  const { uploadId, withCrc } = await beginUpload(objects, key, labels);
  const parts: Part[] = [];
  for (let offset = 0; offset < border; ) {
    const size = copyPieceBytes(border - offset);
    const number = parts.length + 1;
    const { CopyPartResult } = await bucket.send(
      new UploadPartCopyCommand({
        Bucket: bucket.name,
        Key: key,
        UploadId: uploadId,
        PartNumber: number,
        CopySource: `${bucket.name}/${key.split('/').map(encodeURIComponent).join('/')}`,
        CopySourceRange: `bytes=${offset}-${offset + size - 1}`,
        CopySourceIfMatch: etag === '' ? undefined : etag,
      }),
      {},
      { part: number },
    );
    const crc = crcOfText(CopyPartResult?.ChecksumCRC64NVME);
    parts.push({ number, size, etag: CopyPartResult?.ETag ?? '', crc, offset: start + offset });
    offset += size;
  }
  const next = parts.length + gapAtResume;
  const spans = spansWith(parts, next);
  await objects.put(keys.record(n), [encodeRecord({ uploadId, spans })]);
  return { ...freshFragment(n, start), uploadId, parts, next, spans, withCrc, replaces: etag };
}

/** None is smaller than a part may be. */
function copyPieceBytes(left: number): number {
  return left <= copyBytes ? left : left < copyBytes + partBytesMin ? copyBytes / 2 : copyBytes;
}
