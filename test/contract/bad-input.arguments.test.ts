/**
 * Arguments and orders of calls that a host program may get wrong, through the real plug-in: names of any bytes, lengths
 * and offsets at their limits, NULL, calls in the wrong order. Each has its status and text, and the handle goes on.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled } from '../support/engine-state.ts';
import { HostScript, hex } from '../support/host-program.ts';
import { pairs } from './behaviour-kit.ts';

const bytes = 4096;

let engine: TestEngine;
let from: Baseline;
let host: HostScript;

beforeAll(async () => {
  engine = await TestEngine.start();
  from = baseline(engine);
  host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu done 7');
  await host.ok(`write i 0 ${bytes} 3`);
  await host.ok('close i 1');
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await settled(engine, from);
  await engine[Symbol.asyncDispose]();
});

async function refused(line: string, name: string, text: string): Promise<void> {
  expect(await host.call(line)).toMatchObject({ name: `STS_${name}`, text: expect.stringContaining(text) });
}

const allBytes = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
const names: [string, Uint8Array | string][] = [
  ['with slashes', '/etc/passwd'],
  ['of one dot', '.'],
  ['of two dots', '..'],
  ['that climbs', '../../outside'],
  ['of the store itself', '.vast-ost-store'],
  ['of the trash', '.trash'],
  ['like a temporary', '.new-0123'],
  ['with a newline', 'a\nb\r\tc'],
  ['with the separators of our own names', 'a~7=41~8'],
  ['like a hashed one', `${'a'.repeat(120)}=~${'0'.repeat(64)}`],
  ['of blanks', '   '],
  ['in UTF-8', 'büro-Ж-日本'],
  ['that is no UTF-8', Buffer.from([0xff, 0xfe, 0x80, 0xc0, 0x2f])],
  ['of every byte but NUL', allBytes],
  ['of 255 bytes', 'n'.repeat(255)],
  ['with a shell in it', '$(reboot);`x`|&'],
];

describe.each(names)('a name %s', (_, name) => {
  const word = hex(name);
  const hexOf = word.slice(4);

  test('is an LSU like any other', async () => {
    await host.ok(`create_lsu v ${word}`);
    await refused(`create_lsu v ${word}`, 'EEXIST', 'it exists already');
    expect((await host.ok('list_lsus v')).lsus).toContain(hexOf);
    await host.ok(`label_lsu v ${word} ${word}`);
    await host.ok(`create_image v i ${word} image 7`);
    await host.ok('close i 1');
    expect(await host.ok(`list_images v ${word}`)).toMatchObject({ count: 1 });
  });

  test('is an image like any other', async () => {
    await host.ok(`create_image v i lsu ${word} 7 policy=${word} schedule=${word} client=${word}`);
    await host.ok(`write i 0 ${bytes} 3`);
    await host.ok('close i 1');
    await refused(`create_image v i lsu ${word} 7`, 'EEXIST', 'exists already');
    await host.ok(`open_image v i lsu ${word} 7 read`);
    expect(await host.ok('read i 0 1M expect=3')).toMatchObject({ got: bytes, match: true });
    await host.ok('close i 0');
    const { images } = (await host.ok('list_images v lsu')) as unknown as { images: { image_hex: string }[] };
    expect(images.filter(({ image_hex }) => image_hex === hexOf)).toHaveLength(1);
    await host.ok(`delete v lsu ${word} 7`);
    await refused(`prop_byname v lsu ${word} 7`, 'ENOENT', 'there is no such image');
  });
});

test('no name leads out of the storage root, or to a hidden one in it', async () => {
  const inside = readdirSync(engine.store);
  expect(inside.filter((name) => name.startsWith('.'))).toEqual(['.vast-ost-store']);
  expect(readdirSync(engine.directory).sort()).toEqual(['engine.log', 's', 's.lock', 'store', 'vast-ost.conf']);
  expect(inside.every((name) => /^[\x21-\x7e]{1,200}$/.test(name))).toBe(true);
});

test('an image name of 1023 bytes is one, of 1024 it is refused; an LSU ends at 255, a label too', async () => {
  const long = 'x'.repeat(1023);
  await host.ok(`create_image v i lsu ${long} 7`);
  await host.ok('close i 1');
  await host.ok(`delete v lsu ${long} 7`);
  await refused(`create_image v i lsu ${'x'.repeat(1024)} 7`, 'EINVAL', 'basename is longer than 1023 bytes');
  await refused(`create_lsu v ${'x'.repeat(256)}`, 'EINVAL', "the LSU's name is longer than 255 bytes");
  await refused(`label_lsu v lsu ${'x'.repeat(256)}`, 'EINVAL', 'the label is longer than 255 bytes');
  await refused(`open_server s w VastData:${'x'.repeat(247)}`, 'EINVAL', "the storage server's name is longer");
});

test('dates up to 2^53 − 1 are kept, above it they are refused, and the handle goes on', async () => {
  const last = Number.MAX_SAFE_INTEGER;
  for (const date of [0, 1, 2 ** 32, last]) {
    await host.ok(`create_image v i lsu dated ${date}`);
    await host.ok('close i 1');
    expect((await host.ok(`prop_byname v lsu dated ${date}`)).date).toBe(date);
    await host.ok(`delete v lsu dated ${date}`);
  }
  for (const date of ['9007199254740992', '0x8000000000000000', '18446744073709551615']) {
    for (const line of [
      `create_image v i lsu dated ${date}`,
      `open_image v i lsu dated ${date} read`,
      `prop_byname v lsu dated ${date}`,
      `delete v lsu dated ${date}`,
      `copy v lsu dated ${date} lsu done 7`,
    ]) {
      await refused(line, 'EINVAL', 'date');
    }
  }
  await host.ok('server_prop v');
});

describe('NULL and nothing', () => {
  const calls: [string, string, string][] = [
    ['open_server s w null', 'EINVAL', "the storage server's name is NULL"],
    ['open_server s w ""', 'EINVAL', "the storage server's name is empty"],
    ['open_server s w Other:x', 'ECLAIM', 'names begin with VastData:'],
    ['open_server s w VastData:x server=null', 'EINVAL', 'the place for the server handle is NULL'],
    ['server_prop v info=null', 'EINVAL', 'is NULL'],
    ['server_prop_byname s null', 'EINVAL', 'is NULL'],
    ['create_lsu v null', 'EINVAL', "the LSU's name is NULL"],
    ['create_lsu v ""', 'EINVAL', "the LSU's name is empty"],
    ['label_lsu v lsu null', 'EINVAL', 'the label is NULL'],
    ['label_lsu v nowhere text', 'ENOENT', 'nowhere'],
    ['lsu_prop v nowhere', 'ENOENT', 'nowhere'],
    ['lsu_prop v lsu info=null', 'EINVAL', 'is NULL'],
    ['create_image v i nowhere image 7', 'ENOENT', 'there is no such LSU'],
    ['create_image v i null image 7', 'EINVAL', "the LSU's name is NULL"],
    ['create_image v i lsu null 7', 'EINVAL', 'the image definition is NULL'],
    ['create_image v i lsu "" 7', 'EINVAL', 'basename is empty'],
    ['create_image v i lsu image 7 image=null', 'EINVAL', 'the place for the image handle is NULL'],
    ['create_image v i lsu image 7 opaque_length=1025', 'EINVAL', 'opaque bytes are more than 1024'],
    ['open_image v i lsu done 7 0', 'EINVAL', 'open mode 0'],
    ['open_image v i lsu done 7 3', 'EINVAL', 'open mode 3'],
    ['open_image v i nowhere done 7 read', 'ENOENT', ''],
    ['delete v lsu null 7', 'EINVAL', 'the image definition is NULL'],
    ['prop_byname v lsu done 7 info=null', 'EINVAL', 'is NULL'],
    ['copy v nowhere copy 7 lsu done 7', 'ENOENT', 'nowhere'],
    ['copy v lsu null 7 lsu done 7', 'EINVAL', 'the image definition is NULL'],
    ['copy v lsu done 7 lsu done 7', 'EEXIST', 'exists already'],
    ['open_image_list v l nowhere', 'ENOENT', 'nowhere'],
    ['open_image_list v l lsu 4', 'EINVAL', 'unknown bits in the states to list'],
    ['open_image_list v l lsu all list=null', 'EINVAL', 'is NULL'],
    ['open_lsu_list v l list=null', 'EINVAL', 'is NULL'],
  ];
  test.each(calls)('%s', async (line, name, text) => {
    await refused(line, name, text);
    await host.ok('server_prop v');
  });
});

describe('offsets and lengths', () => {
  const unit = 512n;
  const limit = 2n ** 50n;
  const offsets = [0n, 1n, 511n, 513n, limit - unit, limit, 2n ** 53n, 2n ** 63n, 2n ** 64n - unit, 2n ** 64n - 1n];
  const lengths = [0n, 1n, 511n, 512n, 513n, 2n ** 50n, 2n ** 63n, 2n ** 64n - unit, 2n ** 64n - 1n];

  // 2^50 bytes at offset 0 are allowed, and nobody has a buffer of them.
  const writes = pairs(offsets, lengths).filter(([offset, length]) => offset !== 0n || length !== limit);
  test.each(writes)('a write at %i of %i bytes', async (offset, length) => {
    const name = `limits-${offset}-${length}`;
    await host.ok(`create_image v w lsu ${name} 7`);
    const answer = await host.call(`write w ${offset} ${length} 3`);
    if (length === 0n)
      expect(answer).toMatchObject({ name: 'STS_EINVAL', text: expect.stringContaining('the length is 0') });
    else if (offset + length > limit) {
      expect(answer).toMatchObject({ name: 'STS_EINVAL', text: expect.stringContaining('go beyond 1125899906842624') });
    } else if (offset % unit !== 0n || length % unit !== 0n) {
      expect(answer).toMatchObject({ name: 'STS_EINVAL', text: expect.stringContaining('must be multiples of 512') });
    } else expect(answer).toMatchObject({ name: 'STS_EOK', written: Number(length) });
    // A call that was refused is forgotten: the image can still be made complete.
    if (answer.status !== 0 || offset === 0n) {
      await host.ok('write w 0 512 3');
      await host.ok('close w 1');
    } else {
      // No file system holds 2^50 bytes in one file; where one does, the hole is told.
      const closed = await host.call('close w 1');
      expect(['STS_EINVAL', 'STS_ESYSTEM']).toContain(closed.name);
      expect(closed.text).toMatch(/never written|EFBIG/);
    }
    await host.ok(`delete v lsu ${name} 7`);
  });

  test.each(pairs(offsets, lengths.slice(1)))('a read at %i of %i bytes', async (offset, length) => {
    await host.ok('open_image v r lsu done 7 read');
    const answer = await host.call(`read r ${offset} ${length}`);
    if (offset + length > 2n ** 64n - 1n) {
      expect(answer).toMatchObject({ name: 'STS_EINVAL', text: expect.stringContaining('go beyond') });
    } else {
      const got = offset >= bytes ? 0n : length < BigInt(bytes) - offset ? length : BigInt(bytes) - offset;
      expect(answer).toMatchObject({ name: 'STS_EOK', got: Number(got) });
    }
    expect(await host.ok('read r 0 1M expect=3')).toMatchObject({ got: bytes, match: true });
    await host.ok('close r 0');
  });

  test('NULL for buffer or count, nothing to read, metadata beyond its limit', async () => {
    await host.ok('create_image v w lsu nulls 7');
    await refused('write w 0 512 3 buffer=null', 'EINVAL', 'the buffer is NULL');
    await host.ok('write w 0 512 3 written=null');
    await refused('meta_write w 65536 1 3', 'EINVAL', 'go beyond 65536');
    await refused('meta_write w 0 65537 3', 'EINVAL', 'go beyond 65536');
    await refused('meta_write w 4294967295 1 3', 'EINVAL', 'go beyond 65536');
    await refused('meta_write w 5 5 3', 'EINVAL', 'would have a hole at 0');
    await refused('meta_write w 0 5 3 buffer=null', 'EINVAL', 'the buffer is NULL');
    await host.ok('meta_write w 0 65536 3');
    await host.ok('close w 1');
    await host.ok('open_image v r lsu nulls 7 read');
    await refused('read r 0 0', 'EINVAL', 'the length is 0');
    await refused('read r 0 512 buffer=null', 'EINVAL', 'the buffer is NULL');
    await refused('read r 0 512 got=null', 'EINVAL', 'the place for the count is NULL');
    await refused('meta_read r 0 512 got=null', 'EINVAL', 'the place for the count is NULL');
    await refused('prop r info=null', 'EINVAL', 'is NULL');
    expect(await host.ok('meta_read r 0 65536 expect=3')).toMatchObject({ got: 65536 });
    expect(await host.ok('meta_read r 65530 100')).toMatchObject({ got: 6 });
    expect(await host.ok('meta_read r 70000 100')).toMatchObject({ got: 0 });
    await host.ok('close r 0');
  });
});

describe('the wrong order', () => {
  test('nothing works before init and after terminate, but open handles do', async () => {
    await using fresh = new HostScript();
    await fresh.ok('session s job');
    expect(await fresh.call('open_server s v VastData:x')).toMatchObject({
      name: 'STS_ESTATE',
      text: expect.stringContaining('call stsp_init first'),
    });
    await fresh.ok(`init ${engine.config}`);
    await fresh.ok('open_server s v VastData:x');
    await fresh.ok('terminate');
    expect((await fresh.call('open_server s w VastData:x')).name).toBe('STS_ESTATE');
    await fresh.ok('create_image v i lsu after 7');
    await fresh.ok('write i 0 512 3');
    await fresh.ok('close i 1');
    await fresh.ok('delete v lsu after 7');
  });

  test('a program of another ABI, a job name without an end', async () => {
    await using fresh = new HostScript();
    expect((await fresh.call(`init ${engine.config} abi=2`)).name).toBe('STS_EVERSION');
    await fresh.ok(`init ${engine.config}`);
    await fresh.ok('session s job abi=2');
    expect((await fresh.call('open_server s v VastData:x')).name).toBe('STS_EVERSION');
    expect((await fresh.call('open_server null v VastData:x')).name).toBe('STS_EINVAL');
  });

  test('handles of one kind in place of another, and those that outlive their server', async () => {
    await using fresh = await engine.script();
    await fresh.ok('create_image v i lsu outlives 7');
    await fresh.ok('close_server v');
    await fresh.ok('write i 0 512 3');
    await fresh.ok('close i 1');
    expect((await fresh.call('close i 1')).name).toBe('STS_EINVAL');
    expect((await fresh.call('close_server v')).name).toBe('STS_EINVAL');
    await fresh.ok('open_server s v VastData:test');
    await fresh.ok('delete v lsu outlives 7');
  });
});
