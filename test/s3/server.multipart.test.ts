/** The test server's multipart uploads: verified part by part and as a whole. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Random, seed } from '../support/addon-kit.ts';
import { crc64 } from '../support/crc64.ts';
import { type Answer, type Ask, ask } from './raw-client.ts';
import { S3Server } from './server/server.ts';

const random = new Random(seed);
const MiB = 2 ** 20;
const parts = [random.bytes(5 * MiB), random.bytes(5 * MiB + 3), random.bytes(77)];
const whole = Buffer.concat(parts);

async function begin(server: S3Server, headers: Record<string, string> = {}, key = 'big'): Promise<string> {
  const answer = await ask(server, { method: 'POST', key, query: { uploads: '' }, headers });
  expect(answer.text).toContain('<UploadId>');
  return /<UploadId>([^<]+)/.exec(answer.text)![1]!;
}

function putPart(server: S3Server, uploadId: string, partNumber: number, what: Ask = {}): Promise<Answer> {
  const query = { uploadId, partNumber: String(partNumber) };
  return ask(server, { method: 'PUT', key: 'big', query, body: parts[partNumber - 1], ...what });
}

/** Uploads the parts; returns their ETags. */
async function putParts(server: S3Server, uploadId: string, of: readonly Buffer[] = parts): Promise<string[]> {
  const etags: string[] = [];
  for (const [i, body] of of.entries()) etags.push((await putPart(server, uploadId, i + 1, { body })).headers.etag!);
  return etags;
}

function listXml(etags: readonly [part: number, etag: string, more?: string][]): string {
  const list = etags.map(
    ([part, etag, more]) =>
      `<Part><PartNumber>${part}</PartNumber><ETag>${etag.replace(/"/g, '&quot;')}</ETag>${more ?? ''}</Part>`,
  );
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n  ${list.join('\n')}\n</CompleteMultipartUpload>`;
}

async function complete(
  server: S3Server,
  uploadId: string,
  list: readonly [part: number, etag: string, more?: string][],
  headers: Record<string, string> = {},
): Promise<string> {
  const answer = await ask(server, { method: 'POST', key: 'big', query: { uploadId }, body: listXml(list), headers });
  return `${answer.status} ${answer.code}`;
}

function numbered(etags: readonly string[]): [number, string][] {
  return etags.map((etag, i) => [i + 1, etag]);
}

function crcHeader(bytes: Uint8Array): Record<string, string> {
  const crc = Buffer.alloc(8);
  crc.writeBigUInt64BE(crc64(bytes));
  return { 'x-amz-checksum-crc64nvme': crc.toString('base64'), 'x-amz-checksum-type': 'FULL_OBJECT' };
}

test('parts become one object: bytes, ETag, full-object CRC, headers of the start', async () => {
  await using server = await S3Server.start();
  const uploadId = await begin(server, { 'x-amz-meta-image': 'i' });
  const etags = await putParts(server, uploadId);
  expect(server.keys()).toEqual([]);
  expect(server.uploads().map(({ key, id }) => [key, id])).toEqual([['big', uploadId]]);
  const headers = { ...crcHeader(whole), 'x-amz-mp-object-size': String(whole.length) };
  expect(await complete(server, uploadId, numbered(etags), headers)).toBe('200 ');
  const md5s = parts.map((part) => createHash('md5').update(part).digest());
  const head = await ask(server, { method: 'HEAD', key: 'big' });
  expect(head.headers.etag).toBe(`"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-3"`);
  expect(head.headers['x-amz-meta-image']).toBe('i');
  expect((await ask(server, { key: 'big' })).body.equals(whole)).toBe(true);
  const range = `bytes=${5 * MiB - 2}-${10 * MiB + 9}`;
  const crossing = await ask(server, { key: 'big', headers: { range } });
  expect(crossing.body.equals(whole.subarray(5 * MiB - 2, 10 * MiB + 10))).toBe(true);
  expect([server.uploads(), server.storedBytes]).toEqual([[], whole.length]);
  expect(await complete(server, uploadId, numbered(etags))).toBe('404 NoSuchUpload');
  server.options.completeAgain = 'success';
  expect(await complete(server, uploadId, numbered(etags))).toBe('200 ');
});

test('Complete refuses what is not so, and the upload stays as it was', async () => {
  await using server = await S3Server.start();
  const uploadId = await begin(server);
  const [one, two, three] = (await putParts(server, uploadId)) as [string, string, string];
  const all = numbered([one, two, three]);
  const cases: [answer: string, list: [number, string, string?][], headers?: Record<string, string>][] = [
    [
      '400 InvalidPartOrder',
      [
        [2, two],
        [1, one],
      ],
    ],
    [
      '400 InvalidPartOrder',
      [
        [1, one],
        [1, one],
      ],
    ],
    ['400 InvalidPart', [[1, two]]],
    ['400 InvalidPart', [...all, [4, three]]],
    ['400 InvalidPart', [[1, one, '<ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>']]],
    ['400 MalformedXML', []],
    ['400 BadDigest', all, crcHeader(whole.subarray(1))],
    ['400 InvalidRequest', all, { 'x-amz-mp-object-size': String(whole.length - 1) }],
  ];
  for (const [answer, list, headers] of cases) {
    expect([answer, await complete(server, uploadId, list, headers)]).toEqual([answer, answer]);
  }
  expect(await complete(server, 'none', all)).toBe('404 NoSuchUpload');
  server.plant('big', Buffer.from('x'));
  expect(await complete(server, uploadId, all, { 'if-none-match': '*' })).toBe('412 PreconditionFailed');
  expect(server.uploads()[0]!.parts.size).toBe(3);
  server.uproot('big');
  expect(await complete(server, uploadId, all, { 'if-none-match': '*' })).toBe('200 ');
});

test('a part below 5 MiB may only be the last; parts, objects and their number have limits', async () => {
  await using server = await S3Server.start({
    limits: { partsMax: 3, partBytesMax: 6 * MiB, objectBytesMax: 11 * MiB },
  });
  const uploadId = await begin(server);
  const etags = await putParts(server, uploadId, [parts[0]!, parts[2]!, parts[2]!]);
  expect(await complete(server, uploadId, numbered(etags))).toBe('400 EntityTooSmall');
  expect((await putPart(server, uploadId, 4, { body: 'x' })).code).toBe('InvalidArgument');
  expect((await putPart(server, uploadId, 0, { body: 'x' })).code).toBe('InvalidArgument');
  expect((await putPart(server, uploadId, 2, { body: Buffer.alloc(6 * MiB + 1) })).code).toBe('EntityTooLarge');
  const last = (await putPart(server, uploadId, 3, { body: Buffer.alloc(6 * MiB) })).headers.etag!;
  const middle = (await putPart(server, uploadId, 2, { body: parts[1]! })).headers.etag!;
  expect(await complete(server, uploadId, numbered([etags[0]!, middle, last]))).toBe('400 EntityTooLarge');
  expect(await complete(server, uploadId, numbered([etags[0]!, middle]))).toBe('200 ');
  expect(server.storedBytes).toBe(parts[0]!.length + parts[1]!.length);
});

test('a checksum named at the start binds parts and list', async () => {
  await using server = await S3Server.start();
  const uploadId = await begin(server, { 'x-amz-checksum-algorithm': 'SHA256' });
  const sums = parts.map((part) => createHash('sha256').update(part).digest());
  const etags: string[] = [];
  for (const [i, sum] of sums.entries()) {
    const answer = await putPart(server, uploadId, i + 1, {
      headers: { 'x-amz-checksum-sha256': sum.toString('base64') },
    });
    expect(answer.headers['x-amz-checksum-sha256']).toBe(sum.toString('base64'));
    etags.push(answer.headers.etag!);
  }
  expect((await putPart(server, uploadId, 1, { headers: crcHeader(parts[0]!) })).code).toBe('InvalidRequest');
  expect(await complete(server, uploadId, numbered(etags))).toBe('400 InvalidRequest');
  const list = etags.map((etag, i): [number, string, string] => [
    i + 1,
    etag,
    `<ChecksumSHA256>${sums[i]!.toString('base64')}</ChecksumSHA256>`,
  ]);
  expect(await complete(server, uploadId, list)).toBe('200 ');
  const composite = createHash('sha256').update(Buffer.concat(sums)).digest('base64');
  expect(server.object('big').checksum).toEqual({ algorithm: 'sha256', value: `${composite}-3`, type: 'COMPOSITE' });
});

test('parts can be replaced, listed by pages, and are gone after Abort', async () => {
  await using server = await S3Server.start();
  const uploadId = await begin(server);
  for (const part of [7, 2, 9, 4]) await putPart(server, uploadId, part, { body: `part ${part}` });
  await putPart(server, uploadId, 4, { body: 'another part 4' });
  const list = async (query: Record<string, string>) => {
    const { text } = await ask(server, { key: 'big', query: { uploadId, ...query } });
    const found = [...text.matchAll(/<PartNumber>(\d+).*?<Size>(\d+)/g)].map((match) => `${match[1]}:${match[2]}`);
    return [found.join(' '), /<IsTruncated>(\w+)/.exec(text)![1], /<NextPartNumberMarker>(\d+)/.exec(text)![1]];
  };
  expect(await list({})).toEqual(['2:6 4:14 7:6 9:6', 'false', '9']);
  expect(await list({ 'max-parts': '3' })).toEqual(['2:6 4:14 7:6', 'true', '7']);
  expect(await list({ 'max-parts': '3', 'part-number-marker': '7' })).toEqual(['9:6', 'false', '9']);
  const abort = () => ask(server, { method: 'DELETE', key: 'big', query: { uploadId } });
  expect((await abort()).status).toBe(204);
  expect(await abort()).toMatchObject({ status: 404, code: 'NoSuchUpload' });
  expect(await putPart(server, uploadId, 1)).toMatchObject({ status: 404, code: 'NoSuchUpload' });
  expect(server.storedBytes).toBe(0);
});

test('a part that arrives while its upload is aborted is not kept', async () => {
  await using server = await S3Server.start();
  const uploadId = await begin(server);
  const stall = server.faults.add({ match: { op: 'UploadPart' }, action: { do: 'stall', at: 'in', bytes: 100_000 } });
  const part = putPart(server, uploadId, 1);
  await stall.stalled();
  await ask(server, { method: 'DELETE', key: 'big', query: { uploadId } });
  stall.release();
  expect(await part).toMatchObject({ status: 404, code: 'NoSuchUpload' });
  expect(server.storedBytes).toBe(0);
});

test('copies inside the server: a range as a part, an object whole', async () => {
  await using server = await S3Server.start();
  server.plant('source', whole, { 'x-amz-meta-a': 'b' });
  const uploadId = await begin(server);
  const source = { 'x-amz-copy-source': '/test-bucket/source' };
  const headers = { ...source, 'x-amz-copy-source-range': `bytes=10-${6 * MiB}` };
  const copied = await putPart(server, uploadId, 1, { body: '', headers });
  const etag = /<ETag>([^<]+)/.exec(copied.text)![1]!.replace(/&quot;/g, '"');
  expect(await complete(server, uploadId, [[1, etag]])).toBe('200 ');
  expect(server.bytes('big').equals(whole.subarray(10, 6 * MiB + 1))).toBe(true);
  expect((await ask(server, { method: 'PUT', key: 'copy', headers: source })).status).toBe(200);
  expect(server.bytes('copy').equals(whole)).toBe(true);
  expect(server.object('copy').headers['x-amz-meta-a']).toBe('b');
});

test('vast-like takes no checksum at any step, but multipart without; naive takes any list of parts', async () => {
  await using vast = await S3Server.start({ mode: 'vast-like' });
  const refused = await ask(vast, {
    method: 'POST',
    key: 'big',
    query: { uploads: '' },
    headers: { 'x-amz-checksum-algorithm': 'CRC64NVME' },
  });
  expect(refused.code).toBe('NotImplemented');
  const uploadId = await begin(vast);
  expect((await putPart(vast, uploadId, 1, { headers: crcHeader(parts[0]!) })).code).toBe('NotImplemented');
  const etags = await putParts(vast, uploadId);
  expect(await complete(vast, uploadId, numbered(etags), crcHeader(whole))).toBe('501 NotImplemented');
  expect(await complete(vast, uploadId, numbered(etags))).toBe('200 ');
  expect(vast.bytes('big').equals(whole)).toBe(true);

  await using naive = await S3Server.start({ mode: 'naive' });
  const naiveId = await begin(naive);
  const [, , three] = await putParts(naive, naiveId);
  expect(
    await complete(
      naive,
      naiveId,
      [
        [3, three!],
        [2, 'wrong'],
      ],
      crcHeader(whole),
    ),
  ).toBe('200 ');
  expect(naive.bytes('big').equals(Buffer.concat([parts[2]!, parts[1]!]))).toBe(true);
});
