/** The scheduler beside one list in order of waiting; and waits between tries beside their bounds. */
import * as fc from 'fast-check';
import { check, type Decisions, decisions } from '../support/property.ts';
import { expectEqual, expectTrue } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';

const pools = ['io', 'meta'];
const mounts = ['a', 'b', 'c'];

function run(code: TransferCode, draw: Decisions): void {
  const scheduler = new code.Scheduler<number>();
  const bounds = new Map<string, number>();
  const inFlight = new Map<string, number>();
  /** Per pool: who waits, in order. */
  const lines = new Map<string, { mount: string; source: number }[]>(pools.map((pool) => [pool, []]));
  const key = (pool: string, mount: string): string => `${pool} ${mount}`;
  const flying = (pool: string, mount: string): number => inFlight.get(key(pool, mount)) ?? 0;
  const wake = (pool: string, mount: string, source: number): void => {
    const line = lines.get(pool) ?? [];
    if (!line.some((waits) => waits.source === source && waits.mount === mount)) line.push({ mount, source });
  };
  for (const pool of pools) {
    for (const mount of mounts) {
      const bound = 1 + draw.below(3);
      scheduler.bound(pool, mount, bound);
      bounds.set(key(pool, mount), bound);
    }
  }
  while (draw.left > 0) {
    const pool = draw.pick(pools);
    const mount = draw.pick(mounts);
    const source = draw.below(8);
    const choice = draw.below(10);
    if (choice < 4) {
      scheduler.wake(pool, mount, source);
      wake(pool, mount, source);
    } else if (choice < 7) {
      const line = lines.get(pool) ?? [];
      const index = line.findIndex((waits) => flying(pool, waits.mount) < (bounds.get(key(pool, waits.mount)) ?? 0));
      const expected = index < 0 ? null : { source: line[index]?.source, mount: line[index]?.mount };
      const next = scheduler.nextSource(pool);
      expectEqual(next, expected as typeof next, 'whose turn it is');
      if (next === null) continue;
      line.splice(index, 1);
      if (draw.oneIn(3)) continue;
      scheduler.started(pool, next.mount, next.source);
      inFlight.set(key(pool, next.mount), flying(pool, next.mount) + 1);
      wake(pool, next.mount, next.source);
    } else if (choice < 9) {
      if (flying(pool, mount) === 0) continue;
      scheduler.ended(pool, mount);
      inFlight.set(key(pool, mount), flying(pool, mount) - 1);
    } else if (draw.oneIn(2)) {
      const bound = draw.below(4);
      scheduler.bound(pool, mount, bound);
      bounds.set(key(pool, mount), bound);
    } else {
      scheduler.remove(source);
      for (const [name, line] of lines)
        lines.set(
          name,
          line.filter((waits) => waits.source !== source),
        );
    }
    expectEqual(scheduler.waiting(pool), lines.get(pool)?.length, 'how many wait');
    expectEqual(scheduler.inFlight(pool, mount), flying(pool, mount), 'orders in flight');
  }
}

export function checkScheduler(code: TransferCode, runs: number): void {
  check(
    fc.property(decisions(300), (draw) => run(code, draw)),
    runs,
  );
}

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
