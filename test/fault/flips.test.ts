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
import { directoryOf, type FlipImage, images, lsu, makeImages, tryFlip } from './flips/flipped.ts';

const flips = Number(process.env.VAST_OST_FLIPS ?? 100);
const limitMs = 60_000 + flips * 1000;
let engine: TestEngine;
let host: HostScript;

beforeAll(async () => {
  engine = await TestEngine.start();
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
    problems.push(...(await tryFlip(engine, host, image, next)));
  }
  expect(problems).toEqual([]);
  expect(engine.bugs()).toEqual([]);
});

const [, victim, other] = images as [FlipImage, FlipImage, FlipImage];

/** Opens the image with this meta, for reading and for writing; the text of both refusals. */
async function refusalsOf(text: Buffer): Promise<string[]> {
  const path = join(directoryOf(engine.store, victim.name), 'image.meta');
  const good = readFileSync(path);
  writeFileSync(path, text);
  const texts: string[] = [];
  for (const mode of [1, 2]) {
    const answer = await host.call(`open_image v r ${lsu} ${victim.name} 7 ${mode}`);
    texts.push(`${answer.name}: ${answer.text}`);
    if (answer.status === 0) await host.ok('close r 0');
  }
  writeFileSync(path, good);
  return texts;
}

const metaOf = (image: FlipImage): Buffer => readFileSync(join(directoryOf(engine.store, image.name), 'image.meta'));
/** Status, the image's name, and the field, or 'json' where the text is none. */
const named = new RegExp(`^STS_EDAMAGED: .*${victim.name}.*image\\.meta is damaged: .+: `);

test(`a flip anywhere in a meta fails the open, with image and field (seed ${seed})`, {
  timeout: limitMs,
}, async () => {
  const next = random(seed);
  const good = metaOf(victim);
  const wrong: string[] = [];
  for (let i = 0; i < Math.ceil(flips / 2); i++) {
    const damaged = Buffer.from(good);
    const byte = Math.floor(next() * damaged.length);
    damaged[byte] = (damaged[byte] ?? 0) ^ (1 << Math.floor(next() * 8));
    const texts = await refusalsOf(damaged);
    wrong.push(...texts.filter((text) => !named.test(text)).map((text) => `byte ${byte}: ${text}`));
  }
  expect(wrong).toEqual([]);
});

test('a meta that was cut off, edited by hand or is of another image fails the open, with image and field', async () => {
  const good = metaOf(victim).toString('latin1');
  for (const length of [0, 1, Math.floor(good.length / 2), good.length - 3]) {
    for (const text of await refusalsOf(Buffer.from(good.slice(0, length)))) expect(text).toMatch(/is damaged: json: /);
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
    for (const text of await refusalsOf(Buffer.from(good.replace(from, to)))) expect(text).toMatch(expected);
  }
  for (const text of await refusalsOf(metaOf(other))) {
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
