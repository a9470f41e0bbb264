/** The test server's judgement of signatures and payloads: each wrong one is sent, each is refused by its own code. */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { Random, seed } from '../support/addon-kit.ts';
import { crc64 } from '../support/crc64.ts';
import { type Ask, ask, md5Base64 } from './raw-client.ts';
import { S3Server, type StartOptions } from './server/server.ts';

const body = new Random(seed).bytes(100_000);
const minute = 60_000;

/** Status and code for a put that differs as `what` says. */
async function put(server: S3Server, what: Ask): Promise<string> {
  const { status, code } = await ask(server, { method: 'PUT', key: 'k', body, ...what });
  return `${status} ${code}`;
}

function base64(value: bigint | number, bytes: 4 | 8): string {
  const out = Buffer.alloc(bytes);
  if (bytes === 8) out.writeBigUInt64BE(BigInt(value));
  else out.writeUInt32BE(Number(value));
  return out.toString('base64');
}

const wrongSignatures: [name: string, what: Ask, answer: string][] = [
  ['an unknown key', { accessKeyId: 'OTHER' }, '403 InvalidAccessKeyId'],
  ['another secret', { secretAccessKey: 'other' }, '403 SignatureDoesNotMatch'],
  ['another region', { region: 'eu-west-9' }, '400 AuthorizationHeaderMalformed'],
  ['no signature', { tamper: (headers) => delete headers.authorization }, '403 AccessDenied'],
  [
    'a changed header',
    { headers: { 'x-amz-meta-a': '1' }, tamper: change('x-amz-meta-a', '2') },
    '403 SignatureDoesNotMatch',
  ],
  ['another host', { tamper: change('host', 'localhost:1') }, '403 SignatureDoesNotMatch'],
  ['a changed date', { tamper: change('x-amz-date', '20200101T000000Z') }, '400 AuthorizationHeaderMalformed'],
  ['no date', { tamper: (headers) => delete headers['x-amz-date'] }, '403 AccessDenied'],
  ['an x-amz header that is not signed', { unsignedHeaders: { 'x-amz-meta-b': '1' } }, '403 AccessDenied'],
  ['a Content-MD5 that is not signed', { unsignedHeaders: { 'content-md5': md5Base64(body) } }, '403 AccessDenied'],
  ['a clock 16 minutes ahead', { time: Date.now() + 16 * minute }, '403 RequestTimeTooSkewed'],
  ['a clock 16 minutes behind', { time: Date.now() - 16 * minute }, '403 RequestTimeTooSkewed'],
  ['half a signature', { tamper: (headers) => cut(headers) }, '400 AuthorizationHeaderMalformed'],
  ['signature version 2', { tamper: change('authorization', 'AWS KEY:abc=') }, '400 InvalidRequest'],
  ['a presigned address', { query: { 'X-Amz-Algorithm': 'AWS4-HMAC-SHA256' } }, '501 NotImplemented'],
  ['a token nobody asked for', { headers: { 'x-amz-security-token': 't' } }, '403 InvalidToken'],
];

function change(name: string, value: string): (headers: Record<string, string>) => void {
  return (headers) => {
    headers[name] = value;
  };
}

function cut(headers: Record<string, string>): void {
  headers.authorization = headers.authorization!.slice(0, -1);
}

test.for(wrongSignatures)('refuses %s', async ([, what, answer]) => {
  await using server = await S3Server.start();
  expect(await put(server, what)).toBe(answer);
  expect(server.keys()).toEqual([]);
  expect(await put(server, {})).toBe('200 ');
});

test('takes what is right though unusual: 14 minutes of skew, spaces and signs in key and query, any region where any will do', async () => {
  await using server = await S3Server.start({ region: '*' });
  expect(await put(server, { time: Date.now() - 14 * minute, region: 'anywhere' })).toBe('200 ');
  expect(await put(server, { key: "we ird/!'()*~+&=é?#%", query: { 'x-id': 'Put Object+é' } })).toBe('200 ');
  expect(server.keys()).toEqual(['k', "we ird/!'()*~+&=é?#%"]);
});

test('credentials: session tokens, expiry, rotation and denied operations take effect at once', async () => {
  const session = { accessKeyId: 'A', secretAccessKey: 'a', sessionToken: 'token' };
  await using server = await S3Server.start({ credentials: [session] });
  const headers = { 'x-amz-security-token': 'token' };
  expect(await put(server, {})).toBe('403 InvalidToken');
  expect(await put(server, { headers })).toBe('200 ');
  server.options.credentials[0]!.isExpired = true;
  expect(await put(server, { headers })).toBe('400 ExpiredToken');
  server.options.credentials = [{ accessKeyId: 'B', secretAccessKey: 'b', deny: ['DeleteObject'] }];
  expect(await put(server, { accessKeyId: 'A', headers })).toBe('403 InvalidAccessKeyId');
  expect(await put(server, {})).toBe('200 ');
  expect(await ask(server, { method: 'DELETE', key: 'k' })).toMatchObject({ status: 403, code: 'AccessDenied' });
  expect(server.keys()).toEqual(['k']);
});

test('a server whose clock is wrong says so by its Date, and takes what is signed by it', async () => {
  await using server = await S3Server.start({ clockOffsetMs: 60 * minute });
  const answer = await ask(server, { method: 'HEAD' });
  expect(answer.status).toBe(403);
  expect(await put(server, { time: Date.parse(answer.headers.date!) })).toBe('200 ');
});

const right = {
  crc64nvme: base64(crc64(body), 8),
  crc32: base64(crc32(body), 4),
  sha256: createHash('sha256').update(body).digest('base64'),
  sha1: createHash('sha1').update(body).digest('base64'),
};
const other = Buffer.from(body);
other[50_000]! ^= 1;

const payloads: [name: string, what: Ask, answer: string, options?: StartOptions][] = [
  ['a body of which one bit is another', { payload: sha256(other) }, '400 XAmzContentSHA256Mismatch'],
  ['no digest at all', { payload: 'abc' }, '400 InvalidArgument'],
  ['an unsigned payload', { payload: 'UNSIGNED-PAYLOAD' }, '200 '],
  [
    'an unsigned payload, switched off',
    { payload: 'UNSIGNED-PAYLOAD' },
    '400 InvalidRequest',
    { unsignedPayload: 'refuse' },
  ],
  [
    'an unsigned payload without TLS',
    { payload: 'UNSIGNED-PAYLOAD' },
    '400 InvalidRequest',
    { unsignedPayload: 'tls' },
  ],
  ['chunks with signatures', { payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }, '501 NotImplemented'],
  ['chunks with a trailer', { payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }, '501 NotImplemented'],
  ['aws-chunked as encoding', { headers: { 'content-encoding': 'aws-chunked' } }, '501 NotImplemented'],
  ['a trailer', { headers: { 'x-amz-trailer': 'x-amz-checksum-crc32' } }, '501 NotImplemented'],
  [
    'a body without its length',
    { tamper: chunked, headers: {} },
    '411 MissingContentLength',
    { verifySignature: false },
  ],
  ['the right Content-MD5', { headers: { 'content-md5': md5Base64(body) } }, '200 '],
  ['a wrong Content-MD5', { headers: { 'content-md5': md5Base64(other) } }, '400 BadDigest'],
  ['half a Content-MD5', { headers: { 'content-md5': 'YWJj' } }, '400 InvalidDigest'],
  ['two checksums', checksums({ crc32: right.crc32, sha1: right.sha1 }), '400 InvalidRequest'],
  ['a checksum of the wrong length', checksums({ crc64nvme: right.crc32 }), '400 InvalidRequest'],
  ['a kind of checksum that nobody knows', checksums({ xxhash64: right.crc64nvme }), '501 NotImplemented'],
  ['right crc64nvme', checksums({ crc64nvme: right.crc64nvme }), '200 '],
  ['wrong crc64nvme', checksums({ crc64nvme: base64(crc64(other), 8) }), '400 BadDigest'],
  ['right crc32', checksums({ crc32: right.crc32 }), '200 '],
  ['wrong crc32', checksums({ crc32: base64(crc32(other), 4) }), '400 BadDigest'],
  ['wrong crc32c', checksums({ crc32c: right.crc32 }), '400 BadDigest'],
  ['right sha256', checksums({ sha256: right.sha256 }), '200 '],
  ['wrong sha256', checksums({ sha256: createHash('sha256').update(other).digest('base64') }), '400 BadDigest'],
  ['right sha1', checksums({ sha1: right.sha1 }), '200 '],
  [
    'a right checksum of a kind it does not take',
    checksums({ crc64nvme: right.crc64nvme }),
    '501 NotImplemented',
    { mode: 'vast-like' },
  ],
  [
    'a wrong Content-MD5, as VAST would',
    { headers: { 'content-md5': md5Base64(other) } },
    '400 BadDigest',
    { mode: 'vast-like' },
  ],
  ['a wrong checksum, ignored', checksums({ crc64nvme: right.crc32 }), '200 ', { checksums: { crc64nvme: 'ignore' } }],
  ['a wrong Content-MD5, ignored', { headers: { 'content-md5': md5Base64(other) } }, '200 ', { contentMd5: 'ignore' }],
  [
    'everything wrong, in good faith',
    { payload: sha256(other), secretAccessKey: 'x', ...checksums({ crc32: 'x' }) },
    '200 ',
    { mode: 'naive' },
  ],
];

function checksums(values: Record<string, string>): Ask {
  const named = Object.entries(values).map(([name, value]) => [`x-amz-checksum-${name}`, value]);
  return { headers: Object.fromEntries(named) as Record<string, string>, payload: 'UNSIGNED-PAYLOAD' };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function chunked(headers: Record<string, string>): void {
  delete headers['content-length'];
  headers['transfer-encoding'] = 'chunked';
}

test.for(payloads)('payload: %s', async ([, what, answer, options]) => {
  await using server = await S3Server.start(options);
  expect(await put(server, what)).toBe(answer);
  expect(server.keys()).toEqual(answer === '200 ' ? ['k'] : []);
  expect(server.storedBytes).toBe(answer === '200 ' ? body.length : 0);
});

test('crc32c is the one of the standard', async () => {
  await using server = await S3Server.start();
  // RFC 3720's check value for "123456789".
  const headers = { 'x-amz-checksum-crc32c': base64(0xe3069283, 4) };
  expect(await put(server, { body: '123456789', headers })).toBe('200 ');
});

test('an object gives back the checksum that came with it, when asked', async () => {
  await using server = await S3Server.start();
  await put(server, checksums({ sha1: right.sha1 }));
  const asked = await ask(server, { key: 'k', headers: { 'x-amz-checksum-mode': 'ENABLED' } });
  expect(asked.headers['x-amz-checksum-sha1']).toBe(right.sha1);
  expect((await ask(server, { key: 'k' })).headers['x-amz-checksum-sha1']).toBeUndefined();
  await put(server, {});
  const computed = await ask(server, { method: 'HEAD', key: 'k', headers: { 'x-amz-checksum-mode': 'ENABLED' } });
  expect(computed.headers['x-amz-checksum-crc64nvme']).toBe(right.crc64nvme);
});

test('what it does not know it refuses: subresources, methods, names given twice', async () => {
  await using server = await S3Server.start();
  const code = async (what: Ask) => (await ask(server, what)).code;
  for (const name of ['acl', 'tagging', 'versionId', 'attributes']) {
    expect([name, await code({ key: 'k', query: { [name]: '' } })]).toEqual([name, 'NotImplemented']);
  }
  expect(await code({ method: 'PATCH', key: 'k' })).toBe('NotImplemented');
  expect(await code({})).toBe('NotImplemented');
  expect(await code({ path: '/test-bucket/%zz' })).toBe('InvalidURI');
  expect(await code({ path: '/test-bucket?a=1&a=2' })).toBe('InvalidRequest');
});
