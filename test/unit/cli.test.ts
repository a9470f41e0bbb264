import { execFileSync, spawn } from 'node:child_process';
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
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { humanBytes, parseAge, table } from '../../cli/io.ts';
import { runCli } from '../../cli/program.ts';
import { FrameCutter } from '../../engine/core/frames.ts';
import type { StatusReport } from '../../engine/core/status-report.ts';
import { encodeReply, frame, wire } from '../../engine/core/wire.ts';
import { encodeClaim } from '../../engine/image/claim.ts';
import { decodeMarker } from '../../engine/image/marker.ts';
import { makeStore, writeImage } from '../support/store-dir.ts';

const dir = mkdtempSync(join(tmpdir(), 'vast-ost-cli-'));
afterAll(() => rmSync(dir, { recursive: true }));
const now = new Date('2026-03-01T00:00:00Z');

async function run(...args: string[]) {
  const out: Buffer[] = [];
  const errors: string[] = [];
  const code = await runCli(args, '1.2.3', {
    out: async (chunk) => void out.push(Buffer.from(chunk)),
    fail: (line) => void errors.push(line),
    env: {},
    now: () => now,
  });
  const bytes = Buffer.concat(out);
  return { code, bytes, text: bytes.toString(), errors: errors.join('\n') };
}

describe('usage', () => {
  test('help and version are no failures', async () => {
    expect(await run('--version')).toMatchObject({ code: 0, text: '1.2.3\n' });
    const help = await run('--help');
    expect(help.code).toBe(0);
    for (const command of ['check-config', 'init-store', 'status', 'ls', 'show', 'cat'])
      expect(help.text).toContain(command);
  });

  test.each([
    [['frobnicate']],
    [['ls', '--no-such']],
    [['show', 'lsu']],
    [['init-store']],
    [['ls', '--older-than', 'soon', '--root', '/']],
  ])('%j: exit code 2 and a word', async (args) => {
    const { code, errors } = await run(...args);
    expect(code).toBe(2);
    expect(errors).not.toBe('');
  });
});

describe('check-config', () => {
  test('prints what is in force, which is a configuration itself', async () => {
    const path = join(dir, 'good.conf');
    writeFileSync(path, '[engine]\nhandles_max = 16\nmax_memory_mb = 256\n');
    const { code, text } = await run('check-config', path);
    expect(code).toBe(0);
    expect(text).toContain('handles_max = 16\n');
    writeFileSync(join(dir, 'again.conf'), text);
    const again = await run('check-config', join(dir, 'again.conf'));
    expect(again.text.replace(/^#.*\n/, '')).toBe(text.replace(/^#.*\n/, ''));
  });

  test('tells all problems with file and line', async () => {
    const path = join(dir, 'bad.conf');
    writeFileSync(path, '[general]\nblock_size_mb = 5\n[nonsense]\n');
    const { code, text, errors } = await run('check-config', path);
    expect([code, text]).toEqual([1, '']);
    expect(errors.split('\n').map((line) => line.slice(0, path.length + 3))).toEqual([`${path}:2:`, `${path}:3:`]);
  });
});

describe('init-store', () => {
  test('makes a marker, once', async () => {
    const root = join(dir, 'fresh');
    mkdirSync(root);
    const first = await run('init-store', root);
    expect(first.code).toBe(0);
    expect(first.errors).toContain('require_mount');
    const marker = decodeMarker(readFileSync(join(root, '.vast-ost-store'), 'latin1'));
    expect(marker).toMatchObject({ ok: true, marker: { createdAt: now.toISOString() } });
    const text = readFileSync(join(root, '.vast-ost-store'));
    expect(await run('init-store', root)).toMatchObject({ code: 1, errors: expect.stringContaining('already') });
    expect(readFileSync(join(root, '.vast-ost-store'))).toEqual(text);
    expect(execFileSync('ls', ['-A', root], { encoding: 'utf8' })).toBe('.vast-ost-store\n');
  });

  test('needs a directory', async () => {
    expect(await run('init-store', join(dir, 'none'))).toMatchObject({
      code: 1,
      errors: expect.stringContaining('mount'),
    });
  });
});

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

describe('status', () => {
  const socket = join(dir, 's');
  let server: Server | undefined;
  const links = new Set<Socket>();
  afterEach(() => {
    for (const link of links) link.destroy();
    server?.close();
    server = undefined;
  });

  const report: StatusReport = {
    engine: { version: '0.1.0', pid: 7, instance: 'a'.repeat(32), startedAt: '2026-02-28T22:30:00Z', draining: false },
    memory: { budgetBytes: 4_294_967_296, usedBytes: 201_326_592, waiting: 1 },
    handles: { open: 1, max: 256 },
    jobs: [
      {
        job: 'bptm-1',
        lsu: 'pool',
        image: 'a',
        mode: 'write',
        seconds: 3,
        bytes: 3e9,
        bytesPerSecond: 1e9,
        slots: { held: 2, of: 3 },
        waitsFor: 'device',
        stalledSeconds: 90,
      },
    ],
    mounts: [
      {
        root: '/mnt/vast',
        mounted: true,
        storeId: 'b'.repeat(32),
        fsType: 'nfs',
        warnings: ['rsize is 4096'],
        lanesBusy: 1,
        lanesLost: 1,
        stalledSeconds: 0,
      },
    ],
    pools: [{ name: 'io', running: 2, busy: 1, lost: 1, max: 16, queued: 0 }],
    log: { dropped: 0, failure: null },
  };

  /** An engine that answers each frame with what `answer` gives for its type, cut into pieces of `cut` bytes. */
  function listen(answer: (type: number, callId: number) => Buffer | null, cut = 1 << 20): Promise<void> {
    server = createServer((link) => {
      links.add(link);
      const cutter = new FrameCutter();
      link.on('error', () => {});
      link.on('data', (data: Buffer) =>
        cutter.push(data, (from, at) => {
          const reply = answer(from.readUInt16LE(at + 4), Number(from.readBigUInt64LE(at + 8)));
          if (reply === null) link.destroy();
          else for (let i = 0; i < reply.length; i += cut) link.write(reply.subarray(i, i + cut));
        }),
      );
    });
    return new Promise((resolve) => server?.listen(socket, resolve));
  }
  const honest = (body: StatusReport) => (type: number, callId: number) =>
    encodeReply(callId, 0, 0, '', type === frame.status ? Buffer.from(JSON.stringify(body)) : Buffer.alloc(24));

  test('shows jobs, rates, slots, mounts and what stalls', async () => {
    await listen(honest(report), 7);
    const { code, text, errors } = await run('status', '--socket', socket);
    expect([code, errors]).toEqual([0, '']);
    for (const part of [
      'pid 7',
      'up 1 h 30 min',
      '1 of 256',
      '201.33 MB of 4.29 GB',
      '1 LOST',
      'rsize is 4096',
      'bptm-1',
      '3.00 GB',
      '1.00 GB/s',
      '2/3',
      'device, STALLED for 1 min',
    ]) {
      expect(text).toContain(part);
    }
    expect(JSON.parse((await run('status', '--socket', socket, '--json')).text)).toEqual(report);
  });

  test('fails when the storage is not mounted', async () => {
    await listen(
      honest({ ...report, jobs: [], mounts: [{ ...report.mounts[0], mounted: false } as StatusReport['mounts'][0]] }),
    );
    expect(await run('status', '--socket', socket)).toMatchObject({
      code: 1,
      text: expect.stringContaining('NOT MOUNTED'),
    });
  });

  test.each<[string, (type: number, callId: number) => Buffer | null, string]>([
    [
      'another protocol',
      (_, callId) => encodeReply(callId, 208, 0, `engine speaks ${wire.major + 1}`, null),
      'engine speaks 2',
    ],
    ['nonsense', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'does not speak our protocol'],
    ['silence and hanging up', () => null, 'hung up'],
    ['a body that is no JSON', (_, callId) => encodeReply(callId, 0, 0, '', Buffer.from('{')), 'no JSON'],
  ])('an engine that answers with %s', async (_, answer, text) => {
    await listen(answer);
    expect(await run('status', '--socket', socket)).toMatchObject({ code: 1, errors: expect.stringContaining(text) });
  });

  test('says how to start an engine that is not there', async () => {
    expect(await run('status', '--socket', join(dir, 'nobody'))).toMatchObject({
      code: 1,
      errors: expect.stringContaining('vast-ostd'),
    });
  });
});

describe('formatting', () => {
  test('tables, bytes and ages', () => {
    expect(
      table(
        [
          ['a', 'bb', 'c'],
          ['aaa', 'b', ''],
        ],
        [1],
      ),
    ).toBe('a    bb  c\naaa   b\n');
    expect([0, 999, 1000, 1_500_000_000, 2 ** 53].map(humanBytes)).toEqual([
      '0 B',
      '999 B',
      '1.00 kB',
      '1.50 GB',
      '9.01 PB',
    ]);
    expect(['7d', '12h', '30m', '45s', '9', '1w', '', 'd', '-1d', '1.5h', '1y'].map(parseAge)).toEqual([
      604_800,
      43_200,
      1800,
      45,
      9,
      604_800,
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});
