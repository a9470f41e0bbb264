/** Engine and host programs killed at random moments under load. More of them: test/campaign. */
import { expect, test } from 'vitest';
import { random } from '../model/random-program.ts';
import { seed } from '../support/seed.ts';
import { RandomKills } from './kill/random-kill.ts';

const rounds = Number(process.env.VAST_OST_RANDOM_KILLS ?? 4);

test(`${rounds} random kills under load (seeds from ${seed})`, { timeout: 60_000 + rounds * 20_000 }, async () => {
  await using kills = await RandomKills.start();
  const problems: string[] = [];
  for (let i = 0; i < rounds; i++) {
    const victim = i % 2 === 0 ? 'engine' : 'host program';
    const found = await kills.round(victim, random(seed + i));
    problems.push(...found.map((text) => `seed ${seed + i}, ${victim} killed: ${text}`));
  }
  expect(problems).toEqual([]);
});
