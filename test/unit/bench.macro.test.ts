/** What the bench makes of what its programs tell, and what it asks of them. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { areUnderWay, threadUs } from '../../bench/macro/control.ts';
import { fewer } from '../../bench/macro/fewer.ts';
import { sharesTogether, sideOf, together } from '../../bench/macro/mixed.ts';
import { thirds } from '../../bench/macro/small-images.ts';
import type { Row } from '../../bench/result/schema.ts';
import type { Run } from '../../bench/run-context.ts';
import { bestOf, fioArguments, fioFigures, fioKinds, type Trial, triedText } from '../../bench/subjects/fio.ts';
import { nativePath, runProgram } from '../../bench/subjects/programs.ts';
import { contentOf, unitOf } from '../../bench/subjects/source.ts';
import { testDirectory } from '../support/engine.ts';
import { treeRoot } from '../support/files-tree.ts';

const [psync, libaio1, libaio2] = fioKinds as [Trial['kind'], Trial['kind'], Trial['kind']];

test('of what fio was tried with, the best of writes and the best of reads are taken, and what does not work is not', () => {
  const trials: Trial[] = [
    { kind: psync, write: 1.2e9, read: 3e9 },
    { kind: libaio1, write: null, read: null },
    { kind: libaio2, write: 2e9, read: 1e9 },
    { kind: { engine: 'io_uring', depth: 3 }, write: 1.5e9, read: 2e9 },
  ];
  expect(bestOf(trials)).toEqual([libaio2, psync]);
  expect(bestOf(trials.slice(2))).toEqual([libaio2, { engine: 'io_uring', depth: 3 }]);
  expect(bestOf(trials.slice(1, 2))).toEqual([]);
  expect(triedText(trials)).toBe(
    'Tried once each (write/read GB/s): psync 1 1.20/3.00, libaio 1 -/-, libaio 2 2.00/1.00, io_uring 3 1.50/2.00',
  );
});

test('fio is asked for O_DIRECT, one fsync and 64 MiB, or less for an image that is shorter', () => {
  const load = { streams: 4, blockBytes: 0, bytesPerStream: 1 << 30 };
  const args = fioArguments(libaio2, '/x', 'write', load);
  for (const arg of ['--direct=1', '--end_fsync=1', '--bs=67108864', '--iodepth=2', '--size=1073741824'])
    expect(args).toContain(arg);
  const names = args.filter((arg) => arg.startsWith('--filename='));
  expect(new Set(names).size).toBe(4);
  const reads = fioArguments(psync, '/x', 'read', { ...load, bytesPerStream: 4096 });
  expect(reads).toContain('--bs=4096');
  expect(reads).not.toContain('--end_fsync=1');
});

const hasFio = spawnSync('fio', ['--version']).status === 0;
test.skipIf(!hasFio)('each job of fio has a file of its own, whatever the directory holds', () => {
  const directory = join(testDirectory(), 'a:b');
  const taken = ['f', 'stream0', 'stream1'];
  mkdirSync(directory);
  try {
    for (const name of taken) writeFileSync(join(directory, name), 'there before');
    const load = { streams: 3, blockBytes: 0, bytesPerStream: 8192 };
    const args = fioArguments(psync, directory, 'write', load);
    const { status, stdout, stderr } = spawnSync('fio', args, { cwd: directory, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const names = readdirSync(directory);
    // Each waited for the two others.
    expect(names.filter((name) => name.startsWith('ready-write.'))).toHaveLength(3);
    const logs = names
      .filter((name) => /_lat\.\d\.log$/.test(name))
      .map((name) => readFileSync(join(directory, name), 'utf8'));
    expect(logs).toHaveLength(3);
    expect(fioFigures(stdout, 'write', logs)).toMatchObject({ bytes: 3 * 8192, seconds: expect.any(Number) });
    for (const name of taken) expect(readFileSync(join(directory, name), 'utf8')).toBe('there before');
    for (const i of [0, 1, 2]) expect(statSync(join(directory, `stream${i}.data`)).size).toBe(8192);
  } finally {
    rmSync(dirname(directory), { recursive: true });
  }
});

test('of fio come bytes and seconds of the direction, also behind a line that it says first', () => {
  const job = (bytes: number, runtime: number) => ({
    read: { io_bytes: 0, runtime: 0 },
    write: { io_bytes: bytes, runtime },
  });
  const text = `fio: note\n${JSON.stringify({ jobs: [job(1000, 250), job(1000, 500), job(1000, 400)] })}`;
  // The third job begins when the first one is done: its first request ended last.
  const logs = ['90100, 100000000, 1, 64, 0\n90200, 50000000, 1, 64, 0\n', '90300, 200000000, 1, 64, 0\n'];
  const late = '90900, 100000000, 1, 64, 0\n90800, 500000000, 1, 64, 0\n';
  expect(fioFigures(text, 'write', [...logs, late])).toEqual({ bytes: 3000, seconds: 0.7 });
  expect(() => fioFigures(text, 'write', logs)).toThrow('no runtime');
  expect(() => fioFigures(text, 'read', ['', '', ''])).toThrow('no runtime');
});

test('round trips are timed once each of sixteen streams has filled its slots: 192 MiB', () => {
  const filled = 192 << 20;
  const written = Array.from({ length: 16 }, () => filled);
  expect(areUnderWay(written, 16)).toBe(true);
  expect(areUnderWay(written.with(7, filled - 1), 16)).toBe(false);
  expect(areUnderWay(written.slice(1), 15)).toBe(false);
  // One that was seen before is done.
  expect(areUnderWay(written.slice(1), 16)).toBe(true);
});

test('where the kernel does not tell how long a thread had no processor, round trips do without it', () => {
  expect(threadUs(0)).toBeNull();
});

test('two hand-overs tell of how many they are, tied to processors or not', () => {
  for (const more of [[], ['free']]) {
    const { stdout, status } = spawnSync(nativePath('handover'), ['50', ...more], { encoding: 'utf8' });
    expect(status).toBe(0);
    const { process: times } = JSON.parse(stdout);
    expect(times.repeated).toBe(50);
    expect(times.p50_us).toBeLessThanOrEqual(times.max_us);
  }
});

test('backups and restores at once: from the first that began to the last that ended, and how long both ran', () => {
  const write = { bytes: 300, started_ns: 1e9, ended_ns: 4e9 };
  const restore = { bytes: 300, started_ns: 2e9, ended_ns: 5e9 };
  const { value, seconds, counters } = together({ write, restore });
  expect({ value, seconds }).toEqual({ value: 150, seconds: 4 });
  expect(counters).toEqual({
    'mixed.writeBytesPerS': 100,
    'mixed.restoreBytesPerS': 100,
    'mixed.overlap': 0.5,
  });
  const apart = together({ write, restore: { ...restore, started_ns: 4.5e9 } });
  expect(apart.counters?.['mixed.overlap']).toBe(0);
});

test('backups and restores at once: the time of both by the length of their jobs, and that of each side by itself', () => {
  const write = { seconds: 3, shares: { copy: 0.4, 'slotWait.device': 0.6 } };
  const restore = { seconds: 1, shares: { copy: 0.2, hostProgram: 0.8 } };
  const { shares, counters } = sharesTogether({ write, restore });
  expect(shares?.copy).toBeCloseTo(0.35, 12);
  expect(shares?.['slotWait.device']).toBeCloseTo(0.45, 12);
  expect(shares?.hostProgram).toBeCloseTo(0.2, 12);
  const rates = { 'mixed.writeBytesPerS': 2, 'mixed.restoreBytesPerS': 1 };
  const row = { subject: 's', streams: 2, samples: [{ bytes: 8, shares, counters: { ...rates, ...counters } }] };
  expect(sideOf(row as unknown as Row, 'write').samples).toMatchObject([
    { value: 2, seconds: 2, shares: write.shares },
  ]);
  expect(sideOf(row as unknown as Row, 'restore').samples[0]?.shares).toEqual(restore.shares);
  // Each side stands beside the same side of the floor.
  const [of, beside] = (['engine', 'floor'] as const).map((role) =>
    sideOf({ ...row, role, subject: role === 'floor' ? 'floor, 2 in flight' : 's' } as unknown as Row, 'write'),
  );
  expect([of?.floor, beside?.floor]).toEqual([beside?.subject, undefined]);
  expect(sharesTogether({ write, restore: null })).toEqual({ shares: null, counters: {} });
});

test('a queue that grows has more in its last third', () => {
  expect(thirds([1, 1, 2, 2, 3, 5])).toEqual({
    'queue.firstThird': 1,
    'queue.lastThird': 4,
    'queue.max': 5,
    'queue.looks': 6,
  });
  expect(thirds([7, 7])).toEqual({});
});

test('the source of peers: one MiB in D is fresh, the rest is like one before, and a part of each 4 KiB is zero', () => {
  const data = { dedup: 4, compress: 2, seed: 5 };
  const contents = Array.from({ length: 40 }, (_, unit) => contentOf(unit, data));
  expect(new Set(contents).size).toBe(10);
  contents.forEach((content, unit) => void expect(content).toBeLessThanOrEqual(Math.floor(unit / 4)));
  expect(contents.map((_, unit) => contentOf(unit, { ...data, dedup: 0 }))).toEqual([...contents.keys()]);
  const unit = unitOf(3, data);
  expect(unit.equals(unitOf(3, data))).toBe(true);
  expect(unit.equals(unitOf(4, data))).toBe(false);
  expect(unit.subarray(2048, 4096).every((byte) => byte === 0)).toBe(true);
  expect(unit.subarray(4096, 4096 + 2048).filter((byte) => byte === 0).length).toBeLessThan(50);
  expect(
    unitOf(3, { ...data, compress: 0 })
      .subarray(2048, 4096)
      .every((byte) => byte === 0),
  ).toBe(false);
});

test('a run with fewer alternations is the same run in all else', () => {
  class Some {
    readonly #directory = '/d';
    alternations = 7;
    warmUps = 2;
    quick = true;
    place(name: string): string {
      return `${this.#directory}/${name}`;
    }
  }
  const run = fewer(new Some() as unknown as Run, 3);
  expect([run.alternations, run.warmUps, run.quick, run.place('x')]).toEqual([3, 1, true, '/d/x']);
  expect(fewer(run, 5).alternations).toBe(3);
});

test('a program that is ended takes its children with it: fio and shells do their work in them', async () => {
  const told = join(treeRoot({}), 'pid');
  const stop = new AbortController();
  const ended = runProgram(stop.signal, 'sh', [
    '-c',
    'sleep 300 & echo $! >"$1.part"; mv "$1.part" "$1"; wait',
    'sh',
    told,
  ]);
  const thrown = expect(ended).rejects.toThrow('enough');
  await vi.waitFor(() => expect(existsSync(told)).toBe(true), { timeout: 10_000 });
  const child = Number(readFileSync(told, 'utf8'));
  stop.abort(new Error('enough'));
  await thrown;
  // Gone, or waiting for whoever is to collect it.
  const state = (): string => {
    try {
      return readFileSync(`/proc/${child}/stat`, 'latin1').split(') ')[1]?.[0] ?? '';
    } catch {
      return 'gone';
    }
  };
  await vi.waitFor(() => expect(['gone', 'Z', 'X']).toContain(state()), { timeout: 10_000 });
});

test('a program that fails says why; one that is not there as well', async () => {
  const { signal } = new AbortController();
  expect(await runProgram(signal, 'sh', ['-c', 'echo out'])).toBe('out\n');
  await expect(runProgram(signal, 'sh', ['-c', 'echo no room >&2; exit 3'])).rejects.toThrow(/no room$/);
  await expect(runProgram(signal, 'sh', ['-c', 'exit 3'])).rejects.toThrow(/ended with code 3$/);
  await expect(runProgram(signal, '/no/such/program', [])).rejects.toThrow(/ENOENT/);
});
