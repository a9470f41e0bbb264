/** Each checksum over several sizes, and both in one pass as a digest lane makes them. */
import { addon } from '../../native/addon/index.ts';
import type { Case, Group } from './harness.ts';

const kib = 1024;
const mib = 1024 * kib;
const block = 64 * mib;

function sizeText(bytes: number): string {
  return bytes < mib ? `${bytes / kib} KiB` : `${bytes / mib} MiB`;
}

export function checksums(): Group {
  const arena = addon.arenaOpen(block);
  addon.arenaPopulate(arena, 0, block);
  const sha = addon.shaOpen();
  const crcs = new BigUint64Array(block / mib + 1);
  const bytes = new Uint8Array(mib);
  const kind = addon.crcKind();
  const digest = (what: string, size: number, state: number): Case => ({
    name: `checksum: ${what}, ${sizeText(size)}`,
    bytes: size,
    run: () => void addon.digestSlot(arena, 0, size, 0, mib, state, crcs),
  });
  const portable = (size: number): Case => ({
    name: `checksum: CRC-64 portable, ${sizeText(size)}`,
    bytes: size,
    run: () => {
      addon.forcePortable(true);
      addon.digestSlot(arena, 0, size, 0, mib, 0, crcs);
      addon.forcePortable(false);
    },
  });
  const sizes = [4 * kib, 256 * kib, 4 * mib, block];
  return {
    cases: [
      ...sizes.map((size) => digest(`CRC-64 ${kind}`, size, 0)),
      portable(256 * kib),
      ...sizes.map((size) => digest('CRC-64 + SHA-256', size, sha)),
      { name: 'checksum: CRC-64 of an array, 1 MiB', bytes: mib, run: () => void addon.crcBytes(0n, bytes, mib) },
      { name: 'checksum: combine of two CRCs', batch: 16, run: () => void addon.crcCombine(1n, 2n, mib) },
    ],
    end: () => {
      addon.shaClose(sha);
      addon.arenaClose(arena);
    },
  };
}
