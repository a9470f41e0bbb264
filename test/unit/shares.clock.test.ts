/** The clock of a job: every millisecond that its client waits is put somewhere, once, and where it belongs. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partsOf, sharesSchema } from '../../engine/core/shares.ts';
import { JobClock, type JobOrder, type Stage, stages, type Waiting } from '../../engine/transfer/job-clock.ts';
import { sharesOf, sharesSoFar } from '../../engine/transfer/job-shares.ts';
import { check, seed } from '../support/property.ts';

class World {
  now = 1000;
  waiting: Waiting | null = null;
  move: JobOrder | null = null;
  digest: JobOrder | null = null;
  otherwise: Stage = 'commit';
  readonly clock = new JobClock(() => this.now, {
    waitsNow: (clock) => {
      if (this.waiting !== null) clock.waits(this.waiting, this.move, this.digest, this.otherwise);
    },
  });

  after(ms: number, what: () => void): void {
    this.now += ms;
    what();
  }
  /** Changes what is waited for. */
  set(change: Partial<Pick<World, 'waiting' | 'move' | 'digest' | 'otherwise'>>): void {
    Object.assign(this, change);
    this.clock.tick();
  }
}

describe('job clock', () => {
  it('puts waiting for an order where the order is: queue, lane, and what no lane worked to the ring', () => {
    const world = new World();
    const order = world.clock.order('device');
    world.set({ waiting: 'slot', move: order });
    order.submitted();
    world.after(3, () => order.given());
    world.after(10, () => order.ended(2));
    world.after(5, () => world.set({ waiting: null }));
    const { slot, call, idleMs, movingMs, moves } = world.clock.times();
    expect(slot).toEqual({ memory: 0, queue: 3, digestQueue: 0, ring: 2, digest: 0, device: 8, commit: 5 });
    expect(stages.every((stage) => call[stage] === 0)).toBe(true);
    expect([idleMs, movingMs, moves]).toEqual([0, 13, 1]);
  });

  it('counts nothing while the client does not wait', () => {
    const world = new World();
    const order = world.clock.order('device');
    order.submitted();
    world.after(3, () => order.given());
    world.after(10, () => order.ended(10));
    expect(world.clock.times()).toMatchObject({ slot: { queue: 0, ring: 0, device: 0 }, movingMs: 13 });
  });

  it.each([
    ['digest', { digest: 30, device: 0, ring: 0 }],
    ['device', { digest: 0, device: 30, ring: 0 }],
  ] as const)('of a block that is written and digested at once it counts the one that ends last: %s', (last, times) => {
    const world = new World();
    const orders = { device: world.clock.order('device'), digest: world.clock.order('digest') };
    for (const order of Object.values(orders)) {
      order.submitted();
      order.given();
    }
    world.set({ waiting: 'slot', move: orders.device, digest: orders.digest });
    world.after(20, () => orders[last === 'digest' ? 'device' : 'digest'].ended(5));
    world.after(10, () => orders[last].ended(0));
    expect(world.clock.times().slot).toMatchObject(times);
  });

  it('a look at a job that goes on changes nothing of what is told at its end', () => {
    const world = new World();
    const [move, digest] = [world.clock.order('device'), world.clock.order('digest')];
    for (const order of [move, digest]) {
      order.submitted();
      order.given();
    }
    world.set({ waiting: 'slot', move, digest });
    world.after(20, () => {});
    expect(world.clock.soFar().slot).toMatchObject({ device: 20, digest: 0 });
    expect(sharesSoFar(40, world.clock.soFar(), 'network')).toMatchObject({
      hostProgram: 0.5,
      copy: 0,
      other: 0,
      slotWait: { network: 0.5, digest: 0 },
    });
    world.after(0, () => move.ended(0));
    world.after(10, () => digest.ended(0));
    expect(world.clock.times().slot).toMatchObject({ digest: 30, device: 0 });
  });

  it('an order that was made and never handed out is not waited for', () => {
    const world = new World();
    const move = world.clock.order('device');
    move.submitted();
    move.given();
    world.set({ waiting: 'slot', move, digest: world.clock.order('digest') });
    world.after(7, () => move.ended(0));
    expect(world.clock.times().slot).toMatchObject({ device: 7, digestQueue: 0 });
  });

  it('time between the first and the last order without one in a lane is idle', () => {
    const world = new World();
    const [first, second] = [world.clock.order('device'), world.clock.order('digest')];
    world.now += 100;
    for (const order of [first, second]) {
      order.submitted();
      order.given();
      world.after(10, () => order.ended(0));
      world.now += 4;
    }
    expect(world.clock.times()).toMatchObject({ idleMs: 4, spanMs: 24 });
  });

  it(`no time is lost or counted twice, whatever happens in whatever order (seed ${seed})`, () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 20 }),
      what: fc.integer({ min: 0, max: 9 }),
      at: fc.nat(5),
    });
    const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const world = new World();
      const orders = Array.from({ length: 6 }, (_, i) => world.clock.order(i % 2 === 0 ? 'device' : 'digest'));
      let waited = 0;
      for (const { ms, what, at } of steps) {
        const order = orders[at]!;
        if (world.waiting !== null) waited += ms;
        world.now += ms;
        if (what < 2) order.submitted();
        else if (what < 4) order.given();
        else if (what < 6) order.ended(ms / 2);
        else if (what < 8) {
          const digest = orders[(at | 1) % 6] ?? null;
          world.set({ waiting: what === 6 ? 'slot' : 'call', move: orders[at & ~1] ?? null, digest });
        } else world.set({ waiting: null });
      }
      const { slot, call, idleMs, spanMs, movingMs } = world.clock.times();
      const all = [...Object.values(slot), ...Object.values(call)];
      expect(Math.min(...all, idleMs, spanMs, movingMs)).toBeGreaterThanOrEqual(-1e-9);
      expect(all.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(waited, 6);
      expect(idleMs).toBeLessThanOrEqual(spanMs + 1e-9);
    });
    check(property, 300);
  });
});

describe('shares', () => {
  const noTimes = { memory: 0, queue: 0, digestQueue: 0, ring: 0, digest: 0, device: 0, commit: 0 };
  const rest = { spanMs: 0, idleMs: 0, movingMs: 0, moves: 0 };

  it('splits what the plug-in waited by what the engine saw, and what it did not see is the ring', () => {
    const times = { slot: { ...noTimes, device: 200, queue: 100 }, call: { ...noTimes, commit: 100 }, ...rest };
    const out = sharesOf(1000, { hostMs: 300, copyMs: 190, slotMs: 400 }, times, 'network');
    expect(out).toMatchObject({
      shares: {
        hostProgram: 0.3,
        copy: 0.19,
        slotWait: { memory: 0, queue: 0.1, ring: 0.1, digest: 0, network: 0.2, commit: 0.1 },
        other: 0.01,
      },
      accounted: 0.99,
    });
    expect(out.shares.slotWait).not.toHaveProperty('device');
  });

  it('time in which the client did not yet wait is taken off again', () => {
    const times = { slot: { ...noTimes, device: 600, digest: 200 }, call: noTimes, ...rest };
    const { shares } = sharesOf(1000, { hostMs: 500, copyMs: 100, slotMs: 400 }, times, 'device');
    expect(shares.slotWait).toMatchObject({ device: 0.3, digest: 0.1, ring: 0 });
  });

  it(`are parts of 1 that add up to 1, whatever a client tells (seed ${seed})`, () => {
    const ms = fc.oneof(fc.double({ min: 0, max: 1e4, noNaN: true }), fc.constantFrom(NaN, Infinity, -5, 2 ** 53));
    const times = fc.record(
      Object.fromEntries(stages.map((stage) => [stage, fc.double({ min: 0, max: 500, noNaN: true })])),
    );
    const property = fc.property(ms, ms, ms, times, times, (hostMs, copyMs, slotMs, slot, call) => {
      const seen = { slot, call, ...rest } as unknown as Parameters<typeof sharesOf>[2];
      const { shares, moveQueue, digestQueue } = sharesOf(5000, { hostMs, copyMs, slotMs }, seen, 'device');
      expect(sharesSchema.safeParse(shares).success).toBe(true);
      const sum = partsOf(shares).reduce((total, [, part]) => total + part, 0);
      expect(sum).toBeCloseTo(1, 9);
      expect(moveQueue + digestQueue).toBeCloseTo(shares.slotWait.queue, 1);
    });
    check(property, 300);
  });
});
