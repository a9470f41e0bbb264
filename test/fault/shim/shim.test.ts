import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  constants as fsConstants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BeginLine, EndLine } from './log.ts';
import { type Rule, Shim } from './shim.ts';
import { everyName, everything, noDir, Subject } from './subject-process.ts';

const { EINTR, EIO, ENOSPC } = constants.errno;
const { O_RDONLY, O_RDWR, O_CREAT, O_DIRECTORY, O_EXCL } = fsConstants;

let dir = '';
let root = '';
let shim: Shim | undefined;
let subject: Subject | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(realpathSync(tmpdir()), 'vast-shim-'));
  root = join(dir, 'root');
  mkdirSync(root);
});

afterEach(async () => {
  subject?.child.kill('SIGKILL');
  await subject?.exit;
  shim?.close();
  rmSync(dir, { recursive: true, force: true });
  subject = shim = undefined;
});

async function start(logs: 'none' | 'calls' | 'data' = 'none', env: NodeJS.ProcessEnv = {}) {
  const made = new Shim(dir, logs);
  const process = new Subject({ ...made.env(root, 'subject.ts'), ...env });
  shim = made;
  subject = process;
  await process.started();
  const rootId = (await process.call('openFile', noDir, root, O_RDONLY | O_DIRECTORY, 0)) as number;
  const flags = O_RDWR | O_CREAT | O_EXCL;
  const open = (name: string) => process.call('openFile', rootId, name, flags, 0o640) as Promise<number>;
  return { shim: made, subject: process, rootId, open };
}

/** Waits for what another process does to a counter; the test's own time limit is the only one. */
async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setImmediate(resolve));
}

describe('counting and logging', () => {
  test('each call is counted and logged once, close not', async () => {
    const { shim, subject, rootId } = await start('calls');
    await everything(subject, rootId);
    await subject.end();
    const log = shim.readLog();
    const begins = log.filter((line): line is BeginLine => line.kind === 'begin');
    expect(begins.map((line) => line.name)).toEqual(everyName);
    expect(begins.map((line) => line.call)).toEqual(everyName.map((_, i) => i + 1));
    expect(log.filter((line) => line.kind === 'end')).toHaveLength(everyName.length);
    expect(shim.calls).toBe(everyName.length);
    expect(shim.pid).toBe(subject.child.pid);
  });

  test('lines tell path, place, length and result', async () => {
    const { shim, subject, rootId } = await start('data');
    await everything(subject, rootId);
    await subject.end();
    const log = shim.readLog();
    const of = (name: string) => log.find((line) => line.kind === 'begin' && line.name === name) as BeginLine;
    const endOf = (begin: BeginLine) => log.find((line) => line.kind === 'end' && line.call === begin.call) as EndLine;
    expect(of('open')).toMatchObject({ path: '.', inode: 0 });
    expect(of('write')).toMatchObject({ path: 'a', offset: 0, length: 11, dataAt: 0 });
    expect(endOf(of('write'))).toMatchObject({ result: 11, action: '-' });
    expect(of('truncate')).toMatchObject({ path: 'a', offset: 5 });
    expect(of('link')).toMatchObject({ path: 'a', path2: 'd/b' });
    expect(of('rename')).toMatchObject({ path: 'd', path2: 'e' });
    expect(of('unlink')).toMatchObject({ path: 'e/b' });
    const made = endOf(of('mkdir'));
    expect(made).toMatchObject({ created: true, result: 0 });
    expect(made.inode).toBeGreaterThan(0);
    expect(of('write').inode).toBe(of('fsync').inode);
    expect(new Set(log.filter((line) => line.kind === 'begin').map((line) => line.thread))).toEqual(
      new Set([subject.child.pid]),
    );
  });

  test('hostile names come back as they are', async () => {
    const { shim, subject, open } = await start('calls');
    await open('a\tb\nc%d é');
    await subject.end();
    const path = (shim.readLog().at(-2) as BeginLine).path;
    expect(Buffer.from(path, 'latin1').toString()).toBe('a\tb\nc%d é');
  });

  test('strace sees what the shim counts', async ({ skip }) => {
    if (spawnSync('strace', ['-V']).status !== 0) skip('strace is not installed');
    const made = new Shim(dir);
    shim = made;
    const trace = join(dir, 'trace');
    const preload = Object.entries(made.env(root, 'subject.ts')).map(([name, value]) => `-E${name}=${value}`);
    const process = new Subject({}, ['strace', '-f', '-y', '-qq', '-o', trace, '-e', 'trace=file,desc', ...preload]);
    subject = process;
    await process.started();
    const rootId = (await process.call('openFile', noDir, root, O_RDONLY | O_DIRECTORY, 0)) as number;
    await everything(process, rootId);
    await process.end();
    const lines = readFileSync(trace, 'utf8').split('\n');
    // fcntl sets what the descriptor itself is like: no storage hears of it.
    const onRoot = lines.filter(
      (line) => line.includes(root) && !/^\d+ +(close|fcntl|readlink|execve|\+\+\+)/.test(line),
    );
    expect(onRoot).toHaveLength(everyName.length);
    expect(made.calls).toBe(everyName.length);
  });

  test('others pass: no second process, no child, nothing off the root', async () => {
    const { shim, subject } = await start();
    const before = shim.calls;
    shim.arm(0, { action: 'fail', argument: EIO, count: 0 });
    const other = new Subject(shim.env(root, 'subject.ts'));
    await other.started();
    expect(await other.call('openFile', noDir, join(root, 'x'), O_RDWR | O_CREAT, 0o640)).toBeGreaterThan(0);
    await other.end();
    expect(await subject.call('openFile', noDir, join(dir, 'y'), O_RDWR | O_CREAT, 0o640)).toBeGreaterThan(0);
    expect(await subject.call('openFile', noDir, `${root}x`, O_RDWR | O_CREAT, 0o640)).toBeGreaterThan(0);
    expect(shim.calls).toBe(before);
    expect(await subject.call('openFile', noDir, join(root, 'x'), O_RDWR, 0)).toBe(-EIO);
  });

  test('a process whose command line is another passes', async () => {
    const made = new Shim(dir);
    shim = made;
    const text = execFileSync(process.execPath, ['-p', '6 * 7'], {
      env: { ...process.env, ...made.env(root, 'subject.ts') },
    });
    expect(text.toString()).toBe('42\n');
    expect(made.pid).toBe(0);
  });
});

describe('kills', () => {
  /** Three calls, of which the middle one shows whether it was made. */
  async function killed(rule: Rule) {
    const { shim, subject, rootId, open } = await start('calls');
    shim.arm(3, rule);
    await open('one');
    const answer = await subject.call('makeDir', rootId, 'two', 0o750);
    await subject.exit;
    return { shim, subject, answer };
  }

  test('before call N: what came before is there, N is not', async () => {
    const { shim, subject, answer } = await killed({ action: 'killBefore', from: 2 });
    expect(answer).toBeUndefined();
    expect(subject.child.signalCode).toBe('SIGKILL');
    expect(readdirSync(root)).toEqual(['one']);
    expect(shim.killedAt).toBe(3); // the root itself was opened before arming
    expect(shim.readLog().at(-1)).toMatchObject({ kind: 'begin', call: 3 });
  });

  test('after call N: N is there, nobody heard of it', async () => {
    const { shim, subject, answer } = await killed({ action: 'killAfter', from: 2 });
    expect(answer).toBeUndefined();
    expect(subject.child.signalCode).toBe('SIGKILL');
    expect(readdirSync(root).sort()).toEqual(['one', 'two']);
    expect(shim.readLog().at(-1)).toMatchObject({ kind: 'end', call: 3, result: 0, action: 'kill' });
  });
});

describe('failures', () => {
  test('one call fails with its errno and is not made; the next one works', async () => {
    const { shim, subject, rootId } = await start();
    shim.arm(0, { action: 'fail', argument: ENOSPC, names: ['mkdir'] });
    expect(await subject.call('makeDir', rootId, 'd', 0o750)).toBe(-ENOSPC);
    expect(readdirSync(root)).toEqual([]);
    expect(await subject.call('makeDir', rootId, 'd', 0o750)).toBe(0);
    expect(shim.counts(0)).toEqual({ matched: 2, acted: 1, holding: 0 });
  });

  test('names and paths choose, on either path of a rename', async () => {
    const { shim, subject, rootId, open } = await start();
    const [a, b] = [await open('x.meta'), await open('x.data')];
    shim.arm(0, { action: 'fail', argument: EIO, count: 0, names: ['@sync'], path: '*.meta' });
    shim.arm(1, { action: 'fail', argument: EIO, count: 0, path: 'final*' });
    expect(await subject.call('syncFile', a)).toBe(-EIO);
    expect(await subject.call('syncData', a)).toBe(-EIO);
    expect(await subject.call('syncFile', b)).toBe(0);
    expect(await subject.call('truncateFile', a, 10)).toBe(0);
    expect(await subject.call('renameFile', rootId, 'x.meta', rootId, 'final', 0)).toBe(-EIO);
    shim.disarm(1);
    expect(await subject.call('renameFile', rootId, 'x.meta', rootId, 'final', 0)).toBe(0);
    // The path is that of the moment, not that of the open.
    expect(await subject.call('syncFile', a)).toBe(0);
  });

  test('an interrupted call is counted again when the addon repeats it', async () => {
    const { shim, subject, open } = await start();
    const file = await open('f');
    shim.arm(0, { action: 'fail', argument: EINTR, count: 2, names: ['write'] });
    expect(await subject.call('writeBytes', file, 'text:hello', 5, 0)).toBe(5);
    expect(shim.counts(0)).toMatchObject({ matched: 3, acted: 2 });
  });

  test('short writes and reads are short, then go on', async () => {
    const { shim, subject, open } = await start('data');
    const file = await open('f');
    shim.arm(0, { action: 'short', argument: 2, names: ['write', 'read'], count: 0 });
    expect(await subject.call('writeBytes', file, 'text:hello', 5, 0)).toBe(5);
    expect(shim.counts(0).matched).toBe(3);
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('hello');
    expect(await subject.call('readBytes', file, 'text:.....', 5, 0)).toBe(5);
    expect(readFileSync(shim.data, 'latin1')).toBe('hello');
  });

  test('close fails only where it is named, and the descriptor is free', async () => {
    const { shim, subject, open: openFile } = await start();
    const [a, b] = [await openFile('a'), await openFile('b')];
    shim.arm(0, { action: 'fail', argument: EIO, count: 0, path: 'a' });
    expect(await subject.call('closeFile', a)).toBe(0);
    shim.arm(0, { action: 'fail', argument: EIO, names: ['close'] });
    expect(await subject.call('closeFile', b)).toBe(-EIO);
    const open = readdirSync(`/proc/${subject.child.pid}/fd`).map((fd) => {
      return readlinkSync(`/proc/${subject.child.pid}/fd/${fd}`);
    });
    expect(open.filter((path) => path.startsWith(`${root}/`))).toEqual([]);
  });

  test('a dropped sync answers 0 and is told in the log', async () => {
    const { shim, subject, open } = await start('calls');
    const file = await open('f');
    shim.arm(0, { action: 'drop', from: 2, names: ['fsync'] });
    expect(await subject.call('syncFile', file)).toBe(0);
    expect(await subject.call('syncFile', file)).toBe(0);
    await subject.end();
    expect(
      shim
        .readLog()
        .filter((line) => line.kind === 'end')
        .slice(-2)
        .map((line) => line.action),
    ).toEqual(['-', 'drop']);
  });
});

describe('hangs', () => {
  test('a call hangs until it is released, then is made', async () => {
    const { shim, subject, rootId } = await start();
    shim.arm(0, { action: 'hang', names: ['mkdir'], count: 0 });
    const answer = subject.call('makeDir', rootId, 'd', 0o750);
    await until(() => shim.counts(0).holding === 1);
    expect(readdirSync(root)).toEqual([]);
    shim.release(0);
    expect(await answer).toBe(0);
    expect(await subject.call('makeDir', rootId, 'e', 0o750)).toBe(0);
    expect(shim.counts(0)).toEqual({ matched: 2, acted: 2, holding: 0 });
  });

  test('or fails after its release', async () => {
    const { shim, subject, rootId } = await start();
    shim.arm(0, { action: 'hang', argument: EIO });
    const answer = subject.call('makeDir', rootId, 'd', 0o750);
    await until(() => shim.counts(0).holding === 1);
    shim.release(0);
    expect(await answer).toBe(-EIO);
    expect(readdirSync(root)).toEqual([]);
  });

  test('or hangs after it was made; disarming lets go as well', async () => {
    const { shim, subject, rootId } = await start();
    shim.arm(0, { action: 'hangAfter' });
    const answer = subject.call('makeDir', rootId, 'd', 0o750);
    await until(() => shim.counts(0).holding === 1);
    expect(existsSync(join(root, 'd'))).toBe(true);
    shim.disarm(0);
    expect(await answer).toBe(0);
  });
});

describe('data', () => {
  test('every byte written is kept, also by copies, with the inode it went to', async () => {
    writeFileSync(join(root, 'old'), 'old bytes');
    const { shim, subject, rootId, open } = await start('data');
    const file = await open('f');
    await subject.call('writeBytes', file, 'text:hello', 5, 100);
    const old = await subject.call('openFile', rootId, 'old', O_RDONLY, 0);
    const copy = await open('copy');
    await subject.call('copyRange', copy, old, 4, 5);
    await subject.end();
    const bytes = readFileSync(shim.data);
    const log = shim.readLog();
    const writes = log.filter((line): line is BeginLine => line.kind === 'begin' && line.dataAt >= 0);
    expect(
      writes.map((w) => [w.name, w.path, w.offset, bytes.toString('latin1', w.dataAt, w.dataAt + w.length)]),
    ).toEqual([
      ['write', 'f', 100, 'hello'],
      ['copy', 'copy', 4, 'bytes'],
    ]);
    const made = log.filter((line): line is EndLine => line.kind === 'end' && line.created);
    expect(made.map((line) => line.inode)).toEqual(writes.map((line) => line.inode));
  });

  test('marks of the test stand among the calls', async () => {
    const { shim, subject, rootId } = await start('data');
    await subject.call('makeDir', rootId, 'a', 0o750);
    shim.mark('a is\tacknowledged');
    await subject.call('makeDir', rootId, 'b', 0o750);
    const kinds = shim
      .readLog()
      .slice(2)
      .map((line) => (line.kind === 'mark' ? line.text : line.kind));
    expect(kinds).toEqual(['begin', 'end', 'a is\tacknowledged', 'begin', 'end']);
  });
});
