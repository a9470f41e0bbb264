import { execFileSync } from 'node:child_process';
import {
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addon, fsField, fsFields, noDir, statField, statFields } from '../../native/addon/index.ts';
import {
  counts,
  directFlag,
  errno,
  must,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  Random,
  seed,
  TestDir,
} from '../support/addon-kit.ts';

const { O_NONBLOCK } = constants;

let dir: TestDir;
let before: number[];
beforeEach(() => {
  before = counts();
  dir = new TestDir();
});
afterEach(() => {
  dir[Symbol.dispose]();
  expect(counts(), 'a file or list was left open').toEqual(before);
});

/** '' of a descriptor that is closed by now: that of the list itself. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

describe('what is no file', () => {
  it('is not opened in the place of one, and not waited for', () => {
    const at = (name: string): string => join(dir.path, name);
    execFileSync('mkfifo', [at('fifo')]);
    mkdirSync(at('directory'));
    symlinkSync('fifo', at('link'));
    const before = counts()[0];
    for (const flags of [O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_CREAT]) {
      expect(addon.openFile(dir.id, 'fifo', flags, 0o640), `fifo ${flags}`).toBe(-errno.ENXIO);
      expect(addon.openFile(dir.id, 'link', flags, 0o640), `link to it ${flags}`).toBe(-errno.ENXIO);
      expect(addon.openFile(dir.id, 'directory', flags, 0o640), `directory ${flags}`).toBe(-errno.EISDIR);
    }
    expect(addon.openFile(noDir, '/dev/zero', O_RDONLY, 0)).toBe(-errno.ENXIO);
    expect(counts()[0]).toBe(before);
  });

  it('leaves no O_NONBLOCK on files, whose reads and writes are to wait', () => {
    const flagsOf = (name: string): number => {
      const descriptor = readdirSync('/proc/self/fd').find(
        (fd) => linkOf(`/proc/self/fd/${fd}`) === join(dir.path, name),
      );
      const told = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1');
      return Number.parseInt(/flags:\t(\d+)/.exec(told)?.[1] ?? '', 8);
    };
    writeFileSync(join(dir.path, 'a'), 'a');
    for (const flags of [O_RDONLY, O_RDWR, O_RDWR | directFlag(dir)]) {
      const file = must(addon.openFile(dir.id, 'a', flags, 0));
      expect(flagsOf('a') & (O_NONBLOCK | O_RDWR | O_DIRECT)).toBe(flags);
      addon.closeFile(file);
    }
  });
});

describe('ids', () => {
  it('are never another file once closed', () => {
    writeFileSync(join(dir.path, 'a'), 'a');
    const stale = new Set<number>();
    for (let round = 0; round < 3000; round++) {
      const file = dir.open('a', O_RDONLY);
      expect(file).toBeGreaterThan(0);
      expect(file).toBeLessThan(2 ** 31);
      expect(stale.has(file)).toBe(false);
      stale.add(file);
      expect(addon.closeFile(file)).toBe(0);
    }
    // The places of the closed ones are taken again by now: 200 files are open while the old ids are tried.
    const open = Array.from({ length: 200 }, () => dir.open('a', O_RDONLY));
    const bytes = new Uint8Array(1);
    for (const file of stale) {
      expect(addon.readBytes(file, bytes, 1, 0)).toBe(-errno.EBADF);
      expect(addon.closeFile(file)).toBe(-errno.EBADF);
    }
    for (const file of open) expect(addon.closeFile(file)).toBe(0);
  });

  it('that were never given out are −EBADF everywhere', () => {
    const bytes = new Uint8Array(8);
    const stat = new Float64Array(statFields);
    for (const id of [0, -1, -2, 1, 12_345, 2 ** 31 - 1, -(2 ** 31)]) {
      expect(addon.closeFile(id)).toBe(-errno.EBADF);
      expect(addon.syncFile(id)).toBe(-errno.EBADF);
      expect(addon.syncData(id)).toBe(-errno.EBADF);
      expect(addon.truncateFile(id, 0)).toBe(-errno.EBADF);
      expect(addon.changeMode(id, 0o600)).toBe(-errno.EBADF);
      expect(addon.lockFile(id)).toBe(-errno.EBADF);
      expect(addon.statFile(id, stat)).toBe(-errno.EBADF);
      expect(addon.statFileSystem(id, stat)).toBe(-errno.EBADF);
      expect(addon.writeBytes(id, bytes, 8, 0)).toBe(-errno.EBADF);
      expect(addon.readBytes(id, bytes, 8, 0)).toBe(-errno.EBADF);
      expect(addon.nextNames(id, 1)).toBe(-errno.EBADF);
      expect(addon.closeList(id)).toBe(-errno.EBADF);
      if (id !== noDir) expect(addon.openFile(id, 'a', O_RDONLY, 0)).toBe(-errno.EBADF);
    }
  });

  it('stay open files for whoever opened them: closing one leaves the others', () => {
    writeFileSync(join(dir.path, 'a'), 'abc');
    const one = dir.open('a', O_RDONLY);
    const two = dir.open('a', O_RDONLY);
    expect(addon.closeFile(one)).toBe(0);
    const bytes = Buffer.alloc(3);
    expect(addon.readBytes(two, bytes, 3, 0)).toBe(3);
    expect(bytes.toString()).toBe('abc');
    expect(addon.closeFile(one)).toBe(-errno.EBADF);
    expect(addon.closeFile(two)).toBe(0);
  });
});

describe('paths', () => {
  it('are relative to a directory or absolute without one, never to the working directory', () => {
    expect(addon.openFile(noDir, 'package.json', O_RDONLY, 0)).toBe(-errno.EINVAL);
    expect(addon.openFile(dir.id, '/etc/passwd', O_RDONLY, 0)).toBe(-errno.EINVAL);
    expect(addon.unlinkFile(noDir, 'a', 0)).toBe(-errno.EINVAL);
    expect(addon.renameFile(dir.id, 'a', noDir, 'b', 0)).toBe(-errno.EINVAL);
    expect(addon.linkFile(noDir, 'a', dir.id, 'b')).toBe(-errno.EINVAL);
    expect(addon.statAt(noDir, 'package.json', new Float64Array(statFields))).toBe(-errno.EINVAL);
    expect(addon.openList(noDir, '.')).toBe(-errno.EINVAL);
  });

  it('with a NUL inside, empty, or too long are refused and never cut', () => {
    writeFileSync(join(dir.path, 'a'), '');
    expect(addon.openFile(dir.id, 'a\0b', O_RDONLY, 0)).toBe(-errno.EINVAL);
    expect(addon.unlinkFile(dir.id, 'a\0', 0)).toBe(-errno.EINVAL);
    expect(addon.openFile(dir.id, '', O_RDONLY, 0)).toBe(-errno.ENOENT);
    expect(addon.openFile(dir.id, `${'a/'.repeat(2100)}a`, O_RDONLY, 0)).toBe(-errno.ENAMETOOLONG);
    expect(addon.openFile(dir.id, 'ä'.repeat(2048), O_RDONLY, 0)).toBe(-errno.ENAMETOOLONG);
    expect(addon.openFile(dir.id, 'a'.repeat(256), O_RDONLY, 0)).toBe(-errno.ENAMETOOLONG);
    expect(existsSync(join(dir.path, 'a'))).toBe(true);
  });

  it('of the wrong type are a bug of the caller', () => {
    const open = addon.openFile as (...args: unknown[]) => number;
    expect(() => open(dir.id, undefined, O_RDONLY, 0)).toThrow(TypeError);
    expect(() => open(dir.id, 'a', O_RDONLY)).toThrow(TypeError);
    expect(() => open(dir.id, 'a', 1.5, 0)).toThrow(RangeError);
    expect(() => open(Number.NaN, 'a', 0, 0)).toThrow(RangeError);
    expect(() => open(dir.id, 'a', 0, 0o10000)).toThrow(RangeError);
  });
});

describe('small file calls', () => {
  it('write, read, truncate, sync', () => {
    const file = dir.open('f');
    const bytes = new Random(seed).bytes(10_000);
    expect(addon.writeBytes(file, bytes, 10_000, 100)).toBe(10_000);
    expect(addon.syncData(file)).toBe(0);
    expect(addon.syncFile(file)).toBe(0);
    const back = Buffer.alloc(20_000);
    expect(addon.readBytes(file, back, 20_000, 0)).toBe(10_100);
    expect(back.subarray(0, 100).every((byte) => byte === 0)).toBe(true);
    expect(back.subarray(100, 10_100).equals(bytes)).toBe(true);
    expect(addon.readBytes(file, back, 10, 10_100)).toBe(0);
    expect(addon.truncateFile(file, 150)).toBe(0);
    expect(statSync(join(dir.path, 'f')).size).toBe(150);
    expect(addon.writeBytes(file, bytes, 0, 0)).toBe(0);
    expect(() => addon.writeBytes(file, bytes, 10_001, 0)).toThrow(RangeError);
    expect(() => addon.readBytes(file, back, 1, -1)).toThrow(RangeError);
    expect(() => addon.readBytes(file, back, 1, 2 ** 54)).toThrow(RangeError);
    addon.closeFile(file);
  });

  it('tell errno as a negative number', () => {
    expect(addon.openFile(dir.id, 'none', O_RDONLY, 0)).toBe(-errno.ENOENT);
    const file = dir.open('f', O_WRONLY | O_CREAT | O_EXCL);
    expect(addon.openFile(dir.id, 'f', O_WRONLY | O_CREAT | O_EXCL, 0o640)).toBe(-errno.EEXIST);
    expect(addon.readBytes(file, new Uint8Array(1), 1, 0)).toBe(-errno.EBADF);
    expect(addon.openFile(file, 'x', O_RDONLY, 0)).toBe(-errno.ENOTDIR);
    addon.closeFile(file);
    expect(addon.makeDir(dir.id, 'f', 0o750)).toBe(-errno.EEXIST);
  });

  it('make, rename, link and unlink', () => {
    expect(addon.makeDir(dir.id, 'd', 0o750)).toBe(0);
    expect(statSync(join(dir.path, 'd')).mode & 0o7777).toBe(0o750 & ~process.umask());
    const sub = dir.open('d', O_RDONLY | O_DIRECTORY);
    addon.closeFile(must(addon.openFile(sub, 'f', O_RDWR | O_CREAT, 0o640)));
    expect(addon.linkFile(sub, 'f', dir.id, 'g')).toBe(0);
    expect(addon.linkFile(sub, 'f', dir.id, 'g')).toBe(-errno.EEXIST);
    expect(addon.renameFile(sub, 'f', dir.id, 'g', 1)).toBe(-errno.EEXIST);
    expect(addon.renameFile(sub, 'f', dir.id, 'h', 1)).toBe(0);
    expect(addon.unlinkFile(dir.id, 'g', 0)).toBe(0);
    expect(addon.unlinkFile(dir.id, 'g', 0)).toBe(-errno.ENOENT);
    expect(addon.renameFile(dir.id, 'h', sub, 'i', 0)).toBe(0);
    expect(addon.unlinkFile(dir.id, 'd', 0x200)).toBe(-errno.ENOTEMPTY);
    expect(addon.unlinkFile(sub, 'i', 0)).toBe(0);
    addon.closeFile(sub);
    expect(addon.unlinkFile(dir.id, 'd', 0x200)).toBe(0);
    expect(readdirSync(dir.path)).toEqual([]);
  });

  it('rename onto a directory that is not empty fails: what the create protocol stands on', () => {
    for (const name of ['a', 'b']) {
      addon.makeDir(dir.id, name, 0o750);
      addon.closeFile(dir.open(`${name}/claim.1`));
    }
    expect([-errno.ENOTEMPTY, -errno.EEXIST]).toContain(addon.renameFile(dir.id, 'a', dir.id, 'b', 0));
  });

  it('stat as node does', () => {
    const file = dir.open('f');
    addon.writeBytes(file, Buffer.alloc(5000, 1), 5000, 0);
    addon.syncFile(file);
    expect(addon.changeMode(file, 0o600)).toBe(0);
    const out = new Float64Array(statFields);
    expect(addon.statFile(file, out)).toBe(0);
    const truth = statSync(join(dir.path, 'f'));
    expect(out[statField.size]).toBe(5000);
    expect(out[statField.physicalBytes]).toBe(truth.blocks * 512);
    expect(out[statField.inode]).toBe(truth.ino);
    expect(out[statField.mode]! & 0o7777).toBe(0o600);
    expect(out[statField.links]).toBe(1);
    expect(out[statField.modifiedAt]! * 1000).toBeCloseTo(truth.mtimeMs, 0);
    expect(out[statField.changedAt]! * 1000).toBeCloseTo(truth.ctimeMs, 0);
    expect([-1, 0]).toContain(out[statField.mountRoot]);
    const align = out[statField.directOffsetAlign]!;
    expect(align === 0 || Number.isInteger(Math.log2(align))).toBe(true);
    addon.closeFile(file);

    symlinkSync('f', join(dir.path, 'l'));
    const at = new Float64Array(statFields);
    expect(addon.statAt(dir.id, 'l', at)).toBe(0);
    expect(at[statField.inode]).toBe(truth.ino);
    expect(addon.statAt(dir.id, 'none', at)).toBe(-errno.ENOENT);
    expect(addon.statAt(noDir, '/', at)).toBe(0);
    expect([-1, 1]).toContain(at[statField.mountRoot]);
    expect(() => addon.statAt(dir.id, 'f', new Float64Array(statFields - 1))).toThrow(RangeError);
  });

  it('stat the file system as node does', () => {
    const out = new Float64Array(fsFields);
    expect(addon.statFileSystem(dir.id, out)).toBe(0);
    const truth = statfsSync(dir.path);
    expect(out[fsField.capacity]).toBe(truth.blocks * truth.bsize);
    expect(out[fsField.type]).toBe(truth.type);
    expect(out[fsField.available]).toBeLessThanOrEqual(out[fsField.free]!);
    expect(out[fsField.free]).toBeLessThanOrEqual(out[fsField.capacity]!);
  });

  it('lock once among several opens', () => {
    const one = dir.open('lock');
    const two = dir.open('lock');
    expect(addon.lockFile(one)).toBe(0);
    expect(addon.lockFile(two)).toBe(-errno.EWOULDBLOCK);
    addon.closeFile(one);
    expect(addon.lockFile(two)).toBe(0);
    addon.closeFile(two);
  });

  it('write small things from shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64));
    shared.set(Buffer.from('shared bytes'));
    const file = dir.open('s');
    expect(addon.writeBytes(file, shared, 12, 0)).toBe(12);
    expect(readFileSync(join(dir.path, 's'), 'utf8')).toBe('shared bytes');
    addon.closeFile(file);
  });
});

describe('lists', () => {
  const listAll = (path: string, max: number): string[] => {
    const list = must(addon.openList(dir.id, path));
    const all: string[] = [];
    for (;;) {
      const names = addon.nextNames(list, max);
      if (typeof names === 'number') throw new Error(`nextNames: ${names}`);
      expect(names.length).toBeLessThanOrEqual(max);
      if (names.length === 0) break;
      all.push(...names);
    }
    expect(addon.nextNames(list, max)).toEqual([]);
    expect(addon.closeList(list)).toBe(0);
    return all.sort();
  };

  it('give each name once, whatever the page', () => {
    const names = Array.from({ length: 2500 }, (_, i) => `name-${i}-${'x'.repeat(i % 60)}`).sort();
    for (const name of names) writeFileSync(join(dir.path, name), '');
    for (const max of [1, 7, 128, 100_000]) expect(listAll('.', max)).toEqual(names);
  });

  it('keep any bytes of a name', () => {
    const bytes = Buffer.from([0xff, 0xc3, 0x28, 0x0a, 0x41]);
    writeFileSync(Buffer.concat([Buffer.from(`${dir.path}/`), bytes]), '');
    expect(listAll('.', 10).map((name) => Buffer.from(name, 'latin1'))).toEqual([bytes]);
  });

  it('of nothing, of a file, and closed', () => {
    addon.makeDir(dir.id, 'empty', 0o750);
    expect(listAll('empty', 10)).toEqual([]);
    writeFileSync(join(dir.path, 'file'), '');
    expect(addon.openList(dir.id, 'file')).toBe(-errno.ENOTDIR);
    expect(addon.openList(dir.id, 'none')).toBe(-errno.ENOENT);
    const list = must(addon.openList(dir.id, '.'));
    expect(() => addon.nextNames(list, 0)).toThrow(RangeError);
    addon.closeList(list);
    expect(addon.nextNames(list, 1)).toBe(-errno.EBADF);
  });
});
