import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { humanBytes, parseAge, table } from '../../cli/io.ts';
import { status } from '../../engine/core/errors.ts';
import { FrameCutter } from '../../engine/core/frames.ts';
import type { StatusReport } from '../../engine/core/status-report.ts';
import { encodeReply, frame, wire } from '../../engine/core/wire.ts';
import { decodeMarker } from '../../engine/image/marker.ts';
import { cliNow as now, runVastOst as run } from '../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'vast-ost-cli-'));
afterAll(() => rmSync(dir, { recursive: true }));

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
    memory: { budgetBytes: 4_294_967_296, usedBytes: 201_326_592, keptArenas: 0, keptBytes: 0, waiting: 1 },
    finished: [],
    handles: { open: 1, max: 256 },
    jobs: [
      {
        job: 'bptm-1',
        server: 'VastData:prod',
        lsu: 'pool',
        image: 'a',
        mode: 'write',
        seconds: 3,
        bytes: 3e9,
        bytesPerSecond: 1e9,
        slots: { held: 2, of: 3 },
        waitsFor: 'device',
        stalledSeconds: 90,
        shares: {
          hostProgram: 0.5,
          copy: 0,
          slotWait: { memory: 0, queue: 0, ring: 0, digest: 0, network: 0.5, commit: 0 },
          other: 0,
        },
      },
    ],
    servers: [
      {
        name: 'VastData:prod',
        store: 'nfs',
        root: '/mnt/vast',
        ready: true,
        problem: '',
        storeId: 'b'.repeat(32),
        mountPoints: 1,
        healthyMounts: 0,
        endpoints: [],
        retries: 0,
        integrity: null,
        conditionalPuts: null,
        tlsVerify: true,
      },
    ],
    mounts: [
      {
        server: 'VastData:prod',
        root: '/mnt/vast',
        mounted: true,
        state: 'lanes lost',
        storeId: 'b'.repeat(32),
        fsType: 'nfs',
        warnings: ['rsize is 4096'],
        lanesBusy: 1,
        lanesLost: 1,
        stalledSeconds: 0,
      },
    ],
    pools: [
      { name: 'io', running: 2, busy: 1, lost: 1, max: 16, queued: 0, completed: 9, cpuSeconds: 1, laneSeconds: 2 },
    ],
    log: { dropped: 0, failure: null },
  };

  const prod = report.servers[0] as StatusReport['servers'][0];
  const cloud: StatusReport['servers'][0] = {
    ...prod,
    name: 'VastData:cloud',
    store: 's3',
    root: 'https://a/bucket/',
    endpoints: [
      { origin: 'https://a:443', healthy: true, busy: 3, requests: 70, failures: 0, problem: '' },
      { origin: 'https://b:443', healthy: false, busy: 0, requests: 9, failures: 4, problem: 'connect: refused' },
    ],
    storeId: null,
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

  test('shows every storage server, what ails it and what was switched off', async () => {
    const servers = [prod, { ...cloud, ready: false, problem: 'DNS is gone', tlsVerify: false }];
    await listen(honest({ ...report, servers }));
    const { code, text } = await run('status', '--socket', socket);
    // One that is not ready is enough.
    expect(code).toBe(1);
    expect(text).toContain('VastData:prod /mnt/vast: nfs\n');
    expect(text).toContain('VastData:cloud https://a/bucket/: NOT REACHED\n');
    expect(text).toContain('DNS is gone');
    expect(text).toContain('VastData:cloud: tls_verify = false');
  });

  test('an engine without a default server refuses our name, and answers all the same', async () => {
    const body = Buffer.from(JSON.stringify({ ...report, servers: [cloud] }));
    await listen((type, callId) =>
      type === frame.status
        ? encodeReply(callId, 0, 0, '', body)
        : encodeReply(callId, status.ECLAIM, 0, 'no storage server', null),
    );
    const { code, text } = await run('status', '--socket', socket);
    expect(code).toBe(0);
    expect(text).toContain('VastData:cloud https://a/bucket/: s3\n');
    expect(text).toMatch(/endpoint +https:\/\/a:443: 3 busy, 70 requests, 0 failed\n/);
    expect(text).toMatch(
      /endpoint +https:\/\/b:443: DOES NOT ANSWER, 0 busy, 9 requests, 4 failed: connect: refused\n/,
    );
  });

  test.each([
    [{ integrity: 'sha256', conditionalPuts: true, retries: 0 }, 's3, signed SHA-256, conditional puts\n'],
    [
      { integrity: 'crc64nvme', conditionalPuts: false, retries: 5 },
      's3, CRC-64/NVME, NO conditional puts: one engine only, 5 retries\n',
    ],
  ] as const)('shows what a bucket does: %j', async (ways, line) => {
    await listen(honest({ ...report, servers: [{ ...cloud, ...ways }] }));
    expect((await run('status', '--socket', socket)).text).toContain(`VastData:cloud https://a/bucket/: ${line}`);
  });

  test('of several mounts shows each, with what keeps it from being used', async () => {
    const mount = report.mounts[0] as StatusReport['mounts'][0];
    const mounts: StatusReport['mounts'] = [
      { ...mount, root: '/mnt/a', state: 'healthy', warnings: [] },
      { ...mount, root: '/mnt/b', warnings: [] },
      { ...mount, root: '/mnt/c', state: 'silent', stalledSeconds: 90, warnings: [] },
      { ...mount, root: '/mnt/d', state: 'not mounted', mounted: false, warnings: ['/mnt/d shows store x'] },
    ];
    await listen(honest({ ...report, jobs: [], servers: [{ ...prod, mountPoints: 4, healthyMounts: 1 }], mounts }));
    const { code, text } = await run('status', '--socket', socket);
    expect(code).toBe(0);
    for (const line of [
      'VastData:prod: 1 of 4 mounts healthy',
      '/mnt/a: nfs',
      '/mnt/b: NOT USED: 1 lanes LOST',
      '/mnt/c: NOT USED: does not answer, STALLED for 1 min',
      '/mnt/d: NOT USED: see the warning',
      '/mnt/d shows store x',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
  });

  test('fails when the storage is not mounted', async () => {
    await listen(
      honest({
        ...report,
        jobs: [],
        servers: [{ ...prod, ready: false }],
        mounts: [{ ...report.mounts[0], mounted: false } as StatusReport['mounts'][0]],
      }),
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
