/** AWS Signature Version 4, as the server reads it: everything is computed anew and compared. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Call } from './call.ts';
import { S3Error } from './error.ts';
import type { Credential, Options } from './options.ts';

const algorithm = 'AWS4-HMAC-SHA256';
const skewMaxMs = 15 * 60_000;

interface Authorization {
  accessKeyId: string;
  day: string;
  region: string;
  scope: string;
  signedHeaders: string[];
  signature: string;
}

/** Throws unless the head of the request is signed by a key of ours. The payload is another matter: payload.ts. */
export function verifySignature(call: Call, options: Options, now: number): void {
  const { headers } = call;
  if (call.query.has('X-Amz-Algorithm')) throw new S3Error('NotImplemented', 'Presigned requests are not implemented.');
  const authorization = readAuthorization(headers.get('authorization'));
  const time = readTime(headers.get('x-amz-date'));
  if (headers.get('x-amz-content-sha256') === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  const credential = options.credentials.find((one) => one.accessKeyId === authorization.accessKeyId);
  if (credential === undefined) {
    throw new S3Error('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
      AWSAccessKeyId: authorization.accessKeyId,
    });
  }
  checkSession(credential, headers.get('x-amz-security-token'));
  checkScope(authorization, headers.get('x-amz-date')!, options.region);
  if (Math.abs(now - time) > skewMaxMs) {
    throw new S3Error(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: headers.get('x-amz-date')!,
        ServerTime: new Date(now).toISOString(),
        MaxAllowedSkewMilliseconds: String(skewMaxMs),
      },
    );
  }
  checkSignedHeaders(call, authorization.signedHeaders);
  const canonical = canonicalRequest(call, authorization.signedHeaders);
  const text = `${algorithm}\n${headers.get('x-amz-date')}\n${authorization.scope}\n${sha256(canonical)}`;
  const expected = createHmac('sha256', signingKey(credential, authorization)).update(text).digest('hex');
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(authorization.signature))) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { AWSAccessKeyId: authorization.accessKeyId, StringToSign: text, CanonicalRequest: canonical },
    );
  }
  const op = call.op ?? '';
  if (credential.deny?.some((denied) => denied === '*' || denied === op)) {
    throw new S3Error('AccessDenied', `This key may not do ${op}.`);
  }
}

function readAuthorization(header: string | undefined): Authorization {
  if (header === undefined) throw new S3Error('AccessDenied', 'Access Denied: the request is not signed.');
  if (header.startsWith('AWS ')) {
    throw new S3Error('InvalidRequest', `Please use ${algorithm}: signature version 2 is switched off.`);
  }
  const match =
    /^AWS4-HMAC-SHA256 +Credential=([^/\s,]+)\/((\d{8})\/([^/\s,]+)\/s3\/aws4_request), *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (match === null) throw new S3Error('AuthorizationHeaderMalformed', 'The authorization header is malformed.');
  const [, accessKeyId, scope, day, region, signed, signature] = match as unknown as string[];
  return {
    accessKeyId: accessKeyId!,
    scope: scope!,
    day: day!,
    region: region!,
    signedHeaders: signed!.split(';'),
    signature: signature!,
  };
}

/** Milliseconds since 1970 of `20260101T000000Z`. */
function readTime(header: string | undefined): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(header ?? '');
  if (match === null) throw new S3Error('AccessDenied', 'AWS authentication requires a valid x-amz-date header.');
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function checkSession(credential: Credential, token: string | undefined): void {
  if (credential.isExpired) throw new S3Error('ExpiredToken', 'The provided token has expired.');
  if (credential.sessionToken !== token) {
    throw new S3Error('InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
}

function checkScope(authorization: Authorization, date: string, region: string): void {
  if (authorization.day !== date.slice(0, 8)) {
    throw new S3Error('AuthorizationHeaderMalformed', 'The day of the scope is not that of x-amz-date.');
  }
  if (region !== '*' && authorization.region !== region) {
    const message = `The authorization header is malformed; the region '${authorization.region}' is wrong; expecting '${region}'`;
    throw new S3Error('AuthorizationHeaderMalformed', message, { Region: region });
  }
}

/** Unsigned headers would let anyone on the way change what the request means. */
function checkSignedHeaders(call: Call, signed: readonly string[]): void {
  const sorted = [...new Set(signed)].sort();
  if (sorted.join() !== signed.join()) {
    throw new S3Error('AuthorizationHeaderMalformed', 'SignedHeaders must be sorted and name each header once.');
  }
  for (const name of call.headers.keys()) {
    const mustBeSigned = name === 'host' || name === 'content-md5' || name.startsWith('x-amz-');
    if (mustBeSigned && !signed.includes(name)) {
      throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
        HeadersNotSigned: name,
      });
    }
  }
  for (const name of ['host', ...signed]) {
    if (!call.headers.has(name)) throw new S3Error('SignatureDoesNotMatch', `Header ${name} is signed but absent.`);
  }
}

function canonicalRequest(call: Call, signed: readonly string[]): string {
  const path = decodeURIComponent(call.rawPath).split('/').map(encode).join('/');
  const query = [...call.query]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort((a, b) => (a[0] < b[0] ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = signed.map((name) => `${name}:${call.headers.get(name)!.trim().replace(/ +/g, ' ')}\n`).join('');
  return [call.method, path, query, headers, signed.join(';'), call.headers.get('x-amz-content-sha256')].join('\n');
}

/** All but A–Z a–z 0–9 - . _ ~ as %XX. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function signingKey(credential: Credential, { day, region }: Authorization): Buffer {
  let key: Buffer | string = `AWS4${credential.secretAccessKey}`;
  for (const step of [day, region, 's3', 'aws4_request']) key = createHmac('sha256', key).update(step).digest();
  return key as Buffer;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
