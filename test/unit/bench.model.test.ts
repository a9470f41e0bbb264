/** The model on machines whose answer one can work out by hand. */
import { expect, test } from 'vitest';
import { blocksOf } from '../../bench/model/blocks.ts';
import { Cores, costAt } from '../../bench/model/cores.ts';
import { idleSearchBelow } from '../../bench/model/kernel.ts';
import { predict, predictLong, trafficOf } from '../../bench/model/predict.ts';
import type { Cost, Load, Machine, Terms, Way } from '../../bench/model/types.ts';
import { type ReadAction, ReadPlan } from '../../engine/transfer/read-plan.ts';

const mib = 1 << 20;
const gb = 1e9;
const flat = (rate: number): Cost => ({ alone: 1 / rate, besideCopies: 1 / rate, besideDigests: 1 / rate });
const machine: Machine = { cores: 64, nodes: 1, memoryRate: 300 * gb, linkRate: 100 * gb };
const free: Terms = {
  copy: flat(10 * gb),
  digest: null,
  coordinatorS: 0,
  laneS: 0,
  clientS: 0,
  processS: 0,
  threadS: 0,
  imagesS: 0,
};
const sha: Terms = {
  ...free,
  digest: flat(2 * gb),
  coordinatorS: 50e-6,
  laneS: 50e-6,
  processS: 20e-6,
  threadS: 20e-6,
};
const instant: Way = { name: 'nowhere', rate: Infinity, laneRate: Infinity, cpuPerByte: 0, traffic: 0 };
const network: Way = { name: 'network', rate: 12 * gb, laneRate: 2 * gb, cpuPerByte: 0.1 / gb, traffic: 1 };
const load: Load = {
  direction: 'write',
  mode: 'default',
  streams: 32,
  blockBytes: 64 * mib,
  blocksPerStream: 10,
  slots: 3,
  blocksInFlight: 2,
  ioLanes: 16,
  digestLanes: 16,
  pinned: true,
};
const one: Load = { ...load, streams: 1, mode: 'io-only' };
const block = 64 * mib;

test('one image that is only copied goes at the copy’s rate, two on two cores at twice that, four no faster', () => {
  const two = { ...machine, cores: 2 };
  const rate = (streams: number): number => predict(two, free, instant, { ...one, streams }).rate / gb;
  expect(rate(1)).toBeCloseTo(10);
  expect(rate(2)).toBeCloseTo(20);
  expect(rate(4)).toBeCloseTo(20);
});

test('a digest overlaps with the copy of the next block: the first copy and the last digest stand alone', () => {
  const terms = { ...free, digest: flat(20 * gb) };
  const { seconds } = predict(machine, terms, instant, { ...one, mode: 'sums' });
  expect(seconds).toBeCloseTo((10 * block) / (10 * gb) + block / (20 * gb), 6);
  const slow = predict(machine, { ...free, digest: flat(2 * gb) }, instant, { ...one, mode: 'default' });
  expect(slow.seconds).toBeCloseTo(block / (10 * gb) + (10 * block) / (2 * gb), 6);
  expect(slow.limit).toBe('digest lanes');
});

test('on one core nothing overlaps', () => {
  const terms = { ...free, digest: flat(20 * gb), coordinatorS: 1e-3 };
  const { seconds } = predict({ ...machine, cores: 1 }, terms, instant, { ...one, mode: 'sums' });
  expect(seconds).toBeCloseTo(10 * (block / (10 * gb) + block / (20 * gb) + 1e-3), 6);
});

test('a restore is filled ahead, verified and copied out in order', () => {
  const terms = { ...free, digest: flat(20 * gb), processS: 1e-3 };
  const { seconds } = predict(machine, terms, instant, { ...one, mode: 'sums', direction: 'restore' });
  // It is asked for, the first block is verified and told of, and from then on there is always one to copy.
  expect(seconds).toBeCloseTo(1e-3 + block / (20 * gb) + 1e-3 + (10 * block) / (10 * gb), 4);
});

test('an image’s next digest begins when the coordinator has seen the end of the last one', () => {
  const terms = { ...free, digest: flat(2 * gb), coordinatorS: 3e-3, threadS: 1e-3 };
  const { seconds } = predict(machine, terms, instant, { ...one, mode: 'default' });
  // A third of the coordinator's part when the block comes, and one behind each order; two hand-overs an order.
  expect(seconds).toBeCloseTo(block / (10 * gb) + 1e-3 + 10 * (block / (2 * gb) + 2e-3 + 1e-3), 6);
});

test('a reader’s slots are not all filled at once, and what is verified is no read', () => {
  const slow: Way = { ...instant, laneRate: gb, rate: 100 * gb };
  const of = (slots: number): number =>
    predict(machine, { ...free, copy: flat(1000 * gb) }, slow, { ...one, slots, direction: 'restore' }).rate / gb;
  expect(of(3)).toBeCloseTo(2, 1);
  expect(of(6)).toBeCloseTo(5, 1);
});

const cuts = { firstBytes: 4 * mib, chunkBytes: mib, tailBytes: 4 * mib };
const inMib = (over: Partial<Load>): number[] => blocksOf({ ...load, cuts, ...over }).map((bytes) => bytes / mib);

test('an image is written in blocks that double', () => {
  expect(inMib({ blocksPerStream: 3 })).toEqual([4, 8, 16, 32, 64, 64, 4]);
  expect(inMib({ blocksPerStream: 3, blockBytes: 4 * mib })).toEqual([4, 4, 4]);
});

test('an image is read in the pieces of the engine’s own plan', () => {
  for (const [blockMib, blocksPerStream] of [
    [64, 4],
    [16, 15],
    [4, 60],
  ] as const) {
    const size = blockMib * blocksPerStream * mib;
    const plan = new ReadPlan({ size, slots: 3, slotBytes: blockMib * mib, spareOne: true });
    const pieces: { offset: number; length: number }[] = [];
    const act = (actions: ReadAction[]): void => {
      for (const action of actions) {
        if (action.kind === 'fill') {
          pieces.push(action);
          act(plan.filled(action.slot, action.length));
        } else if (action.kind === 'data') act(plan.slotDone(action.slot, 1));
      }
    };
    for (let callId = 1; plan.position < size; callId++)
      act(plan.read({ callId, offset: plan.position, length: mib / 4, generation: 1 }));
    expect(inMib({ direction: 'restore', blockBytes: blockMib * mib, blocksPerStream })).toEqual(
      pieces.toSorted((a, b) => a.offset - b.offset).map(({ length }) => length / mib),
    );
  }
});

test('what runs beside makes a copy dearer, by the part of the other cores that it has', () => {
  const cost = { alone: 1, besideCopies: 3, besideDigests: 2 };
  expect(costAt(cost, 0, 0)).toBe(1);
  expect(costAt(cost, 1, 0)).toBe(3);
  expect(costAt(cost, 0.5, 0.5)).toBe(1 + 1 + 0.5);
  const copy = { ...flat(10 * gb), besideCopies: 1 / (5 * gb) };
  const rate = predict({ ...machine, cores: 2 }, { ...free, copy }, instant, { ...one, streams: 2 }).rate;
  expect(rate / gb).toBeCloseTo(2 * 5);
});

const bare = { costs: { copy: flat(1), digest: flat(1) }, memoryRate: Infinity, wayRate: 1, laneRate: 1 };
const still = { copy: 0, digest: 0, time: 0, transfer: 0 };

test('who shares a core has it by weight, slice by slice', () => {
  const cores = new Cores({ ...bare, traffic: still, cores: 1 });
  const ends = new Map<string, number>();
  for (const [name, weight] of [
    ['light', 1],
    ['heavy', 3],
  ] as const)
    cores.run({ name, weight }, 'time', 1, () => void ends.set(name, cores.now));
  cores.go();
  expect(ends.get('heavy')).toBeCloseTo(4 / 3, 1);
  expect(ends.get('light')).toBeCloseTo(2);
  expect(cores.coreSeconds).toBeCloseTo(2);
});

test('on two cores that are busy a thread wakes where it ran last, although the other one is idle; below that it goes there', () => {
  const wokenAt = (busyS: number): number => {
    const cores = new Cores({ ...bare, traffic: still, cores: 2 });
    const [waker, other, sleeper] = ['waker', 'other', 'sleeper'].map((name) => ({ name, weight: 1 }));
    let began = 0;
    // The sleeper ran on the waker's core before; `other` makes both cores busy, and is gone when the sleeper is woken.
    cores.run(sleeper!, 'time', 1e-3, () => {
      cores.after(0, () => cores.run(waker!, 'time', 1, () => undefined));
      cores.run(other!, 'time', busyS, () => undefined);
      const woken = (): void =>
        cores.run(sleeper!, 'time', 1e-6, () => {
          began = cores.now;
        });
      cores.after(busyS + 1e-3, woken);
    });
    cores.go();
    return began - (busyS + 2e-3);
  };
  expect(wokenAt(0.2005)).toBeGreaterThan(1e-3);
  expect(wokenAt(1e-3)).toBeLessThan(1e-4);
});

test('work without an end is told, not waited for', () => {
  // A second for each byte, in slices of milliseconds.
  const two = { ...machine, cores: 2 };
  expect(() => predict(two, { ...free, copy: flat(1) }, instant, { ...one, streams: 3 })).toThrow('no end');
  // So far on that a slice more is no later.
  const late = (): void => {
    const cores = new Cores({ ...bare, traffic: still, cores: 1 });
    const [long, woken] = ['long', 'woken'].map((name) => ({ name, weight: 1 }));
    cores.run(long!, 'time', 1e20, () => undefined);
    cores.after(1e19, () => cores.run(woken!, 'time', 1e19, () => undefined));
    cores.go();
  };
  expect(late).toThrow('no end');
});

test('images that cannot move have no rate', () => {
  for (const over of [{ digestLanes: 0 }, { slots: 0 }, { blocksPerStream: 0 }, { blocksPerStream: Number.NaN }])
    expect(() => predict(machine, sha, instant, { ...load, ...over }), JSON.stringify(over)).toThrow('do not move');
  expect(() => predict(machine, sha, instant, { ...load, slots: 0, othersCores: 0.5 })).toThrow('no end');
});

test('others take no more cores than there are', () => {
  const two = { ...machine, cores: 2 };
  const rate = (othersCores: number): number => predict(two, free, instant, { ...one, othersCores }).rate;
  expect(rate(1e6)).toBe(rate(2));
});

test('the more cores, the fuller they may be while idle ones are looked for', () => {
  expect(idleSearchBelow(2)).toBeCloseTo(0.604, 3);
  expect(idleSearchBelow(64)).toBeCloseTo(0.848, 3);
});

const limitOf = (over: Partial<Load>, of: Partial<Machine> = {}, way = network, terms = sha): string =>
  predictLong({ ...machine, ...of }, terms, way, { ...load, ...over }).limit;

test('each resource limits where it is the scarce one, and is told', () => {
  expect(limitOf({})).toBe('network');
  expect(limitOf({ digestLanes: 4 })).toBe('digest lanes');
  expect(limitOf({ streams: 4 })).toBe('digest lanes'); // one chain an image
  expect(limitOf({ streams: 1, mode: 'io-only' }, {}, instant, { ...sha, digest: null })).toBe('host programs');
  expect(limitOf({ ioLanes: 4 })).toBe('io lanes');
  expect(limitOf({}, { cores: 8 })).toBe('cores');
  expect(limitOf({}, { memoryRate: 40 * gb })).toBe('memory');
  expect(limitOf({ pinned: false }, { nodes: 4, linkRate: 5 * gb })).toBe('links between nodes');
  expect(limitOf({ pinned: true }, { nodes: 4, linkRate: 5 * gb })).toBe('network');
  const busy = { ...free, coordinatorS: 10e-3 };
  expect(limitOf({ mode: 'io-only' }, {}, instant, busy)).toBe('coordinator');
});

test('rates are what the scarce resource gives', () => {
  const long = (over: Partial<Load>, of: Partial<Machine> = {}) =>
    predictLong({ ...machine, ...of }, sha, network, { ...load, ...over });
  expect(long({ streams: 4 }).rate / (4 * 2 * gb)).toBeGreaterThan(0.97);
  expect(long({ streams: 4 }).rate / (4 * 2 * gb)).toBeLessThanOrEqual(1);
  expect(long({}).rate / gb).toBeCloseTo(12, 0);
  // 0.1 copy + 0.5 SHA + 0.1 kernel = 0.7 CPU-s/GB and some orders
  const cores = long({}, { cores: 8 });
  expect(cores.rate / gb).toBeGreaterThan(10.5);
  // The ends of nine blocks do not cancel to the last per cent.
  expect(cores.rate / gb).toBeLessThan((8 / 0.7) * 1.02);
  // 4 bytes over the bus for each, less what is lost where the demand for memory comes in bursts.
  const memory = long({}, { memoryRate: 32 * gb });
  expect(memory.limit).toBe('memory');
  expect(memory.rate / gb).toBeGreaterThan(6);
  expect(memory.rate / gb).toBeLessThanOrEqual(8);
});

test('more of anything never makes it slower, and a short image is slower than a long one', () => {
  const rate = (over: Partial<Load>, of: Partial<Machine> = {}): number =>
    predictLong({ ...machine, ...of }, sha, network, { ...load, ...over }).rate * 1.01;
  for (const streams of [1, 2, 4, 8]) expect(rate({ streams: 2 * streams })).toBeGreaterThan(rate({ streams }) / 1.01);
  for (const cores of [2, 4, 8]) expect(rate({}, { cores: 2 * cores })).toBeGreaterThan(rate({}, { cores }) / 1.01);
  const of = (blocksPerStream: number): number => predict(machine, sha, network, { ...load, blocksPerStream }).rate;
  expect(of(2)).toBeLessThan(of(20));
});

test('memory traffic is counted stage by stage', () => {
  const sum = (over: Partial<Load>): number =>
    trafficOf(network, { ...load, ...over }).reduce((all, { traffic }) => all + traffic, 0);
  expect(sum({ mode: 'io-only' })).toBe(3); // buffer read, slot written past the caches, DMA
  expect(sum({ mode: 'sums' })).toBe(4);
  expect(sum({ mode: 'io-only', direction: 'restore' })).toBe(2);
});
