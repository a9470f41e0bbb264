import { expect, test } from 'vitest';
import { Patience } from '../../engine/core/patience.ts';

/** How many of `waits` waits are looked at when looking finds nothing. */
function looks(patience: Patience, waits: number): number {
  let looked = 0;
  for (let i = 0; i < waits; i++) {
    if (!patience.worthALook) continue;
    looked++;
    patience.looked(false);
  }
  return looked;
}

test('looking that finds nothing is given up, but for one wait in 64', () => {
  const patience = new Patience();
  // 1, 2, 4 … 32 waits between the first looks, then 64.
  expect(looks(patience, 64)).toBe(6);
  expect(looks(patience, 64 * 100)).toBe(100);
});

test('one look that found something makes every wait worth a look again', () => {
  const patience = new Patience();
  looks(patience, 1000);
  while (!patience.worthALook);
  patience.looked(true);
  for (let i = 0; i < 10; i++) {
    expect(patience.worthALook).toBe(true);
    patience.looked(true);
  }
});
