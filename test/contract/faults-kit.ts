/** An engine whose calls on storage can be made to fail: TestEngine under the storage shim. */
import { mkdirSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Shim } from '../fault/shim/shim.ts';
import { type EngineOptions, TestEngine, testDirectory } from '../support/engine.ts';

export const { errno } = constants;

export interface Faulty extends AsyncDisposable {
  engine: TestEngine;
  shim: Shim;
}

/** Disposed of: every rule is taken away, the engine ended, the directory removed. */
export async function startFaulty(options: Omit<EngineOptions, 'directory' | 'env'> = {}): Promise<Faulty> {
  const directory = testDirectory();
  const store = join(directory, 'store');
  mkdirSync(store);
  const shim = new Shim(directory, 'calls');
  const engine = await TestEngine.start({ ...options, directory, env: shim.env(store, 'engine/main.ts') });
  return {
    engine,
    shim,
    async [Symbol.asyncDispose]() {
      clear(shim);
      await engine[Symbol.asyncDispose]();
      shim.close();
      if (!process.env.VAST_OST_KEEP) rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function clear(shim: Shim): void {
  for (let slot = 0; slot < 4; slot++) shim.disarm(slot);
}
