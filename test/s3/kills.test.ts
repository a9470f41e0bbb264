/** Engine and host program killed while a request is held, at every step of an image's life. More: npm run campaign. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { random } from '../model/random-program.ts';
import { seed } from '../support/seed.ts';
import { KillRounds, steps } from './kill/kill-round.ts';

const perStep = Number(process.env.VAST_OST_S3_KILLS ?? 2);

describe.each([
  { partsMax: 10_000, of: steps },
  // A restore of several objects is no other than one of one: its kills change nothing.
  { partsMax: 2, of: steps.filter((step) => step !== 'restore') },
])('at most $partsMax parts an object', ({ partsMax, of }) => {
  let rounds!: KillRounds;
  beforeAll(async () => {
    rounds = await KillRounds.start(partsMax);
  });
  afterAll(() => rounds[Symbol.asyncDispose]());

  test.each(of)(`${perStep} kills in %s (seeds from ${seed})`, { timeout: 60_000 + perStep * 10_000 }, async (step) => {
    const problems: string[] = [];
    let hits = 0;
    for (let i = 0; i < perStep; i++) {
      const victim = i % 2 === 0 ? 'engine' : 'host program';
      const result = await rounds.round(step, victim, random(seed + i));
      if (result.killedAt !== null) hits++;
      problems.push(
        ...result.problems.map(
          (text) => `seed ${seed + i}, ${victim} killed at ${result.killedAt ?? 'the end'}: ${text}`,
        ),
      );
    }
    expect(problems).toEqual([]);
    // A kill that always comes too late proves nothing.
    expect(hits).toBeGreaterThan(0);
  });
});
