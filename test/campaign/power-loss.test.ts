/** Losing power end to end: every state of every operation, some reopened by an engine; every sync left out once. */
import { rmSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { chunk } from '../fault/kill/expected-image.ts';
import { operationsOf } from '../fault/kill/operations.ts';
import { type LossPlaces, loseEverywhere, loseWithout } from '../fault/power-loss/losses.ts';
import { scratchDirectory } from '../fault/power-loss/places.ts';
import { testDirectory } from '../support/engine.ts';
import { seed } from '../support/seed.ts';

const at: LossPlaces = { directory: testDirectory(), scratch: scratchDirectory(), seed };
afterAll(() => {
  for (const path of [at.directory, at.scratch]) rmSync(path, { recursive: true, force: true });
});
const operations = operationsOf(2 * chunk + 1536).filter(({ name }) => name !== 'label');
const reopened = 15;

describe.each(operations)(`$name (seed ${seed})`, { timeout: 900_000 }, (operation) => {
  test('loses nothing, and misses each of its syncs', async () => {
    const { states, syncs, problems } = await loseEverywhere(operation, at, reopened);
    console.log(`${operation.name}: ${states} states, ${syncs} syncs`);
    expect(problems).toEqual([]);
    const notMissed: (string | null)[] = [];
    for (let sync = 1; sync <= syncs; sync++) notMissed.push(await loseWithout(operation, at, sync));
    expect(notMissed.filter((text) => text !== null)).toEqual([]);
  });
});
