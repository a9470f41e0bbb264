/**
 * The engine is killed before or after one of its calls on storage, in every operation; a new one must find all that was
 * acknowledged, and leave nothing over. A spread of the points, drawn by the seed; all of them: test/campaign.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { random } from '../model/random-program.ts';
import { seed } from '../support/seed.ts';
import { KilledRun, type KillPoint, pointName } from './kill/killed-run.ts';
import { type Operation, operations } from './kill/operations.ts';

const pointsEach = 2;

// Each engine judges what the one before it left: all of them can have one store.
let run!: KilledRun;
beforeAll(async () => {
  run = await KilledRun.start();
});
afterAll(() => run[Symbol.asyncDispose]());

test('a create that is killed before its claim is written leaves nothing behind', async () => {
  const operation = operations.find(({ name }) => name === 'create') as Operation;
  await run.count(operation);
  // The second call makes the directory: until the claim stands in it, only its name says whose it is.
  expect(await run.kill({ operation, action: 'killAfter', call: 2 })).toEqual([]);
});

test(`killed at ${pointsEach} calls of each operation (seed ${seed})`, { timeout: 180_000 }, async () => {
  const next = random(seed);
  const points: KillPoint[] = [];
  for (const operation of operations) {
    const calls = await run.count(operation);
    for (let i = 0; i < pointsEach; i++) {
      // One point in each stretch of the operation, so that no seed looks at its begin alone.
      const call = 1 + Math.floor(((i + next()) / pointsEach) * calls);
      points.push({ operation, action: next() < 0.5 ? 'killBefore' : 'killAfter', call });
    }
  }
  const problems: string[] = [];
  for (const point of points) {
    const found = await run.kill(point);
    problems.push(...found.map((text) => `${pointName(point)}: ${text}`));
  }
  expect(problems).toEqual([]);
});
