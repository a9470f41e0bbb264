/**
 * Images that are longer than one object may be: the server takes two parts an object, the engine goes on in the next.
 * Written, flushed, killed, gone on with, read back, copied, deleted.
 */
import { createHash } from 'node:crypto';
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { freshFragment } from '../../workers/s3/fragment-upload.ts';
import { ImageKeys } from '../../workers/s3/keys.ts';
import { Upload } from '../../workers/s3/upload.ts';
import { runVastOst } from '../support/cli.ts';
import type { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { gen, type HostScript } from '../support/host-program.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';
import { aws, settingsOf, storeOver } from './store-kit.ts';

const mib = 1 << 20;
const partMib = 8;
const partsMax = 2;
const fullBytes = partsMax * partMib * mib;
const seed = 5;
const dir = 'lsu/image~7/';

/** Made once: it takes longer than all else here. */
let known: Buffer = Buffer.alloc(0);
function whole(size: number): Buffer {
  if (known.length < size) known = gen(seed, 0, size);
  return known.subarray(0, size);
}
const crc64 = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);
const startServer = (max = partsMax) => S3Server.start({ limits: { partsMax: max } });
const startEngine = (server: S3Server): Promise<TestEngine> =>
  startS3Engine({
    server,
    endpoints: server.url,
    keys: { part_size_mb: partMib, parts_in_flight: 2 },
    config: { engine: { connect_wait_s: 1 } },
  });

interface Fragment {
  name: string;
  size: number;
  crc64: string;
}

function metaOf(server: S3Server): { size: number; state: string; checksum: string; fragment_list: Fragment[] } {
  return JSON.parse(server.bytes(`${dir}image.meta`).toString());
}

/** The bucket holds exactly this image, complete, each object as its meta says. */
function expectStored(server: S3Server, size: number): Fragment[] {
  const meta = metaOf(server);
  expect(meta).toMatchObject({ state: 'complete', size });
  let at = 0;
  for (const { name, size: bytes, crc64: crc } of meta.fragment_list) {
    const stored = server.bytes(dir + name);
    expect(stored.equals(whole(size).subarray(at, at + bytes)), name).toBe(true);
    expect(crc).toBe(crc64(stored).toString(16).padStart(16, '0'));
    at += bytes;
    if (at < size) expect(at % mib, 'a border stands between chunks').toBe(0);
  }
  expect(meta.checksum).toBe(`sha256:${createHash('sha256').update(whole(size)).digest('hex')}`);
  const names = meta.fragment_list.map(({ name }) => name);
  expect(server.keys(dir).sort()).toEqual([...names, 'image.meta', 'image.sums'].map((name) => dir + name).sort());
  expect(server.uploads().filter(({ key }) => key.startsWith(dir))).toEqual([]);
  return meta.fragment_list;
}

async function expectRead(host: HostScript, size: number, image = 'image'): Promise<void> {
  await host.ok(`open_image v r lsu ${image} 7 1`);
  expect(await host.ok(`read r 0 ${size + mib} expect=${seed}`)).toMatchObject({ got: size, match: true });
  for (let border = fullBytes; border < size; border += fullBytes) {
    const got = Math.min(4096, size - border + 1000);
    expect(await host.ok(`read r ${border - 1000} 4096 expect=${seed}`)).toMatchObject({ got, match: true });
  }
  await host.ok('close r 0');
}

async function begin(host: HostScript, bytes: number): Promise<void> {
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  if (bytes > 0) await host.ok(`write i 0 ${bytes} ${seed}`);
}

async function durableOf(host: HostScript): Promise<number> {
  return ((await host.ok('prop i')) as unknown as { durable: number }).durable;
}

describe('an image that is', () => {
  const sizes: [string, number, number[]][] = [
    ['just full', fullBytes, [fullBytes]],
    ['longer by a sector', fullBytes + 512, [fullBytes, 512]],
    ['two, a part and a tail', 2 * fullBytes + 6 * mib + 1536, [fullBytes, fullBytes, 6 * mib + 1536]],
  ];
  test.each(sizes)(
    '%s: is cut at the part limit, read as one, and leaves nothing when deleted',
    async (_, size, cuts) => {
      await using server = await startServer();
      await using engine = await startEngine(server);
      await using host = await s3Script(engine);
      await begin(host, size);
      await host.ok('close i 1');
      expect(expectStored(server, size).map((one) => one.size)).toEqual(cuts);
      expect(await host.ok('prop_byname v lsu image 7')).toMatchObject({ size, fragments: cuts.length });
      await expectRead(host, size);
      await host.ok('copy v lsu copy 7 lsu image 7');
      await expectRead(host, size, 'copy');
      const copied = JSON.parse(server.bytes('lsu/copy~7/image.meta').toString());
      expect(copied.checksum).toBe(metaOf(server).checksum);
      for (const { name, crc64: crc } of copied.fragment_list as Fragment[]) {
        expect(crc).toBe(
          crc64(server.bytes(`lsu/copy~7/${name}`))
            .toString(16)
            .padStart(16, '0'),
        );
      }
      await host.ok('delete v lsu image 7');
      await host.ok('delete v lsu copy 7');
      expect(server.keys('lsu/')).toEqual(['lsu/.lsu']);
      expect(engine.bugs()).toEqual([]);
    },
  );
});

test('an endpoint that takes one part an object is written to all the same', async () => {
  await using server = await startServer(1);
  await using engine = await startEngine(server);
  await using host = await s3Script(engine);
  const size = 2 * partMib * mib + 512;
  await begin(host, size);
  await host.ok('close i 1');
  expect(expectStored(server, size)).toHaveLength(3);
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.ok(`read r 0 ${size} expect=${seed}`)).toMatchObject({ got: size, match: true });
  await host.ok('close r 0');
  expect(engine.bugs()).toEqual([]);
});

test('a full fragment becomes an object while the image is pending, once it is durable; nobody takes it for complete', async () => {
  await using server = await startServer();
  await using engine = await startEngine(server);
  await using host = await s3Script(engine);
  await begin(host, 2 * fullBytes + 512);
  await host.ok('flush i');
  await until(() => server.has(`${dir}image.data.0002`));
  expect(server.bytes(`${dir}image.data.0002`).equals(whole(2 * fullBytes).subarray(fullBytes))).toBe(true);
  expect(metaOf(server)).toMatchObject({
    state: 'pending',
    fragment_list: [
      { name: 'image.data', size: fullBytes, crc64: null },
      { name: 'image.data.0002', size: fullBytes, crc64: null },
      { name: 'image.data.0003', size: 512, crc64: null },
    ],
  });
  await host.ok('close i 0');
  expect((await host.call('open_image v r lsu image 7 1')).name).not.toBe('STS_EOK');
  expect(await host.ok('prop_byname v lsu image 7')).toMatchObject({ state: 'pending' });
  await host.ok('delete v lsu image 7');
  expect(server.keys('lsu/')).toEqual(['lsu/.lsu']);
  expect(server.uploads()).toEqual([]);
});

test.each([
  ['at the end of the first fragment', fullBytes],
  ['with a tail that is all of the second', fullBytes + 2 * mib + 512],
  ['in the second, behind a part', fullBytes + 7 * mib],
  ['in the third', 2 * fullBytes + 6 * mib + 512],
])('flushed %s, an image is continued by another engine, twice', async (_, first) => {
  await using server = await startServer();
  await using engine = await startEngine(server);
  {
    await using host = await s3Script(engine);
    await begin(host, first);
    await host.ok('flush i');
    await host.ok(`write i ${first} ${9 * mib} 6`);
    await engine.kill();
  }
  await engine.launch();
  const second = first + 11 * mib + 1024;
  {
    await using host = await s3Script(engine);
    await host.ok('open_image v i lsu image 7 2');
    expect(await durableOf(host)).toBe(first);
    await host.ok(`write i ${first} ${second - first} ${seed}`);
    await host.ok('close i 0');
    expect(await engine.stop()).toBe(0);
  }
  await engine.launch();
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  expect(await durableOf(host)).toBe(second);
  await host.ok(`write i ${second} ${partMib * mib} ${seed}`);
  await host.ok('close i 1');
  const size = second + partMib * mib;
  expectStored(server, size);
  await expectRead(host, size);
  expect(engine.bugs()).toEqual([]);
});

test.each([
  ['nothing', 0],
  ['some of the first fragment', 6 * mib + 512],
  ['some of the second fragment', fullBytes + 8 * mib + 512],
  ['all', 2 * fullBytes + 6 * mib],
])(
  'killed in the commit with every object made, and %s of it promised: pending, and continued',
  async (_, promised) => {
    await using server = await startServer();
    await using engine = await startEngine(server);
    const size = 2 * fullBytes + 6 * mib;
    let durable = 0;
    {
      await using host = await s3Script(engine);
      await begin(host, promised);
      if (promised > 0) await host.ok('flush i');
      if (size > promised) await host.ok(`write i ${promised} ${size - promised} ${seed}`);
      durable = await durableOf(host);
      // Only a commit puts the sums as a whole, and its meta comes behind them.
      const held = server.faults.add({
        match: { op: 'PutObject', key: `${dir}image.sums` },
        action: { do: 'stall', at: 'start' },
      });
      const closing = host.call('close i 1').catch(() => null);
      await held.stalled();
      const names = ['image.data', 'image.data.0002', 'image.data.0003'];
      await until(() => names.every((name) => server.has(dir + name)) && server.uploads().length === 0);
      await engine.kill();
      server.faults.clear();
      await closing;
    }
    await engine.launch();
    await using host = await s3Script(engine);
    expect(await host.ok('prop_byname v lsu image 7')).toMatchObject({ state: 'pending' });
    await host.ok('open_image v i lsu image 7 2');
    const again = await durableOf(host);
    expect(again).toBeGreaterThanOrEqual(durable);
    if (again < size) await host.ok(`write i ${again} ${size - again} ${seed}`);
    await host.ok('close i 1');
    expectStored(server, size);
    await expectRead(host, size);
    expect(engine.bugs()).toEqual([]);
  },
);

test('a resume that comes to less than the dead writer had leaves nothing of what was above', async () => {
  await using server = await startServer();
  await using engine = await startEngine(server);
  const first = 4 * mib + 512;
  {
    await using host = await s3Script(engine);
    await begin(host, first);
    await host.ok('flush i');
    const held = server.faults.add({
      match: { op: 'PutObject', key: `${dir}image.meta` },
      action: { do: 'stall', at: 'start' },
    });
    const writing = host.call(`write i ${first} ${2 * fullBytes} 6`).catch(() => null);
    await held.stalled();
    await until(() => server.uploads().length === 2);
    await engine.kill();
    server.faults.clear();
    await writing;
  }
  for (const n of ['0002', '0003']) server.plant(`${dir}image.data.${n}`, Buffer.alloc(99));
  await engine.launch();
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  expect(await durableOf(host)).toBe(first);
  await host.ok('close i 1');
  expectStored(server, first);
});

test('an image in 512 objects is full: told, and pending at what is durable', async () => {
  await using server = await startServer(1);
  const store = storeOver(settingsOf(server), { ...aws, partsMax: 1 });
  const fragments = Array.from({ length: 512 }, (_, i) => ({ ...freshFragment(i + 1, i * 5 * mib), object: 5 * mib }));
  const upload = new Upload(
    store.objects,
    new ImageKeys('', 'lsu', 'image~7'),
    {},
    { fragments, tail: Buffer.alloc(0) },
  );
  await expect(upload.write(512 * 5 * mib, Buffer.alloc(5 * mib), false)).rejects.toMatchObject({
    failure: { step: expect.stringContaining('an image of 512 objects of 1 parts is full; raise part_size_mb') },
  });
  await store.close();
});

test('an endpoint that takes more parts, or fewer, in the middle of an image moves no border that is there', async () => {
  await using server = await startServer(10);
  const store = storeOver(settingsOf(server), { ...aws, partsMax });
  const { objects } = store;
  const upload = new Upload(objects, new ImageKeys('', 'lsu', 'image~7'), {});
  const write = async (length: number): Promise<void> => {
    await upload.write(upload.end, whole(upload.end + length).subarray(upload.end), false);
  };
  const sizes = (): number[] => upload.fragments(upload.end).map(({ size }) => size);
  for (let i = 0; i < 3; i++) await write(5 * mib);
  await write(mib + 512);
  objects.abilities = { ...aws, partsMax: 10 };
  expect(sizes()).toEqual([10 * mib, 6 * mib + 512]);
  await write(6 * mib);
  await write(5 * mib);
  expect(sizes()).toEqual([10 * mib, 17 * mib + 512]);
  objects.abilities = { ...aws, partsMax };
  expect(sizes()).toEqual([10 * mib, 17 * mib, 512]);
  // What a meta was just told holds no more: it must not be put over objects that are cut otherwise.
  objects.abilities = { ...aws, partsMax: 10 };
  await expect(upload.complete(upload.end)).rejects.toMatchObject({
    failure: { step: expect.stringContaining('take another number of parts') },
  });
  const told = upload.fragments(upload.end);
  await upload.complete(upload.end);
  expect(told.map(({ name }) => server.bytes(dir + name).length)).toEqual([10 * mib, 17 * mib + 512]);
  const stored = Buffer.concat(told.map(({ name }) => server.bytes(dir + name)));
  expect(stored.equals(whole(upload.end))).toBe(true);
  await store.close();
});

test('gc ends an upload of a further fragment that no record names, and no other', async () => {
  await using server = await startServer();
  await using engine = await startEngine(server);
  {
    await using host = await s3Script(engine);
    await begin(host, fullBytes + 7 * mib);
    await host.ok('close i 0');
  }
  const store = storeOver(settingsOf(server));
  const start = (key: string) =>
    store.objects.bucket.send(new CreateMultipartUploadCommand({ Bucket: server.bucket, Key: key }));
  const recorded = server.uploads().map(({ id }) => id);
  expect(recorded.length).toBeGreaterThan(0);
  await start(`${dir}image.data.0002`);
  await start(`${dir}image.data.0003`);
  await start('lsu/nowhere~7/image.data.0004');
  await start('lsu/nowhere~7/image.data.4');
  await store.close();
  const gc = await runVastOst('gc', 's3', '--config', engine.config, '--older-than', '0s');
  expect(gc).toMatchObject({ code: 0, errors: '' });
  expect(gc.text).toContain('3 removed');
  expect(
    server
      .uploads()
      .map(({ id, key }) => (recorded.includes(id) ? 'ours' : key))
      .sort(),
  ).toEqual([...recorded.map(() => 'ours'), 'lsu/nowhere~7/image.data.4'].sort());
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  await host.ok('close i 1');
  expectStored(server, fullBytes + 7 * mib);
  await host.ok('delete v lsu image 7');
  expect(server.keys('lsu/')).toEqual(['lsu/.lsu']);
});

test('damage and loss of one object are told with its name', async () => {
  await using server = await startServer();
  await using engine = await startEngine(server);
  await using host = await s3Script(engine);
  const size = 2 * fullBytes + 512;
  await begin(host, size);
  await host.ok('close i 1');
  server.flip(`${dir}image.data.0002`, 3 * mib, 1);
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.call(`read r ${fullBytes + 3 * mib} 100`)).toMatchObject({
    name: 'STS_EDAMAGED',
    text: expect.stringContaining(`offset ${fullBytes + 3 * mib}`),
  });
  expect(await host.ok(`read r ${fullBytes} ${mib} expect=${seed}`)).toMatchObject({ match: true });
  await host.ok('close r 0');
  server.plant(`${dir}image.data.0002`, Buffer.alloc(77));
  expect(await host.call('open_image v r lsu image 7 1')).toMatchObject({
    name: 'STS_EDAMAGED',
    text: expect.stringContaining(`image.data.0002 has 77 bytes, ${fullBytes} were stored`),
  });
});
