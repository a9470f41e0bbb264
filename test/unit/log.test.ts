import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  read as readFile,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { makeLogger, openLog } from '../../engine/admin/log.ts';
import { LogFile, logWaitingBytesMax } from '../../engine/admin/log-file.ts';
import { terminalLine } from '../../engine/admin/log-terminal.ts';

/** The test's thread must stay free: the log goes on there. */
const readPiece = promisify(readFile) as (file: number, into: Buffer) => Promise<{ bytesRead: number }>;

const dir = mkdtempSync(join(tmpdir(), 'vast-ost-log-'));
afterAll(() => rmSync(dir, { recursive: true }));

function linesOf(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function collected(level: 'ERROR' | 'WARN' | 'INFO' | 'DEBUG' | 'TRACE') {
  const lines: Record<string, unknown>[] = [];
  const root = makeLogger(level, { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });
  return { root, lines };
}

describe('lines', () => {
  test('are JSON with time, level name, process, and the job and image of the child', () => {
    const { root, lines } = collected('INFO');
    root.child({ job: 'bptm-7', image: 'lsu/a' }).info({ bytes: 5 }, 'complete');
    expect(lines).toEqual([
      {
        level: 'INFO',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        pid: process.pid,
        job: 'bptm-7',
        image: 'lsu/a',
        bytes: 5,
        msg: 'complete',
      },
    ]);
  });

  test.each([
    ['ERROR', ['error']],
    ['WARN', ['error', 'warn']],
    ['INFO', ['error', 'warn', 'info']],
    ['DEBUG', ['error', 'warn', 'info', 'debug']],
    ['TRACE', ['error', 'warn', 'info', 'debug', 'trace']],
  ] as const)('log_level = %s writes %j', (level, wanted) => {
    const { root, lines } = collected(level);
    for (const method of ['error', 'warn', 'info', 'debug', 'trace'] as const) root[method](method);
    expect(lines.map(({ msg }) => msg)).toEqual(wanted);
    expect(lines.map(({ level: name }) => name)).toEqual(wanted.map((name) => name.toUpperCase()));
  });

  test('hold no secret', () => {
    const { root, lines } = collected('INFO');
    root.info({ token: 'SECRET', image: { writerToken: 'SECRET', opaque: 'SECRET' }, password: 'SECRET' }, 'x');
    expect(JSON.stringify(lines)).not.toContain('SECRET');
    expect(lines[0]).toMatchObject({ token: '[redacted]' });
  });

  test('hold no secret of a child or of an error either, and leave the fields themselves alone', () => {
    const { root, lines } = collected('INFO');
    const fields = {
      request: { authorization: 'SECRET', host: 'h' },
      err: Object.assign(new Error('e'), { token: 'SECRET' }),
      problem: Object.assign(new Error('p'), { password: 'SECRET', code: 7 }),
    };
    root.child({ job: 'j', password: 'SECRET' }).info(fields, 'x');
    expect(JSON.stringify(lines)).not.toContain('SECRET');
    expect(lines[0]).toMatchObject({
      password: '[redacted]',
      request: { authorization: '[redacted]', host: 'h' },
      err: { message: 'e', token: '[redacted]', stack: expect.stringContaining('log.test') },
      problem: { password: '[redacted]', code: 7 },
    });
    expect(fields.request.authorization).toBe('SECRET');
  });

  test('tell an error with its stack', () => {
    const { root, lines } = collected('INFO');
    root.error({ err: new Error('boom') }, 'bug');
    expect(lines[0]).toMatchObject({ err: { message: 'boom', stack: expect.stringContaining('log.test') } });
  });
});

describe('the log file', () => {
  const texts = (path: string) => linesOf(path).map(({ msg }) => msg);

  test('takes all lines, is not readable for everybody, and goes on in a new file after reopen', async () => {
    const path = join(dir, 'a.log');
    const log = openLog({ level: 'INFO', file: path });
    log.root.info('one');
    expect(await log.flush()).toBe(true);
    expect(statSync(path).mode & 0o007).toBe(0);
    renameSync(path, `${path}.1`);
    log.root.info('two');
    log.reopen();
    log.root.info('three');
    expect(await log.flush()).toBe(true);
    expect([...texts(`${path}.1`), ...texts(path)]).toEqual(['one', 'two', 'three']);
    expect(texts(path)).toContain('three');
    expect([log.dropped, log.failure]).toEqual([0, null]);
  });

  test('that cannot be opened is told at start', () => {
    expect(() => openLog({ level: 'INFO', file: join(dir, 'none', 'a.log') })).toThrow(/ENOENT/);
  });

  test('a reopen that fails leaves the old file in use, and the next one works', async () => {
    const home = join(dir, 'home');
    mkdirSync(home);
    const log = openLog({ level: 'INFO', file: join(home, 'a.log') });
    log.root.info('one');
    renameSync(home, `${home}-moved`);
    log.reopen();
    await log.flush();
    expect(log.failure).toMatch(/ENOENT/);
    log.root.info('two');
    await log.flush();
    expect(texts(join(`${home}-moved`, 'a.log'))).toEqual(['one', 'two']);
    mkdirSync(home);
    log.reopen();
    log.root.info('three');
    await log.flush();
    expect(texts(join(home, 'a.log'))).toEqual(['three']);
    expect([log.dropped, log.failure]).toEqual([0, null]);
  });

  test('a full disk drops lines and counts them; a flush comes back', async () => {
    const log = openLog({ level: 'INFO', file: '/dev/full' });
    for (let i = 0; i < 10; i++) log.root.info('x');
    expect(await log.flush()).toBe(true);
    expect(log.failure).toMatch(/ENOSPC/);
    expect(log.dropped).toBe(10);
  });

  test('a reader that stands still costs 8 MiB at most, and a flush comes back', async () => {
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDWR);
    const place = new LogFile(pipe);
    const line = `${'y'.repeat(99_999)}\n`;
    for (let i = 0; i < 200; i++) place.write(line);
    expect(place.dropped).toBe(200 - Math.floor(logWaitingBytesMax / line.length));
    expect(await place.flush(10)).toBe(false);
    // The thread that hangs in write must come back before the test's process can end.
    let read = 0;
    const bytes = Buffer.alloc(1_048_576);
    while (read < (200 - place.dropped) * line.length) read += (await readPiece(reader, bytes)).bytesRead;
    expect(await place.flush(10_000)).toBe(true);
    closeSync(reader);
  });

  test.each(['flush', 'direct'])('what was logged right before SIGKILL by oneself is there: %s', async (how) => {
    const path = join(dir, `killed-${how}.log`);
    const child = fork(new URL('./log.child.ts', import.meta.url), [how, path]);
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    expect(linesOf(path)).toHaveLength(1000);
  });

  test('direct writes what waits first, and survives a full disk', () => {
    const path = join(dir, 'direct.log');
    const place = new LogFile(path);
    // The first is in another thread's hands; the rest waits for it.
    for (const line of ['one\n', 'two\n', 'three\n']) place.write(line);
    place.direct();
    place.write('four\n');
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines.filter((line) => line !== 'one')).toEqual(['two', 'three', 'four', '']);
    const full = new LogFile('/dev/full');
    full.direct();
    full.write('x\n');
    expect(full.dropped).toBe(1);
  });
});

describe('on a terminal', () => {
  test('a line is short and readable', () => {
    const { root, lines } = collected('INFO');
    root.child({ job: 'bptm-7', image: 'a' }).warn({ bytes: 5, waits: { slotS: 1 } }, 'slow');
    const text = terminalLine(JSON.stringify(lines[0]), false);
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}\[bptm-7 a\] slow bytes=5 waits=\{"slotS":1\}\n$/);
  });

  test('hostile names cannot drive it', () => {
    const line = JSON.stringify({
      time: '2026-01-01T00:00:00.000Z',
      level: 'INFO',
      image: 'a\u001b[2J\r',
      msg: '\u009bx',
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(terminalLine(line, false).slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(terminalLine('no json\n', false)).toBe('no json\n');
  });
});
