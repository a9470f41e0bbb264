/** Engine and host program killed while a request is held, at every step of an image's life. More: npm run campaign. */
import { expect, test } from 'vitest';
import { random } from '../model/random-program.ts';
import { seed } from '../support/seed.ts';
import { KillRounds, steps } from './kill/kill-round.ts';

const perStep = Number(process.env.VAST_OST_S3_KILLS ?? 2);

/** A restore of several objects is no other than one of one: its kills change nothing. */
const several = steps.filter((step) => step !== 'restore');
const rows = [...steps.map((step) => [step, 10_000] as const), ...several.map((step) => [step, 2] as const)];

test.each(rows)(
  `${perStep} kills in %s, at most %i parts an object (seeds from ${seed})`,
  { timeout: 60_000 + perStep * 10_000 },
  async (step, partsMax) => {
    await using rounds = await KillRounds.start(partsMax);
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
  },
);
