/** Answers that break HTTP's or S3's promises: no byte and no name of them is believed. */
import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';
import { Bucket } from '../../workers/s3/bucket.ts';
import { ImageKeys } from '../../workers/s3/keys.ts';
import { NameLists } from '../../workers/s3/names.ts';
import { Objects } from '../../workers/s3/objects.ts';
import { removeAll } from '../../workers/s3/remove.ts';
import { Upload } from '../../workers/s3/upload.ts';
import type { StoreError, StoreFailure } from '../../workers/store.ts';
import { S3Server } from './server/server.ts';
import { aws, settingsOf, storeOver } from './store-kit.ts';

const object = randomBytes(100_000);
const key = 'lsu/image~7/image.data';

async function withObject(work: (server: S3Server, bucket: Bucket, etag: string) => Promise<void>): Promise<void> {
  await using server = await S3Server.start();
  server.plant(key, object);
  const bucket = new Bucket(settingsOf(server), {
    now: () => performance.now(),
    wait: async () => {},
    random: () => 0,
  });
  try {
    const { etag } = (await bucket.get(key, object.length)) ?? { etag: '' };
    await work(server, bucket, etag);
  } finally {
    await bucket.close();
  }
}

const brokenOff: [what: string, head: (etag: string) => Record<string, string>][] = [
  ['another range', (etag) => ({ 'content-range': 'bytes 0-19999/100000', etag })],
  ['another object', () => ({ 'content-range': 'bytes 50000-69999/100000', etag: '"another"' })],
  ['an object that says nothing of itself', () => ({ 'content-range': 'bytes 50000-69999/100000' })],
  ['the begin of the object', (etag) => ({ etag })],
];

test.each(brokenOff)('a body that breaks off leaves no byte of %s', async (_, head) => {
  await withObject(async (server, bucket, etag) => {
    const lines = Object.entries({ 'content-length': '20000', ...head(etag) }).map(
      ([name, text]) => `${name}: ${text}`,
    );
    const text = `HTTP/1.1 206 Partial Content\r\n${lines.join('\r\n')}\r\n\r\n${'x'.repeat(5000)}`;
    server.faults.add({ match: { op: 'GetObject', count: 1 }, action: { do: 'raw', text } });
    const into = Buffer.alloc(20_000);
    expect(await bucket.read(key, 50_000, into, { ifMatch: etag })).toBe(into.length);
    expect(into.equals(object.subarray(50_000, 70_000))).toBe(true);
  });
});

test('of a body that breaks off what was asked for is kept', async () => {
  await withObject(async (server, bucket, etag) => {
    const head = `content-length: 20000\r\ncontent-range: bytes 50000-69999/100000\r\netag: ${etag}`;
    const text = `HTTP/1.1 206 Partial Content\r\n${head}\r\n\r\n${'x'.repeat(5000)}`;
    server.faults.add({ match: { op: 'GetObject', count: 1 }, action: { do: 'raw', text } });
    const into = Buffer.alloc(20_000);
    expect(await bucket.read(key, 50_000, into, { ifMatch: etag })).toBe(into.length);
    expect(into.toString('latin1', 0, 5000)).toBe('x'.repeat(5000));
    expect(into.subarray(5000).equals(object.subarray(55_000, 70_000))).toBe(true);
  });
});

const page = { do: 'answer', status: 200, body: '<html>please log in</html>' } as const;

test('a page with 200 stores nothing, and the request goes out again', async () => {
  await withObject(async (server, bucket) => {
    server.faults.add({ match: { op: 'PutObject', count: 2 }, action: page });
    const objects = new Objects(bucket, aws);
    await objects.put('new', [Buffer.from('bytes')]);
    expect(server.bytes('new').toString()).toBe('bytes');
    server.faults.add({ match: { op: 'ListObjectsV2', count: 2 }, action: page });
    expect((await objects.list('lsu/')).objects).toMatchObject([{ key }]);
    expect(bucket.status().retries).toBe(4);
  });
});

test.each([
  ['a page', '<html>please log in</html>'],
  ['an error in a 200 with a line end', '<Error><Code>InternalError</Code></Error>\n'],
])('Complete is not done by %s', async (_, body) => {
  await withObject(async (server, bucket) => {
    const upload = new Upload(new Objects(bucket, aws), new ImageKeys('', 'lsu', 'image~7'), {});
    const bytes = randomBytes(6 << 20);
    await upload.write(0, bytes, false);
    server.faults.add({
      match: { op: 'CompleteMultipartUpload', count: 1 },
      action: { do: 'answer', status: 200, body },
    });
    await upload.complete(bytes.length);
    expect(server.bytes(key).equals(bytes)).toBe(true);
  });
});

test("somebody else's 404 does not say that there is no such object", async () => {
  await withObject(async (server, bucket) => {
    for (const body of ['', '404 page not found', '<html></html>']) {
      server.faults.add({ match: { op: 'GetObject', count: 1 }, action: { do: 'answer', status: 404, body } });
      expect((await bucket.get(key, object.length))?.bytes.equals(object)).toBe(true);
    }
    expect(await bucket.get('nothing', 1)).toBe(null);
  });
});

const list = (inside: string): string =>
  `<?xml version="1.0"?><ListBucketResult><Name>test-bucket</Name>${inside}</ListBucketResult>`;
const lists: [what: string, inside: string][] = [
  ['a key from elsewhere', '<IsTruncated>false</IsTruncated><Contents><Key>other/object</Key></Contents>'],
  [
    'a directory from elsewhere',
    '<IsTruncated>false</IsTruncated><CommonPrefixes><Prefix>lsu</Prefix></CommonPrefixes>',
  ],
  ['more, but not where', '<IsTruncated>true</IsTruncated><Contents><Key>lsu/image~7/x</Key></Contents>'],
  ['the same page again', '<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>'],
];

test.each(lists)('a list with %s is none, and nothing is removed by it', async (_, inside) => {
  await withObject(async (server, bucket) => {
    server.plant('other/object', object);
    const objects = new Objects(bucket, aws);
    server.faults.add({ match: { op: 'ListObjectsV2' }, action: { do: 'answer', status: 200, body: list(inside) } });
    await expect(removeAll(objects, new ImageKeys('', 'lsu', 'image~7'), { token: 't' })).rejects.toMatchObject({
      failure: { step: expect.stringContaining('an answer') },
    });
    expect(server.keys()).toEqual([key, 'other/object']);
  });
});

test('directories that others have beside ours are no names, and keep ours from no list', async () => {
  await withObject(async (server, bucket) => {
    for (const name of ['a name with blanks', 'é', `${'x'.repeat(300)}`, '.hidden'])
      server.plant(`lsu/${name}/x`, object);
    const lists = new NameLists();
    const open = lists.open('lsu/');
    const metaOf = (name: string): ImageKeys => new ImageKeys('', 'lsu', name);
    const { names } = await lists.take(new Objects(bucket, aws), open, 100, metaOf);
    expect(names.map(({ name }) => name)).toEqual(['image~7']);
  });
});

test("what the environment tells the SDK's other users is nothing to us", async () => {
  await withObject(async (server) => {
    const names = ['AWS_USE_FIPS_ENDPOINT', 'AWS_USE_DUALSTACK_ENDPOINT'];
    for (const name of names) vi.stubEnv(name, 'true');
    const bucket = new Bucket(settingsOf(server));
    try {
      expect((await bucket.get(key, object.length))?.bytes.equals(object)).toBe(true);
    } finally {
      vi.unstubAllEnvs();
      await bucket.close();
    }
  });
});

test.each([
  ['another store', encodeMarker(newMarker(new Date(0)))],
  ['no store', null],
])('an endpoint that shows %s in a bucket of the same name is not taken for one of ours', async (_, text) => {
  await using ours = await S3Server.start();
  await using other = await S3Server.start();
  ours.plant('.vast-ost-store', Buffer.from(encodeMarker(newMarker(new Date(0)))));
  if (text !== null) other.plant('.vast-ost-store', Buffer.from(text));
  const [{ endpoints }, more] = [settingsOf(ours), settingsOf(other)];
  const store = storeOver({ ...settingsOf(ours), endpoints: [...endpoints, ...more.endpoints] });
  const open = (): Promise<unknown> => store.openRoot({ root: '', requireMount: false, direct: false });
  try {
    await expect(open()).rejects.toMatchObject({
      failure: { text: expect.stringContaining('must all be addresses of one storage') },
    });
    // One that does not answer shows nothing.
    await other.endpoints[0]?.down();
    await open();
  } finally {
    await store.close();
    await other.endpoints[0]?.up();
  }
});

test('what an endpoint says of itself reaches no log as it is', async () => {
  await withObject(async (server, bucket) => {
    const code = `${'x'.repeat(5000)}\u001b[31m`;
    const action = {
      do: 'answer',
      status: 400,
      code,
      headers: { 'x-amz-request-id': `\u009b31m${'y'.repeat(5000)}` },
    } as const;
    server.faults.add({ match: { op: 'GetObject', count: 1 }, action });
    const failure = await bucket.get(key, 1).catch((error: StoreError) => error.failure);
    const { text = '' } = failure as StoreFailure;
    expect(text).toMatch(/^[\x20-\x7e]{1,700}$/);
    expect(bucket.status().endpoints[0]?.problem ?? '').toMatch(/^[\x20-\x7e]{0,400}$/);
  });
});
