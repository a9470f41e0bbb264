/** Many small files in one call of the addon: one after the other, and side by side where storage is slow. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { addon, noDir } from '../../native/addon/index.ts';

const root = mkdtempSync(join(tmpdir(), 'vast-ost-small-'));
const count = 40;
const names = Array.from({ length: count }, (_, i) => `image-${i}`);
const textOf = (i: number): string => `{"number":${i},"rest":"${'x'.repeat(i)}"}`;
const project = join(import.meta.dirname, '../..');

beforeAll(() => {
  execFileSync('make', ['-s', '-C', join(project, 'bench/native')], { stdio: ['ignore', 'ignore', 'inherit'] });
  for (const [i, name] of names.entries()) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'image.meta'), textOf(i));
  }
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

function open(): number {
  return addon.openFile(noDir, root, 0o200000, 0);
}

test('each file lies at its place, and what cannot be read says why', () => {
  const dir = open();
  mkdirSync(join(root, 'none'));
  writeFileSync(join(root, 'file'), '');
  symlinkSync('image-1/image.meta', join(root, 'none/image.meta'));
  mkdirSync(join(root, 'empty'));
  writeFileSync(join(root, 'empty/image.meta'), '');
  const asked = ['image-5', 'gone', 'file', 'none', 'empty', 'image-39', `${'n'.repeat(600)}`, 'a\0b', ''];
  const bytes = Buffer.alloc(asked.length * 32, 0xee);
  const results = new Int32Array(asked.length);
  expect(addon.readFiles(dir, asked, 'image.meta', bytes, 32, results)).toBe(0);
  const long = -errno.ENAMETOOLONG;
  const ends = [-errno.ENOENT, -errno.ENOTDIR, -errno.ELOOP, 0];
  expect([...results]).toEqual([textOf(5).length, ...ends, 32, long, long, long]);
  expect(bytes.toString('latin1', 0, results[0])).toBe(textOf(5));
  expect(bytes.toString('latin1', 5 * 32, 6 * 32)).toBe(textOf(39).slice(0, 32));
  expect(bytes.subarray(32, 5 * 32).every((byte) => byte === 0xee)).toBe(true);
  expect(addon.readFiles(dir, [], 'image.meta', bytes, 32, results)).toBe(0);
  expect(addon.readFiles(-errno.EPERM, ['image-5'], 'image.meta', bytes, 32, results)).toBe(-errno.EBADF);
  expect(() => addon.readFiles(dir, Array(65).fill('x'), 'm', Buffer.alloc(65), 1, new Int32Array(65))).toThrow(
    RangeError,
  );
  expect(() => addon.readFiles(dir, ['x', 'y'], 'm', Buffer.alloc(1), 1, results)).toThrow();
  expect(() => addon.readFiles(dir, 'x' as unknown as string[], 'm', bytes, 1, results)).toThrow(TypeError);
  addon.closeFile(dir);
});

test('names that were peeked at come again', () => {
  const dir = open();
  const list = addon.openList(dir, '.');
  const peeked = addon.peekNames(list, 10) as string[];
  expect(peeked).toHaveLength(10);
  expect(addon.peekNames(list, 3)).toEqual(peeked.slice(0, 3));
  expect(addon.nextNames(list, 4)).toEqual(peeked.slice(0, 4));
  expect(addon.peekNames(list, 6)).toEqual(peeked.slice(4));
  while ((addon.nextNames(list, 100) as string[]).length > 0);
  expect(addon.peekNames(list, 1)).toEqual([]);
  expect(addon.peekNames(-errno.EPERM, 1)).toBe(-errno.EBADF);
  addon.closeList(list);
  addon.closeFile(dir);
});

test('on slow storage they are read side by side, with the same result', () => {
  const script = `
    const { addon } = await import(${JSON.stringify(join(project, 'native/addon/index.ts'))});
    const { readdirSync } = await import('node:fs');
    const dir = addon.openFile(-1, ${JSON.stringify(root)}, 0o200000, 0);
    const names = ${JSON.stringify(names)};
    const bytes = Buffer.alloc(names.length * 128);
    const results = new Int32Array(names.length);
    for (let turn = 0; turn < 5; turn++) {
      bytes.fill(0);
      const began = performance.now();
      addon.readFiles(dir, names, 'image.meta', bytes, 128, results);
      const ms = performance.now() - began;
      const texts = names.map((_, i) => bytes.toString('latin1', i * 128, i * 128 + results[i]));
      process.stdout.write(JSON.stringify({ ms, texts }) + '\\n');
    }`;
  const env = {
    ...process.env,
    LD_PRELOAD: join(project, 'bench/native/build/slow-calls.so'),
    VAST_BENCH_SLOW_US: '2000',
  };
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' });
  const turns = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { ms: number; texts: string[] });
  for (const { texts } of turns) expect(texts).toEqual(names.map((_, i) => textOf(i)));
  // 40 files at 4 ms are 160 ms one after the other, which is the least that the first turn can take.
  const [first = 0, ...behind] = turns.map(({ ms }) => ms);
  expect(first).toBeGreaterThanOrEqual(160);
  expect(Math.min(...behind)).toBeLessThan(first);
});
