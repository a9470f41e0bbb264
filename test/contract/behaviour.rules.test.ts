/** The rules of docs/behaviour.md that stand in no cell of a table, one test each. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled, until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';

let engine: TestEngine;
let from: Baseline;
let host: HostScript;

beforeAll(async () => {
  engine = await TestEngine.start();
  from = baseline(engine);
  host = await engine.script();
  await host.ok('create_lsu v lsu');
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await settled(engine, from);
  await engine[Symbol.asyncDispose]();
});

async function refused(line: string, name: string, text: string): Promise<void> {
  expect(await host.call(line)).toMatchObject({ name: `STS_${name}`, text: expect.stringContaining(text) });
}

const dataOf = (image: string): string => join(engine.store, `lsu/${image}~7/image.data`);
const size = (image: string): number => statSync(dataOf(image)).size;

test('a block is submitted when full, at an offset jump, at flush and at close, and not before', async () => {
  const block = 4 << 20;
  await host.ok('create_image v w lsu blocks 7');
  await host.ok('write w 0 512 3');
  await host.ok(`write w 512 ${block - 1024} 3`);
  expect((await host.ok('prop w')).size).toBe(0);
  await host.ok(`write w ${block - 512} 512 3`); // full
  await until(async () => (await host.ok('prop w')).size === block);
  await until(() => size('blocks') >= block);
  await host.ok(`write w ${block} 512 3`);
  expect((await host.ok('prop w')).size).toBe(block);
  await host.ok(`write w ${2 * block} 512 3`); // a jump
  await until(async () => (await host.ok('prop w')).size === block + 512);
  await host.ok(`write w ${block + 512} ${block - 512} 3`);
  await host.ok('flush w');
  expect((await host.ok('prop w')).size).toBe(2 * block + 512);
  await host.ok(`write w ${2 * block + 512} 512 3`);
  expect((await host.ok('prop w')).size).toBe(2 * block + 512);
  await host.ok('close w 1');
  expect((await host.ok('prop_byname v lsu blocks 7')).size).toBe(2 * block + 1024);
});

test('a hole is told at flush and at either close, by its first missing range, and may be filled', async () => {
  for (const [flags, left] of [
    [0, 1],
    [1, 1],
  ] as const) {
    await host.ok(`create_image v w lsu hole-${flags} 7`);
    await host.ok('write w 4096 512 3');
    await refused('flush w', 'EINVAL', 'bytes 0 to 4096 were never written');
    await host.ok('write w 0 512 3');
    await refused('flush w', 'EINVAL', 'bytes 512 to 4096 were never written');
    await refused(`close w ${flags}`, 'EINVAL', 'bytes 512 to 4096 were never written');
    expect((await host.ok(`prop_byname v lsu hole-${flags} 7`)).state_bits).toBe(left);
  }
  await host.ok('create_image v w lsu hole-2 7');
  await host.ok('write w 4096 512 3');
  await refused('flush w', 'EINVAL', 'never written');
  await host.ok('write w 0 4096 3');
  await host.ok('close w 1');
});

test('a write after reopening that lies beyond the durable size names what is missing', async () => {
  await host.ok('create_image v w lsu beyond 7');
  await host.ok('write w 0 1024 3');
  await host.ok('close w 0');
  await host.ok('open_image v w lsu beyond 7 write');
  await host.ok('write w 2048 512 3');
  await refused('flush w', 'EINVAL', 'the first write begins at 2048, but bytes from 1024 are missing');
  await refused('close w 1', 'EINVAL', 'the first write begins at 2048');
  expect(await host.ok('prop_byname v lsu beyond 7')).toMatchObject({ state_bits: 1, size: 1024 });
});

test('opaque metadata is durable with flush and close, and refused on a complete image', async () => {
  await host.ok('create_image v w lsu opaque 7');
  await host.ok('meta_write_bytes w 0 text:before');
  await host.ok('flush w');
  await host.ok('meta_write_bytes w 0 text:behind');
  await host.ok('close w 1');
  await host.ok('open_image v r lsu opaque 7 read');
  expect(await host.ok('meta_read r 0 100')).toMatchObject({ hex: Buffer.from('behind').toString('hex') });
  await refused('meta_write_bytes r 0 text:x', 'ESTATE', 'is open for read');
  await host.ok('close r 0');
});

test('an image that exists throughout is listed exactly once while others come and go', async () => {
  await using other = await engine.script();
  await host.ok('create_lsu v listed');
  await host.ok('images v listed stays 0 60 512 1 date=7');
  await host.ok('images v listed goes 0 30 0 1 date=7');
  await host.ok('open_image_list v l listed all');
  const seen: string[] = [];
  for (let i = 0; ; i++) {
    const answer = await host.call('list_image l');
    if (answer.name === 'STS_ENOENT') break;
    expect(answer.name).toBe('STS_EOK');
    seen.push(String(answer.image));
    if (i % 3 === 0 && i < 90) {
      await other.ok(`delete v listed goes${i / 3} 7`);
      await other.ok(`create_image v n listed new${i} 0`);
      await other.ok('close n 1');
    }
  }
  await host.ok('close_image_list l');
  const stays = seen.filter((name) => name.startsWith('stays')).sort();
  expect(stays).toEqual(Array.from({ length: 60 }, (_, i) => `stays${i}`).sort());
  expect(new Set(seen).size).toBe(seen.length);
});

test('directories are 0750 and files 0640, whatever the umask', async () => {
  const old = process.umask(0o777);
  try {
    await using strict = await engineUnderUmask();
    await using client = await strict.script();
    await client.ok('create_lsu v lsu');
    await client.ok('create_image v w lsu modes 7');
    await client.ok('write w 0 512 3');
    await client.ok('flush w');
    const lsu = join(strict.store, 'lsu');
    const image = join(lsu, 'modes~7');
    for (const dir of [lsu, image]) expect(statSync(dir).mode & 0o7777, dir).toBe(0o750);
    for (const name of [...readdirSync(image), '../.lsu']) {
      expect(statSync(join(image, name)).mode & 0o7777, name).toBe(0o640);
    }
    await client.ok('close w 1');
  } finally {
    process.umask(old);
  }
});

/** Its directories were made before the umask would have hidden them. */
async function engineUnderUmask(): Promise<TestEngine> {
  const hidden = process.umask(0o022);
  const started = await TestEngine.start();
  process.umask(hidden);
  await started.stop();
  await started.launch();
  return started;
}
