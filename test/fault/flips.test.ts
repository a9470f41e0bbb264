/**
 * Bits flipped at random in data, sums and metas: what was damaged is never handed out, and everything else is. More of
 * them: VAST_OST_FLIPS.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { random } from '../model/random-program.ts';
import { TestEngine } from '../support/engine.ts';
import type { HostScript } from '../support/host-program.ts';
import { seed } from '../support/seed.ts';
import {
  directoryOf,
  drawFlip,
  type FlipImage,
  images,
  lsu,
  makeImages,
  refusalsOf,
  StoredFiles,
  tryFlip,
  tryMetaFlip,
} from './flips/flipped.ts';

const flips = Number(process.env.VAST_OST_FLIPS ?? 100);
const limitMs = 60_000 + flips * 1000;
let engine: TestEngine;
let host: HostScript;
let stored: StoredFiles;

beforeAll(async () => {
  engine = await TestEngine.start();
  stored = new StoredFiles(engine.store);
  host = await engine.script();
  await makeImages(host);
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

test(`${flips} flips in data and sums fail the reads over them, and no other (seed ${seed})`, {
  timeout: limitMs,
}, async () => {
  const next = random(seed);
  const problems: string[] = [];
  for (let i = 0; i < flips && problems.length < 10; i++) {
    const image = images[Math.floor(next() * images.length)] as FlipImage;
    const drawn = drawFlip(image, next() < 0.6 ? 'image.data' : 'image.sums', stored, next);
    problems.push(...(await tryFlip(stored, host, image, drawn, next)).problems);
  }
  expect(problems).toEqual([]);
  expect(engine.bugs()).toEqual([]);
});

const [, victim, other] = images as [FlipImage, FlipImage, FlipImage];

/** The texts with which the image is not opened, with this meta. */
async function refusalsWith(text: Buffer): Promise<string[]> {
  const path = join(directoryOf(engine.store, victim.name), 'image.meta');
  const good = readFileSync(path);
  writeFileSync(path, text);
  const texts = await refusalsOf(host, victim);
  writeFileSync(path, good);
  return texts;
}

const metaOf = (image: FlipImage): Buffer => readFileSync(join(directoryOf(engine.store, image.name), 'image.meta'));
test(`a flip anywhere in a meta fails the open, with image and field (seed ${seed})`, {
  timeout: limitMs,
}, async () => {
  const next = random(seed);
  const wrong: string[] = [];
  for (let i = 0; i < Math.ceil(flips / 2); i++) {
    wrong.push(...(await tryMetaFlip(stored, host, victim, drawFlip(victim, 'image.meta', stored, next), next)));
  }
  expect(wrong).toEqual([]);
});

test('a meta that was cut off, edited by hand or is of another image fails the open, with image and field', async () => {
  const good = metaOf(victim).toString('latin1');
  for (const length of [0, 1, Math.floor(good.length / 2), good.length - 3]) {
    for (const text of await refusalsWith(Buffer.from(good.slice(0, length))))
      expect(text).toMatch(/is damaged: json: /);
  }
  const edits: [string, string, RegExp][] = [
    [`"size": ${victim.size}`, `"size": ${victim.size + 512}`, /is damaged: (durable_)?size: /],
    ['"state": "complete"', '"state": "pending"', /is damaged: checksum: /],
    ['"policy": null', '"policy": "changed"', /is damaged: meta_crc64: /],
    ['"format": 1', '"format": 2', /is damaged: format: /],
    ['"image_id"', '"image_di"', /is damaged: /],
  ];
  for (const [from, to, expected] of edits) {
    expect(good).toContain(from);
    for (const text of await refusalsWith(Buffer.from(good.replace(from, to)))) expect(text).toMatch(expected);
  }
  for (const text of await refusalsWith(metaOf(other))) {
    expect(text).toMatch(/^STS_EDAMAGED: .*image\.meta belongs to another image/);
  }
  expect(await host.ok(`prop_byname v ${lsu} ${victim.name} 7`)).toMatchObject({ state: 'complete' });
});

test('a damaged meta lists as pending and damaged, with size 0, and its image can be deleted', async () => {
  await host.ok(`create_image v i ${lsu} broken 7`);
  await host.ok('write i 0 1536 5');
  await host.ok('close i 1');
  writeFileSync(join(directoryOf(engine.store, 'broken'), 'image.meta'), '{');
  const listed = await host.ok(`list_images v ${lsu} pending`);
  expect(listed.images).toMatchObject([{ image: 'broken' }]);
  const prop = await host.ok(`prop_byname v ${lsu} broken 7`);
  expect(prop).toMatchObject({ size: 0 });
  expect(String(prop.state)).toMatch(/pending|damaged/);
  await host.ok(`delete v ${lsu} broken 7`);
  expect((await host.ok(`list_images v ${lsu} all`)).count).toBe(images.length);
});
