/** What one core does alone, in the same run as everything else: the rates that no mode can exceed on one lane. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { addon } from '../native/addon/index.ts';

const blockBytes = 64 << 20;
const blocks = 16;
const passes = 3;
const passesQuick = 1;
const copyBytes = 20e9;
const copyBytesQuick = 4e9;

/** B/s, the best of so many passes; `sha`: CRC-64 and SHA-256 in one pass, else CRC-64 alone. Lets signals in between blocks. */
async function digestRate(sha: boolean, count: number, signal: AbortSignal): Promise<number> {
  const arena = addon.arenaOpen(blockBytes);
  try {
    addon.arenaPopulate(arena, 0, blockBytes);
    const crcs = new BigUint64Array(66);
    let best = 0;
    for (let pass = 0; pass < count; pass++) {
      const digest = sha ? addon.shaOpen() : 0;
      let ms = 0;
      for (let i = 0; i < blocks; i++) {
        const began = performance.now();
        addon.digestSlot(arena, 0, blockBytes, i * blockBytes, 1 << 20, digest, crcs);
        ms += performance.now() - began;
        await new Promise((done) => setImmediate(done));
        signal.throwIfAborted();
      }
      if (sha) addon.shaClose(digest);
      best = Math.max(best, (blocks * blockBytes) / (ms / 1000));
    }
    return best;
  } finally {
    addon.arenaClose(arena);
  }
}

export interface Alone {
  readonly memcpyRate: number;
  readonly crcRate: number;
  readonly digestRate: number;
}

export async function ratesAlone(signal: AbortSignal, quick: boolean): Promise<Alone> {
  const count = quick ? passesQuick : passes;
  const floor = join(import.meta.dirname, 'native/build/floor');
  const args = ['memcpy', String(quick ? copyBytesQuick : copyBytes)];
  const { stdout } = await promisify(execFile)(floor, args, { signal, killSignal: 'SIGKILL' });
  const { bytes, seconds } = JSON.parse(stdout) as { bytes: number; seconds: number };
  return {
    memcpyRate: bytes / seconds,
    crcRate: await digestRate(false, count, signal),
    digestRate: await digestRate(true, count, signal),
  };
}
