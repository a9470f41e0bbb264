/**
 * Meta, sums and data that were damaged, cut off, taken away or edited by hand: what is damaged fails with image and field
 * or offset, everything else is read, and every damaged image can be listed and deleted.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { imageDirName } from '../../engine/image/names.ts';
import { sumsHeaderBytes } from '../../engine/image/sums.ts';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled } from '../support/engine-state.ts';
import { type HostScript, hex } from '../support/host-program.ts';

const mib = 1 << 20;
/** Three whole chunks and a partial one. */
const size = 3 * mib + 1024;

let engine: TestEngine;
let from: Baseline;
let host: HostScript;
let number = 0;
let name = '';

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

const file = (part: string, of = name): string => join(engine.store, `lsu/${of}~7`, part);

async function make(closed: 0 | 1, of = name): Promise<void> {
  await host.ok(`create_image v i lsu ${of} 7 policy=gold`);
  await host.ok(`write i 0 ${size} 3`);
  await host.ok(`close i ${closed}`);
}

async function damaged(line: string, text: string): Promise<void> {
  const answer = await host.call(line);
  expect(answer).toMatchObject({ name: 'STS_EDAMAGED', text: expect.stringContaining(text) });
  expect(answer.text).toContain(`image ${name} (7) in LSU lsu`);
}

/** Listed as pending, size 0; neither read nor written; deleted. */
async function lost(text: string): Promise<void> {
  await damaged(`open_image v r lsu ${name} 7 read`, text);
  await damaged(`open_image v r lsu ${name} 7 write`, text);
  await damaged(`copy v lsu ${name}copy 7 lsu ${name} 7`, text);
  await listedAndDeleted();
}

async function listedAndDeleted(): Promise<void> {
  expect(await host.ok(`prop_byname v lsu ${name} 7`)).toMatchObject({ state_bits: 9, size: 0 });
  const { images } = (await host.ok('list_images v lsu pending')) as unknown as { images: { image: string }[] };
  expect(images.filter(({ image }) => image === name)).toHaveLength(1);
  await host.ok(`delete v lsu ${name} 7`);
  expect(existsSync(file('image.meta'))).toBe(false);
}

function edit(change: (text: string) => string): void {
  const before = readFileSync(file('image.meta'), 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(file('image.meta'), after);
}

describe('a meta', () => {
  const damages: [string, () => void][] = [
    ['that is gone', () => rmSync(file('image.meta'))],
    ['that is empty', () => truncateSync(file('image.meta'), 0)],
    ['cut in its middle', () => edit((text) => text.slice(0, text.length >> 1))],
    ['cut by its last byte but one', () => edit((text) => text.slice(0, -2))],
    ['of other text', () => writeFileSync(file('image.meta'), 'no JSON at all')],
    ['of bytes that are no text', () => writeFileSync(file('image.meta'), Buffer.alloc(4096, 0xff))],
    ['with another size', () => edit((text) => text.replace(String(size), String(size - 512)))],
    ['with another policy', () => edit((text) => text.replace('gold', 'iron'))],
    ['with one bit flipped', () => edit((text) => text.replace('"complete"', '"bomplete"'))],
    ['of 1 GiB', () => truncateSync(file('image.meta'), 2 ** 30)],
  ];
  test.each(damages)('%s: the image is damaged, listed, deletable', async (_, damage) => {
    await make(1);
    damage();
    await lost('image.meta is');
  });

  test('that is no file: the open for reading says what stands there; the image is damaged, listed, deletable', async () => {
    await make(1);
    rmSync(file('image.meta'));
    execFileSync('mkfifo', [file('image.meta')]);
    const text = expect.stringContaining('image.meta is a FIFO, where a file belongs');
    expect(await host.call(`open_image v r lsu ${name} 7 read`)).toMatchObject({ name: 'STS_ESYSTEM', text });
    await damaged(`open_image v r lsu ${name} 7 write`, 'image.meta is damaged');
    await listedAndDeleted();
  });

  test('of another image: the image is damaged', async () => {
    await make(1);
    await make(1, `${name}other`);
    writeFileSync(file('image.meta'), readFileSync(file('image.meta', `${name}other`)));
    await lost('image.meta belongs to another image');
    await host.ok(`delete v lsu ${name}other 7`);
  });

  test('of an image whose directory has a hashed name: it goes by its directory', async () => {
    const long = 'h'.repeat(1000);
    const directory = imageDirName(long, 7);
    await host.ok(`create_image v i lsu ${long} 7`);
    await host.ok('write i 0 512 3');
    await host.ok('close i 1');
    // As long as it is whole it has one name only.
    expect((await host.call(`delete v lsu ${hex(directory)} 0`)).name).toBe('STS_ENOENT');
    writeFileSync(join(engine.store, 'lsu', directory, 'image.meta'), 'x');
    const { images } = (await host.ok('list_images v lsu pending')) as unknown as {
      images: { image: string; date: number }[];
    };
    expect(images.filter(({ image }) => image === directory)).toMatchObject([{ date: 0 }]);
    expect(await host.ok(`prop_byname v lsu ${hex(directory)} 0`)).toMatchObject({ state_bits: 9 });
    await host.ok(`delete v lsu ${hex(directory)} 0`);
    expect(existsSync(join(engine.store, 'lsu', directory))).toBe(false);
    expect((await host.call(`delete v lsu ${hex(directory)} 0`)).name).toBe('STS_ENOENT');
  });
});

describe('data of a complete image', () => {
  const refusedAtOpen: [string, () => void, string][] = [
    ['that is gone', () => rmSync(file('image.data')), 'image.data is missing'],
    ['that was cut', () => truncateSync(file('image.data'), size - 512), `image.data has ${size - 512} bytes`],
    [
      'that is longer',
      () => appendFileSync(file('image.data'), Buffer.alloc(512)),
      `image.data has ${size + 512} bytes`,
    ],
  ];
  test.each(refusedAtOpen)('%s: the open fails', async (_, damage, text) => {
    await make(1);
    damage();
    await damaged(`open_image v r lsu ${name} 7 read`, text);
    await host.ok(`delete v lsu ${name} 7`);
  });

  test.each([0, mib - 1, mib, 2 * mib + 77, size - 1])(
    'with byte %i flipped: reads over it fail, all others succeed',
    async (at) => {
      await make(1);
      const bytes = readFileSync(file('image.data'));
      bytes[at]! ^= 4;
      writeFileSync(file('image.data'), bytes);
      await host.ok(`open_image v r lsu ${name} 7 read`);
      for (let start = 0; start < size; start += mib) {
        const length = Math.min(mib, size - start);
        const line = `read r ${start} ${length} expect=3`;
        if (at >= start && at < start + length) await damaged(line, `offset ${start}`);
        else expect(await host.ok(line)).toMatchObject({ got: length, match: true });
      }
      expect((await host.call('read r 0 16M')).name).toBe('STS_EDAMAGED');
      await host.ok('close r 0');
      expect((await host.call(`copy v lsu ${name}copy 7 lsu ${name} 7`)).name).not.toBe('STS_EINTERNAL');
    },
  );
});

describe('sums of a complete image', () => {
  test('that are gone: the open fails', async () => {
    await make(1);
    rmSync(file('image.sums'));
    await damaged(`open_image v r lsu ${name} 7 read`, 'image.sums is missing');
  });

  test('with one entry flipped: the reads of its chunk fail, and no other', async () => {
    await make(1);
    const sums = readFileSync(file('image.sums'));
    sums[sumsHeaderBytes + 8 + 3]! ^= 1;
    writeFileSync(file('image.sums'), sums);
    await host.ok(`open_image v r lsu ${name} 7 read`);
    await damaged(`read r ${mib} 10`, `offset ${mib}`);
    expect(await host.ok(`read r 0 ${mib} expect=3`)).toMatchObject({ got: mib, match: true });
    expect(await host.ok(`read r ${2 * mib} 16M expect=3`)).toMatchObject({ got: mib + 1024, match: true });
    await host.ok('close r 0');
  });

  test('that end early: the reads behind fail, those before succeed', async () => {
    await make(1);
    truncateSync(file('image.sums'), sumsHeaderBytes + 8);
    await host.ok(`open_image v r lsu ${name} 7 read`);
    expect(await host.ok(`read r 0 ${mib} expect=3`)).toMatchObject({ got: mib, match: true });
    expect((await host.call(`read r ${2 * mib} 10`)).name).toBe('STS_EDAMAGED');
    await host.ok('close r 0');
  });

  test('whose header was damaged do no harm: the meta knows it too', async () => {
    await make(1);
    const sums = readFileSync(file('image.sums'));
    sums.fill(0xff, 0, sumsHeaderBytes);
    writeFileSync(file('image.sums'), sums);
    await host.ok(`open_image v r lsu ${name} 7 read`);
    expect(await host.ok('read r 0 16M expect=3')).toMatchObject({ got: size, match: true });
    await host.ok('close r 0');
  });
});

describe('a pending image cannot be continued on', () => {
  const damages: [string, () => void, string][] = [
    [
      'data that were cut',
      () => truncateSync(file('image.data'), mib),
      `image.data has ${mib} bytes, ${size} were durable`,
    ],
    [
      'a partial chunk that was flipped',
      () => {
        const bytes = readFileSync(file('image.data'));
        bytes[3 * mib + 5]! ^= 1;
        writeFileSync(file('image.data'), bytes);
      },
      `image.data is damaged in the 1024 bytes at offset ${3 * mib}`,
    ],
    [
      'sums that were flipped',
      () => {
        const sums = readFileSync(file('image.sums'));
        sums[sumsHeaderBytes]! ^= 1;
        writeFileSync(file('image.sums'), sums);
      },
      'image.sums is damaged',
    ],
    [
      'sums that end early',
      () => truncateSync(file('image.sums'), sumsHeaderBytes + 8),
      'image.sums ends after 1 of 3 chunks',
    ],
  ];
  test.each(damages)('%s', async (_, damage, text) => {
    await make(0);
    damage();
    await damaged(`open_image v i lsu ${name} 7 write`, text);
    expect(existsSync(file('claim.2'))).toBe(false);
    await host.ok(`delete v lsu ${name} 7`);
  });

  test('a claim that nobody can read: it is busy, and stays so', async () => {
    await make(0);
    writeFileSync(file('claim.1'), 'who knows');
    const text = expect.stringContaining('an unreadable claim is writing it');
    expect(await host.call(`open_image v i lsu ${name} 7 write`)).toMatchObject({ name: 'STS_EBUSY', text });
    expect(await host.call(`delete v lsu ${name} 7`)).toMatchObject({ name: 'STS_EBUSY', text });
    rmSync(file('claim.1'));
    await host.ok(`open_image v i lsu ${name} 7 write`);
    await host.ok('close i 1');
  });
});

test('bytes above the durable size are not believed: they are written again', async () => {
  await make(0);
  appendFileSync(file('image.data'), Buffer.alloc(3 * mib, 0xee));
  await host.ok(`open_image v i lsu ${name} 7 write`);
  await host.ok(`write i ${size} ${mib} 3`);
  await host.ok('close i 1');
  await host.ok(`open_image v r lsu ${name} 7 read`);
  expect(await host.ok('read r 0 16M expect=3')).toMatchObject({ got: size + mib, match: true });
  await host.ok('close r 0');
});

test('an LSU whose own file is damaged serves its images; its label is unknown', async () => {
  await host.ok('create_lsu v scratched');
  await host.ok('label_lsu v scratched text');
  writeFileSync(join(engine.store, 'scratched/.lsu'), 'x');
  expect(await host.ok('lsu_prop v scratched')).toMatchObject({ label: '' });
  await host.ok('create_image v i scratched image 7');
  await host.ok('close i 1');
  expect((await host.ok('list_images v scratched')).count).toBe(1);
});

test('things in the storage root that are not ours are neither listed nor touched', async () => {
  const foreign = [join(engine.store, 'a file'), join(engine.store, 'lsu/some file'), file('notes')];
  await make(1);
  for (const path of foreign) writeFileSync(path, 'not ours');
  expect(
    ((await host.ok('list_lsus v')).lsus as string[]).map((word) => Buffer.from(word, 'hex').toString()),
  ).not.toContain('a file');
  await host.ok('list_images v lsu');
  await host.ok(`open_image v r lsu ${name} 7 read`);
  await host.ok('close r 0');
  for (const path of foreign) expect(readFileSync(path, 'utf8')).toBe('not ours');
});
