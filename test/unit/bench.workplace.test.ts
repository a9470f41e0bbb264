import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CreateMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { clean } from '../../bench/cli/clean.ts';
import { parseTarget, type S3Target } from '../../bench/cli/target.ts';
import { spaceOf } from '../../bench/macro/space.ts';
import { workloads } from '../../bench/result/schema.ts';
import { Rounds, soakText } from '../../bench/soak/trend.ts';
import { BucketPlace } from '../../bench/workplace/bucket.ts';
import { DirectoryPlace, leftOvers, removeLeftOver, requireDirectory } from '../../bench/workplace/directory.ts';
import { checkAgainst, checkMemory, checkSpace, reached, usedBytes } from '../../bench/workplace/limits.ts';
import {
  encodeMarker,
  isNumberFree,
  markerFile,
  newMarker,
  newRunId,
  placeName,
} from '../../bench/workplace/marker.ts';
import { S3Server } from '../s3/server/server.ts';

const top = mkdtempSync(join(tmpdir(), 'vast-ost-workplace-'));
afterAll(() => rmSync(top, { recursive: true }));
let target = '';
beforeEach(() => {
  target = mkdtempSync(join(top, 't-'));
  writeFileSync(join(target, 'foreign'), 'stays');
});

/** A place of a run that has ended. */
function deadPlace(over: Partial<ReturnType<typeof newMarker>> = {}): string {
  const { pid } = spawnSync('true');
  const run = newRunId();
  const path = join(target, placeName(run));
  mkdirSync(join(path, 'store'), { recursive: true });
  writeFileSync(join(path, markerFile), encodeMarker({ ...newMarker(run), pid, startTicks: 1, ...over }));
  return path;
}

describe('a place in a directory', () => {
  test('what is in it goes, what is beside it and what it points to stays', async () => {
    const place = DirectoryPlace.create(target, newRunId());
    const outside = join(top, 'outside');
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(outside, 'kept'), '');
    mkdirSync(join(place.path, 'engine/store'), { recursive: true });
    writeFileSync(join(place.path, 'engine/store/image'), 'x');
    symlinkSync(outside, join(place.path, 'link'));
    expect(place.left()).toContain(place.path);
    await place.remove();
    await place.remove();
    expect(place.left()).toBeNull();
    expect(readdirSync(target)).toEqual(['foreign']);
    expect(readdirSync(outside)).toEqual(['kept']);
  });

  test('another directory in its place is not removed', async () => {
    const place = DirectoryPlace.create(target, newRunId());
    rmSync(place.path, { recursive: true });
    mkdirSync(place.path);
    writeFileSync(join(place.path, markerFile), encodeMarker(newMarker(newRunId())));
    await place.remove();
    expect(existsSync(place.path)).toBe(true);
  });

  test('a directory of that name is never taken over', () => {
    const run = newRunId();
    mkdirSync(join(target, placeName(run)));
    expect(() => DirectoryPlace.create(target, run)).toThrow(/EEXIST/);
  });

  test('a target that is not there is not made', () => {
    expect(() => requireDirectory(join(target, 'none'))).toThrow(/no such directory; make it, or mount it/);
    expect(() => requireDirectory(join(target, 'foreign'))).toThrow(/no directory/);
    expect(existsSync(join(target, 'none'))).toBe(false);
  });

  test('places of runs that are over are told with the command that removes them; those that live, and no place, are not', async () => {
    const dead = deadPlace();
    const elsewhere = deadPlace({ host: 'another-machine' });
    const living = DirectoryPlace.create(target, newRunId());
    mkdirSync(join(target, 'vast-ost-bench-0123456789ab'));
    const lines = leftOvers(target);
    expect(lines).toHaveLength(2);
    expect(lines.find((line) => line.startsWith(dead))).toMatch(/clean .*vast-ost-bench-/);
    expect(lines.find((line) => line.startsWith(elsewhere))).toContain('on another-machine, which may still run');
    await living.remove();
  });

  test('clean removes what a run left that is over, and nothing else', async () => {
    const dead = deadPlace();
    const elsewhere = deadPlace({ host: 'another-machine' });
    // A machine of the same host name; and this one, before it was started anew.
    const twin = deadPlace({ bootId: 'other', machineId: 'other' });
    const before = deadPlace({ bootId: 'other' });
    const living = DirectoryPlace.create(target, newRunId());
    const noMarker = join(target, 'vast-ost-bench-0123456789ab');
    mkdirSync(noMarker);
    expect(isNumberFree(await removeLeftOver(dead, false))).toBe(true);
    expect(isNumberFree(await removeLeftOver(before, false))).toBe(false);
    await expect(removeLeftOver(twin, false)).rejects.toThrow(/which may live.*--force/);
    await removeLeftOver(twin, true);
    await expect(removeLeftOver(elsewhere, false)).rejects.toThrow(/on another-machine.*--force/);
    expect(isNumberFree(newMarker(newRunId()))).toBe(false);
    await expect(removeLeftOver(living.path, true)).rejects.toThrow(/lives, process/);
    await expect(removeLeftOver(noMarker, true)).rejects.toThrow(/made by no bench/);
    await expect(removeLeftOver(target, true)).rejects.toThrow(/made by no bench/);
    await removeLeftOver(elsewhere, true);
    await living.remove();
    expect(readdirSync(target).sort()).toEqual(['foreign', 'vast-ost-bench-0123456789ab']);
  });

  test('clean ends the engines that a killed run left, by whichever way it was named, and no other', async () => {
    const dead = deadPlace();
    const link = join(top, 'link');
    symlinkSync(target, link);
    mkdirSync(join(dead, 'engine'));
    writeFileSync(join(dead, 'engine/vast-ost.conf'), '');
    const engine = (at: string) => spawn('sh', ['-c', 'read line', 'sh', '--config', `${at}/engine/vast-ost.conf`]);
    const engines = [dead, join(link, basename(dead)), `${dead}0`, join(top, basename(dead))].map(engine);
    await Promise.all(engines.map((one) => once(one, 'spawn')));
    const ended = engines.map((one) => once(one, 'exit'));
    await removeLeftOver(`${dead}/`, false);
    expect(existsSync(dead)).toBe(false);
    for (const one of engines.slice(2)) one.stdin.end('\n');
    const killed = [null, 'SIGKILL'];
    const read = [0, null];
    expect(await Promise.all(ended)).toEqual([killed, killed, read, read]);
  });
});

describe('a place in a bucket', () => {
  test('objects and uploads below its prefix go, all others stay; left-overs are told, and cleaned by name', async () => {
    await using server = await S3Server.start({ mode: 'vast-like' });
    const { accessKeyId, secretAccessKey } = server.credentials;
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    const nothing = async (): Promise<void> => {};
    const address = (prefix: string): string => `s3://${server.bucket}/${prefix}?endpoint=${server.url}`;
    const at = parseTarget(address('mine')) as S3Target;
    server.plant('mine/other', Buffer.from('x'));
    server.plant('mine2/vast-ost-bench', Buffer.from('x'));
    const client = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true });
    const begin = (Key: string) => client.send(new CreateMultipartUploadCommand({ Bucket: server.bucket, Key }));
    await begin('mine/foreign-upload');

    const first = await BucketPlace.create(at, newRunId());
    expect(await first.initStore('store')).toBe(`${first.prefix}store/`);
    for (let i = 0; i < 1100; i++) server.plant(`${first.prefix}store/o${i}`, Buffer.from('x'));
    await begin(`${first.prefix}store/upload`);
    const second = await BucketPlace.create(at, newRunId());
    // Ours, and it lives.
    expect(await second.leftOvers()).toEqual([]);
    await expect(
      BucketPlace.removeLeftOver(parseTarget(address(first.prefix)) as S3Target, true, nothing),
    ).rejects.toThrow(/lives/);
    await first.remove();
    expect(first.left()).toBeNull();
    await second.remove();

    const run = newRunId();
    const left = `mine/${placeName(run)}/`;
    const marker = { ...newMarker(run), pid: 1, startTicks: 1 };
    server.plant(left + markerFile, Buffer.from(encodeMarker(marker)));
    const third = await BucketPlace.create(at, newRunId());
    expect((await third.leftOvers()).join()).toContain(left);
    await third.remove();
    const name = basename(left);
    const temporary = [`${name}-`, `${name}0-`].map((prefix) => mkdtempSync(join(tmpdir(), prefix)));
    await clean(address(left), false);
    expect(temporary.map((path) => existsSync(path))).toEqual([false, true]);
    for (const path of temporary) rmSync(path, { recursive: true, force: true });
    await expect(BucketPlace.removeLeftOver(at, true, nothing)).rejects.toThrow(/no name of a bench's prefix/);

    expect(server.keys().sort()).toEqual(['mine/other', 'mine2/vast-ost-bench']);
    expect(server.uploads().map(({ key }) => key)).toEqual(['mine/foreign-upload']);
    client.destroy();
  });
});

describe('limits', () => {
  const need = { bytes: 5e9, what: 'at 4 streams of 1192 MiB' };

  test('before a run: what is allowed, what is free, what memory there is', async () => {
    expect(() => checkAgainst(need, 4e9)).toThrow(/needs 5\.0 GB at 4 streams.*--max-gb allows 4\.0 GB.*lower --size/);
    checkAgainst(need, 5e9);
    await expect(checkSpace(target, { ...need, bytes: 1e18 }, null)).rejects.toThrow(
      /has .* free.*lower --size or --streams/,
    );
    expect(() => checkMemory(need, 5e9)).toThrow(/this machine has 5\.0 GB/);
    checkMemory(need, 6e9);
  });

  test('each workload states its need, the later ones beside what those before them left', () => {
    const mib = 2 ** 20;
    const sizes = {
      store: 'file',
      streams: [1, 4],
      modes: ['io-only', 'default'],
      quick: false,
      alternations: 7,
      warmUps: 1,
      bytesPerStream: (streams: number) => (4096 / streams) * mib,
    } as const;
    const [one, four] = [2048 * mib, 2048 * mib];
    expect(spaceOf(['write'], sizes)).toEqual({ bytes: 4096 * mib, what: 'at 1 stream of 4096 MiB' });
    expect(spaceOf(['mixed'], sizes).bytes).toBe(2 * (one + four) + 2 * four);
    expect(spaceOf(['control'], sizes)).toEqual({
      bytes: 16_384 * mib,
      what: 'for control beside 16 streams of 1024 MiB',
    });
    const both = spaceOf(['random-read', 'control'], sizes);
    expect(both.bytes).toBe((3 * 4 * 1024 + 16_384) * mib);
    expect(both.what).toMatch(/^for control .*, beside what the workloads before it left$/);
    for (const workload of workloads) {
      if (workload !== 'orders') expect(spaceOf([workload], sizes).bytes, workload).toBeGreaterThan(0);
    }
  });

  test('while it runs: time, and what lies there', async () => {
    const limits = { maxSeconds: 60, maxBytes: 1e6, directory: target };
    expect(await reached(limits, 59)).toBeNull();
    expect(await reached(limits, 60)).toContain('--max-minutes 1 are over');
    mkdirSync(join(target, 'deep/er'), { recursive: true });
    writeFileSync(join(target, 'deep/er/image'), Buffer.alloc(2e6));
    expect(await usedBytes(target)).toBeGreaterThanOrEqual(2e6);
    expect(await reached(limits, 0)).toMatch(/2\.0 GB|0\.00 GB lie on the target, --max-gb allows/);
    expect(await reached({ ...limits, maxBytes: null }, 0)).toBeNull();
  });
});

describe('a soak', () => {
  const round = (i: number) => ({
    at: i,
    streams: 1,
    writeRate: 1e9 + (i % 5) * 1e6,
    restoreRate: 1e9 - (i % 7) * 1e6,
    memoryBytes: 1e8 + (i % 3) * 1e5,
    files: 60 + (i % 2),
    handles: 0,
  });
  const verdict = (change: (i: number) => object, count = 60): string[] => {
    const rounds = new Rounds();
    for (let i = 0; i < count; i++) rounds.add({ ...round(i), ...change(i) });
    return rounds.soak(1).verdict;
  };

  test('steady rounds are steady; what drifts or is kept is named', () => {
    expect(verdict(() => ({}))).toEqual([]);
    expect(verdict((i) => ({ writeRate: 1e9 * (1 - i / 200) }))).toEqual([
      expect.stringMatching(/^drift: write, 1 streams: from .*, -\d+ %/),
    ]);
    expect(verdict((i) => ({ memoryBytes: 1e8 + i * 2e6 }))).toEqual([expect.stringMatching(/^leak: memory/)]);
    expect(verdict((i) => ({ files: 60 + i }))).toEqual([expect.stringMatching(/^leak: open files/)]);
    expect(verdict((i) => ({ handles: Math.floor(i / 10) }))).toEqual([expect.stringMatching(/^leak: \d+ handles/)]);
    // One slow round is no drift, and few rounds are no trend.
    expect(verdict((i) => ({ writeRate: i === 59 ? 1e8 : 1e9 }))).toEqual([]);
    expect(verdict((i) => ({ files: 60 + i }), 8)).toEqual([]);
  });

  test('failures are a verdict; days of rounds are thinned evenly', () => {
    const rounds = new Rounds();
    for (let i = 0; i < 10_000; i++) rounds.add(round(i));
    rounds.failed(5, 'restore: status 2060012');
    const soak = rounds.soak(24);
    expect(soak).toMatchObject({ rounds: 10_001, failed: 1 });
    expect(soak.trend.length).toBeLessThan(4000);
    expect(soak.trend.at(-1)?.at).toBeGreaterThan(9_980);
    expect(soakText(soak)).toMatch(
      /VERDICT: not steady\n {2}errors: 1 of 10001 rounds failed; the first after 5 s: restore/,
    );
  });
});

const bench = join(import.meta.dirname, '../../bench/run.ts');
const common = ['--quick', '--size', '32', '--streams', '1', '--alternations', '500', '--no-peers', '--macro-only'];

interface Started {
  child: ReturnType<typeof spawn>;
  said(): string;
  until(text: string): Promise<void>;
  ended: Promise<unknown[]>;
}

function startBench(env: NodeJS.ProcessEnv = {}, on = target): Started {
  const args = [
    bench,
    ...common,
    '--mode',
    'io-only',
    '--workloads',
    'write',
    '--target',
    on,
    '--out',
    join(target, 'out'),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let said = '';
  let look = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      look();
    });
  }
  const ended = once(child, 'close');
  const until = (text: string): Promise<void> =>
    new Promise((done, fail) => {
      look = () => (said.includes(text) ? done() : undefined);
      look();
      void ended.then(() => fail(new Error(`it ended before it said '${text}': ${said}`)));
    });
  return { child, said: () => said, until, ended };
}

/** Processes whose command line names the target. */
function processesOn(path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(path);
      } catch {
        return false;
      }
    });
}

describe('a run that is interrupted', () => {
  test('stops what it started, removes what it made, keeps what it measured', async () => {
    const run = startBench();
    await run.until('alternation 2');
    expect(readdirSync(target).filter((name) => name.startsWith('vast-ost-bench-'))).toHaveLength(1);
    expect(processesOn(target).length).toBeGreaterThan(1);
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual([130, null]);
    expect(readdirSync(target).sort()).toEqual(['foreign', 'out']);
    expect(readFileSync(join(target, 'foreign'), 'utf8')).toBe('stays');
    expect(processesOn(target)).toEqual([]);
    const written = readdirSync(join(target, 'out'));
    const result = JSON.parse(
      readFileSync(join(target, 'out', written.find((name) => name.endsWith('.json')) ?? ''), 'utf8'),
    );
    expect(result).toMatchObject({ schema: 'vast-ost-bench/2', cut: 'interrupted by SIGINT' });
    expect(result.noisy.join()).toContain('it ended early');
  });

  test('a second signal ends it at once, and it tells what is left; that goes by the command it names', async () => {
    // So deep that sockets have a directory of their own, in that for temporary things.
    const [deep, temporary] = [join(target, 'd'.repeat(90)), mkdtempSync(join(top, 'tmp-'))];
    mkdirSync(deep);
    const run = startBench({ TMPDIR: temporary }, deep);
    await run.until('warming up');
    expect(readdirSync(temporary).filter((name) => name.startsWith('vast-ost-bench-socket-'))).not.toEqual([]);
    run.child.kill('SIGTERM');
    run.child.kill('SIGHUP');
    const [code] = (await run.ended) as [number];
    expect([129, 143]).toContain(code);
    const left = /left: (\S+); remove it: npm run bench -- clean (\S+)/.exec(run.said());
    expect(left?.[1]).toBe(left?.[2]);
    expect(processesOn(target)).toEqual([]);
    await removeLeftOver(left?.[2] ?? '', false);
    expect(readdirSync(temporary).filter((name) => name.startsWith('vast-ost-bench-'))).toEqual([]);
    expect([readdirSync(deep), readdirSync(target).sort()]).toEqual([[], ['d'.repeat(90), 'foreign', 'out']]);
  });
});
