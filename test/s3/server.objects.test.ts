/** The test server's objects: what goes in comes out, ranges, conditions, metadata, deletes. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Random, seed } from '../support/addon-kit.ts';
import { ask, md5Base64 } from './raw-client.ts';
import { S3Server } from './server/server.ts';

const random = new Random(seed);

test('an object comes back as it was put, with its headers and its MD5 as ETag', async () => {
  await using server = await S3Server.start();
  const body = random.bytes(3 * 2 ** 20 + 17);
  const headers = { 'content-type': 'application/x-image', 'x-amz-meta-image': 'one, two' };
  const put = await ask(server, { method: 'PUT', key: 'a/b c+d(1)é', body, headers });
  expect(put.text).toBe('');
  expect(put.status).toBe(200);
  expect(put.headers.etag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
  expect(put.headers['x-amz-request-id']).toMatch(/^[0-9A-F]{16}$/);
  const got = await ask(server, { key: 'a/b c+d(1)é' });
  expect(got.status).toBe(200);
  expect(got.body.equals(body)).toBe(true);
  expect(got.headers).toMatchObject({ ...headers, etag: put.headers.etag, 'content-length': String(body.length) });
  const head = await ask(server, { method: 'HEAD', key: 'a/b c+d(1)é' });
  expect(head.status).toBe(200);
  expect(head.headers).toMatchObject({ ...headers, 'content-length': String(body.length) });
  expect(server.bytes('a/b c+d(1)é').equals(body)).toBe(true);
  expect(server.counter('PutObject')).toEqual({ count: 1, errors: 0, bytesIn: body.length, bytesOut: 0 });
  expect(server.counter('GetObject')).toEqual({ count: 1, errors: 0, bytesIn: 0, bytesOut: body.length });
});

test('one range is answered as HTTP has it, and what lies behind the end is refused', async () => {
  await using server = await S3Server.start();
  const body = random.bytes(1000);
  server.plant('k', body);
  const cases: [range: string, from: number, to: number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    ['bytes=990-2000', 990, 1000],
    ['bytes=400-', 400, 1000],
    ['bytes=-7', 993, 1000],
    ['bytes=-5000', 0, 1000],
  ];
  for (const [range, from, to] of cases) {
    const got = await ask(server, { key: 'k', headers: { range } });
    expect([range, got.status, got.headers['content-range']]).toEqual([range, 206, `bytes ${from}-${to - 1}/1000`]);
    expect(got.body.equals(body.subarray(from, to))).toBe(true);
  }
  for (const range of ['bytes=1000-', 'bytes=1000-1001', 'bytes=-0']) {
    const got = await ask(server, { key: 'k', headers: { range } });
    expect([range, got.status, got.code]).toEqual([range, 416, 'InvalidRange']);
  }
  for (const range of ['bytes=0-1,4-5', 'bytes=9-8', 'items=0-1', 'bytes=-']) {
    expect([range, (await ask(server, { key: 'k', headers: { range } })).status]).toEqual([range, 200]);
  }
});

test('a missing object and a missing bucket are told apart; HEAD says it without a body', async () => {
  await using server = await S3Server.start();
  expect(await ask(server, { key: 'none' })).toMatchObject({ status: 404, code: 'NoSuchKey' });
  expect(await ask(server, { path: '/none/key' })).toMatchObject({ status: 404, code: 'NoSuchBucket' });
  expect(await ask(server, { method: 'HEAD', key: 'none' })).toMatchObject({ status: 404, text: '' });
  expect(await ask(server, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  expect(await ask(server, { method: 'HEAD', path: '/none' })).toMatchObject({ status: 404, text: '' });
  const error = await ask(server, { key: 'none' });
  expect(error.text).toContain('<Resource>/test-bucket/none</Resource>');
  expect(error.text).toContain(`<RequestId>${error.headers['x-amz-request-id']}</RequestId>`);
});

test('conditional writes: honoured, ignored in silence, or refused, as the switch says', async () => {
  await using server = await S3Server.start();
  const put = (headers: Record<string, string>, body = 'x') =>
    ask(server, { method: 'PUT', key: 'k', body, headers }).then(({ status, code }) => `${status} ${code}`);
  expect(await put({ 'if-match': '*' })).toBe('404 NoSuchKey');
  expect(await put({ 'if-none-match': '*' })).toBe('200 ');
  expect(await put({ 'if-none-match': '*' }, 'y')).toBe('412 PreconditionFailed');
  expect(server.bytes('k').toString()).toBe('x');
  expect(await put({ 'if-match': `"${'0'.repeat(32)}"` }, 'y')).toBe('412 PreconditionFailed');
  expect(await put({ 'if-match': `"${server.object('k').etag}"` }, 'z')).toBe('200 ');
  expect(await put({ 'if-none-match': '"abc"' })).toBe('501 NotImplemented');
  server.options.conditionalPut = 'refuse';
  expect(await put({ 'if-none-match': '*' })).toBe('501 NotImplemented');
  server.options.conditionalPut = 'ignore';
  expect(await put({ 'if-none-match': '*' }, 'w')).toBe('200 ');
  expect(server.bytes('k').toString()).toBe('w');
});

test('of two conditional puts at the same time one wins, though both heads were good', async () => {
  await using server = await S3Server.start();
  const stall = server.faults.add({ match: { op: 'PutObject', nth: 1 }, action: { do: 'stall', at: 'read' } });
  const first = ask(server, { method: 'PUT', key: 'k', body: 'first', headers: { 'if-none-match': '*' } });
  await stall.stalled();
  const second = await ask(server, { method: 'PUT', key: 'k', body: 'second', headers: { 'if-none-match': '*' } });
  stall.release();
  expect([second.status, (await first).status]).toEqual([200, 412]);
  expect(server.bytes('k').toString()).toBe('second');
});

test('reads with conditions answer 304 and 412', async () => {
  await using server = await S3Server.start();
  server.plant('k', Buffer.from('x'));
  const etag = `"${server.object('k').etag}"`;
  expect((await ask(server, { key: 'k', headers: { 'if-none-match': etag } })).status).toBe(304);
  expect((await ask(server, { key: 'k', headers: { 'if-match': etag } })).status).toBe(200);
  expect((await ask(server, { key: 'k', headers: { 'if-match': '"other"' } })).status).toBe(412);
});

test('metadata over 2 KiB, keys over 1024 bytes, bodies over the limit and a full bucket are refused', async () => {
  await using server = await S3Server.start({ limits: { putBytesMax: 100, quotaBytes: 150 } });
  const put = (what: Parameters<typeof ask>[1]) =>
    ask(server, { method: 'PUT', key: 'k', ...what }).then(({ status, code }) => `${status} ${code}`);
  expect(await put({ headers: { 'x-amz-meta-abcd': 'v'.repeat(2045) } })).toBe('400 MetadataTooLarge');
  expect(await put({ headers: { 'x-amz-meta-abcd': 'v'.repeat(2044) } })).toBe('200 ');
  expect(await put({ key: 'é'.repeat(513) })).toBe('400 KeyTooLongError');
  expect(await put({ key: 'é'.repeat(512) })).toBe('200 ');
  expect(await put({ body: 'x'.repeat(101) })).toBe('400 EntityTooLarge');
  expect(await put({ body: 'x'.repeat(100) })).toBe('200 ');
  expect(await put({ key: 'l', body: 'x'.repeat(51) })).toBe('403 QuotaExceeded');
  expect(await put({ key: 'l', body: 'x'.repeat(50) })).toBe('200 ');
});

test('deletes: one, many with a digest of the list, and what is not there', async () => {
  await using server = await S3Server.start();
  for (const key of ['a', 'b<&>', 'c']) server.plant(key, Buffer.from(key));
  expect((await ask(server, { method: 'DELETE', key: 'a' })).status).toBe(204);
  expect((await ask(server, { method: 'DELETE', key: 'a' })).status).toBe(204);
  const body =
    '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>b&lt;&amp;&gt;</Key></Object><Object><Key>none</Key></Object></Delete>';
  const many = (headers: Record<string, string>, list = body) =>
    ask(server, { method: 'POST', query: { delete: '' }, body: list, headers });
  expect(await many({})).toMatchObject({ status: 400, code: 'InvalidRequest' });
  expect(await many({ 'content-md5': md5Base64('another') })).toMatchObject({ status: 400, code: 'BadDigest' });
  expect(server.keys()).toEqual(['b<&>', 'c']);
  const done = await many({ 'content-md5': md5Base64(body) });
  expect([done.status, [...done.text.matchAll(/<Deleted><Key>([^<]*)/g)].map((match) => match[1])]).toEqual([
    200,
    ['b&lt;&amp;&gt;', 'none'],
  ]);
  expect(server.keys()).toEqual(['c']);
  const broken = '<Delete><Object></Delete>';
  expect((await many({ 'content-md5': md5Base64(broken) }, broken)).code).toBe('MalformedXML');
});

test('a reader goes on with the object that it began with, though it is overwritten and deleted', async () => {
  await using server = await S3Server.start();
  const body = random.bytes(4 * 2 ** 20);
  server.plant('k', body);
  const stall = server.faults.add({ match: { op: 'GetObject' }, action: { do: 'stall', at: 'out', bytes: 1000 } });
  const got = ask(server, { key: 'k' });
  await stall.stalled();
  server.plant('k', Buffer.from('new'));
  server.uproot('k');
  stall.release();
  expect((await got).body.equals(body)).toBe(true);
});
