/** Pools with real threads on a fresh storage root, stopped when their test is over. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished } from 'vitest';
import { Pool, type PoolOptions } from '../../engine/lanes/pool.ts';
import type { StoreError, StoreFailure } from '../../workers/store.ts';
import { claimText, lsu, marker, testRoot } from '../contract/store-kit.ts';

/** Gives each test of the file a root with its marker. Call it once, at the top. */
export function rootPerTest(): { path: string } {
  const root = { path: '' };
  beforeEach(() => {
    root.path = testRoot();
    writeFileSync(join(root.path, '.vast-ost-store'), marker);
  });
  afterEach(() => rmSync(root.path, { recursive: true, force: true }));
  return root;
}

export function makePool(options: Partial<PoolOptions> = {}): Pool {
  const pool = new Pool({
    kind: 'io',
    lanesMax: 2,
    overdueMs: 60_000,
    niceness: 0,
    storeKind: 'file',
    now: () => performance.now(),
    ...options,
  });
  onTestFinished(async () => {
    await pool.stop(10_000);
  });
  return pool;
}

/** A meta pool with its root open and one LSU. */
export async function makeMeta(root: string, options: Partial<PoolOptions> = {}): Promise<Pool> {
  const meta = makePool({ kind: 'meta', lanesMax: 4, ...options });
  await meta.call('openRoot', { root, requireMount: false, direct: true });
  await meta.call('makeLsu', { lsu, text: '{}' });
  return meta;
}

export function createArg(image: string, token: string) {
  return { lsu, image, token, meta: '{}', claim: claimText(token), sumsHeader: null };
}

/** The failure of a call that must fail. */
export function failureOf(call: Promise<unknown>): Promise<StoreFailure> {
  return call.then(
    () => expect.fail('the call succeeded'),
    (error: StoreError) => error.failure,
  );
}
