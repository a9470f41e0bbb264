/**
 * What a failed S3 request means: whether it is tried again, as which errno it is told, and what an administrator can do.
 * docs/operators/s3.md shows the same table; a test compares them.
 */
import { errno } from '../../engine/core/errors.ts';
import { HttpFailure } from '../http/client.ts';
import { StoreError } from '../store.ts';

/** 'again': tried again until the budget ends. 'elsewhere': at another endpoint, if there is one. 'failed': told at once. */
export type FailureKind = 'again' | 'elsewhere' | 'failed';

export interface FailureClass {
  readonly kind: FailureKind;
  /** Positive. */
  readonly errno: number;
  /** The endpoint is at fault, not the request: it is left alone for a while. */
  readonly endpoint: boolean;
  /** S3's codes, HTTP statuses, and the transport's codes that belong to it. */
  readonly signs: readonly string[];
  /** Ends the sentence that the host program and the log get. */
  readonly remedy: string;
}

const rights = 'check the key and the rights of its user on the bucket';
const network = 'check the endpoint and the network between';

const is = (
  kind: FailureKind,
  number: number,
  endpoint: boolean,
  signs: readonly string[],
  remedy: string,
): FailureClass => ({ kind, errno: number, endpoint, signs, remedy });

/** A sign is looked for from top to bottom; one that stands nowhere goes by its HTTP status. */
export const failureClasses = {
  clockSkew: is('failed', errno.EACCES, false, ['RequestTimeTooSkewed'], "set this machine's clock (NTP)"),
  expiredCredentials: is(
    'again',
    errno.EKEYEXPIRED,
    false,
    ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'],
    'renew the credentials; a credentials_file is read again by itself',
  ),
  noCredentials: is(
    'failed',
    errno.EACCES,
    false,
    ['CredentialsProviderError'],
    'set credentials_file, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the engine',
  ),
  unknownKey: is('failed', errno.EACCES, false, ['InvalidAccessKeyId'], 'check the access key'),
  badSignature: is('failed', errno.EACCES, false, ['SignatureDoesNotMatch'], 'check the secret key and the region'),
  denied: is('failed', errno.EACCES, false, ['AccessDenied', '401', '403'], rights),
  noBucket: is('failed', errno.ENXIO, false, ['NoSuchBucket'], 'check the bucket'),
  noUpload: is('failed', errno.ENOENT, false, ['NoSuchUpload'], 'somebody ended the upload; start the job again'),
  noObject: is('failed', errno.ENOENT, false, ['NoSuchKey', 'NotFound', '404'], 'somebody removed the object'),
  wrongPlace: is(
    'failed',
    errno.EREMOTE,
    false,
    ['PermanentRedirect', 'TemporaryRedirect', 'AuthorizationHeaderMalformed', '301', '307'],
    'check endpoints, region and addressing',
  ),
  exists: is('failed', errno.EEXIST, false, ['PreconditionFailed', '412'], 'another writer was there first'),
  conflict: is('again', errno.EBUSY, false, ['ConditionalRequestConflict', 'OperationAborted', '409'], 'try again'),
  tooLarge: is('failed', errno.EFBIG, false, ['EntityTooLarge', '413'], 'lower part_size_mb'),
  badParts: is(
    'failed',
    errno.EREMOTEIO,
    false,
    ['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'],
    'the endpoint does not know its parts any more; start the job again',
  ),
  quota: is(
    'failed',
    errno.EDQUOT,
    false,
    ['QuotaExceeded', 'QuotaExceededException', 'XMinioAdminBucketQuotaExceeded'],
    'raise the quota or expire images',
  ),
  full: is(
    'failed',
    errno.ENOSPC,
    false,
    ['InsufficientStorage', 'StorageFull', 'XMinioStorageFull', '507'],
    'free space on the storage or expire images',
  ),
  notImplemented: is(
    'failed',
    errno.EOPNOTSUPP,
    false,
    ['NotImplemented', 'MethodNotAllowed', '405', '501'],
    'the endpoint cannot do this; see its passport (vast-ost probe)',
  ),
  badRange: is('failed', errno.ENODATA, false, ['InvalidRange', '416'], 'the object is shorter than it was'),
  changedOnTheWay: is(
    'again',
    errno.EIO,
    false,
    [
      'BadDigest',
      'InvalidDigest',
      'XAmzContentSHA256Mismatch',
      'XAmzContentChecksumMismatch',
      'XMinioContentSHA256Mismatch',
    ],
    `bytes change on their way: ${network}`,
  ),
  incomplete: is('again', errno.ECONNRESET, false, ['IncompleteBody'], network),
  requestTimeout: is('again', errno.ETIMEDOUT, false, ['RequestTimeout', '408'], network),
  throttled: is(
    'again',
    errno.EAGAIN,
    true,
    ['Throttling', 'ThrottlingException', 'TooManyRequests', 'TooManyRequestsException', '429'],
    'lower parts_in_flight, or raise the limits of the endpoint',
  ),
  slowDown: is(
    'again',
    errno.EAGAIN,
    true,
    ['SlowDown', 'ServiceUnavailable', 'XMinioServerNotInitialized', '503'],
    'the endpoint is overloaded: lower parts_in_flight, or spread over more endpoints',
  ),
  serverError: is('again', errno.EIO, true, ['InternalError', '500', '502', '504'], "look at the storage's alarms"),
  refused: is('again', errno.ECONNREFUSED, true, ['ECONNREFUSED'], 'nobody listens there: check endpoints'),
  unreachable: is('again', errno.EHOSTUNREACH, true, ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'], network),
  unknownHost: is('again', errno.EHOSTUNREACH, true, ['ENOTFOUND', 'EAI_AGAIN'], 'the name is not known: check DNS'),
  reset: is('again', errno.ECONNRESET, true, ['ECONNRESET', 'EPIPE', 'ECONNABORTED'], network),
  stalled: is('again', errno.ETIMEDOUT, true, ['ETIMEDOUT'], `nothing moved: ${network}`),
  certificate: is(
    'elsewhere',
    errno.EACCES,
    true,
    ['tls'],
    "the endpoint's certificate is not trusted: set ca_file, or check the name in endpoints",
  ),
  badAnswer: is(
    'again',
    errno.EPROTO,
    true,
    ['EPROTOCOL', 'WrongRange', 'ShortBody', 'NotS3'],
    'is there an S3 endpoint?',
  ),
  otherStore: is('elsewhere', errno.ENXIO, true, ['WrongStore'], 'endpoints must all be addresses of one storage'),
  replaced: is('failed', errno.EBADMSG, false, ['WrongETag'], 'somebody replaced the object while it was read'),
  other: is('failed', errno.EPROTO, false, [], 'see the storage'),
} as const satisfies Record<string, FailureClass>;

export type FailureClassName = keyof typeof failureClasses;

const bySign = new Map<string, FailureClassName>(
  Object.entries(failureClasses).flatMap(([name, { signs }]) =>
    signs.map((sign): [string, FailureClassName] => [sign, name as FailureClassName]),
  ),
);

export interface S3Verdict {
  name: FailureClassName;
  /** S3's code, or the transport's. */
  code: string;
  /** HTTP status; 0: there was no answer. */
  status: number;
  requestId: string;
  /** Of Retry-After, milliseconds; 0: not given. */
  waitMs: number;
  /** A kept connection ended before an answer began: that says nothing of the endpoint. */
  stale: boolean;
  /** Bytes of a body that broke off, in the caller's memory. */
  received: number;
  /** Of the answer whose body that was: what those bytes are. */
  headers: Readonly<Record<string, string>>;
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

/** An answer that is no failure to S3, and one to us. */
export class WrongAnswer extends Error {
  readonly sign: 'WrongRange' | 'ShortBody' | 'WrongETag' | 'NotS3' | 'WrongStore';
  readonly requestId: string;
  constructor(sign: WrongAnswer['sign'], text: string, requestId: string) {
    super(text);
    this.sign = sign;
    this.requestId = requestId;
  }
}

const retryAfterMaxS = 60;
const nothing = { status: 0, requestId: '', waitMs: 0, stale: false, received: 0, headers: {} };
/** Failures of a handshake that say nothing of a certificate. */
const transportCodes: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNREFUSED', 'EPROTO']);

const requestIdMax = 128;
const codeMax = 64;

/** What came from outside, as a log and a terminal may have it. */
export function plain(text: string, max: number): string {
  return text.slice(0, max).replace(/[^\x20-\x7e]/g, '?');
}

function wordOf(code: string): string {
  return code.length <= codeMax && /^[\w.-]+$/.test(code) ? code : 'Unknown';
}

export function verdictOf(error: unknown): S3Verdict {
  if (error instanceof WrongAnswer) {
    const { sign } = error;
    return {
      ...nothing,
      name: bySign.get(sign) ?? 'other',
      code: sign,
      requestId: plain(error.requestId, requestIdMax),
    };
  }
  const failure = error instanceof HttpFailure ? error : (error as SdkError)?.cause;
  if (failure instanceof HttpFailure) {
    const { code, stage, stale, received, head } = failure;
    const sign = stage === 'tls' && !transportCodes.has(code) ? 'tls' : code;
    return { ...nothing, name: bySign.get(sign) ?? 'reset', code, stale, received, headers: head?.headers ?? {} };
  }
  const sdk = error as SdkError;
  const status = sdk?.$metadata?.httpStatusCode ?? 0;
  const code = wordOf(sdk?.Code ?? sdk?.name ?? '');
  // 200 with an error inside is an error of the server's that may pass.
  const byStatus =
    status === 200 ? 'serverError' : (bySign.get(String(status)) ?? (status >= 500 ? 'serverError' : 'other'));
  const seconds = Number(sdk?.$response?.headers?.['retry-after'] ?? 0);
  const waitMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, retryAfterMaxS) * 1000 : 0;
  const requestId = plain(sdk?.$metadata?.requestId ?? '', requestIdMax);
  return { ...nothing, name: bySign.get(code) ?? byStatus, code, status, requestId, waitMs };
}

/** Not a failure of the storage's but of ours: never tried again, never told as one. */
export function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}

/** `number`: positive errno, or one of the stores' own as it is. */
export function failed(step: string, path: string, number: number): never {
  throw new StoreError({ errno: number < 0 ? number : -number, step, path });
}
