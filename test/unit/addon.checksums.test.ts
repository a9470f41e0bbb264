import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { counts, errno, must, Random, seed } from '../support/addon-kit.ts';
import { crc64 } from '../support/crc64.ts';

const mib = 1 << 20;
const crcOf = (bytes: Uint8Array, crc = 0n): bigint => addon.crcBytes(crc, bytes, bytes.length);

afterEach(() => addon.forcePortable(false));

describe('CRC-64/NVME', () => {
  const check = new TextEncoder().encode('123456789');

  it('has the published check value both ways', () => {
    expect(crcOf(check)).toBe(0xae8b14860a799888n);
    addon.forcePortable(true);
    expect(addon.crcKind()).toBe('portable');
    expect(crcOf(check)).toBe(0xae8b14860a799888n);
  });

  it('uses carry-less multiplication where the CPU has it', async () => {
    const { readFileSync } = await import('node:fs');
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
    const has = (name: string): boolean => process.arch === 'x64' && flags.includes(name);
    const kind = has('avx2') && has('vpclmulqdq') ? 'vpclmul' : 'pclmul';
    expect(addon.crcKind()).toBe(has('pclmulqdq') ? kind : 'portable');
  });

  it(`is the same fast, portable and in plain TypeScript at any length and alignment (seed ${seed})`, () => {
    const random = new Random(seed);
    const bytes = random.bytes(70_000);
    // Above 1024 bytes: each length of what is left behind the widest step.
    const lengths = [
      ...Array(600).keys(),
      ...[...Array(600).keys()].map((n) => 1000 + n),
      ...Array.from({ length: 60 }, () => random.below(66_000)),
    ];
    for (const length of lengths) {
      const part = bytes.subarray(random.below(16)).subarray(0, length);
      const start = (BigInt(random.word()) << 32n) | BigInt(random.word());
      addon.forcePortable(false);
      const fast = crcOf(part, start);
      addon.forcePortable(true);
      expect(crcOf(part, start), `length ${length}`).toBe(fast);
      expect(crc64(part, start), `length ${length}`).toBe(fast);
    }
  });

  it(`goes on from a CRC and combines two (seed ${seed})`, () => {
    const random = new Random(seed + 1);
    for (let round = 0; round < 300; round++) {
      const bytes = random.bytes(random.below(5000));
      const cut = random.below(bytes.length + 1);
      const a = bytes.subarray(0, cut);
      const b = bytes.subarray(cut);
      expect(crcOf(b, crcOf(a))).toBe(crcOf(bytes));
      expect(addon.crcCombine(crcOf(a), crcOf(b), b.length)).toBe(crcOf(bytes));
    }
  });

  it('combines over lengths that no memory holds', () => {
    // Zeros: doubling the length by combining with itself must agree with one combine over the sum.
    let length = 1;
    let crc = crcOf(new Uint8Array(1));
    while (length < 2 ** 50) {
      const doubled = addon.crcCombine(crc, crc, length);
      if (length === 2 ** 20) expect(doubled).toBe(crcOf(new Uint8Array(2 ** 21)));
      crc = doubled;
      length *= 2;
    }
    const one = crcOf(new Uint8Array(1));
    expect(addon.crcCombine(one, crc, length)).toBe(addon.crcCombine(crc, one, 1));
  });

  it('reads bytes of a SharedArrayBuffer', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(9));
    shared.set(check);
    expect(crcOf(shared)).toBe(0xae8b14860a799888n);
  });

  it('refuses a length beyond the array and a CRC of more than 64 bits', () => {
    expect(() => addon.crcBytes(0n, check, 10)).toThrow(RangeError);
    expect(() => addon.crcBytes(1n << 64n, check, 9)).toThrow(RangeError);
    expect(() => addon.crcBytes(-1n, check, 9)).toThrow(RangeError);
    expect(() => addon.crcBytes(0 as unknown as bigint, check, 9)).toThrow(TypeError);
  });
});

describe('SHA-256 states', () => {
  /** Brings `bytes` into `sha`: only slots are hashed. */
  function update(sha: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const arena = must(addon.arenaOpen(bytes.length));
    must(addon.arenaPoke(arena, 0, bytes));
    must(addon.digestSlot(arena, 0, bytes.length, 0, bytes.length, sha, new BigUint64Array(1)));
    addon.arenaClose(arena);
  }
  const digest = (sha: number): string => {
    const out = Buffer.alloc(32);
    expect(addon.shaDigest(sha, out)).toBe(0);
    return out.toString('hex');
  };
  const truth = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  it('agrees with node:crypto and is left as it was by a digest', () => {
    const sha = must(addon.shaOpen());
    expect(digest(sha)).toBe(truth(Buffer.alloc(0)));
    update(sha, Buffer.from('abc'));
    expect(digest(sha)).toBe(truth(Buffer.from('abc')));
    update(sha, Buffer.from('def'));
    expect(digest(sha)).toBe(truth(Buffer.from('abcdef')));
    expect(addon.shaClose(sha)).toBe(0);
    expect(addon.shaClose(sha)).toBe(-errno.EBADF);
    expect(addon.shaDigest(sha, Buffer.alloc(32))).toBe(-errno.EBADF);
  });

  it(`goes on in another state from 32 saved bytes (seed ${seed})`, () => {
    const random = new Random(seed + 2);
    for (let round = 0; round < 40; round++) {
      const bytes = random.bytes(random.below(20_000));
      const cut = random.below(Math.floor(bytes.length / 64) + 1) * 64;
      const first = must(addon.shaOpen());
      update(first, bytes.subarray(0, cut));
      const state = Buffer.alloc(32);
      expect(addon.shaSave(first, state)).toBe(0);
      const second = must(addon.shaOpen());
      update(second, random.bytes(77)); // what it held before must not matter
      expect(addon.shaRestore(second, state, cut)).toBe(0);
      update(second, bytes.subarray(cut));
      expect(digest(second)).toBe(truth(bytes));
      addon.shaClose(first);
      addon.shaClose(second);
    }
  });

  it('counts beyond 2^32 bits after a restore', () => {
    const sha = must(addon.shaOpen());
    const state = Buffer.alloc(32);
    addon.shaSave(sha, state);
    const digestAt = (offset: number): string => {
      must(addon.shaRestore(sha, state, offset));
      return digest(sha);
    };
    // The same words at other offsets: the length is part of the digest, its high half included.
    expect(new Set([0, 64, 2 ** 29, 2 ** 32, 2 ** 52].map(digestAt)).size).toBe(5);
    addon.shaClose(sha);
  });

  it('saves and restores only at multiples of 64', () => {
    const sha = must(addon.shaOpen());
    update(sha, Buffer.from('abc'));
    expect(addon.shaSave(sha, Buffer.alloc(32))).toBe(-errno.EINVAL);
    expect(addon.shaRestore(sha, Buffer.alloc(32), 3)).toBe(-errno.EINVAL);
    expect(() => addon.shaSave(sha, Buffer.alloc(31))).toThrow(RangeError);
    addon.shaClose(sha);
  });
});

describe('slots', () => {
  const bytes = new Random(seed + 3).bytes(3 * mib + 12_345);

  function withSlot(run: (arena: number) => void): void {
    const before = counts();
    const arena = must(addon.arenaOpen(bytes.length));
    must(addon.arenaPoke(arena, 0, bytes));
    run(arena);
    addon.arenaClose(arena);
    expect(counts()).toEqual(before);
  }

  it(`digests pieces between chunk borders, and SHA beside it (seed ${seed})`, () => {
    withSlot((arena) => {
      const random = new Random(seed + 4);
      for (let round = 0; round < 30; round++) {
        const chunk = [4096, 65_536, mib][random.below(3)]!;
        const imageOffset = random.below(5 * mib);
        const from = random.below(bytes.length);
        const length = random.below(bytes.length - from + 1);
        const part = bytes.subarray(from, from + length);
        const want: bigint[] = [];
        for (let at = 0; at < length; ) {
          const to = Math.min(length, at + chunk - ((imageOffset + at) % chunk));
          want.push(crcOf(part.subarray(at, to)));
          at = to;
        }
        const crcs = new BigUint64Array(want.length + 1);
        const sha = must(addon.shaOpen());
        expect(addon.digestSlot(arena, from, length, imageOffset, chunk, sha, crcs)).toBe(want.length);
        expect([...crcs]).toEqual([...want, 0n]);
        const out = Buffer.alloc(32);
        addon.shaDigest(sha, out);
        expect(out.toString('hex')).toBe(createHash('sha256').update(part).digest('hex'));
        addon.shaClose(sha);
        expect(addon.digestSlot(arena, from, length, imageOffset, chunk, 0, crcs)).toBe(want.length);
        expect(addon.digestSlot(arena, from, length, imageOffset, chunk, sha, crcs)).toBe(-errno.EBADF);
      }
    });
  });

  it('does nothing when there is no room for the CRCs', () => {
    withSlot((arena) => {
      const sha = must(addon.shaOpen());
      expect(() => addon.digestSlot(arena, 0, mib + 1, 0, mib, sha, new BigUint64Array(1))).toThrow(RangeError);
      const out = Buffer.alloc(32);
      addon.shaDigest(sha, out);
      expect(out.toString('hex')).toBe(createHash('sha256').digest('hex'));
      addon.shaClose(sha);
    });
  });

  it('verifies a slot chunk by chunk and stops at the damaged one', () => {
    withSlot((arena) => {
      const crcs = new BigUint64Array(4);
      expect(addon.digestSlot(arena, 0, bytes.length, 0, mib, 0, crcs)).toBe(4);
      expect(addon.verifySlot(arena, 0, bytes.length, mib, crcs)).toBe(bytes.length);
      for (let chunk = 0; chunk < 4; chunk++) {
        const at = Math.min(chunk * mib + 4711, bytes.length - 1);
        addon.arenaPoke(arena, at, Uint8Array.of(bytes[at]! ^ 0x10));
        expect(addon.verifySlot(arena, 0, bytes.length, mib, crcs)).toBe(chunk * mib);
        addon.arenaPoke(arena, at, bytes.subarray(at, at + 1));
      }
      expect(addon.verifySlot(arena, 0, 0, mib, crcs)).toBe(0);
      expect(() => addon.verifySlot(arena, 0, bytes.length, mib, crcs.subarray(1))).toThrow(RangeError);
      expect(() => addon.verifySlot(arena, 0, bytes.length, 0, crcs)).toThrow(RangeError);
    });
  });

  it('answers −EFAULT outside the arena and −EBADF for a closed one', () => {
    const arena = must(addon.arenaOpen(8192));
    const crcs = new BigUint64Array(4);
    expect(addon.digestSlot(arena, 8192, 1, 0, mib, 0, crcs)).toBe(-errno.EFAULT);
    expect(addon.digestSlot(arena, 0, 8193, 0, mib, 0, crcs)).toBe(-errno.EFAULT);
    expect(addon.verifySlot(arena, 4096, 4097, mib, crcs)).toBe(-errno.EFAULT);
    expect(addon.verifySlot(arena, Number.MAX_SAFE_INTEGER, 1, mib, crcs)).toBe(-errno.EFAULT);
    addon.arenaClose(arena);
    expect(addon.digestSlot(arena, 0, 1, 0, mib, 0, crcs)).toBe(-errno.EBADF);
    expect(addon.verifySlot(arena, 0, 1, mib, crcs)).toBe(-errno.EBADF);
  });
});
