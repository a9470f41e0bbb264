import { describe, expect, it } from 'vitest';
import { checkBudget, checkDuplications, checkManyWriters, checkOtherClass } from '../sim/transfer-budget-world.ts';
import { shipped } from '../sim/transfer-code.ts';
import { seed } from '../support/property.ts';

const mib = 1024 * 1024;

describe('memory budget', () => {
  it(`keeps its sums, quarters and lines (seed ${seed})`, () => checkBudget(shipped, 1000));
  it('gives each of 64 writers memory within 2 GiB', () => checkManyWriters(shipped));
  it(`lets every duplication end that may begin (seed ${seed})`, () => checkDuplications(shipped, 100));

  it('makes slots fewer first, then smaller, and keeps two', () => {
    const shapes = [];
    for (const totalMb of [1024, 768, 512, 128, 48]) {
      const budget = new shipped.Budget({ totalBytes: totalMb * mib, clock: () => 0, waitMs: 1 });
      const answer = budget.ask(1, 'write', { slots: 3, slotBytes: 64 * mib });
      if (answer.kind === 'grant') shapes.push([answer.slots, answer.slotBytes / mib]);
    }
    expect(shapes).toEqual([
      [3, 64],
      [2, 64],
      [3, 32],
      [3, 8],
      [2, 4],
    ]);
  });

  it('asks the other class when its own has nothing to give', () => checkOtherClass(shipped));

  it('refuses more handles than there is memory for', () => {
    expect(shipped.Budget.handlesFit(2048 * mib, 512)).toBe(true);
    expect(shipped.Budget.handlesFit(2048 * mib, 513)).toBe(false);
  });
});
