/**
 * An engine that was started while its mount did not answer never said that it serves, and sent no *still working*: its
 * clocks began behind the first look at the storage. Until then, and a moment longer, SIGTERM ended it without a word.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Shim } from '../fault/shim/shim.ts';
import { TestEngine, testDirectory } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';

test('an engine serves while its storage does not answer yet', async () => {
  const directory = testDirectory();
  const store = join(directory, 'store');
  mkdirSync(store);
  const shim = new Shim(directory);
  shim.arm(0, { action: 'hang', count: 0, names: ['open', '@read'] });
  {
    await using engine = await TestEngine.start({ directory, env: shim.env(store, 'engine/main.ts') });
    expect(shim.counts(0).holding).toBe(1);
    expect((await engine.status()).mounts[0]?.mounted).toBe(false);
    shim.release(0);
    await until(async () => (await engine.status()).mounts[0]?.mounted === true);
    {
      await using host = await engine.script();
      await host.ok('create_lsu v lsu');
    }
    expect(engine.bugs()).toEqual([]);
    expect(await engine.stop()).toBe(0);
  }
  shim.close();
  rmSync(directory, { recursive: true, force: true });
});
