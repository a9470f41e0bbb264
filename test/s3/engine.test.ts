/** Images through plug-in, engine and net lanes into a bucket, and back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { gen } from '../support/host-program.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { leaveTwice } from './resume-kit.ts';
import { caPath, S3Server } from './server/server.ts';

const mib = 1 << 20;

describe('an image that is', () => {
  // One server and one engine for all: each image has an LSU of its own, and nothing here ends either of them.
  const held = new AsyncDisposableStack();
  let server!: S3Server;
  let engine!: TestEngine;
  beforeAll(async () => {
    server = held.use(await S3Server.start());
    engine = held.use(await startS3Engine({ server, endpoints: server.url }));
  });
  afterAll(() => held.disposeAsync());

  test.each([
    ['empty', 0],
    ['smaller than a part', 3 * mib + 1536],
    ['one block', 8 * mib],
    ['one block and a little', 8 * mib + 512],
    ['several parts and a tail', 39 * mib + 1536],
  ])('%s is read back', async (_, size) => {
    const lsu = `lsu${size}`;
    await using host = await s3Script(engine);
    await host.ok(`create_lsu v ${lsu}`);
    await host.ok(`create_image v i ${lsu} image 7`);
    if (size > 0) await host.ok(`write i 0 ${size} 5`);
    await host.ok('close i 1');
    expect(Buffer.from(server.bytes(`${lsu}/image~7/image.data`) ?? []).equals(gen(5, 0, size))).toBe(true);
    expect(server.keys(`${lsu}/image~7/`).sort()).toEqual(
      ['image.data', 'image.meta', 'image.sums'].map((name) => `${lsu}/image~7/${name}`),
    );
    expect(server.uploads()).toEqual([]);
    expect(await host.ok(`prop_byname v ${lsu} image 7`)).toMatchObject({ size, state: 'complete' });
    await host.ok(`open_image v r ${lsu} image 7 1`);
    if (size > 0) expect(await host.ok(`read r 0 ${size} expect=5`)).toMatchObject({ got: size });
    await host.ok('close r 0');
    expect(engine.bugs()).toEqual([]);
  });

  test('written and read with requests that were sent again: they stand in its summary lines', async () => {
    const before = engine.log().length;
    await using host = await s3Script(engine);
    await host.ok('create_lsu v again');
    server.faults.add({
      match: { op: ['UploadPart', 'GetObject'], key: 'again/*.data', count: 2 },
      action: { do: 'answer', status: 500, code: 'InternalError' },
    });
    await host.ok('create_image v i again image 7');
    await host.ok(`write i 0 ${24 * mib} 5`);
    await host.ok('close i 1');
    await host.ok('open_image v r again image 7 1');
    await host.ok(`read r 0 ${24 * mib} expect=5`);
    await host.ok('close r 0');
    const summary = (msg: string) => engine.log().find((line, i) => i >= before && line.msg === msg);
    await until(() => summary('image read') !== undefined);
    expect(summary('image written')).toMatchObject({ retries: 2 });
    expect(summary('image read')).toMatchObject({ retries: 0 });
  });
});

test.each([
  ['that checks MD5 and signatures only', { mode: 'vast-like' as const }],
  ['that checks nothing and ignores conditions', { mode: 'naive' as const }],
  ['over TLS', { endpoints: [{ protocol: 'https' as const }] }],
])('an image goes to an endpoint %s, and back', async (_, options) => {
  await using server = await S3Server.start(options);
  const keys: Record<string, string> = server.url.startsWith('https') ? { ca_file: caPath } : {};
  await using engine = await startS3Engine({ server, endpoints: server.url, keys });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  await host.ok(`write i 0 ${21 * mib + 512} 5`);
  await host.ok('close i 1');
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.ok(`read r 0 ${64 * mib} expect=5`)).toMatchObject({ got: 21 * mib + 512 });
  await host.ok('close r 0');
  expect(engine.bugs()).toEqual([]);
});

test('parts of an image without sums go with CRCs of the digest lanes: the thread that sends them makes none', async () => {
  await using server = await S3Server.start();
  const config = { integrity: { sums: false, checksum: 'none' } };
  await using engine = await startS3Engine({ server, endpoints: server.url, config });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  await host.ok(`write i 0 ${3 * 8 * mib + 1536} 5`);
  await host.ok('close i 1');
  const { pools } = await engine.status();
  expect(pools.find(({ name }) => name === 'digest')).toMatchObject({ completed: 3 });
  expect(Buffer.from(server.bytes('lsu/image~7/image.data') ?? []).equals(gen(5, 0, 3 * 8 * mib + 1536))).toBe(true);
  expect(server.keys('lsu/image~7/').sort()).toEqual(['image.data', 'image.meta'].map((name) => `lsu/image~7/${name}`));
  expect(engine.bugs()).toEqual([]);
});

test('a long image becomes durable on its way: a new engine goes on there, and only what is above is sent again', async () => {
  await using server = await S3Server.start();
  await using engine = await startS3Engine({ server, endpoints: server.url, keys: { parts_in_flight: 2 } });
  const size = 137 * mib + 512;
  const slots = 4;
  let durable = 0;
  {
    await using host = await s3Script(engine);
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok(`write i 0 ${120 * mib} 5`);
    ({ durable } = (await host.ok('prop i')) as unknown as { durable: number });
    await engine.kill();
  }
  const partBytes = (): number =>
    server.requests
      .filter(({ op }) => op === 'UploadPart' || op === 'PutObject')
      .reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  // Slots that are filled and slots that are sent.
  expect(durable).toBeGreaterThanOrEqual((120 - 2 * slots * 8) * mib);
  await engine.launch();
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  const again = ((await host.ok('prop i')) as unknown as { durable: number }).durable;
  expect(again).toBeGreaterThanOrEqual(durable);
  await host.ok(`write i ${again} ${size - again} 5`);
  await host.ok('close i 1');
  expect(Buffer.from(server.bytes('lsu/image~7/image.data') ?? []).equals(gen(5, 0, size))).toBe(true);
  expect(partBytes() - size).toBeLessThanOrEqual(slots * 8 * mib + 2 * mib);
  expect(server.keys('lsu/image~7/')).toHaveLength(3);
  expect(server.uploads()).toEqual([]);
  expect(engine.bugs()).toEqual([]);
});

describe('a flushed image is continued by another engine, twice', () => {
  const rows = [
    { where: 'with a tail smaller than a part', first: 3 * mib + 512 },
    { where: 'behind parts', first: 19 * mib + 512 },
    { where: 'at the end of a part', first: 16 * mib },
  ].map((row, i) => ({ ...row, lsu: `lsu${i}`, second: row.first + 11 * mib + 1024 }));
  const held = new AsyncDisposableStack();
  let server!: S3Server;
  let engine!: TestEngine;
  /** What the second engine found, by LSU. */
  let resumed!: Map<string, number>;

  // The same three engines for all of them: the first is killed, the second stopped.
  beforeAll(async () => {
    server = held.use(await S3Server.start());
    engine = held.use(await startS3Engine({ server, endpoints: server.url }));
    resumed = await leaveTwice(engine, rows);
  });
  afterAll(() => held.disposeAsync());

  test.each(rows)('$where', async ({ lsu, first, second }) => {
    expect(resumed.get(lsu)).toBe(first);
    await using host = await s3Script(engine);
    await host.ok(`open_image v i ${lsu} image 7 2`);
    expect(await host.ok('prop i')).toMatchObject({ durable: second });
    await host.ok(`write i ${second} ${8 * mib} 5`);
    await host.ok('close i 1');
    await host.ok(`open_image v r ${lsu} image 7 1`);
    expect(await host.ok(`read r 0 ${64 * mib} expect=5`)).toMatchObject({ got: second + 8 * mib });
    await host.ok('close r 0');
    expect(await host.ok(`prop_byname v ${lsu} image 7`)).toMatchObject({ state: 'complete' });
    expect(server.keys(`${lsu}/image~7/`)).toHaveLength(3);
    expect(server.uploads().filter(({ key }) => key.startsWith(`${lsu}/`))).toEqual([]);
    expect(engine.bugs()).toEqual([]);
  });
});
