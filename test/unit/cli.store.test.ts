import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodeClaim } from '../../engine/image/claim.ts';
import { cliNow as now, runVastOst as run } from '../support/cli.ts';
import { makeStore, writeImage } from '../support/store-dir.ts';

const dir = mkdtempSync(join(tmpdir(), 'vast-ost-cli-store-'));
afterAll(() => rmSync(dir, { recursive: true }));

describe('looking at a store', () => {
  const root = join(dir, 'store');
  const data = randomFillSync(Buffer.alloc(2 * 1_048_576 + 1536));
  const hostile = '../a\u001b[2J\xff';
  let whole = '';

  beforeAll(() => {
    makeStore(root, ['pool', 'other']);
    whole = writeImage(root, data, { lsu: 'pool', basename: 'whole', date: 100 });
    writeImage(root, data, { lsu: 'pool', basename: 'cut', date: 100 }, [1_000_000, 0, 512, data.length - 1_000_512]);
    writeImage(root, data.subarray(0, 512), { lsu: 'pool', basename: 'plain', sums: null, checksumMode: 'none' });
    writeImage(root, data.subarray(0, 700), { lsu: 'pool', basename: 'sha-only', date: 1, sums: null });
    writeImage(root, Buffer.alloc(0), { lsu: 'pool', basename: 'empty', date: 1 });
    writeImage(root, data.subarray(0, 512), { lsu: 'pool', basename: hostile, date: 5 });
    writeImage(root, data.subarray(0, 512), { lsu: 'pool', basename: 'x'.repeat(300), date: 6 });
    writeImage(root, data.subarray(0, 512), { lsu: 'pool', basename: 'twice', date: 1 });
    writeImage(root, data.subarray(0, 512), { lsu: 'pool', basename: 'twice', date: 2 });
    const pending = writeImage(root, data.subarray(0, 512), {
      lsu: 'other',
      basename: 'half',
      date: 1,
      state: 'pending',
    });
    const claim = { token: 'a'.repeat(32), machineId: '', bootId: '', pidNamespace: 1, pid: 2, startTime: 3 };
    writeFileSync(join(pending, 'claim.1'), encodeClaim(claim));
    utimesSync(join(pending, 'image.meta'), now, new Date(now.getTime() - 8 * 86_400_000));
    mkdirSync(join(root, 'other', 'lost~1'));
    mkdirSync(join(root, 'other', '.trash'));
    mkdirSync(join(root, 'lost+found'));
    writeFileSync(join(root, 'pool', 'stray~1'), 'a file is no image');
  });

  const listed = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  test('ls shows every image once, and nothing else', async () => {
    const { code, text } = await run('ls', '--root', root, '--json');
    expect(code).toBe(0);
    expect(listed(text).map(({ lsu, image, date, state }) => [lsu, image, date, state].join(' '))).toEqual([
      'other half 1 pending',
      'other lost 1 damaged',
      'pool =2E.=2Fa=1B=5B2J=FF 5 complete',
      'pool cut 100 complete',
      'pool empty 1 complete',
      'pool plain 1705314600 complete',
      'pool sha-only 1 complete',
      'pool twice 1 complete',
      'pool twice 2 complete',
      'pool whole 100 complete',
      `pool ${'x'.repeat(300)} 6 complete`,
    ]);
    expect((await run('ls', '--root', root)).text).toMatch(
      /^LSU +IMAGE +DATE +STATE +SIZE +CHANGED\nother +half +1 +pending, claimed +512 B /,
    );
  });

  test('ls --lsu, --pending and --older-than choose', async () => {
    const images = async (...args: string[]) =>
      listed((await run('ls', '--root', root, '--json', ...args)).text).map(({ image }) => image);
    expect(await images('--lsu', 'other')).toEqual(['half', 'lost']);
    expect(await images('--pending')).toEqual(['half', 'lost']);
    expect(await images('--pending', '--older-than', '7d')).toEqual(['half']);
    expect(await images('--pending', '--older-than', '9d')).toEqual([]);
    expect(await run('ls', '--root', root, '--lsu', 'none')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('none'),
    });
  });

  test('a directory without a marker is no store, and that is said', async () => {
    expect(await run('ls', '--root', dir)).toMatchObject({
      code: 1,
      errors: expect.stringContaining('is it mounted?'),
    });
    const config = join(dir, 'root.conf');
    writeFileSync(config, `[general]\nnfs_mount_point = ${root}\n`);
    expect((await run('ls', '--config', config)).code).toBe(0);
  });

  test('the root of a storage server is found by its name', async () => {
    const config = join(dir, 'servers.conf');
    const servers = `[server:a]\nmount_points = ${root}\n[server:b]\nstore = s3\nendpoints = http://h\nbucket = buc\n`;
    writeFileSync(config, servers);
    const ls = (...args: string[]) => run('ls', '--config', config, ...args);
    for (const name of ['a', 'VastData:a']) expect((await ls('--server', name)).text).toContain('whole');
    // Of several mounts the first that shows the store.
    writeFileSync(config, servers.replace(root, `${join(dir, 'nowhere')}, ${dir}, ${root}`));
    expect((await ls('--server', 'a')).text).toContain('whole');
    writeFileSync(config, servers.replace(root, `${join(dir, 'nowhere')}, ${dir}`));
    expect(await ls('--server', 'a')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('nowhere is no storage'),
    });
    writeFileSync(config, servers);
    expect(await ls()).toMatchObject({ code: 1, errors: expect.stringContaining('--server, of a, b') });
    expect(await ls('--server', 'c')).toMatchObject({ code: 1, errors: expect.stringContaining('[server:c]') });
    expect(await ls('--server', 'b')).toMatchObject({ code: 1, errors: expect.stringContaining('is a bucket') });
    // As in the engine: where there is a default server, every other name means it.
    writeFileSync(config, `[general]\nnfs_mount_point = ${dir}\n${servers}`);
    expect(await ls('--server', 'c')).toMatchObject({
      code: 1,
      errors: expect.stringContaining(`${dir} is no storage`),
    });
  });

  test('show tells what is known, and which field is damaged', async () => {
    const shown = await run('show', 'pool', 'whole', '--root', root);
    expect(shown.code).toBe(0);
    expect(shown.text).toMatch(/^checksum +sha256:[0-9a-f]{64}$/m);
    const json = JSON.parse((await run('show', 'pool', 'whole~100', '--root', root, '--json')).text);
    expect(json).toMatchObject({ image: 'whole', date: 100, meta: { size: data.length, image_name: 'whole' } });
    expect((await run('show', 'other', 'half', '--root', root)).text).toMatch(/^claim\.1 +\{"format":1/m);
    expect(await run('show', 'other', 'lost', '--root', root)).toMatchObject({
      code: 1,
      text: expect.stringContaining('image.meta is missing'),
    });
  });

  test('a name is found as ls shows it, with its date where it needs one', async () => {
    for (const args of [
      ['whole'],
      ['whole~100'],
      ['whole', '--date', '100'],
      ['=2E.=2Fa=1B=5B2J=FF'],
      ['=2E.=2Fa=1B=5B2J=FF~5'],
      ['x'.repeat(300)],
      ['twice~2'],
    ]) {
      expect(await run('show', 'pool', ...args, '--root', root), String(args)).toMatchObject({ code: 0, errors: '' });
    }
    expect(await run('show', 'pool', 'twice', '--root', root)).toMatchObject({
      code: 1,
      errors: expect.stringContaining('1, 2: add --date'),
    });
    expect(await run('show', 'pool', 'whole', '--date', '101', '--root', root)).toMatchObject({ code: 1 });
    expect(await run('show', 'none', 'whole', '--root', root)).toMatchObject({
      code: 1,
      errors: expect.stringContaining('no LSU'),
    });
    expect(await run('show', 'pool', 'whole', '--date', 'x', '--root', root)).toMatchObject({ code: 2 });
  });

  test.each([
    ['whole', 2 * 1_048_576 + 1536],
    ['cut', 2 * 1_048_576 + 1536],
    ['plain', 512],
    ['sha-only', 700],
    ['empty', 0],
  ])('cat gives %s bit for bit', async (image, length) => {
    const { code, bytes, errors } = await run('cat', 'pool', image, '--root', root);
    expect([code, errors]).toEqual([0, '']);
    expect(bytes.equals(data.subarray(0, length))).toBe(true);
  });

  describe('damage', () => {
    let undo = () => {};
    afterEach(() => undo());
    function flip(path: string, at: number): void {
      const before = readFileSync(path);
      undo = () => writeFileSync(path, before);
      const bytes = Buffer.from(before);
      bytes[at] = (bytes[at] as number) ^ 1;
      writeFileSync(path, bytes);
    }
    const cat = (image: string) => run('cat', 'pool', image, '--root', root);

    test.each([
      [0, 0],
      [1_048_575, 0],
      [1_048_576, 1_048_576],
      [2_097_152, 2_097_152],
      [2_098_687, 2_097_152],
    ])('a bit flipped at %d: nothing from %d on goes out', async (at, good) => {
      flip(join(whole, 'image.data'), at);
      const { code, bytes, errors } = await cat('whole');
      expect(code).toBe(1);
      expect(errors).toContain(`offset ${good} `);
      expect(bytes.equals(data.subarray(0, good))).toBe(true);
    });

    test('a bit flipped in a sum', async () => {
      flip(join(whole, 'image.sums'), 64 + 8);
      expect(await cat('whole')).toMatchObject({ code: 1, errors: expect.stringContaining('offset 1048576 ') });
    });

    test('sums that end early', async () => {
      flip(join(whole, 'image.sums'), 0);
      truncateSync(join(whole, 'image.sums'), 64 + 12);
      expect(await cat('whole')).toMatchObject({ code: 1, errors: expect.stringContaining('sum of offset 1048576') });
    });

    test('data that ends early', async () => {
      flip(join(whole, 'image.data'), 0);
      truncateSync(join(whole, 'image.data'), 0);
      expect(await cat('whole')).toMatchObject({ code: 1, errors: expect.stringContaining('ends at offset 0') });
    });

    test('without sums the checksum finds it', async () => {
      const path = join(root, 'pool', 'sha-only~1', 'image.data');
      flip(path, 699);
      expect(await cat('sha-only')).toMatchObject({ code: 1, errors: expect.stringContaining('sha256') });
    });

    test('a damaged meta is named by its field', async () => {
      flip(join(whole, 'image.meta'), readFileSync(join(whole, 'image.meta'), 'latin1').indexOf('"size": 2') + 8);
      expect(await cat('whole')).toMatchObject({ code: 1, errors: expect.stringContaining('durable_size') });
      expect((await run('ls', '--root', root, '--pending', '--json')).text).toContain('"image":"whole"');
    });
  });

  test('cat refuses a pending image', async () => {
    expect(await run('cat', 'other', 'half', '--root', root)).toMatchObject({
      code: 1,
      errors: expect.stringContaining('pending'),
    });
  });

  test('the launcher runs it; a reader that goes away ends it without a stack', async () => {
    const program = new URL('../../bin/vast-ost', import.meta.url).pathname;
    expect(existsSync(program)).toBe(true);
    const child = spawn(program, ['cat', 'pool', 'whole', '--root', root], { stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (text: Buffer) => {
      errors += text.toString();
    });
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, errors]).toEqual([1, '']);
  });
});
