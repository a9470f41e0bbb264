/** An image without sums: reads anywhere and of any length are right, and read no more of the storage than they must. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { seed } from '../support/property.ts';

/** What writes count in; reads may be of any bytes. */
const sector = 512;
const kib = 1024;
const mib = 1024 * kib;
const size = 9 * mib + sector;

/** Bytes that the engine has read by all its system calls. */
function readBytes(engine: TestEngine): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${engine.pid}/io`, 'utf8'))?.[1]);
}

/** Mulberry32: numbers below `most`. */
function numbers(from: number): (most: number) => number {
  let state = from >>> 0;
  return (most) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % most;
  };
}

test(`bytes of an image without sums, wherever they are read (seed ${seed})`, async () => {
  await using engine = await TestEngine.start({ config: { integrity: { sums: false, checksum: 'none' } } });
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 1');
  await host.ok(`write i 0 ${size} 5`);
  await host.ok('close i complete');
  await host.ok('open_image v r lsu image 1 read');
  const below = numbers(seed);
  const read = async (offset: number, length: number): Promise<void> => {
    const got = Math.min(length, size - offset);
    expect(await host.ok(`read r ${offset} ${length} expect=5`), `${length} at ${offset}`).toMatchObject({
      got,
      match: true,
    });
  };
  // Around borders of sectors, chunks and the end; then anywhere, with a reader that goes on now and then.
  for (const [offset, length] of [
    [size - 1, 1],
    [mib - 1, 2],
    [4095, 2],
    [size - sector, sector],
    [mib - sector, 2 * sector],
    [4 * kib, 4 * kib],
    [8 * mib + sector, 4 * kib],
    [size - 3 * sector, 4 * kib],
    [5 * mib + sector, 4 * mib],
    [0, sector],
    [3 * mib - 7 * sector, 7 * sector],
  ] as const)
    await read(offset, length);
  for (let i = 0; i < 40; i++) {
    const offset = below(size);
    const length = 1 + below(i % 4 === 0 ? 2 * mib : 9 * kib);
    await read(offset, length);
    if (i % 5 === 0 && offset + length < size) await read(offset + length, 1 + below(3 * mib));
  }
  // Each one in front of the one before, so that none goes on: two grains at most, and what the engine reads besides.
  const before = readBytes(engine);
  for (let i = 100; i > 0; i--) await read(i * 80 * kib + below(kib), 4 * kib);
  expect(readBytes(engine) - before).toBeLessThan(100 * 16 * kib);
  expect(engine.bugs()).toEqual([]);
});
