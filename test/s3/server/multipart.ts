/** Multipart uploads: begun, fed part by part, completed under verification, or aborted. */
import { createHash, randomBytes } from 'node:crypto';
import { addon } from '../../../native/addon/index.ts';
import { checkWriteConditions } from './conditions.ts';
import { bucketOf, type Context, checkRoom, type Operation, type Payload } from './context.ts';
import { crc64Bytes, Digests } from './digest.ts';
import { S3Error } from './error.ts';
import { uploadOf } from './list-operations.ts';
import { checkKey, checksumHeaders, etagOf, keptHeaders, tooLarge } from './object-operations.ts';
import { type ChecksumAlgorithm, checksumAlgorithms } from './options.ts';
import { readChecksum } from './payload.ts';
import type { Checksum, StoredPart, Upload } from './state.ts';
import { answerXml, childText, element, malformed, parseXml, type XmlNode } from './xml.ts';

export const multipartOperations: Record<
  'CreateMultipartUpload' | 'UploadPart' | 'CompleteMultipartUpload' | 'AbortMultipartUpload',
  Operation
> = {
  CreateMultipartUpload: {
    body: 'none',
    run(context) {
      const bucket = bucketOf(context);
      const { call, state, now } = context;
      checkKey(context);
      const checksum = readAlgorithm(context);
      const upload = state.newUpload(bucket, {
        key: call.key,
        startedAt: now,
        headers: keptHeaders(context),
        checksum,
      });
      return {
        status: 200,
        headers: algorithmHeaders(checksum),
        body: answerXml(
          'InitiateMultipartUploadResult',
          element('Bucket', bucket.name) + element('Key', call.key) + element('UploadId', upload.id),
        ),
      };
    },
  },

  UploadPart: {
    body: 'file',
    check(context) {
      const upload = uploadOf(context);
      const { headers } = context.call;
      const bytes = Number(headers.get('content-length'));
      if (bytes > context.options.limits.partBytesMax) throw tooLarge();
      checkRoom(context, bytes);
      const given = readChecksum(headers, context.options.checksums)?.algorithm;
      if (upload.checksum !== null && given !== undefined && given !== upload.checksum.algorithm) {
        const expected = `expected checksum Type: ${upload.checksum.algorithm}, actual checksum Type: ${given}`;
        throw new S3Error('InvalidRequest', `Checksum Type mismatch occurred, ${expected}`);
      }
    },
    run(context, payload) {
      const piece = payload.piece!;
      let upload: Upload;
      try {
        // Again: it may have been aborted or completed meanwhile.
        upload = uploadOf(context);
        checkRoom(context, piece.size);
      } catch (error) {
        context.state.drop([piece]);
        throw error;
      }
      const part = storePart(context, upload, payload);
      const { checksum } = part;
      return {
        status: 200,
        headers: {
          etag: `"${part.etag}"`,
          ...(checksum === null ? {} : { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value }),
        },
      };
    },
  },

  CompleteMultipartUpload: { body: 'text', run: (context, payload) => complete(context, payload) },

  AbortMultipartUpload: {
    body: 'none',
    run(context) {
      context.state.endUpload(bucketOf(context), uploadOf(context), new Set());
      return { status: 204 };
    },
  },
};

export function storePart({ call, state, now }: Context, upload: Upload, payload: Payload): StoredPart {
  const part: StoredPart = {
    part: call.part,
    piece: payload.piece!,
    etag: etagOf(payload),
    modifiedAt: now,
    crc64: payload.crc64,
    checksum: payload.checksum,
  };
  state.putPart(upload, part);
  return part;
}

/** x-amz-checksum-algorithm and -type of CreateMultipartUpload. */
function readAlgorithm({ call, options }: Context): Upload['checksum'] {
  const name = call.headers.get('x-amz-checksum-algorithm')?.toLowerCase();
  if (name === undefined) return null;
  const algorithm = checksumAlgorithms.find((one) => one === name);
  const to = algorithm === undefined ? 'refuse' : options.checksums[algorithm];
  if (to === 'ignore') return null;
  if (algorithm === undefined || to === 'refuse') {
    throw new S3Error('NotImplemented', `A header you provided implies functionality that is not implemented: ${name}`);
  }
  const byDefault = algorithm === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE';
  const type = call.headers.get('x-amz-checksum-type') ?? byDefault;
  if (type !== byDefault) throw new S3Error('NotImplemented', `${type} checksums of ${name} are not implemented.`);
  return { algorithm, type };
}

function algorithmHeaders(checksum: Upload['checksum']): Record<string, string> {
  if (checksum === null) return {};
  return { 'x-amz-checksum-algorithm': checksum.algorithm.toUpperCase(), 'x-amz-checksum-type': checksum.type };
}

function complete(context: Context, payload: Payload): ReturnType<Operation['run']> {
  const { call, options, state, now } = context;
  const bucket = bucketOf(context);
  const before = bucket.completed.get(call.uploadId);
  if (before?.key === call.key && options.completeAgain === 'success') return completed(context, before.etag, null);
  const upload = uploadOf(context);
  const parts = readParts(context, upload, payload.text);
  const size = parts.reduce((sum, { piece }) => sum + piece.size, 0);
  if (size > options.limits.objectBytesMax) throw tooLarge();
  checkObjectSize(context, size);
  const checksum = objectChecksum(context, upload, parts);
  checkWriteConditions(context, bucket.objects.get(call.key), options.conditionalComplete);
  const etag = multipartEtag(context, parts);
  const pieces = parts.map(({ piece }) => piece);
  state.endUpload(bucket, upload, new Set(pieces));
  state.put(bucket, {
    key: call.key,
    pieces,
    size,
    etag,
    modifiedAt: now,
    headers: upload.headers,
    checksum,
    partsCount: parts.length,
  });
  state.remember(bucket, upload.id, call.key, etag);
  return completed(context, etag, checksum);
}

function completed({ call, origin }: Context, etag: string, checksum: Checksum | null): ReturnType<Operation['run']> {
  const sums =
    checksum === null
      ? ''
      : element(`Checksum${checksum.algorithm.toUpperCase()}`, checksum.value) + element('ChecksumType', checksum.type);
  return {
    status: 200,
    headers: checksumHeaders(checksum),
    body: answerXml(
      'CompleteMultipartUploadResult',
      element('Location', `${origin}${call.rawPath}`) +
        element('Bucket', call.bucket) +
        element('Key', call.key) +
        element('ETag', `"${etag}"`) +
        sums,
    ),
  };
}

/** The parts that the body names, in its order, each compared with what is stored. */
function readParts({ options }: Context, upload: Upload, text: string): StoredPart[] {
  const root = parseXml(text);
  const named = root.children.filter((child) => child.name === 'Part');
  if (root.name !== 'CompleteMultipartUpload' || named.length === 0 || named.length > options.limits.partsMax) {
    throw malformed();
  }
  const parts: StoredPart[] = [];
  for (const node of named) {
    const number = Number(childText(node, 'PartNumber') ?? Number.NaN);
    const etag = childText(node, 'ETag')?.trim().replace(/^"|"$/g, '');
    if (!Number.isInteger(number) || etag === undefined) throw malformed();
    const before = parts.at(-1);
    if (options.verifyParts && before !== undefined && number <= before.part) {
      throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
    const part = upload.parts.get(number);
    if (part === undefined || (options.verifyParts && (part.etag !== etag || !hasChecksums(node, part, upload)))) {
      throw new S3Error(
        'InvalidPart',
        'One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match.',
        { UploadId: upload.id, PartNumber: String(number), ETag: etag },
      );
    }
    if (before !== undefined && before.piece.size < options.limits.partBytesMin) {
      throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
        ProposedSize: String(before.piece.size),
        MinSizeAllowed: String(options.limits.partBytesMin),
        PartNumber: String(before.part),
        ETag: before.etag,
      });
    }
    parts.push(part);
  }
  return parts;
}

/** Checksums in the list must be those of the parts; a composite one needs them all. */
function hasChecksums(node: XmlNode, part: StoredPart, upload: Upload): boolean {
  for (const algorithm of checksumAlgorithms) {
    const value = childText(node, `Checksum${algorithm.toUpperCase()}`);
    const isNeeded = upload.checksum?.type === 'COMPOSITE' && upload.checksum.algorithm === algorithm;
    if (value === null && isNeeded) {
      throw new S3Error(
        'InvalidRequest',
        `The upload was created using a ${algorithm} checksum. The complete request must include the checksum for each part. It was missing for part ${part.part} in the request.`,
      );
    }
    if (value !== null && value !== checksumOfPart(part, algorithm)) return false;
  }
  return true;
}

function checksumOfPart(part: StoredPart, algorithm: ChecksumAlgorithm): string | null {
  if (part.checksum?.algorithm === algorithm) return part.checksum.value;
  return algorithm === 'crc64nvme' && part.crc64 !== null ? crc64Bytes(part.crc64).toString('base64') : null;
}

function checkObjectSize({ call, options }: Context, size: number): void {
  const promised = call.headers.get('x-amz-mp-object-size');
  if (promised === undefined || !options.verifyObjectSize || promised === String(size)) return;
  const message = `The provided 'x-amz-mp-object-size' header value ${promised} does not match what was computed: ${size}`;
  throw new S3Error('InvalidRequest', message);
}

/** Checksum of the whole object, compared with the one in the head where there is one. */
function objectChecksum({ call, options }: Context, upload: Upload, parts: readonly StoredPart[]): Checksum | null {
  const given = readChecksum(call.headers, options.checksums);
  let computed: Checksum | null = null;
  if (upload.checksum?.type === 'COMPOSITE') {
    const { algorithm } = upload.checksum;
    const digests = new Digests([algorithm]);
    for (const { checksum } of parts) digests.update(Buffer.from(checksum!.value, 'base64'));
    computed = {
      algorithm,
      value: `${digests.take(algorithm)!.toString('base64')}-${parts.length}`,
      type: 'COMPOSITE',
    };
  } else if (parts.every(({ crc64 }) => crc64 !== null)) {
    const crc = parts.reduce((sum, { crc64, piece }) => addon.crcCombine(sum, crc64!, piece.size), 0n);
    computed = { algorithm: 'crc64nvme', value: crc64Bytes(crc).toString('base64'), type: 'FULL_OBJECT' };
  }
  if (given === null) return computed;
  const isSameKind = computed?.algorithm === given.algorithm && computed.type === 'FULL_OBJECT';
  if (!isSameKind)
    throw new S3Error('InvalidRequest', `A full object ${given.algorithm} was not asked for at the start.`);
  if (computed!.value !== given.value) {
    const name = given.algorithm.toUpperCase();
    throw new S3Error('BadDigest', `The ${name} you specified did not match the calculated checksum.`);
  }
  return computed;
}

/** MD5 of the parts' MD5s, and how many they were. */
function multipartEtag({ options }: Context, parts: readonly StoredPart[]): string {
  if (options.etag !== 'md5') return `${randomBytes(16).toString('hex')}-${parts.length}`;
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'));
  return `${hash.digest('hex')}-${parts.length}`;
}
