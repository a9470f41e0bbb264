/** What a request asks for: operation, bucket, key, query, read strictly from its head. */
import type { IncomingMessage } from 'node:http';
import { S3Error } from './error.ts';
import type { Options } from './options.ts';

export const operationNames = [
  'PutObject',
  'GetObject',
  'HeadObject',
  'DeleteObject',
  'DeleteObjects',
  'CopyObject',
  'ListObjectsV2',
  'CreateMultipartUpload',
  'UploadPart',
  'UploadPartCopy',
  'CompleteMultipartUpload',
  'AbortMultipartUpload',
  'ListParts',
  'ListMultipartUploads',
  'HeadBucket',
  'GetBucketLocation',
] as const;
export type OperationName = (typeof operationNames)[number];

export interface Call {
  /** null: nothing that this server knows. */
  op: OperationName | null;
  method: string;
  /** '' in requests that name none. */
  bucket: string;
  key: string;
  /** Path as it was sent, without query. */
  rawPath: string;
  /** Decoded; a name given twice is refused. */
  query: ReadonlyMap<string, string>;
  /** Lower-case names; several of one name joined by a comma. */
  headers: ReadonlyMap<string, string>;
  /** partNumber, or 0. */
  part: number;
  uploadId: string;
}

/** Subresources that S3 has and this server has not: 501. */
const unknownSubresources = new Set(
  `acl tagging versioning versions policy lifecycle cors logging notification website replication encryption retention
  legal-hold object-lock torrent restore select attributes ownershipControls publicAccessBlock requestPayment accelerate
  analytics inventory metrics intelligent-tiering versionId`.split(/\s+/),
);

/** Fills in what it can before it throws, so that the log can name it: `call` is complete only when it returns. */
export function readCall(request: IncomingMessage, call: Call, options: Options): void {
  const url = request.url ?? '/';
  const [rawPath, rawQuery = ''] = url.split(/\?(.*)/s, 2) as [string, string?];
  call.method = request.method ?? '';
  call.rawPath = rawPath;
  call.headers = joinHeaders(request.rawHeaders);
  call.query = readQuery(rawQuery);
  const path = decodeStrict(rawPath);
  const hostBucket = bucketOfHost(call.headers.get('host') ?? '', options.virtualHostDomains);
  if (hostBucket !== null) {
    call.bucket = hostBucket;
    call.key = path.slice(1);
  } else {
    const slash = path.indexOf('/', 1);
    call.bucket = path.slice(1, slash < 0 ? undefined : slash);
    call.key = slash < 0 ? '' : path.slice(slash + 1);
  }
  call.uploadId = call.query.get('uploadId') ?? '';
  call.op = operationOf(call);
  const part = call.query.get('partNumber');
  if (part !== undefined && call.op !== 'GetObject' && call.op !== 'HeadObject') {
    call.part = /^[0-9]{1,6}$/.test(part) ? Number(part) : 0;
    if (call.part < 1 || call.part > options.limits.partsMax) {
      const range = `Part number must be an integer between 1 and ${options.limits.partsMax}, inclusive`;
      throw new S3Error('InvalidArgument', range, { ArgumentName: 'partNumber', ArgumentValue: part });
    }
  }
  if (hostBucket === null && !options.pathStyle && call.bucket !== '') {
    throw new S3Error('InvalidRequest', 'This server takes the bucket in the host name only.');
  }
}

/** `headers` need hold no more than x-amz-copy-source. */
export function operationOf(call: Pick<Call, 'method' | 'key' | 'query' | 'headers'>): OperationName | null {
  const { query, method } = call;
  for (const name of query.keys()) if (unknownSubresources.has(name)) return null;
  if (call.key === '') {
    if (method === 'HEAD') return 'HeadBucket';
    if (method === 'POST' && query.has('delete')) return 'DeleteObjects';
    if (method !== 'GET') return null;
    if (query.has('location')) return 'GetBucketLocation';
    if (query.has('uploads')) return 'ListMultipartUploads';
    return query.get('list-type') === '2' ? 'ListObjectsV2' : null;
  }
  const isCopy = call.headers.has('x-amz-copy-source');
  switch (method) {
    case 'PUT':
      if (query.has('uploadId') !== query.has('partNumber')) return null;
      if (query.has('uploadId')) return isCopy ? 'UploadPartCopy' : 'UploadPart';
      return isCopy ? 'CopyObject' : 'PutObject';
    case 'GET':
      return query.has('uploadId') ? 'ListParts' : 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    case 'DELETE':
      return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      if (query.has('uploads')) return 'CreateMultipartUpload';
      return query.has('uploadId') ? 'CompleteMultipartUpload' : null;
    default:
      return null;
  }
}

function bucketOfHost(host: string, domains: readonly string[]): string | null {
  const name = host.replace(/:\d+$/, '');
  if (domains.includes(name)) return null;
  for (const domain of domains) {
    if (name.endsWith(`.${domain}`)) return name.slice(0, -domain.length - 1);
  }
  return null;
}

function joinHeaders(raw: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    const before = headers.get(name);
    headers.set(name, before === undefined ? raw[i + 1]! : `${before},${raw[i + 1]}`);
  }
  return headers;
}

function readQuery(raw: string): Map<string, string> {
  const query = new Map<string, string>();
  for (const pair of raw.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodeStrict(equals < 0 ? pair : pair.slice(0, equals));
    if (query.has(name)) throw new S3Error('InvalidRequest', `Query parameter ${name} is given twice.`);
    query.set(name, equals < 0 ? '' : decodeStrict(pair.slice(equals + 1)));
  }
  return query;
}

/** A plus sign is a plus sign: S3's canonical request knows %20 only. */
function decodeStrict(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidURI', "Couldn't parse the specified URI.");
  }
}
