/**
 * The verdict on real jobs: shares and facts that engines told in runs of `npm run bench -- limits`, where each bottleneck
 * was planted at two strengths and shown to be one, and in ten runs without a plant, by cold engines and warm ones.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { plants, unplanted } from '../../bench/limits/plants.ts';
import type { Shares } from '../../engine/core/shares.ts';
import { type JobFacts, limitOf, slowBelow, waitsForStorage } from '../../engine/core/verdict.ts';

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
  expect(runs.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  expect(runs.every(({ jobs }) => jobs.length > 0)).toBe(true);
});

/** A job that waits for its storage is this far from the rate that divides slow from not slow: what a noisy machine may take. */
const margin = 1.25;

it('whether the storage is slow is decided far from the border, by each yardstick that there is', () => {
  const judged = { slow: 0, fine: 0 };
  for (const { name, limit, jobs } of runs) {
    for (const { shares, facts } of jobs) {
      if (!waitsForStorage(shares, facts)) continue;
      const yardsticks = [slowBelow({ ...facts, storageBest: null }), slowBelow({ ...facts, copyRate: 0 })];
      for (const below of yardsticks.filter((one) => one > 0)) {
        const part = facts.engineRate / below;
        if (limit === null) {
          judged.fine++;
          expect(part, name).toBeGreaterThan(margin);
        } else if (limit[0] === 'device' || limit[0] === 'network') {
          judged.slow++;
          expect(part, name).toBeLessThan(1 / margin);
        }
      }
    }
  }
  expect([judged.slow, judged.fine]).toSatisfy(([slow, fine]) => slow > 10 && fine > 20);
});

it.each(runs)('$name', ({ limit, jobs }) => {
  for (const { shares, facts } of jobs) {
    const named = limitOf(shares, facts);
    expect(named === null ? null : [named.finding, named.setting]).toEqual(limit);
  }
});
