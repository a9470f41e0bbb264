/** Put, get, head, delete, copy of whole objects. */
import { randomBytes } from 'node:crypto';
import { checkReadConditions, checkWriteConditions } from './conditions.ts';
import { bucketOf, type Context, checkRoom, type Operation, objectOf, type Payload, type Reply } from './context.ts';
import { crc64Bytes } from './digest.ts';
import { S3Error } from './error.ts';
import { readRange } from './range.ts';
import type { Checksum, StoredObject } from './state.ts';
import { answerXml, childText, element, malformed, parseXml } from './xml.ts';

export const objectOperations: Record<
  'PutObject' | 'GetObject' | 'HeadObject' | 'DeleteObject' | 'DeleteObjects',
  Operation
> = {
  PutObject: {
    body: 'file',
    check(context) {
      const bucket = bucketOf(context);
      checkKey(context);
      keptHeaders(context);
      const bytes = Number(context.call.headers.get('content-length'));
      const { limits } = context.options;
      if (bytes > Math.min(limits.putBytesMax, limits.objectBytesMax)) throw tooLarge();
      checkRoom(context, bytes);
      checkWriteConditions(context, bucket.objects.get(context.call.key), context.options.conditionalPut);
    },
    run(context, payload) {
      const { call, state, options, now } = context;
      const bucket = bucketOf(context);
      const piece = payload.piece!;
      try {
        // Again: another one may have come while this body was on its way.
        checkWriteConditions(context, bucket.objects.get(call.key), options.conditionalPut);
        checkRoom(context, piece.size);
      } catch (error) {
        state.drop([piece]);
        throw error;
      }
      const checksum = checksumOf(payload);
      const etag = etagOf(payload);
      state.put(bucket, {
        key: call.key,
        pieces: [piece],
        size: piece.size,
        etag,
        modifiedAt: now,
        headers: keptHeaders(context),
        checksum,
        partsCount: 0,
      });
      return { status: 200, headers: { etag: `"${etag}"`, ...checksumHeaders(checksum) } };
    },
  },

  GetObject: { body: 'none', run: (context) => get(context) },

  HeadObject: {
    body: 'none',
    run(context) {
      const { body, ...reply } = get(context);
      return { ...reply, length: typeof body === 'object' ? body.end - body.start : 0 };
    },
  },

  DeleteObject: {
    body: 'none',
    run(context) {
      const bucket = bucketOf(context);
      const { call, options, state } = context;
      checkWriteConditions(context, bucket.objects.get(call.key), options.conditionalDelete);
      state.remove(bucket, call.key);
      return { status: 204 };
    },
  },

  DeleteObjects: {
    body: 'text',
    check(context) {
      bucketOf(context);
      const { headers } = context.call;
      const hasDigest = headers.has('content-md5') || [...headers.keys()].some((h) => h.startsWith('x-amz-checksum-'));
      if (!hasDigest && context.options.contentMd5 === 'verify') {
        throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5');
      }
    },
    run(context, payload) {
      const bucket = bucketOf(context);
      const root = parseXml(payload.text);
      const keys = root.children.filter((child) => child.name === 'Object').map((child) => childText(child, 'Key'));
      if (root.name !== 'Delete' || keys.length === 0 || keys.length > context.options.limits.listMax) {
        throw malformed();
      }
      let deleted = '';
      for (const key of keys) {
        if (key === null) throw malformed();
        context.state.remove(bucket, key);
        deleted += element('Deleted', element('Key', key), true);
      }
      const isQuiet = childText(root, 'Quiet') === 'true';
      return { status: 200, body: answerXml('DeleteResult', isQuiet ? '' : deleted) };
    },
  },
};

function get(context: Context): Reply {
  const { call } = context;
  const object = objectOf(context);
  const headers: Record<string, string> = {
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'accept-ranges': 'bytes',
    ...object.headers,
  };
  if (checkReadConditions(context, object)) return { status: 304, headers: { etag: headers.etag! } };
  if (call.query.has('partNumber')) throw new S3Error('NotImplemented', 'Reading by partNumber is not implemented.');
  const range = readRange(call.headers.get('range'), object.size);
  if (range === null) {
    if (call.headers.get('x-amz-checksum-mode') === 'ENABLED') Object.assign(headers, checksumHeaders(object.checksum));
    return { status: 200, headers, body: { object, start: 0, end: object.size } };
  }
  headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${object.size}`;
  return { status: 206, headers, body: { object, ...range } };
}

export function checkKey({ call, options }: Context): void {
  if (Buffer.byteLength(call.key) > options.limits.keyBytesMax) {
    throw new S3Error('KeyTooLongError', 'Your key is too long');
  }
}

const keptNames = ['content-type', 'cache-control', 'content-disposition', 'content-encoding', 'content-language'];

/** Headers that belong to the object. Throws MetadataTooLarge. */
export function keptHeaders({ call, options }: Context): Record<string, string> {
  const kept: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of call.headers) {
    const isMeta = name.startsWith('x-amz-meta-');
    if (isMeta) bytes += Buffer.byteLength(name.slice('x-amz-meta-'.length)) + Buffer.byteLength(value);
    if (isMeta || keptNames.includes(name)) kept[name] = value;
  }
  if (bytes > options.limits.metadataBytesMax) {
    throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
      Size: String(bytes),
      MaxSizeAllowed: String(options.limits.metadataBytesMax),
    });
  }
  kept['content-type'] ??= 'binary/octet-stream';
  return kept;
}

export function tooLarge(): S3Error {
  return new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed object size.');
}

export function etagOf(payload: Payload): string {
  return payload.md5 === '' ? randomBytes(16).toString('hex') : payload.md5;
}

function checksumOf({ checksum, crc64 }: Payload): Checksum | null {
  if (checksum !== null) return { ...checksum, type: 'FULL_OBJECT' };
  if (crc64 === null) return null;
  return { algorithm: 'crc64nvme', value: crc64Bytes(crc64).toString('base64'), type: 'FULL_OBJECT' };
}

export function checksumHeaders(checksum: StoredObject['checksum']): Record<string, string> {
  if (checksum === null) return {};
  return { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value, 'x-amz-checksum-type': checksum.type };
}
