/** What the addon's tests share: seeded bytes, a directory that takes direct I/O, and a count of what is left open. */
import { constants as fsConstants, mkdtempSync, rmSync } from 'node:fs';
import { constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon, noDir } from '../../native/addon/index.ts';

export const errno = osConstants.errno;
export const { O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = fsConstants;

export { seed } from './seed.ts';

/** mulberry32: small, good enough to spread lengths and offsets, the same everywhere. */
export class Random {
  #state: number;
  constructor(start: number) {
    this.#state = start >>> 0;
  }
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  /** 0 … end − 1 */
  below(end: number): number {
    return this.word() % end;
  }
  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(this.word(), at);
    for (let at = length - (length % 4); at < length; at++) bytes[at] = this.word();
    return bytes;
  }
}

/** A directory of its own on the file system under test, with its addon id. Disposed at the end of the scope. */
export class TestDir implements Disposable {
  readonly path: string;
  readonly id: number;
  constructor() {
    this.path = mkdtempSync(join(process.env.VAST_OST_TEST_DIR ?? tmpdir(), 'vast-ost-addon-'));
    this.id = addon.openFile(noDir, this.path, O_RDONLY | O_DIRECTORY, 0);
    if (this.id < 0) throw new Error(`open ${this.path}: ${this.id}`);
  }
  /** Opens (and creates) a file in it; fails the test when that fails. */
  open(name: string, flags: number = O_RDWR | O_CREAT): number {
    const file = addon.openFile(this.id, name, flags, 0o640);
    if (file < 0) throw new Error(`open ${name}: ${file}`);
    return file;
  }
  [Symbol.dispose](): void {
    addon.closeFile(this.id);
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** O_DIRECT where the test directory's file system takes it, else 0 (tmpfs of older kernels). */
export function directFlag(dir: TestDir): number {
  const file = addon.openFile(dir.id, '.probe', O_RDWR | O_CREAT | O_DIRECT, 0o640);
  if (file === -errno.EINVAL) return 0;
  if (file < 0) throw new Error(`open with O_DIRECT: ${file}`);
  addon.closeFile(file);
  addon.unlinkFile(dir.id, '.probe', 0);
  return O_DIRECT;
}

/** [files, lists, arenas, SHA states, watches] that exist now. */
export function counts(): number[] {
  const out = new Float64Array(5);
  addon.counts(out);
  return [...out];
}

/** An id must be one: a negative result fails the test with its errno. */
export function must(result: number): number {
  if (result < 0) throw new Error(`the addon answered ${result}`);
  return result;
}
