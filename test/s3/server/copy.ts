/** Copies inside the server: a whole object, or a range of one as a part. The bytes are read and written anew. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { bucketOf, type Context, checkRoom, type Operation, type Payload } from './context.ts';
import { Digests } from './digest.ts';
import { S3Error } from './error.ts';
import { uploadOf } from './list-operations.ts';
import { storePart } from './multipart.ts';
import { checkKey, keptHeaders } from './object-operations.ts';
import { readRange } from './range.ts';
import { readPieces, type StoredObject } from './state.ts';
import { answerXml, element } from './xml.ts';

export const copyOperations: Record<'CopyObject' | 'UploadPartCopy', Operation> = {
  CopyObject: {
    body: 'none',
    run(context) {
      const { call, state, now } = context;
      const bucket = bucketOf(context);
      checkKey(context);
      const source = sourceOf(context);
      const isReplaced = call.headers.get('x-amz-metadata-directive') === 'REPLACE';
      const headers = isReplaced ? keptHeaders(context) : source.headers;
      const copy = copyBytes(context, source, 0, source.size);
      state.put(bucket, {
        key: call.key,
        pieces: [copy.piece!],
        size: copy.size,
        etag: copy.md5,
        modifiedAt: now,
        headers,
        checksum: source.checksum?.type === 'FULL_OBJECT' ? source.checksum : null,
        partsCount: 0,
      });
      return { status: 200, body: answerXml('CopyObjectResult', result(copy.md5, now)) };
    },
  },

  UploadPartCopy: {
    body: 'none',
    run(context) {
      const upload = uploadOf(context);
      const source = sourceOf(context);
      const range = readRange(context.call.headers.get('x-amz-copy-source-range'), source.size);
      const copy = copyBytes(context, source, range?.start ?? 0, range?.end ?? source.size);
      const part = storePart(context, upload, copy);
      return { status: 200, body: answerXml('CopyPartResult', result(part.etag, context.now)) };
    },
  },
};

function sourceOf({ call, state }: Context): StoredObject {
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/s.exec(decodeURIComponent(call.headers.get('x-amz-copy-source')!)) ?? [];
  const object = state.buckets.get(bucket ?? '')?.objects.get(key ?? '');
  if (object === undefined) throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: key ?? '' });
  return object;
}

const strideBytes = 2 ** 20;

function copyBytes(context: Context, source: StoredObject, start: number, end: number): Payload {
  const { state } = context;
  checkRoom(context, end - start);
  const path = state.newPath();
  const digests = new Digests(['md5', 'crc64nvme']);
  const file = openSync(path, 'wx');
  try {
    for (const bytes of readPieces(source.pieces, start, end, strideBytes)) {
      digests.update(bytes);
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    }
  } finally {
    closeSync(file);
  }
  return {
    piece: { path, size: end - start },
    text: '',
    size: end - start,
    md5: digests.take('md5')!.toString('hex'),
    crc64: digests.take('crc64nvme')!.readBigUInt64BE(),
    checksum: null,
  };
}

function result(etag: string, now: number): string {
  return element('ETag', `"${etag}"`) + element('LastModified', new Date(now).toISOString());
}
