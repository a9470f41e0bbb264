/** The names of a directory with a small file of each, in one call of the addon: in turn, and side by side where storage is slow. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { entriesOf, PackedNames } from '../../engine/core/packed-names.ts';
import { addon, noDir } from '../../native/addon/index.ts';
import { type Rule, Shim } from '../fault/shim/shim.ts';
import { until } from '../support/engine-state.ts';

const root = mkdtempSync(join(tmpdir(), 'vast-ost-small-'));
const many = join(root, 'many');
const odd = join(root, 'odd');
const long = join(root, 'long');
const count = 40;
const names = Array.from({ length: count }, (_, i) => `image-${i}`);
const textOf = (i: number): string => `{"number":${i},"rest":"${'x'.repeat(i)}"}`;
const project = join(import.meta.dirname, '../..');
const outBytes = 32 * 1024;
/** The caller and its helpers. */
const readersMax = 16;

function put(directory: string, name: string, text: string | Buffer | null): void {
  mkdirSync(join(directory, name), { recursive: true });
  if (text !== null) writeFileSync(join(directory, name, 'image.meta'), text);
}

beforeAll(() => {
  for (const [i, name] of names.entries()) put(many, name, textOf(i));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function withList<T>(directory: string, work: (list: number) => T): T {
  const dir = addon.openFile(noDir, directory, 0o200000, 0);
  const list = addon.openList(dir, '.');
  try {
    return work(list);
  } finally {
    addon.closeList(list);
    addon.closeFile(dir);
  }
}

/** All of it, `max` names at a time. */
function listed(directory: string, max: number, out = Buffer.alloc(outBytes, 0xee)): Map<string, string | null> {
  const found = new Map<string, string | null>();
  withList(directory, (list) => {
    for (;;) {
      const looked = addon.readListed(list, 'image.meta', max, out);
      if (looked === 0) return;
      expect(looked).toBeGreaterThan(0);
      expect(looked).toBeLessThanOrEqual(max);
      const packed = new PackedNames(out);
      expect(packed.count).toBe(looked);
      for (const { name, meta } of entriesOf({ names: [], packed: packed.bytes })) {
        expect(found.has(name)).toBe(false);
        found.set(name, meta?.toString() ?? null);
      }
      expect(addon.skipNames(list, looked)).toBe(looked);
    }
  });
  return found;
}

test.each([1, 7, 256])('each name comes once with its text, %i at a time', (max) => {
  expect([...listed(many, max)].sort()).toEqual(names.map((name, i) => [name, textOf(i)]).sort());
});

test('only directories are shown, no link is followed, and what cannot be read says why', () => {
  put(odd, 'whole', 'text');
  put(odd, 'empty', '');
  put(odd, 'none', null);
  put(odd, '.hidden', 'text');
  put(odd, 'long', Buffer.alloc(16 * 1024));
  put(odd, 'link-below', null);
  symlinkSync('../whole/image.meta', join(odd, 'link-below/image.meta'));
  symlinkSync('whole', join(odd, 'link'));
  symlinkSync('nowhere', join(odd, 'broken-link'));
  writeFileSync(join(odd, 'file'), '');
  const out = Buffer.alloc(outBytes);
  const found = withList(odd, (list) => {
    const looked = addon.readListed(list, 'image.meta', 256, out);
    return Array.from({ length: looked }, (_, i) => out.readUInt32LE(8 + 4 * i))
      .filter((at) => at > 0)
      .map((at) => [out.toString('latin1', at + 8, at + 8 + out.readUInt32LE(at + 4)), out.readInt32LE(at)]);
  });
  expect(Object.fromEntries(found)).toEqual({
    whole: 4,
    empty: 0,
    none: -errno.ENOENT,
    long: -errno.EFBIG,
    'link-below': -errno.ELOOP,
  });
});

test('what has no room comes with the next call', () => {
  for (let i = 0; i < 9; i++) put(long, `image-${i}`, String(i).repeat(15_000));
  const found = listed(long, 256);
  expect(found.size).toBe(9);
  for (const [name, text] of found) expect(text).toBe(name.slice(-1).repeat(15_000));
});

test('no file is read behind the one that finds no room', () => {
  /** Bytes that this thread has read. */
  const readBytes = (): number => Number(/rchar: (\d+)/.exec(readFileSync('/proc/thread-self/io', 'latin1'))?.[1]);
  withList(long, (list) => {
    const out = Buffer.alloc(outBytes);
    const before = readBytes();
    expect(addon.readListed(list, 'image.meta', 256, out)).toBe(2);
    expect(readBytes() - before).toBeLessThan(4 * 15_000);
  });
});

test('names stay until they are skipped, whoever takes them', () => {
  withList(many, (list) => {
    const out = Buffer.alloc(outBytes);
    const read = (max: number): string[] => {
      addon.readListed(list, 'image.meta', max, out);
      return Array.from(entriesOf({ names: [], packed: out }), ({ name }) => name);
    };
    const first = read(10);
    expect(first).toHaveLength(10);
    expect(read(3)).toEqual(first.slice(0, 3));
    expect(addon.skipNames(list, 4)).toBe(4);
    expect(read(6)).toEqual(first.slice(4));
    expect((addon.nextNames(list, 6) as string[]).join()).toBe(first.slice(4).join());
    expect(addon.skipNames(list, 512)).toBeLessThanOrEqual(30);
  });
});

test('wrong arguments are refused', () => {
  const out = Buffer.alloc(outBytes);
  expect(addon.readListed(-errno.EPERM, 'image.meta', 1, out)).toBe(-errno.EBADF);
  expect(addon.skipNames(-errno.EPERM, 1)).toBe(-errno.EBADF);
  withList(many, (list) => {
    expect(addon.readListed(list, 'a\0b', 1, out)).toBe(-errno.EINVAL);
    expect(addon.readListed(list, 'x'.repeat(65), 1, out)).toBe(-errno.EINVAL);
    for (const max of [0, 513]) expect(() => addon.readListed(list, 'm', max, out)).toThrow(RangeError);
    expect(() => addon.readListed(list, 'm', 1, out.subarray(1))).toThrow(RangeError);
    expect(() => addon.readListed(list, 'm', 1, 'x' as unknown as Buffer)).toThrow(TypeError);
  });
});

test('on slow storage they are read side by side: from where it shows, and from the beginning by the next call', async () => {
  const batch = 30;
  const script = `
    const { createInterface } = await import('node:readline');
    const { addon } = await import(${JSON.stringify(join(project, 'native/addon/index.ts'))});
    const { entriesOf } = await import(${JSON.stringify(join(project, 'engine/core/packed-names.ts'))});
    const dir = addon.openFile(-1, ${JSON.stringify(many)}, 0o200000, 0);
    const list = addon.openList(dir, '.');
    const out = Buffer.alloc(${outBytes});
    for await (const turn of createInterface({ input: process.stdin })) {
      out.fill(0);
      addon.readListed(list, 'image.meta', ${batch}, out);
      const texts = Array.from(entriesOf({ names: [], packed: out }), ({ name, meta }) => [name, String(meta)]);
      process.stdout.write(JSON.stringify(texts) + '\\n');
    }`;
  const control = mkdtempSync(join(root, 'shim-'));
  using shim = new Shim(control);
  const opens: Rule = { action: 'hang', names: ['open'], path: '*/image.meta' };
  // A held call lasts a millisecond at least: three such in a row are slow storage. The fourth begins side by side.
  const inTurn = [0, 1, 2];
  for (const slot of inTurn) shim.arm(slot, { ...opens, from: slot + 1 });
  const sideBySide = inTurn.length;
  shim.arm(sideBySide, { ...opens, from: inTurn.length + 1, count: 0 });
  const env = { ...process.env, ...shim.env(many) };
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<[string, string][]> => JSON.parse((await lines.next()).value as string);
  try {
    child.stdin.write('from where it shows\n');
    for (const slot of inTurn) {
      await until(() => shim.counts(slot).holding === 1);
      expect(shim.counts(sideBySide).holding).toBe(0);
      shim.release(slot);
    }
    await until(() => shim.counts(sideBySide).holding === readersMax);
    shim.release(sideBySide);
    const first = await answer();
    for (const slot of [...inTurn, sideBySide]) shim.disarm(slot);
    shim.arm(0, { ...opens, count: 0 });
    child.stdin.end('from the beginning\n');
    await until(() => shim.counts(0).holding === readersMax);
    shim.release(0);
    const second = await answer();
    expect(first).toHaveLength(batch);
    expect(new Map(first)).toEqual(new Map(first.map(([name]) => [name, textOf(names.indexOf(name))])));
    expect(new Map(second)).toEqual(new Map(first));
  } finally {
    child.kill('SIGKILL');
  }
});
