/**
 * Images that are longer than one object may be: the server takes two parts an object, the engine goes on in the next.
 * Written, flushed, read back, copied, deleted.
 */
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshFragment } from '../../workers/s3/fragment-upload.ts';
import { ImageKeys } from '../../workers/s3/keys.ts';
import { Upload } from '../../workers/s3/upload.ts';
import { runVastOst } from '../support/cli.ts';
import type { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { s3Script } from './engine-kit.ts';
import {
  begin,
  crc64,
  dirIn,
  expectRead,
  expectStored,
  type Fragment,
  fullBytes,
  metaOf,
  mib,
  partMib,
  partsMax,
  seed,
  startEngine,
  startServer,
  uploadsBelow,
  whole,
} from './fragments-kit.ts';
import type { S3Server } from './server/server.ts';
import { aws, settingsOf, storeOver } from './store-kit.ts';

describe('an image that is', () => {
  const held = new AsyncDisposableStack();
  let server!: S3Server;
  let engine!: TestEngine;
  beforeAll(async () => {
    server = held.use(await startServer());
    engine = held.use(await startEngine(server));
  });
  afterAll(() => held.disposeAsync());

  const sizes: [string, number, number[]][] = [
    ['just full', fullBytes, [fullBytes]],
    ['longer by a sector', fullBytes + 512, [fullBytes, 512]],
    ['two, a part and a tail', 2 * fullBytes + 6 * mib + 1536, [fullBytes, fullBytes, 6 * mib + 1536]],
  ];
  test.each(sizes)(
    '%s: is cut at the part limit, read as one, and leaves nothing when deleted',
    async (_, size, cuts) => {
      const lsu = `cut${size}`;
      await using host = await s3Script(engine);
      await begin(host, lsu, size);
      await host.ok('close i 1');
      expect(expectStored(server, lsu, size).map((one) => one.size)).toEqual(cuts);
      expect(await host.ok(`prop_byname v ${lsu} image 7`)).toMatchObject({ size, fragments: cuts.length });
      await expectRead(host, lsu, size);
      await host.ok(`copy v ${lsu} copy 7 ${lsu} image 7`);
      await expectRead(host, lsu, size, 'copy');
      const copied = JSON.parse(server.bytes(`${lsu}/copy~7/image.meta`).toString());
      expect(copied.checksum).toBe(metaOf(server, lsu).checksum);
      for (const { name, crc64: crc } of copied.fragment_list as Fragment[]) {
        expect(crc).toBe(
          crc64(server.bytes(`${lsu}/copy~7/${name}`))
            .toString(16)
            .padStart(16, '0'),
        );
      }
      await host.ok(`delete v ${lsu} image 7`);
      await host.ok(`delete v ${lsu} copy 7`);
      expect(server.keys(`${lsu}/`)).toEqual([`${lsu}/.lsu`]);
      expect(engine.bugs()).toEqual([]);
    },
  );

  test('pending: a full fragment becomes an object once it is durable; nobody takes it for complete', async () => {
    const lsu = 'pending';
    const dir = dirIn(lsu);
    await using host = await s3Script(engine);
    await begin(host, lsu, 2 * fullBytes + 512);
    await host.ok('flush i');
    await until(() => server.has(`${dir}image.data.0002`));
    expect(server.bytes(`${dir}image.data.0002`).equals(whole(2 * fullBytes).subarray(fullBytes))).toBe(true);
    expect(metaOf(server, lsu)).toMatchObject({
      state: 'pending',
      fragment_list: [
        { name: 'image.data', size: fullBytes, crc64: null },
        { name: 'image.data.0002', size: fullBytes, crc64: null },
        { name: 'image.data.0003', size: 512, crc64: null },
      ],
    });
    await host.ok('close i 0');
    expect((await host.call(`open_image v r ${lsu} image 7 1`)).name).not.toBe('STS_EOK');
    expect(await host.ok(`prop_byname v ${lsu} image 7`)).toMatchObject({ state: 'pending' });
    await host.ok(`delete v ${lsu} image 7`);
    expect(server.keys(`${lsu}/`)).toEqual([`${lsu}/.lsu`]);
    expect(uploadsBelow(server, `${lsu}/`)).toEqual([]);
  });

  test('damaged, or has lost an object: that is told with its name', async () => {
    const lsu = 'damaged';
    const second = `${dirIn(lsu)}image.data.0002`;
    await using host = await s3Script(engine);
    await begin(host, lsu, 2 * fullBytes + 512);
    await host.ok('close i 1');
    server.flip(second, 3 * mib, 1);
    await host.ok(`open_image v r ${lsu} image 7 1`);
    expect(await host.call(`read r ${fullBytes + 3 * mib} 100`)).toMatchObject({
      name: 'STS_EDAMAGED',
      text: expect.stringContaining(`offset ${fullBytes + 3 * mib}`),
    });
    expect(await host.ok(`read r ${fullBytes} ${mib} expect=${seed}`)).toMatchObject({ match: true });
    await host.ok('close r 0');
    server.plant(second, Buffer.alloc(77));
    expect(await host.call(`open_image v r ${lsu} image 7 1`)).toMatchObject({
      name: 'STS_EDAMAGED',
      text: expect.stringContaining(`image.data.0002 has 77 bytes, ${fullBytes} were stored`),
    });
  });
});

test('an endpoint that takes one part an object is written to all the same', async () => {
  await using server = await startServer(1);
  await using engine = await startEngine(server);
  await using host = await s3Script(engine);
  const size = 2 * partMib * mib + 512;
  await begin(host, 'lsu', size);
  await host.ok('close i 1');
  expect(expectStored(server, 'lsu', size)).toHaveLength(3);
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.ok(`read r 0 ${size} expect=${seed}`)).toMatchObject({ got: size, match: true });
  await host.ok('close r 0');
  expect(engine.bugs()).toEqual([]);
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
  const dir = dirIn('lsu');
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
  const dir = dirIn('lsu');
  await using server = await startServer();
  await using engine = await startEngine(server);
  {
    await using host = await s3Script(engine);
    await begin(host, 'lsu', fullBytes + 7 * mib);
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
  expectStored(server, 'lsu', fullBytes + 7 * mib);
  await host.ok('delete v lsu image 7');
  expect(server.keys('lsu/')).toEqual(['lsu/.lsu']);
});
