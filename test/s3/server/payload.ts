/** Receives the body of a request: to a file or into memory, digested on the way, compared with what the head says. */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { Context, Payload } from './context.ts';
import { type DigestName, Digests, digestBytes } from './digest.ts';
import { S3Error } from './error.ts';
import { type ChecksumAlgorithm, checksumAlgorithms } from './options.ts';

/** What the head promises about the body. */
export interface Promised {
  size: number;
  sha256: string | null;
  md5: string | null;
  checksum: { algorithm: ChecksumAlgorithm; value: string } | null;
}

const textBytesMax = 4 * 2 ** 20;

/** Reads and judges the head; nothing of the body is read before. */
export function readPromised({ call, options, isTls }: Context, kind: 'none' | 'text' | 'file'): Promised {
  const { headers } = call;
  const digest = headers.get('x-amz-content-sha256') ?? '';
  if (digest.startsWith('STREAMING-') || /\baws-chunked\b/.test(headers.get('content-encoding') ?? '')) {
    throw new S3Error(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented: aws-chunked',
    );
  }
  if (headers.has('x-amz-trailer')) throw new S3Error('NotImplemented', 'Trailers are not implemented.');
  if (digest === 'UNSIGNED-PAYLOAD') {
    const isAllowed = options.unsignedPayload === 'allow' || (options.unsignedPayload === 'tls' && isTls);
    if (!isAllowed) throw new S3Error('InvalidRequest', 'UNSIGNED-PAYLOAD is not allowed here.');
  } else if (!/^[0-9a-f]{64}$/.test(digest) && options.verifyPayloadHash) {
    throw new S3Error('InvalidArgument', 'x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value.');
  }
  const length = headers.get('content-length');
  if (headers.has('transfer-encoding') || (length === undefined && kind !== 'none' && call.method !== 'POST')) {
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  const isDigest = options.verifyPayloadHash && digest !== 'UNSIGNED-PAYLOAD';
  return {
    size: Number(length ?? 0),
    sha256: isDigest ? digest : null,
    md5: readMd5(headers.get('content-md5'), options.contentMd5),
    // At Complete such a header is about the object: multipart.ts reads it.
    checksum: call.op === 'CompleteMultipartUpload' ? null : readChecksum(headers, options.checksums),
  };
}

function readMd5(header: string | undefined, to: 'verify' | 'ignore' | 'refuse'): string | null {
  if (header === undefined || to === 'ignore') return null;
  if (to === 'refuse') throw new S3Error('NotImplemented', 'Content-MD5 is not implemented.');
  const bytes = Buffer.from(header, 'base64');
  if (bytes.length !== 16 || bytes.toString('base64') !== header) {
    throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid.');
  }
  return bytes.toString('hex');
}

/** The one checksum header of a request that has a value. Throws where a switch says so. */
export function readChecksum(
  headers: ReadonlyMap<string, string>,
  switches: Record<ChecksumAlgorithm, 'verify' | 'ignore' | 'refuse'>,
): Promised['checksum'] {
  let found: Promised['checksum'] = null;
  for (const [header, value] of headers) {
    if (!header.startsWith('x-amz-checksum-')) continue;
    const name = header.slice('x-amz-checksum-'.length);
    if (name === 'algorithm' || name === 'type' || name === 'mode') continue;
    const algorithm = checksumAlgorithms.find((one) => one === name);
    const to = algorithm === undefined ? 'refuse' : switches[algorithm];
    if (algorithm === undefined || to === 'refuse') {
      throw new S3Error(
        'NotImplemented',
        `A header you provided implies functionality that is not implemented: ${header}`,
      );
    }
    if (to === 'ignore') continue;
    if (found !== null) {
      throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header. Multiple types are not allowed.');
    }
    const bytes = Buffer.from(value, 'base64');
    if (bytes.length !== digestBytes[algorithm] || bytes.toString('base64') !== value) {
      throw new S3Error('InvalidRequest', `Value for ${header} header is invalid.`);
    }
    found = { algorithm, value };
  }
  return found;
}

/** Reads the whole body. Throws S3Error when it is not what was promised, and leaves no file behind. */
export async function receivePayload(
  context: Context,
  kind: 'none' | 'text' | 'file',
  promised: Promised,
): Promise<Payload> {
  const { options, state } = context;
  if (kind !== 'file' && promised.size > (kind === 'none' ? 0 : textBytesMax)) {
    throw new S3Error('EntityTooLarge', 'This request takes no body of that size.');
  }
  const digests = new Digests(wanted(context, kind, promised));
  const path = kind === 'file' ? state.newPath() : null;
  const file = path === null ? -1 : openSync(path, 'wx');
  const chunks: Buffer[] = [];
  let size = 0;
  let isGood = false;
  try {
    for await (const chunk of context.bodyChunks()) {
      digests.update(chunk);
      if (path === null) chunks.push(chunk);
      else for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
      size += chunk.length;
    }
    if (size !== promised.size) throw new S3Error('IncompleteBody', 'The body ended before Content-Length bytes.');
    const md5 = digests.take('md5')?.toString('hex') ?? '';
    compare(digests, promised, md5);
    isGood = true;
    return {
      piece: path === null ? null : { path, size },
      text: Buffer.concat(chunks).toString('utf8'),
      size,
      md5: options.etag === 'md5' ? md5 : '',
      crc64: digests.take('crc64nvme')?.readBigUInt64BE() ?? null,
      checksum: promised.checksum,
    };
  } finally {
    if (path !== null) {
      closeSync(file);
      if (!isGood) unlinkSync(path);
    }
  }
}

function wanted({ options }: Context, kind: string, promised: Promised): Set<DigestName> {
  const names = new Set<DigestName>();
  if (kind === 'file' && options.etag === 'md5') names.add('md5');
  // Parts give the CRC of the whole object, whatever came with them.
  if (kind === 'file' && options.checksums.crc64nvme === 'verify') names.add('crc64nvme');
  if (promised.md5 !== null) names.add('md5');
  if (promised.sha256 !== null) names.add('sha256');
  if (promised.checksum !== null) names.add(promised.checksum.algorithm);
  return names;
}

function compare(digests: Digests, promised: Promised, md5: string): void {
  // A hash gives its digest once: the payload's SHA-256 serves both headers.
  const sha256 = digests.take('sha256');
  if (promised.sha256 !== null && sha256!.toString('hex') !== promised.sha256) {
    throw new S3Error(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
      { ClientComputedContentSHA256: promised.sha256, S3ComputedContentSHA256: sha256!.toString('hex') },
    );
  }
  if (promised.md5 !== null && md5 !== promised.md5) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
      CalculatedDigest: Buffer.from(md5, 'hex').toString('base64'),
    });
  }
  if (promised.checksum !== null) {
    const { algorithm, value } = promised.checksum;
    const computed = (algorithm === 'sha256' ? sha256 : digests.take(algorithm))!.toString('base64');
    if (computed !== value) {
      throw new S3Error(
        'BadDigest',
        `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
      );
    }
  }
}
