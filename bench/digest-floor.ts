/** CRC-64 and SHA-256 in one pass over a slot, alone on one core: what the default mode cannot exceed on one lane. */
import { addon } from '../native/addon/index.ts';

/** Bytes per second, the best of three passes over 64 MiB × 16. */
export function digestAlone(): number {
  const block = 64 << 20;
  const arena = addon.arenaOpen(block);
  addon.arenaPopulate(arena, 0, block);
  const crcs = new BigUint64Array(66);
  let best = 0;
  for (let pass = 0; pass < 3; pass++) {
    const sha = addon.shaOpen();
    const begin = performance.now();
    for (let i = 0; i < 16; i++) addon.digestSlot(arena, 0, block, i * block, 1 << 20, sha, crcs);
    best = Math.max(best, (16 * block) / ((performance.now() - begin) / 1000));
    addon.shaClose(sha);
  }
  addon.arenaClose(arena);
  return best;
}
