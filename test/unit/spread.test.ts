import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ranked } from '../../engine/transfer/spread.ts';
import { check } from '../support/property.ts';
import { seed } from '../support/seed.ts';

const mounts = ['/mnt/vast-1', '/mnt/vast-2', '/mnt/vast-3', '/mnt/vast-4'];
const names = Array.from({ length: 20_000 }, (_, i) => `lsu/client${seed + i}_${i % 7}_C1_F1~${1_700_000_000 + i}`);
const best = (key: string, of: readonly string[]): string => of[ranked(key, of)[0] as number] as string;

describe('images over mounts', () => {
  test('are spread evenly', () => {
    const counts = new Map(mounts.map((mount) => [mount, 0]));
    for (const name of names) counts.set(best(name, mounts), (counts.get(best(name, mounts)) ?? 0) + 1);
    // A fair coin for each: one in a million runs has a mount beyond five standard deviations.
    const [share, slack] = [names.length / mounts.length, 5 * Math.sqrt(names.length * 0.25 * 0.75)];
    for (const count of counts.values()) expect(Math.abs(count - share)).toBeLessThan(slack);
  });

  test('stay where they are when a mount goes, but for its own', () => {
    const rest = mounts.slice(1);
    let moved = 0;
    for (const name of names) {
      const before = best(name, mounts);
      if (before === mounts[0]) moved++;
      else expect(best(name, rest)).toBe(before);
    }
    expect(moved).toBeGreaterThan(0);
  });

  test('have the same mount whatever the order of the list, and after a restart', () => {
    check(
      fc.property(fc.string(), fc.shuffledSubarray(mounts, { minLength: 1 }), (name, list) => {
        expect(best(name, list)).toBe(best(name, [...list].reverse()));
        expect(ranked(name, list).toSorted()).toEqual(list.map((_, i) => i));
      }),
      200,
    );
    expect(ranked('lsu/image~7', mounts)).toEqual([0, 1, 3, 2]);
  });
});
