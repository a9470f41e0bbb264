/**
 * The verdict on real jobs: shares and facts that engines told in a run of `npm run bench -- limits`, where each bottleneck
 * was planted at two strengths and shown to be one, and in ten runs without a plant.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { plants, unplanted } from '../../bench/limits/plants.ts';
import type { Shares } from '../../engine/core/shares.ts';
import { type JobFacts, limitOf } from '../../engine/core/verdict.ts';

interface RecordedRun {
  readonly name: string;
  /** Finding and setting; null: nobody is accused. */
  readonly limit: readonly [string, string] | null;
  readonly jobs: readonly { readonly shares: Shares; readonly facts: JobFacts }[];
}
const runs = JSON.parse(readFileSync(join(import.meta.dirname, 'verdict-runs.json'), 'utf8')) as RecordedRun[];

it('has a run of each plant, and the ten without', () => {
  const names = [
    ...plants.map(({ name, strength }) => `${name}, ${strength}`),
    ...unplanted.map(({ name }) => `nothing planted: ${name}`),
  ];
  expect(runs.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  expect(runs.every(({ jobs }) => jobs.length > 0)).toBe(true);
});

it.each(runs)('$name', ({ limit, jobs }) => {
  for (const { shares, facts } of jobs) {
    const named = limitOf(shares, facts);
    expect(named === null ? null : [named.finding, named.setting]).toEqual(limit);
  }
});
