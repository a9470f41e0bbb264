/** Digests of a body while it passes; only those that somebody asked for are computed. */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { addon } from '../../../native/addon/index.ts';
import type { ChecksumAlgorithm } from './options.ts';

export type DigestName = 'md5' | ChecksumAlgorithm;

const crc32cTable = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  crc32cTable[byte] = crc >>> 0;
}

function crc32c(bytes: Uint8Array, before: number): number {
  let crc = ~before;
  for (const byte of bytes) crc = (crc >>> 8) ^ crc32cTable[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}

export class Digests {
  readonly #names: ReadonlySet<DigestName>;
  readonly #hashes = new Map<DigestName, Hash>();
  #crc64 = 0n;
  #crc32 = 0;
  #crc32c = 0;

  constructor(names: Iterable<DigestName>) {
    this.#names = new Set(names);
    for (const name of ['md5', 'sha256', 'sha1'] as const) {
      if (this.#names.has(name)) this.#hashes.set(name, createHash(name));
    }
  }

  update(bytes: Uint8Array): void {
    for (const hash of this.#hashes.values()) hash.update(bytes);
    if (this.#names.has('crc64nvme')) this.#crc64 = addon.crcBytes(this.#crc64, bytes, bytes.length);
    if (this.#names.has('crc32')) this.#crc32 = crc32(bytes, this.#crc32);
    if (this.#names.has('crc32c')) this.#crc32c = crc32c(bytes, this.#crc32c);
  }

  /** The digest's bytes, CRCs big-endian as S3 sends them. Call once, at the end; null when it was not asked for. */
  take(name: DigestName): Buffer | null {
    if (!this.#names.has(name)) return null;
    if (name === 'crc64nvme') return crc64Bytes(this.#crc64);
    if (name === 'crc32') return wordBytes(this.#crc32);
    if (name === 'crc32c') return wordBytes(this.#crc32c);
    return this.#hashes.get(name)!.digest();
  }
}

export function crc64Bytes(crc: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(crc);
  return bytes;
}

function wordBytes(word: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(word);
  return bytes;
}

/** Bytes of each kind of checksum. */
export const digestBytes: Record<DigestName, number> = {
  md5: 16,
  crc64nvme: 8,
  crc32c: 4,
  crc32: 4,
  sha256: 32,
  sha1: 20,
};
