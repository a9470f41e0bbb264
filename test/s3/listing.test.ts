/**
 * Lists of images in a bucket: how many requests they take, and what engine and host program hold meanwhile. The objects
 * are planted at the server, past the protocol. All 100,000, with figures: VAST_OST_S3_LISTED=100000.
 */
import { expect, test } from 'vitest';
import { encodeLsu } from '../../engine/image/lsu.ts';
import { encodeMeta } from '../../engine/image/meta.ts';
import { imageDirName, lsuDirName } from '../../engine/image/names.ts';
import { addon } from '../../native/addon/index.ts';
import { marker } from '../contract/store-kit.ts';
import { rssAnon } from '../load/engine-use.ts';
import type { TestEngine } from '../support/engine.ts';
import type { HostScript } from '../support/host-program.ts';
import { exampleMeta } from '../support/metas.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';
import { settingsOf, storeOver } from './store-kit.ts';

const images = Number(process.env.VAST_OST_S3_LISTED ?? 1500);
/** Lists of so many come first: heaps of engine and host program have then met all that a list needs. */
const warmUp = 300;
const date = 1_705_314_600;
const growthMax = 30e6;
/** The engine looks whether the bucket is still there at least so far apart. */
const markerLookMs = 5000;
/** Between two looks at the memory. */
const entriesPerLook = 250;

const nameOf = (i: number): string => `client-${String(i).padStart(6, '0')}.example.com_C1_F1`;

/** LSU and complete images, as engines would have written them. */
function plantImages(server: S3Server, lsu: string, count: number): void {
  const dir = lsuDirName(lsu);
  server.plant(`${dir}/.lsu`, Buffer.from(encodeLsu({ lsu, label: '' })));
  for (let i = 0; i < count; i++) {
    const basename = nameOf(i);
    const image = `${dir}/${imageDirName(basename, date)}`;
    const meta = exampleMeta({
      lsu,
      basename,
      date,
      size: 512,
      fragments: [{ name: 'image.data', size: 512, crc64: 7n }],
      sums: { chunkBytes: 1_048_576, crc64: 0n },
      partial: { length: 512, crc64: 3n },
    });
    server.plant(`${image}/image.meta`, Buffer.from(encodeMeta(meta, crcOf), 'latin1'));
    server.plant(`${image}/image.data`, data);
  }
}

const data = Buffer.alloc(512);
const crcOf = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

test(`names alone of ${images} images take a request for each thousand`, { timeout: 120_000 }, async () => {
  await using server = await S3Server.start();
  plantImages(server, 'many', images);
  const store = storeOver(settingsOf(server));
  const root = server.url;
  await store.initRoot({ root, text: marker });
  await store.openRoot({ root, requireMount: false, direct: true });
  server.clearLog();
  const begin = performance.now();
  const { list } = await store.openNames({ lsu: 'many' });
  let seen = 0;
  for (;;) {
    const { names } = await store.nextNames({ list, lsu: 'many', max: 128, meta: false });
    if (names.length === 0) break;
    for (const { name } of names) expect(name).toBe(imageDirName(nameOf(seen++), date));
  }
  const ms = performance.now() - begin;
  await store.closeNames({ list });
  await store.close();
  expect(seen).toBe(images);
  const requests = server.requests.length;
  console.log(`names of ${images} images: ${requests} requests, ${(ms / 1000).toFixed(2)} s`);
  expect(requests).toBeLessThanOrEqual(images / 1000 + 10);
});

/** Reads a list to its end, looking at the engine's memory on the way. */
async function listAll(engine: TestEngine, host: HostScript, lsu: string, count: number) {
  const begin = performance.now();
  await host.ok(`open_image_list v l ${lsu} complete`);
  const first = await host.ok('list_image l');
  const firstMs = performance.now() - begin;
  let anonMax = rssAnon(engine.pid);
  let last = first;
  for (let seen = 1; seen < count; ) {
    const next = Math.min(entriesPerLook, count - seen);
    last = await host.ok(`repeat ${next} list_image l`);
    seen += next;
    anonMax = Math.max(anonMax, rssAnon(engine.pid));
  }
  expect(last).toMatchObject({ image: nameOf(count - 1) });
  expect((await host.call('list_image l')).name).toBe('STS_ENOENT');
  const ms = performance.now() - begin;
  await host.ok('close_image_list l');
  return { firstMs, ms, anonMax };
}

test(`${images} images are listed through engine and plug-in in bounded memory, a request for each`, {
  timeout: 120_000 + images * 10,
}, async () => {
  await using server = await S3Server.start();
  plantImages(server, 'small', warmUp);
  await using engine = await startS3Engine({ server, endpoints: server.url });
  await using host = await s3Script(engine);
  await listAll(engine, host, 'small', warmUp);
  // Only now: the engine sweeps what it finds at its start, with lists of its own.
  plantImages(server, 'many', images);
  const anonBefore = rssAnon(engine.pid);
  const hostBefore = Number((await host.ok('process')).rss_kb) * 1024;
  server.clearLog();
  const opened = server.connectionsOpened;
  const { firstMs, ms, anonMax } = await listAll(engine, host, 'many', images);
  const hostAfter = Number((await host.ok('process')).rss_kb) * 1024;
  const lists = server.counter('ListObjectsV2').count;
  const connections = server.connectionsOpened - opened;
  const gets = server.counter('GetObject').count;
  console.log(
    `${images} images through the engine: first entry after ${firstMs.toFixed(1)} ms, all in ${(ms / 1000).toFixed(2)} s ` +
      `(${Math.round((images / ms) * 1000)} a second), ${lists} lists and ${gets} reads of metas on ` +
      `${connections} more connections; RssAnon of the engine ${mb(anonBefore)} before, ${mb(anonMax)} at most; ` +
      `host program ${mb(hostBefore)} before, ${mb(hostAfter)} after`,
  );
  expect(lists).toBeLessThanOrEqual(images / 1000 + 10);
  // The LSU is looked at too, and every few seconds the marker.
  expect(gets).toBeLessThanOrEqual(images + 10 + Math.ceil(ms / markerLookMs));
  expect(connections).toBeLessThanOrEqual(20);
  expect(anonMax - anonBefore).toBeLessThanOrEqual(growthMax);
  expect(hostAfter - hostBefore).toBeLessThanOrEqual(4e6);
  expect(engine.bugs()).toEqual([]);
});

test('a list shows each image once, where pages are short and some hold no image at all', async () => {
  await using own = await S3Server.start({ limits: { listMax: 3 } });
  plantImages(own, 'lsu', 40);
  // Begun and given up by another engine, in whole pages before, among and behind the others.
  for (let i = 0; i < 20; i++) {
    for (const place of ['a', 'client-000020', 'z']) own.plant(`lsu/${place}-${i}~7/claim.1`, Buffer.from('{}'));
  }
  await using engine = await startS3Engine({ server: own, endpoints: own.url });
  await using host = await s3Script(engine);
  const { images: listed } = (await host.ok('list_images v lsu all')) as unknown as { images: { image: string }[] };
  expect(listed.map(({ image }) => image).sort()).toEqual(Array.from({ length: 40 }, (_, i) => nameOf(i)));
  expect(engine.bugs()).toEqual([]);
});

test('metas that fill an answer are hardly read twice', async () => {
  await using own = await S3Server.start();
  const dir = lsuDirName('lsu');
  own.plant(`${dir}/.lsu`, Buffer.from(encodeLsu({ lsu: 'lsu', label: '' })));
  const opaque = new Uint8Array(4000).fill(200);
  for (let i = 0; i < 100; i++) {
    const meta = exampleMeta({ lsu: 'lsu', basename: nameOf(i), date, opaque });
    own.plant(`${dir}/${imageDirName(nameOf(i), date)}/image.meta`, Buffer.from(encodeMeta(meta, crcOf), 'latin1'));
  }
  await using engine = await startS3Engine({ server: own, endpoints: own.url });
  await using host = await s3Script(engine);
  own.clearLog();
  expect((await host.ok('list_images v lsu all')).count).toBe(100);
  const metas = own.requests.filter(({ op, key }) => op === 'GetObject' && key.endsWith('/image.meta'));
  // Of the first batch nobody knew how long they are.
  expect(metas.length).toBeLessThanOrEqual(100 + 20);
  expect(engine.bugs()).toEqual([]);
});
