/** What a failed S3 request means: whether it is tried again, and as which errno it is told. docs/operators/s3.md has the table. */
import { errno } from '../../engine/core/errors.ts';
import { HttpFailure } from '../http/client.ts';
import { StoreError } from '../store.ts';

export type S3Kind = 'again' | 'failed';

export interface S3Verdict {
  kind: S3Kind;
  /** Positive. */
  errno: number;
  /** The endpoint is at fault, not the request: another one may do better. */
  endpoint: boolean;
  /** S3's code, or the transport's. */
  code: string;
  /** HTTP status; 0: there was no answer. */
  status: number;
  requestId: string;
  /** Of Retry-After, milliseconds; 0: not given. */
  waitMs: number;
}

/** Code → kind and errno. What is not listed goes by its HTTP status. */
const codes: Readonly<Record<string, readonly [S3Kind, number]>> = {
  NoSuchKey: ['failed', errno.ENOENT],
  NotFound: ['failed', errno.ENOENT],
  NoSuchBucket: ['failed', errno.ENOENT],
  NoSuchUpload: ['failed', errno.ENOENT],
  AccessDenied: ['failed', errno.EACCES],
  InvalidAccessKeyId: ['failed', errno.EACCES],
  SignatureDoesNotMatch: ['failed', errno.EACCES],
  RequestTimeTooSkewed: ['failed', errno.EACCES],
  CredentialsProviderError: ['failed', errno.EACCES],
  ExpiredToken: ['failed', errno.EKEYEXPIRED],
  ExpiredTokenException: ['failed', errno.EKEYEXPIRED],
  TokenRefreshRequired: ['failed', errno.EKEYEXPIRED],
  PreconditionFailed: ['failed', errno.EEXIST],
  ConditionalRequestConflict: ['again', errno.EBUSY],
  OperationAborted: ['again', errno.EBUSY],
  EntityTooLarge: ['failed', errno.EFBIG],
  EntityTooSmall: ['failed', errno.EINVAL],
  InvalidPart: ['failed', errno.EIO],
  InvalidPartOrder: ['failed', errno.EINVAL],
  QuotaExceeded: ['failed', errno.EDQUOT],
  QuotaExceededException: ['failed', errno.EDQUOT],
  InsufficientStorage: ['failed', errno.ENOSPC],
  StorageFull: ['failed', errno.ENOSPC],
  XMinioStorageFull: ['failed', errno.ENOSPC],
  NotImplemented: ['failed', errno.EOPNOTSUPP],
  MethodNotAllowed: ['failed', errno.EOPNOTSUPP],
  InvalidRange: ['failed', errno.ENODATA],
  // The bytes were changed on their way: from the slot they go out once more.
  BadDigest: ['again', errno.EIO],
  InvalidDigest: ['again', errno.EIO],
  XAmzContentSHA256Mismatch: ['again', errno.EIO],
  XAmzContentChecksumMismatch: ['again', errno.EIO],
  IncompleteBody: ['again', errno.ECONNRESET],
  RequestTimeout: ['again', errno.ETIMEDOUT],
  SlowDown: ['again', errno.EAGAIN],
  Throttling: ['again', errno.EAGAIN],
  ServiceUnavailable: ['again', errno.EAGAIN],
  InternalError: ['again', errno.EIO],
};

const transport: Readonly<Record<string, number>> = {
  ECONNREFUSED: errno.ECONNREFUSED,
  ECONNRESET: errno.ECONNRESET,
  EPIPE: errno.EPIPE,
  ETIMEDOUT: errno.ETIMEDOUT,
  EHOSTUNREACH: errno.EHOSTUNREACH,
  ENETUNREACH: errno.ENETUNREACH,
  ENOTFOUND: errno.EHOSTUNREACH,
  EAI_AGAIN: errno.EHOSTUNREACH,
};

function byStatus(status: number): readonly [S3Kind, number] {
  switch (status) {
    case 401:
    case 403:
      return ['failed', errno.EACCES];
    case 404:
      return ['failed', errno.ENOENT];
    case 405:
    case 501:
      return ['failed', errno.EOPNOTSUPP];
    case 408:
      return ['again', errno.ETIMEDOUT];
    case 409:
      return ['again', errno.EBUSY];
    case 412:
      return ['failed', errno.EEXIST];
    case 413:
      return ['failed', errno.EFBIG];
    case 416:
      return ['failed', errno.ENODATA];
    case 429:
      return ['again', errno.EAGAIN];
    case 507:
      return ['failed', errno.ENOSPC];
  }
  if (status >= 500) return ['again', status === 503 ? errno.EAGAIN : errno.EIO];
  return ['failed', errno.EPROTO];
}

/** What the SDK throws: its service exceptions carry the answer, wrapped transport failures their cause. */
interface SdkError {
  name?: string;
  message?: string;
  Code?: string;
  cause?: unknown;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { headers?: Record<string, string> };
}

const retryAfterMaxS = 60;

export function verdictOf(error: unknown): S3Verdict {
  const failure = error instanceof HttpFailure ? error : (error as SdkError)?.cause;
  if (failure instanceof HttpFailure) {
    const number = transport[failure.code] ?? errno.ECONNRESET;
    // A certificate does not get better by asking again; another endpoint may have a good one.
    const kind = failure.stage === 'tls' && failure.code.startsWith('ERR_TLS') ? 'failed' : 'again';
    return { kind, errno: number, endpoint: true, code: failure.code, status: 0, requestId: '', waitMs: 0 };
  }
  const sdk = error as SdkError;
  const status = sdk?.$metadata?.httpStatusCode ?? 0;
  const code = sdk?.Code ?? sdk?.name ?? 'Unknown';
  // 200 with an error inside is an error of the server's that may pass.
  const [kind, number] = codes[code] ?? (status === 200 ? (['again', errno.EIO] as const) : byStatus(status));
  const seconds = Number(sdk?.$response?.headers?.['retry-after'] ?? 0);
  const waitMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, retryAfterMaxS) * 1000 : 0;
  const requestId = sdk?.$metadata?.requestId ?? '';
  return { kind, errno: number, endpoint: status >= 500 || status === 429, code, status, requestId, waitMs };
}

/** Not a failure of the storage's but of ours: never tried again, never told as one. */
export function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}

export function failed(step: string, path: string, number: number): never {
  throw new StoreError({ errno: -number, step, path });
}
