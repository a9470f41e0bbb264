/** An image gets the arena of one before it: nothing of the old bytes goes to storage, and no foreign process gets it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { gen, type HostScript } from '../support/host-program.ts';

const mib = 1 << 20;
/** Three slots of 4 MiB, for a writer and for a reader's read-ahead. */
const arenaBytes = 12 * mib;

/** Inodes of the arenas that the engine has mapped. */
function arenas(engine: TestEngine): string[] {
  const maps = readFileSync(`/proc/${engine.pid}/maps`, 'utf8');
  const inodes = maps.matchAll(/^\S+ \S+ \S+ \S+ (\d+)\s+\/memfd:vast-ost-arena/gm);
  return [...new Set([...inodes].map(([, inode]) => inode as string))].sort();
}

async function keptBytes(engine: TestEngine, bytes: number): Promise<void> {
  await expect.poll(async () => (await engine.status()).memory.keptBytes, { interval: 5, timeout: 10_000 }).toBe(bytes);
}

/** An image that fills every slot with its own bytes. */
async function fill(host: HostScript, date: number): Promise<void> {
  await host.ok(`create_image v i lsu full ${date}`);
  await host.ok(`write i 0 ${arenaBytes + mib} 9`);
  await host.ok('close i complete');
}

test('what lay in an arena before is never written', async () => {
  await using engine = await TestEngine.start();
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await fill(host, 1);
  await keptBytes(engine, arenaBytes);
  const [first] = arenas(engine);
  /** Lengths of writes one behind the other; a flush after each. */
  const images = [[512], [4096 + 512], [mib + 1536], [512, 512, 7 * 512], [4 * mib - 512, 1024], [1536, 5 * mib + 512]];
  for (const [i, lengths] of images.entries()) {
    await host.ok(`create_image v i lsu short ${i + 1}`);
    let at = 0;
    for (const length of lengths) {
      await host.ok(`write i ${at} ${length} 5`);
      await host.ok('flush i');
      at += length;
    }
    expect(arenas(engine)).toEqual([first]);
    await host.ok('close i complete');
    const data = readFileSync(join(engine.store, `lsu/short~${i + 1}/image.data`));
    expect(data.length).toBe(at);
    expect(data.equals(gen(5, 0, at))).toBe(true);
    await keptBytes(engine, arenaBytes);
  }
  // A hole that is filled late, in sectors that hold something of each.
  await host.ok('create_image v i lsu holes 1');
  for (const [at, length] of [
    [0, 512],
    [8192 + 512, 512],
    [512, 8192],
  ])
    await host.ok(`write i ${at} ${length} 5`);
  await host.ok('close i complete');
  expect(readFileSync(join(engine.store, 'lsu/holes~1/image.data')).equals(gen(5, 0, 9216))).toBe(true);
  expect(engine.bugs()).toEqual([]);
});

test('a reader begins with the arena of a writer, and its bytes are those of its image', async () => {
  await using engine = await TestEngine.start();
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await fill(host, 1);
  await host.ok('create_image v i lsu other 1');
  await host.ok(`write i 0 ${9 * mib + 512} 5`);
  await host.ok('close i complete');
  await keptBytes(engine, arenaBytes);
  const [first] = arenas(engine);
  await host.ok('open_image v r lsu other 1 read');
  expect(await host.ok(`read r 0 ${mib} expect=5`)).toMatchObject({ got: mib, match: true });
  expect(arenas(engine)).toEqual([first]);
  expect(await host.ok(`read r ${mib} ${16 * mib} expect=5`)).toMatchObject({ got: 8 * mib + 512, match: true });
  await host.ok('close r incomplete');
  await keptBytes(engine, arenaBytes);
  expect(engine.bugs()).toEqual([]);
});

test('another process gets an arena when its process is dead, not before', async () => {
  await using engine = await TestEngine.start();
  let first: string | undefined;
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await fill(host, 1);
    await keptBytes(engine, arenaBytes);
    [first] = arenas(engine);
    await using other = await engine.script();
    await other.ok('create_image v i lsu other 1');
    await other.ok('write i 0 512 5');
    expect(arenas(engine)).toHaveLength(2);
    await other.ok('close i incomplete');
    await keptBytes(engine, 2 * arenaBytes);
  }
  await using third = await engine.script();
  // The engine may hear of the end of the two a moment later: every image that comes meanwhile gets an arena of its own.
  const mine = (): string => readFileSync(`/proc/${third.child.pid}/maps`, 'utf8');
  for (let i = 0; i < 20 && !mine().includes(` ${first} `); i++) {
    await third.ok(`create_image v i${i} lsu third ${i + 1}`);
    await third.ok(`write i${i} 0 512 5`);
  }
  expect(mine()).toContain(` ${first} `);
  expect(engine.bugs()).toEqual([]);
});
