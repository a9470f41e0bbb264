import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Assign, type Given } from '../../engine/lanes/assign.ts';
import { FairQueue } from '../../engine/lanes/fair-queue.ts';
import { runs, seed } from '../support/seed.ts';

function pool(options: Partial<ConstructorParameters<typeof Assign>[0]> = {}) {
  const clock = { ms: 0 };
  const assign = new Assign<string>({
    lanesMax: 2,
    perMountMax: 2,
    queueMax: 100,
    overdueMs: 60,
    now: () => clock.ms,
    ...options,
  });
  const giveAll = () => {
    const all: Given<string>[] = [];
    for (let given = assign.give(); given !== null; given = assign.give()) all.push(given);
    return all;
  };
  return { clock, assign, giveAll, payloads: () => giveAll().map((given) => given.ticket.payload) };
}

describe('a lane that is held up over its last order', () => {
  it('is taken only where there is no other', () => {
    const heldUp = new Set<number>();
    const { assign } = pool({ isHeldUp: (lane) => heldUp.has(lane) });
    const run = (): number => {
      assign.submit('x', 0, 0, true);
      const { lane } = assign.give() as Given<string>;
      assign.finished(lane);
      return lane;
    };
    expect([run(), run()]).toEqual([1, 1]);
    heldUp.add(1);
    expect(run(), 'a new one').toBe(2);
    expect(run(), 'the other one').toBe(2);
    heldUp.add(2);
    expect(run(), 'the one used last').toBe(2);
    heldUp.delete(1);
    expect(run()).toBe(1);
    expect(assign.status()).toMatchObject({ lanes: 2, busy: 0, queued: 0 });
  });
});

describe('fair queue', () => {
  it('takes keys in turn and keeps the order within each', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3']) queue.push(1, item);
    queue.push(2, 'b1');
    queue.push(3, 'c1');
    queue.push(2, 'b2');
    expect(Array.from({ length: 7 }, () => queue.shift())).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined]);
  });

  it('puts what comes back in front of its key', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2']) queue.push(1, item);
    const first = queue.shift()!;
    queue.pushFront(1, first);
    expect([queue.shift(), queue.shift(), queue.length]).toEqual(['a1', 'a2', 0]);
  });

  it(`loses nothing and keeps each key in order, whatever comes (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(3), fc.constant(-1)), { maxLength: 2000 }), (steps) => {
        const queue = new FairQueue<[number, number]>();
        const next = new Map<number, number>();
        const seen = new Map<number, number>();
        let inside = 0;
        const take = () => {
          const item = queue.shift();
          if (item === undefined) return false;
          expect(item[1]).toBe(seen.get(item[0]) ?? 0);
          seen.set(item[0], item[1] + 1);
          inside--;
          return true;
        };
        for (const key of steps) {
          if (key < 0) take();
          else {
            const n = next.get(key) ?? 0;
            next.set(key, n + 1);
            queue.push(key, [key, n]);
            inside++;
          }
          expect(queue.length).toBe(inside);
        }
        while (take());
        expect(seen).toEqual(new Map([...next].filter(([, n]) => n > 0)));
      }),
      runs(100),
    );
  });
});

describe('assigning orders to lanes', () => {
  it('starts lanes on demand, up to the maximum, and reuses the one that was free last', () => {
    const { assign, giveAll } = pool();
    for (const payload of ['a', 'b', 'c']) assign.submit(payload, 0, 0, true);
    const given = giveAll();
    expect(given.map(({ lane, start }) => [lane, start])).toEqual([
      [1, true],
      [2, true],
    ]);
    expect(assign.idle).toBe(false);
    assign.finished(2);
    expect(giveAll()).toMatchObject([{ lane: 2, start: false, ticket: { payload: 'c' } }]);
    assign.finished(1);
    assign.finished(2);
    assign.submit('d', 0, 0, true);
    expect(giveAll()).toMatchObject([{ lane: 2, start: false }]);
  });

  it('answers false when the queue is full', () => {
    const { assign } = pool({ queueMax: 1 });
    expect([assign.submit('a', 0, 0, true), assign.submit('b', 0, 0, true)]).toEqual([true, false]);
  });

  it('bounds the orders of one mount, and serves the others meanwhile', () => {
    const { assign, payloads } = pool({ lanesMax: 3, perMountMax: 1 });
    for (const [payload, mount] of [
      ['a1', 1],
      ['a2', 1],
      ['b1', 2],
    ] as const)
      assign.submit(payload, mount, 0, true);
    expect(payloads()).toEqual(['a1', 'b1']);
    expect([assign.idle, assign.idleFor(1), assign.idleFor(3)]).toEqual([true, false, true]);
    assign.finished(1);
    expect(payloads()).toEqual(['a2']);
  });

  it('gives the order of a dead lane out again, once and first', () => {
    const { assign, giveAll, payloads } = pool({ lanesMax: 1, perMountMax: 1 });
    assign.submit('a', 0, 0, true);
    assign.submit('b', 0, 0, true);
    expect(payloads()).toEqual(['a']);
    expect(assign.died(1).again).toBe(true);
    expect(giveAll()).toMatchObject([{ lane: 2, start: true, ticket: { payload: 'a' } }]);
    expect(assign.died(2)).toMatchObject({ again: false, ticket: { payload: 'a' } });
    expect(payloads()).toEqual(['b']);
  });

  it('never repeats what may not be repeated', () => {
    const { assign, payloads } = pool();
    assign.submit('a', 0, 0, false);
    payloads();
    expect(assign.died(1)).toMatchObject({ again: false, ticket: { payload: 'a' } });
    expect(assign.queued).toBe(0);
  });

  it('forgets an idle lane that died', () => {
    const { assign, payloads, giveAll } = pool();
    assign.submit('a', 0, 0, true);
    payloads();
    assign.finished(1);
    expect(assign.died(1)).toEqual({ ticket: null, again: false });
    assign.submit('b', 0, 0, true);
    expect(giveAll()).toMatchObject([{ lane: 2, start: true }]);
  });

  it('declares lanes lost at the time set, and replaces them', () => {
    const { clock, assign, payloads, giveAll } = pool({ lanesMax: 1, perMountMax: 1 });
    assign.submit('a', 1, 0, true);
    payloads();
    clock.ms = 59;
    expect(assign.overdue()).toEqual([]);
    clock.ms = 60;
    expect(assign.overdue()).toMatchObject([{ lane: 1, ticket: { payload: 'a' } }]);
    expect(assign.overdue()).toEqual([]);
    assign.submit('b', 2, 0, true);
    expect(giveAll()).toMatchObject([{ lane: 2, start: true, ticket: { payload: 'b' } }]);
    expect(assign.status()).toMatchObject({ lanes: 2, busy: 1, lost: 1, lostEver: 1 });
  });

  it('keeps a pool at twice its size at most, however many lanes are lost', () => {
    const { clock, assign, payloads } = pool({ lanesMax: 2, perMountMax: 2 });
    for (let mount = 0; mount < 6; mount++) assign.submit(`m${mount}`, mount, 0, true);
    expect(payloads()).toEqual(['m0', 'm1']);
    clock.ms = 60;
    assign.overdue();
    expect(payloads()).toEqual(['m2', 'm3']);
    clock.ms = 120;
    assign.overdue();
    expect(payloads()).toEqual([]);
    expect([assign.idle, assign.status().lanes]).toEqual([false, 4]);
  });

  it('probes a mount with a lost lane by one order at a time, until that lane is back', () => {
    const { clock, assign, payloads } = pool({ lanesMax: 2, perMountMax: 2 });
    for (const payload of ['a', 'b', 'c', 'd', 'e']) assign.submit(payload, 1, 0, true);
    expect(payloads()).toEqual(['a', 'b']);
    assign.finished(2);
    // 'c' is under way already when the mount turns out to hang.
    clock.ms = 30;
    expect(payloads()).toEqual(['c']);
    clock.ms = 60;
    expect(assign.overdue()).toMatchObject([{ lane: 1 }]);
    expect(payloads()).toEqual(['d']);
    assign.finished(2);
    // 'd' is the probe now: nothing more goes there, although a lane is free.
    expect([payloads(), assign.idle]).toEqual([[], true]);
    assign.finished(3);
    expect(payloads()).toEqual(['e']);
    assign.submit('f', 1, 0, true);
    expect(payloads()).toEqual([]);
    // The lost one returns. Two others live: it is one too many.
    expect(assign.finished(1)).toMatchObject({ retire: true, ticket: { payload: 'a' } });
    expect(payloads()).toEqual(['f']);
  });

  it('does not send probe after probe into a mount that swallowed one', () => {
    const { clock, assign, payloads } = pool({ lanesMax: 4, perMountMax: 4 });
    assign.submit('a', 1, 0, true);
    payloads();
    clock.ms = 60;
    assign.overdue();
    for (const payload of ['b', 'c', 'd']) assign.submit(payload, 1, 0, true);
    expect(payloads()).toEqual(['b']);
    clock.ms = 120;
    assign.overdue();
    expect(payloads()).toEqual([]);
    expect(assign.status()).toMatchObject({ lost: 2, queued: 2 });
  });

  it('takes a lost lane back into service while there is room', () => {
    const { clock, assign, payloads, giveAll } = pool({ lanesMax: 2 });
    assign.submit('a', 1, 0, true);
    payloads();
    clock.ms = 60;
    assign.overdue();
    expect(assign.finished(1)).toMatchObject({ retire: false });
    assign.submit('b', 1, 0, true);
    expect(giveAll()).toMatchObject([{ lane: 1, start: false, ticket: { probe: false } }]);
  });

  it(`answers every order exactly once, whatever happens to the lanes (seed ${seed})`, () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('submit' as const),
          mount: fc.nat(2),
          key: fc.nat(3),
          repeatable: fc.boolean(),
        }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('finish' as const, 'die' as const), pick: fc.nat(99) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(40) }) },
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        (steps, lanesMax, perMountMax) => {
          const { clock, assign } = pool({ lanesMax, perMountMax });
          const working = new Map<number, string>();
          const answers = new Map<string, number>();
          const lost = new Set<number>();
          let submitted = 0;
          const answer = (lane: number, payload: string) => {
            expect(working.get(lane)).toBe(payload);
            answers.set(payload, (answers.get(payload) ?? 0) + 1);
          };
          const settle = () => {
            for (const { lane } of assign.overdue()) lost.add(lane);
            for (let given = assign.give(); given !== null; given = assign.give()) {
              expect(working.has(given.lane)).toBe(false);
              working.set(given.lane, given.ticket.payload);
            }
            expect(working.size - lost.size).toBeLessThanOrEqual(lanesMax);
            expect(working.size).toBeLessThanOrEqual(2 * lanesMax);
          };
          const end = (lane: number, died: boolean) => {
            if (died) {
              const { ticket, again } = assign.died(lane);
              if (!again) answer(lane, ticket!.payload);
            } else answer(lane, assign.finished(lane).ticket.payload);
            working.delete(lane);
            lost.delete(lane);
          };
          for (const what of steps) {
            if (what.do === 'submit') {
              if (assign.submit(`o${submitted}`, what.mount, what.key, what.repeatable)) submitted++;
            } else if (what.do === 'wait') clock.ms += what.ms;
            else if (working.size > 0) end([...working.keys()][what.pick % working.size], what.do === 'die');
            settle();
          }
          while (working.size > 0) {
            end([...working.keys()][0], false);
            settle();
          }
          expect(answers.size).toBe(submitted);
          expect([...answers.values()].every((times) => times === 1)).toBe(true);
          expect(assign.status()).toMatchObject({ busy: 0, lost: 0, queued: 0 });
        },
      ),
      runs(300),
    );
  });
});
