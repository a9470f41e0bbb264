/** What does not match its checksum is read again, and damaged is what is bad twice in a row at one place. */
import { expect, test } from 'vitest';
import { readSurely } from '../../engine/coordinator/reread.ts';

const length = 100;
const failure = { text: 'no bytes' };

/** Reads whose outcomes come one after the other; returns the last one, how many there were, and where each was bad. */
async function reading(goods: (number | 'failed')[]) {
  const left = [...goods];
  const bad: number[] = [];
  const outcome = await readSurely(
    length,
    async () => {
      const good = left.shift();
      if (good === undefined) throw new Error('one read too many');
      return good === 'failed' ? { good: 0, failure } : { good, failure: null };
    },
    (good) => bad.push(good),
  );
  return { outcome, reads: goods.length - left.length, bad };
}

test.each<[what: string, goods: (number | 'failed')[], good: number, reads: number]>([
  ['good at once', [100, 0], 100, 1],
  ['changed on its way', [40, 100, 0], 100, 2],
  ['damaged', [40, 40, 100], 40, 2],
  ['changed on its way, then damaged behind that', [10, 60, 60, 100], 60, 3],
  ['damaged, and changed on its way in front of that', [60, 10, 60, 60, 100], 60, 4],
  ['another place each time', [10, 20, 30, 40, 100], 40, 4],
  ['damaged at its begin', [0, 0, 100], 0, 2],
])('%s', async (_, goods, good, reads) => {
  const result = await reading(goods);
  expect(result.outcome).toEqual({ good, failure: null });
  expect(result.reads).toBe(reads);
  expect(result.bad).toEqual(goods.slice(0, reads - 1));
});

test('a read that fails is not tried again here', async () => {
  expect(await reading(['failed', 100])).toMatchObject({ outcome: { failure }, reads: 1, bad: [] });
  expect(await reading([40, 'failed', 100])).toMatchObject({ outcome: { failure }, reads: 2, bad: [40] });
});
