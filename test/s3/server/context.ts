/** What an operation sees of its request, and what it answers. */
import type { Call } from './call.ts';
import { S3Error } from './error.ts';
import type { ChecksumAlgorithm, Options } from './options.ts';
import type { Bucket, Piece, State, StoredObject } from './state.ts';

export interface Context {
  readonly call: Call;
  readonly options: Options;
  readonly state: State;
  readonly isTls: boolean;
  readonly requestId: string;
  /** The server's clock, milliseconds since 1970. */
  readonly now: number;
  /** The URL's origin as the client named it. */
  readonly origin: string;
  /** The body as it comes, faults applied. */
  bodyChunks(): AsyncIterable<Buffer>;
}

/** The body of a request, received and found good. */
export interface Payload {
  /** With body 'file', else null. */
  piece: Piece | null;
  /** With body 'text', else ''. */
  text: string;
  size: number;
  /** Hex; '' where ETags are opaque. */
  md5: string;
  crc64: bigint | null;
  /** The one checksum that came with the request and was right. */
  checksum: { algorithm: ChecksumAlgorithm; value: string } | null;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  /** XML or other text; or bytes [start, end) of an object. */
  body?: string | { object: StoredObject; start: number; end: number };
  /** HEAD: Content-Length without a body. */
  length?: number;
}

/** One S3 operation. `check` runs on the head alone, before the body is read; `run` when it is here and verified. */
export interface Operation {
  body: 'none' | 'text' | 'file';
  check?(context: Context): void;
  run(context: Context, payload: Payload): Reply | Promise<Reply>;
}

export function bucketOf({ call, state }: Context): Bucket {
  const bucket = state.buckets.get(call.bucket);
  if (bucket === undefined) {
    throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', { BucketName: call.bucket });
  }
  return bucket;
}

export function objectOf(context: Context): StoredObject {
  const object = bucketOf(context).objects.get(context.call.key);
  if (object === undefined) {
    throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: context.call.key });
  }
  return object;
}

/** A whole number ≥ 0 in the query; `otherwise` where it is not given. */
export function queryNumber({ call }: Context, name: string, otherwise: number): number {
  const text = call.query.get(name);
  if (text === undefined || text === '') return otherwise;
  if (!/^\d{1,9}$/.test(text)) {
    throw new S3Error('InvalidArgument', `Argument ${name} must be an integer between 0 and 2147483647`, {
      ArgumentName: name,
      ArgumentValue: text,
    });
  }
  return Number(text);
}

/** S3 counts room before it takes the bytes. */
export function checkRoom({ options, state }: Context, bytes: number): void {
  if (state.bytes + bytes > options.limits.quotaBytes) {
    throw new S3Error('QuotaExceeded', 'The quota of this bucket is exceeded.');
  }
}
