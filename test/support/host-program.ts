/**
 * The host program as tests drive it, and its test data, computed here independently: see native/host/words.h and
 * pattern.h for the definitions.
 */
import { join } from 'node:path';

export { type Answer, type HostRun, HostScript, hostProgram, runHost } from '../../scripts/programs/host-program.ts';

export const hostDirectory = join(import.meta.dirname, '../../native/host');

const mask = 0xffff_ffff_ffff_ffffn;
const golden = 0x9e37_79b9_7f4a_7c15n;

function mix(value: bigint): bigint {
  let z = value & mask;
  z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & mask;
  return z ^ (z >> 31n);
}

function word(seed: bigint, index: bigint): bigint {
  return mix(mix(seed + golden) + (index + 1n) * golden);
}

/** Bits 32 to 63 of the product of two words of 32 bits, by whole numbers alone: sums here stay below 2^32. */
function highOf(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = ((Math.imul(a1, b0) >>> 0) + (Math.imul(a0, b0) >>> 16)) >>> 0;
  const carry = ((Math.imul(a0, b1) >>> 0) + (middle & 0xffff)) >>> 0;
  return (Math.imul(a1, b1) + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/** gen(seed, offset …) of words.h, `length` bytes: mix() in halves of 32 bits, since BigInt is twenty times slower. */
export function gen(seed: number | bigint, offset: number, length: number): Buffer {
  const first = Math.floor(offset / 8);
  const words = Math.ceil((offset + length) / 8) - first;
  const halves = new Uint32Array(2 * words);
  const start = (mix(BigInt(seed) + golden) + BigInt(first) * golden) & mask;
  let high = Number(start >> 32n);
  let low = Number(start & 0xffff_ffffn);
  for (let i = 0; i < words; i++) {
    low += 0x7f4a_7c15;
    high = (high + 0x9e37_79b9 + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
    low >>>= 0;
    let h = high ^ (high >>> 30);
    let l = (low ^ ((low >>> 30) | (high << 2))) >>> 0;
    h = (highOf(l, 0x1ce4_e5b9) + Math.imul(l, 0xbf58_476d) + Math.imul(h, 0x1ce4_e5b9)) >>> 0;
    l = Math.imul(l, 0x1ce4_e5b9) >>> 0;
    l = (l ^ ((l >>> 27) | (h << 5))) >>> 0;
    h = h ^ (h >>> 27);
    h = (highOf(l, 0x1331_11eb) + Math.imul(l, 0x94d0_49bb) + Math.imul(h, 0x1331_11eb)) >>> 0;
    l = Math.imul(l, 0x1331_11eb) >>> 0;
    halves[2 * i] = l ^ ((l >>> 31) | (h << 1));
    halves[2 * i + 1] = h ^ (h >>> 31);
  }
  const bytes = Buffer.from(halves.buffer);
  return bytes.subarray(offset - first * 8, offset - first * 8 + length);
}

const mebi = 1 << 20;

/** The data of `backup --generate --seed` (pattern.h) in [offset, offset + length). */
export function pattern(seed: number, offset: number, length: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = offset; at < offset + length; ) {
    const unit = Math.floor(at / mebi);
    const inside = at % mebi;
    const start = Number(word(~BigInt(seed) & mask, BigInt(unit)) % 16384n) * 4096;
    const end = Math.min(offset + length, (unit + 1) * mebi);
    const from = (start + inside) % (64 * mebi);
    const first = Math.min(end - at, 64 * mebi - from);
    pieces.push(gen(seed, from, first), gen(seed, 0, end - at - first));
    at = end;
  }
  return Buffer.concat(pieces);
}

export const hex = (name: string | Uint8Array): string => `hex:${Buffer.from(name).toString('hex')}`;
