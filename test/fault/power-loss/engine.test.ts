/**
 * Losing power end to end, through plug-in and engine: each operation once, every state after it; and a sync left out of
 * two of them, drawn by the seed, must be found. All syncs: test/campaign.
 */
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { TestEngine, testDirectory } from '../../support/engine.ts';
import { seed } from '../../support/seed.ts';
import { chunk } from '../kill/expected-image.ts';
import { operationsOf } from '../kill/operations.ts';
import { readStored } from '../kill/stored-image.ts';
import { randomOf } from './choices.ts';
import { type LossPlaces, loseEverywhere, loseWithout } from './losses.ts';
import { scratchDirectory } from './places.ts';

const at: LossPlaces = { directory: testDirectory(), scratch: scratchDirectory(), seed };
afterAll(() => {
  for (const path of [at.directory, at.scratch]) rmSync(path, { recursive: true, force: true });
});

/** A label is the store's own matter: power-loss/store.test.ts. */
const operations = operationsOf(2 * chunk + 1536).filter(({ name }) => name !== 'label');

test('an image that lost the header of its sums with the power gets it again when it is resumed', async () => {
  await using engine = await TestEngine.start();
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await engine.kill();
  }
  truncateSync(join(engine.store, 'lsu/image~7/image.sums'), 0);
  await engine.launch();
  await using host = await engine.script();
  await host.ok('open_image v i lsu image 7 2');
  await host.ok('write i 0 1536 5');
  await host.ok('close i 1');
  expect(readStored(engine.store, 'lsu', 'image', 7).problems).toEqual([]);
});

test(`nothing acknowledged is lost, whatever is under way (seed ${seed})`, { timeout: 180_000 }, async () => {
  const random = randomOf(seed);
  const withEngine = operations[Math.floor(random() * operations.length)];
  const problems: string[] = [];
  const syncs = new Map<string, number>();
  for (const operation of operations) {
    const report = await loseEverywhere(operation, at, operation === withEngine ? 2 : 0);
    problems.push(...report.problems.map((text) => `${operation.name}: ${text}`));
    // The least: delete, with what a complete close before it leaves to behind its answer.
    expect(report.states).toBeGreaterThan(5);
    syncs.set(operation.name, report.syncs);
  }
  expect(problems).toEqual([]);
  for (let i = 0; i < 2; i++) {
    const operation = operations[Math.floor(random() * operations.length)] ?? operations[0];
    const sync = 1 + Math.floor(random() * (syncs.get(operation?.name ?? '') ?? 1));
    expect(operation && (await loseWithout(operation, at, sync))).toBeNull();
  }
});
