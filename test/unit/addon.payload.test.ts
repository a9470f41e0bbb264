import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import {
  counts,
  directFlag,
  errno,
  must,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  Random,
  seed,
  TestDir,
} from '../support/addon-kit.ts';

const mib = 1 << 20;
const sector = 4096;

let dir: TestDir;
let direct: number;
let before: number[];
beforeEach(() => {
  before = counts();
  dir = new TestDir();
  direct = directFlag(dir);
});
afterEach(() => {
  dir[Symbol.dispose]();
  expect(counts(), 'something was left open').toEqual(before);
});

/** An arena filled with these bytes, closed at the end. */
function withArena(bytes: Uint8Array, run: (arena: number) => void): void {
  const arena = must(addon.arenaOpen(bytes.length));
  must(addon.arenaPoke(arena, 0, bytes));
  try {
    run(arena);
  } finally {
    addon.arenaClose(arena);
  }
}
const stored = (name = 'f'): Buffer => readFileSync(join(dir.path, name));
const crcOf = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);

describe('slot to file and back', () => {
  it('moves whole blocks with direct I/O', () => {
    const bytes = new Random(seed).bytes(4 * mib);
    withArena(bytes, (arena) => {
      const file = dir.open('f', O_RDWR | O_CREAT | direct);
      expect(addon.writeSlot(file, arena, 0, 4 * mib, 0)).toBe(4 * mib);
      expect(addon.writeSlot(file, arena, mib, mib, 6 * mib)).toBe(mib);
      expect(
        stored()
          .subarray(0, 4 * mib)
          .equals(bytes),
      ).toBe(true);
      expect(
        stored()
          .subarray(4 * mib, 6 * mib)
          .equals(Buffer.alloc(2 * mib)),
      ).toBe(true);
      addon.arenaPoke(arena, 0, Buffer.alloc(4 * mib));
      expect(addon.readSlot(file, arena, sector, mib, 2 * mib)).toBe(mib);
      const back = Buffer.alloc(4 * mib);
      addon.arenaPeek(arena, 0, back);
      expect(back.subarray(sector, sector + mib).equals(bytes.subarray(2 * mib, 3 * mib))).toBe(true);
      expect(back.subarray(0, sector).equals(Buffer.alloc(sector))).toBe(true);
      expect(back.subarray(sector + mib).equals(Buffer.alloc(3 * mib - sector))).toBe(true);
      addon.closeFile(file);
    });
  });

  it('reads short at an odd end of the file, and 0 behind it', () => {
    for (const size of [0, 1, 511, 512, 4095, 4096, 4097, mib + 13]) {
      const bytes = new Random(seed + size).bytes(size);
      writeFileSync(join(dir.path, 'f'), bytes);
      withArena(Buffer.alloc(2 * mib), (arena) => {
        const file = dir.open('f', O_RDONLY | direct);
        expect(addon.readSlot(file, arena, 0, 2 * mib, 0)).toBe(size);
        const back = Buffer.alloc(size);
        addon.arenaPeek(arena, 0, back);
        expect(back.equals(bytes)).toBe(true);
        expect(addon.readSlot(file, arena, 0, mib, 2 * mib)).toBe(0);
        addon.closeFile(file);
      });
    }
  });

  it('never leaves the arena', () => {
    withArena(Buffer.alloc(2 * sector), (arena) => {
      const file = dir.open('f');
      for (const call of [addon.writeSlot, addon.readSlot]) {
        expect(call(file, arena, 0, 2 * sector + 1, 0)).toBe(-errno.EFAULT);
        expect(call(file, arena, 2 * sector, 1, 0)).toBe(-errno.EFAULT);
        expect(call(file, arena, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0)).toBe(-errno.EFAULT);
        expect(call(file, arena, 2 * sector, 0, 0)).toBe(0);
        expect(() => call(file, arena, -1, 1, 0)).toThrow(RangeError);
        expect(() => call(file, arena, 0, 1, 0.5)).toThrow(RangeError);
      }
      expect(addon.writeEdge(file, arena, sector, sector + 1, 0, sector)).toBe(-errno.EFAULT);
      expect(stored().length).toBe(0);
      addon.closeFile(file);
    });
  });

  it('answers −EBADF for a closed file or arena', () => {
    const arena = must(addon.arenaOpen(sector));
    const file = dir.open('f');
    addon.closeFile(file);
    const other = dir.open('f');
    expect(addon.writeSlot(file, arena, 0, 1, 0)).toBe(-errno.EBADF);
    expect(addon.readSlot(file, arena, 0, 1, 0)).toBe(-errno.EBADF);
    expect(addon.writeEdge(file, arena, 0, 1, 0, 512)).toBe(-errno.EBADF);
    expect(addon.cloneFile(file, other)).toBe(-errno.EBADF);
    expect(addon.copyRange(other, file, 0, 1)).toBe(-errno.EBADF);
    addon.arenaClose(arena);
    expect(addon.writeSlot(other, arena, 0, 1, 0)).toBe(-errno.EBADF);
    expect(addon.readSlot(other, arena, 0, 1, 0)).toBe(-errno.EBADF);
    expect(addon.writeEdge(other, arena, 0, 1, 0, 512)).toBe(-errno.EBADF);
    addon.closeFile(other);
  });
});

describe('edges', () => {
  it.each([512, 4096, 65_536])(`at alignment %i equal a plain model (seed ${seed})`, (align) => {
    const random = new Random(seed + align);
    const source = random.bytes(3 * mib);
    withArena(source, (arena) => {
      const file = dir.open('f', O_RDWR | O_CREAT | (align >= sector ? direct : 0));
      let model = Buffer.alloc(0);
      for (let round = 0; round < 60; round++) {
        const span = round % 12 === 0 ? 2 * mib + 777 : 3 * align;
        const from = random.below(source.length - span);
        const length = random.below(span) + 1;
        const at = random.below(model.length + 2 * align);
        expect(addon.writeEdge(file, arena, from, length, at, align)).toBe(length);
        const padded = Math.max(model.length, Math.ceil((at + length) / align) * align);
        model = Buffer.concat([model, Buffer.alloc(padded - model.length)]);
        source.copy(model, at, from, from + length);
        expect(stored().equals(model), `round ${round}: ${length} bytes at ${at}`).toBe(true);
        if (random.below(4) === 0) {
          // The planner cuts the padding off; what lies behind the end is zero at the next edge again.
          const size = Math.max(1, model.length - random.below(align));
          expect(addon.truncateFile(file, size)).toBe(0);
          model = model.subarray(0, size);
        }
      }
      addon.closeFile(file);
    });
  });

  it('need an alignment that is a power of two', () => {
    withArena(Buffer.alloc(sector), (arena) => {
      const file = dir.open('f');
      for (const align of [3, 4095, 131_072]) expect(addon.writeEdge(file, arena, 0, 1, 0, align)).toBe(-errno.EINVAL);
      expect(() => addon.writeEdge(file, arena, 0, 1, 0, 0)).toThrow(RangeError);
      expect(addon.writeEdge(file, arena, 0, 1, 5, 1)).toBe(1);
      expect(stored().length).toBe(6);
      addon.closeFile(file);
    });
  });
});

describe('digests of stored bytes', () => {
  /** [l0, c0, l1, c1 …] of these pieces of `bytes` from `offset` on. */
  function pairs(bytes: Buffer, offset: number, lengths: number[]): BigUint64Array {
    const out = new BigUint64Array(2 * lengths.length);
    let at = offset;
    lengths.forEach((length, i) => {
      out[2 * i] = BigInt(length);
      out[2 * i + 1] = crcOf(bytes.subarray(at, at + length));
      at += length;
    });
    return out;
  }

  it(`verify any partition at any offset and go on with SHA-256 (seed ${seed})`, () => {
    const random = new Random(seed + 9);
    const bytes = random.bytes(5 * mib + 4321);
    writeFileSync(join(dir.path, 'f'), bytes);
    const file = dir.open('f', O_RDONLY | direct);
    for (let round = 0; round < 25; round++) {
      const offset = random.below(bytes.length);
      const lengths: number[] = [];
      let end = offset;
      const pieceMax = [600, 70_000, mib][random.below(3)]!;
      while (lengths.length < 40 && end < bytes.length) {
        lengths.push(Math.min(random.below(4) === 0 ? pieceMax : random.below(pieceMax) + 1, bytes.length - end));
        end += lengths.at(-1)!;
      }
      const expected = pairs(bytes, offset, lengths);
      const sha = must(addon.shaOpen());
      expect(addon.digestFile(file, offset, end - offset, expected, lengths.length, sha)).toBe(lengths.length);
      const out = Buffer.alloc(32);
      addon.shaDigest(sha, out);
      expect(out.toString('hex')).toBe(createHash('sha256').update(bytes.subarray(offset, end)).digest('hex'));
      addon.shaClose(sha);
    }
    addon.closeFile(file);
  });

  it('stop at the first damaged piece, with SHA over the good ones alone', () => {
    const bytes = new Random(seed).bytes(3 * mib);
    const lengths = [mib, 1000, mib - 1000, mib];
    const expected = pairs(bytes, 0, lengths);
    const file = dir.open('f', O_RDWR | O_CREAT | direct);
    let good = 0;
    let goodBytes = 0;
    for (const length of lengths) {
      const damaged = Buffer.from(bytes);
      damaged[goodBytes + length - 1]! ^= 1;
      writeFileSync(join(dir.path, 'f'), damaged);
      const sha = must(addon.shaOpen());
      expect(addon.digestFile(file, 0, bytes.length, expected, lengths.length, sha)).toBe(good);
      const out = Buffer.alloc(32);
      addon.shaDigest(sha, out);
      expect(out.toString('hex')).toBe(createHash('sha256').update(bytes.subarray(0, goodBytes)).digest('hex'));
      addon.shaClose(sha);
      good++;
      goodBytes += length;
    }
    addon.closeFile(file);
  });

  it('tell an early end, and refuse what is no partition', () => {
    const bytes = new Random(seed).bytes(10_000);
    writeFileSync(join(dir.path, 'f'), bytes.subarray(0, 9999));
    const file = dir.open('f', O_RDONLY | direct);
    const expected = pairs(bytes, 0, [4000, 6000]);
    expect(addon.digestFile(file, 0, 10_000, expected, 2, 0)).toBe(-errno.ENODATA);
    expect(addon.digestFile(file, 0, 4000, expected, 1, 0)).toBe(1);
    expect(addon.digestFile(file, 0, 9999, expected, 2, 0)).toBe(-errno.EINVAL);
    expect(addon.digestFile(file, 0, 10_001, expected, 2, 0)).toBe(-errno.EINVAL);
    expect(addon.digestFile(file, 0, 0, expected, 0, 0)).toBe(0);
    expect(addon.digestFile(file, 0, 0, BigUint64Array.of(0n, 0n), 1, 0)).toBe(-errno.EINVAL);
    const long = BigInt(mib + 1);
    expect(addon.digestFile(file, 0, mib + 1, BigUint64Array.of(long, 0n), 1, 0)).toBe(-errno.EINVAL);
    expect(addon.digestFile(file, 0, 10, BigUint64Array.of(2n ** 64n - 1n, 0n, 11n, 0n), 2, 0)).toBe(-errno.EINVAL);
    expect(() => addon.digestFile(file, 0, 10_000, expected, 3, 0)).toThrow(RangeError);
    expect(addon.digestFile(file, 0, 4000, expected, 1, 12_345)).toBe(-errno.EBADF);
    addon.closeFile(file);
    expect(addon.digestFile(file, 0, 4000, expected, 1, 0)).toBe(-errno.EBADF);
  });

  it('split a piece only when it is good as a whole', () => {
    const bytes = new Random(seed).bytes(mib + 5000);
    writeFileSync(join(dir.path, 'f'), bytes);
    const file = dir.open('f', O_RDONLY | direct);
    const offset = 1234;
    const length = mib;
    const whole = crcOf(bytes.subarray(offset, offset + length));
    const cuts = BigUint64Array.of(0n, 1n, 1n, 0n, 5000n, 70_000n, 0n, BigInt(length));
    const crcs = new BigUint64Array(4);
    expect(addon.splitPiece(file, offset, length, whole, cuts, 4, crcs)).toBe(1);
    const cut = (from: number, count: number): bigint => crcOf(bytes.subarray(offset + from, offset + from + count));
    expect([...crcs]).toEqual([cut(0, 1), 0n, cut(5000, 70_000), whole]);
    crcs.fill(7n);
    expect(addon.splitPiece(file, offset, length, whole ^ 1n, cuts, 4, crcs)).toBe(0);
    expect([...crcs]).toEqual([7n, 7n, 7n, 7n]);
    expect(addon.splitPiece(file, offset, length, whole, BigUint64Array.of(1n, BigInt(length)), 1, crcs)).toBe(
      -errno.EINVAL,
    );
    expect(addon.splitPiece(file, offset, mib + 1, whole, cuts, 4, crcs)).toBe(-errno.EINVAL);
    expect(addon.splitPiece(file, 5001, mib, whole, cuts, 4, crcs)).toBe(-errno.ENODATA);
    expect(() => addon.splitPiece(file, offset, length, whole, cuts, 4, crcs.subarray(1))).toThrow(RangeError);
    addon.closeFile(file);
  });
});

describe('copies', () => {
  it('copy a range to the same offset, short at the end', () => {
    const bytes = new Random(seed).bytes(300_000);
    writeFileSync(join(dir.path, 'f'), bytes);
    const from = dir.open('f', O_RDONLY);
    const to = dir.open('g');
    const copied = addon.copyRange(to, from, 100_000, 150_000);
    if (copied < 0) {
      expect([-errno.EXDEV, -errno.EOPNOTSUPP, -errno.ENOSYS]).toContain(copied);
    } else {
      expect(copied).toBe(150_000);
      expect(stored('g').equals(Buffer.concat([Buffer.alloc(100_000), bytes.subarray(100_000, 250_000)]))).toBe(true);
      expect(addon.copyRange(to, from, 250_000, 150_000)).toBe(50_000);
      expect(addon.copyRange(to, from, 300_000, 1)).toBe(0);
    }
    addon.closeFile(from);
    addon.closeFile(to);
  });

  it('clone the whole file, or say that the file system cannot', () => {
    const bytes = new Random(seed).bytes(100_000);
    writeFileSync(join(dir.path, 'f'), bytes);
    const from = dir.open('f', O_RDONLY);
    const to = dir.open('g');
    const cloned = addon.cloneFile(to, from);
    if (cloned === 0) expect(stored('g').equals(bytes)).toBe(true);
    else expect([-errno.EOPNOTSUPP, -errno.ENOTTY, -errno.EINVAL, -errno.EXDEV]).toContain(cloned);
    addon.closeFile(from);
    addon.closeFile(to);
  });
});
