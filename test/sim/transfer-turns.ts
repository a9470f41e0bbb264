/** Waits between tries beside their bounds. */
import * as fc from 'fast-check';
import { check } from '../support/property.ts';
import { expectEqual, expectTrue } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';

export function checkBackoff(code: TransferCode, runs: number): void {
  const limits = fc.record({
    tries: fc.nat({ max: 12 }),
    baseMs: fc.integer({ min: 1, max: 1000 }),
    factor: fc.integer({ min: 1, max: 64 }),
    withinMs: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined }),
  });
  const chances = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    minLength: 20,
    maxLength: 20,
  });
  check(
    fc.property(limits, chances, ({ tries, baseMs, factor, withinMs }, chance) => {
      let now = 0;
      let drawn = 0;
      const random = (): number => chance[drawn++ % chance.length] ?? 0;
      const maxMs = baseMs * factor;
      const options = { tries, baseMs, maxMs, random, clock: () => now };
      const backoff = new code.Backoff(withinMs === undefined ? options : { ...options, withinMs });
      for (let tried = 0; tried <= tries; tried += 1) {
        expectEqual(backoff.left, tries - tried, 'tries that are left');
        const wait = Math.min(maxMs, baseMs * 2 ** tried);
        const delay = backoff.next();
        if (delay === null) {
          const late = withinMs !== undefined && now + wait > withinMs;
          expectTrue(tried === tries || late, 'it is not given up early');
          break;
        }
        expectTrue(tried < tries, 'tries are limited');
        expectTrue(delay >= wait / 2 && delay <= wait, `wait ${tried} is ${delay} of ${wait}`);
        now += delay;
        expectTrue(withinMs === undefined || now <= withinMs, 'no try begins too late');
      }
      backoff.reset();
      expectEqual(backoff.left, tries, 'a success forgets');
    }),
    runs,
  );
}
