/** Where rebuilt states go: in memory where that is possible, since what a sync costs is not asked there. */
import { accessSync, constants, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new directory; the caller removes it. */
export function scratchDirectory(): string {
  return mkdtempSync(join(memoryPlace(), 'power-loss-'));
}

function memoryPlace(): string {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK);
    return '/dev/shm';
  } catch {
    return realpathSync(tmpdir());
  }
}
