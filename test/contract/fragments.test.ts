/**
 * Images of several fragments in a directory, as an engine finds them that did not write them: made by hand, read in
 * order and at random across their borders, copied, and refused where a fragment is not what the meta says.
 */
import { appendFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fragmentsMax, type ImageMeta } from '../../engine/image/meta.ts';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled } from '../support/engine-state.ts';
import { gen, type HostScript } from '../support/host-program.ts';
import { writeImage } from '../support/store-dir.ts';

const mib = 1 << 20;
/** Borders: inside a slot, at a slot's end, and such that one slot has several. */
const cuts = [3 * mib, 5 * mib, mib, mib, 9 * mib, 2 * mib + 1536];
const size = cuts.reduce((sum, one) => sum + one, 0);
const data = gen(5, 0, size);

let engine: TestEngine;
let from: Baseline;
let host: HostScript;
let number = 0;
let name = '';
let path = '';

beforeAll(async () => {
  engine = await TestEngine.start();
  from = baseline(engine);
  host = await engine.script();
  await host.ok('create_lsu v lsu');
});
beforeEach(() => {
  name = `image${number++}`;
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await settled(engine, from);
  await engine[Symbol.asyncDispose]();
});

function make(changes: Partial<ImageMeta> = {}, sizes: readonly number[] = cuts, bytes: Buffer = data): void {
  path = writeImage(engine.store, bytes, { lsu: 'lsu', basename: name, date: 7, ...changes }, sizes);
}

async function readWhole(of = name): Promise<void> {
  await host.ok(`open_image v r lsu ${of} 7 1`);
  expect(await host.ok(`read r 0 ${size + mib} expect=5`)).toMatchObject({ got: size, match: true });
  await host.ok('close r 0');
}

describe.each([
  ['with sums', {}],
  ['without sums', { sums: null }],
])('an image of six fragments, %s', (_, changes) => {
  test('is read as one', async () => {
    make(changes);
    expect(await host.ok(`prop_byname v lsu ${name} 7`)).toMatchObject({ size, state: 'complete', fragments: 6 });
    await readWhole();
  });

  test('is read at random, across every border', async () => {
    make(changes);
    await host.ok(`open_image v r lsu ${name} 7 1`);
    let border = 0;
    for (const one of cuts) {
      for (const [at, length] of [
        [border - 700, 1400],
        [border, 512],
        [border - 2 * mib, 4 * mib],
      ] as const) {
        const begin = Math.max(0, at);
        const got = Math.min(length, size - begin);
        expect(await host.ok(`read r ${begin} ${length} expect=5`)).toMatchObject({ got, match: true });
      }
      border += one;
    }
    await host.ok('close r 0');
  });

  test('is copied, into one', async () => {
    make(changes);
    await host.ok(`copy v lsu ${name}copy 7 lsu ${name} 7`);
    expect(await host.ok(`prop_byname v lsu ${name}copy 7`)).toMatchObject({ size, state: 'complete', fragments: 1 });
    await readWhole(`${name}copy`);
  });
});

test('what was damaged in one fragment is found, and all else is read', async () => {
  const bad = Buffer.from(data);
  const at = 9 * mib + 77;
  make();
  const found = join(path, 'image.data.0003');
  bad[at] ^= 4;
  rmSync(found);
  appendFileSync(found, bad.subarray(8 * mib, 9 * mib));
  rmSync(join(path, 'image.data.0004'));
  appendFileSync(join(path, 'image.data.0004'), bad.subarray(9 * mib, 10 * mib));
  await host.ok(`open_image v r lsu ${name} 7 1`);
  expect(await host.call(`read r ${at} 100`)).toMatchObject({
    name: 'STS_EDAMAGED',
    text: expect.stringContaining(`offset ${9 * mib}`),
  });
  expect(await host.ok(`read r ${8 * mib} ${mib} expect=5`)).toMatchObject({ got: mib, match: true });
  expect(await host.ok(`read r ${10 * mib} ${mib} expect=5`)).toMatchObject({ got: mib, match: true });
  await host.ok('close r 0');
});

test('bytes behind the end of a fragment that another one goes on from are no part of the image', async () => {
  make();
  appendFileSync(join(path, 'image.data.0002'), Buffer.alloc(mib + 3, 0xee));
  await readWhole();
});

describe('an image is damaged', () => {
  const damages: [string, () => void, string][] = [
    ['when a fragment is missing', () => rmSync(join(path, 'image.data.0003')), `image.data.0003 is missing`],
    [
      'when a fragment is short',
      () => truncateSync(join(path, 'image.data.0005'), 9 * mib - 1),
      `image.data.0005 has ${9 * mib - 1} bytes, ${9 * mib} were stored`,
    ],
    [
      'when the last one is long',
      () => appendFileSync(join(path, 'image.data.0006'), 'x'),
      `image.data.0006 has ${2 * mib + 1537} bytes, ${2 * mib + 1536} were stored`,
    ],
  ];
  test.each(damages)('%s', async (_, damage, text) => {
    make();
    damage();
    const answer = await host.call(`open_image v r lsu ${name} 7 1`);
    expect(answer).toMatchObject({ name: 'STS_EDAMAGED', text: expect.stringContaining(text) });
    expect((await host.call(`copy v lsu ${name}copy 7 lsu ${name} 7`)).name).toBe('STS_EDAMAGED');
    await host.ok(`delete v lsu ${name} 7`);
  });
});

test('a border that direct I/O cannot begin at is told, not read wrongly', async () => {
  make({}, [mib + 100, size - mib - 100]);
  const answer = await host.call(`open_image v r lsu ${name} 7 1`);
  if (answer.status === 0) {
    // No direct I/O here.
    expect(await host.ok(`read r 0 ${size} expect=5`)).toMatchObject({ got: size, match: true });
    await host.ok('close r 0');
    return;
  }
  expect(answer).toMatchObject({ name: 'STS_ENOTSUP', text: expect.stringContaining('image.data.0002 begins at') });
});

test(`${fragmentsMax} fragments are read, and a pending image of several is not continued here`, async () => {
  const small = gen(5, 0, fragmentsMax * 4096);
  make({}, new Array<number>(fragmentsMax).fill(4096), small);
  await host.ok(`open_image v r lsu ${name} 7 1`);
  expect(await host.ok(`read r 0 ${size} expect=5`)).toMatchObject({ got: small.length, match: true });
  await host.ok('close r 0');
  name = `pending${number++}`;
  make({ state: 'pending', sha256: null });
  const answer = await host.call(`open_image v i lsu ${name} 7 2`);
  expect(answer).toMatchObject({ name: 'STS_ENOTSUP', text: expect.stringContaining('6 fragments') });
});

test('without direct I/O a border may stand anywhere', async () => {
  await using buffered = await TestEngine.start({ config: { general: { use_direct_io: false } } });
  await using other = await buffered.script();
  await other.ok('create_lsu v lsu');
  const odd = [mib + 100, 1, 2 * mib - 1, size - 3 * mib - 100];
  writeImage(buffered.store, data, { lsu: 'lsu', basename: name, date: 7 }, odd);
  await other.ok(`open_image v r lsu ${name} 7 1`);
  expect(await other.ok(`read r 0 ${size} expect=5`)).toMatchObject({ got: size, match: true });
  expect(await other.ok(`read r ${mib + 99} 3 expect=5`)).toMatchObject({ got: 3, match: true });
  await other.ok('close r 0');
});
