/** The model on machines whose answer one can work out by hand. */
import { expect, test } from 'vitest';
import {
  type EngineCosts,
  freshShare,
  type Load,
  type Machine,
  predict,
  trafficOf,
  type Way,
} from '../../bench/model.ts';

const mib = 1 << 20;
const gb = 1e9;
const machine: Machine = {
  cores: 64,
  nodes: 1,
  memoryRate: 300 * gb,
  linkRate: 100 * gb,
  copyRate: 10 * gb,
  copyBusyRate: 10 * gb,
  copyCachedRate: 20 * gb,
  cacheBytes: 32 * mib,
  copyOutRate: 20 * gb,
  copyOutBusyRate: 20 * gb,
  crcRate: 20 * gb,
  shaRate: 2 * gb,
  zeroRate: 10 * gb,
  zeroBusyRate: 10 * gb,
  touchRate: 2 * gb,
  touchBusyRate: 2 * gb,
  freeRate: 100 * gb,
};
const costs: EngineCosts = {
  coordinatorS: 20e-6,
  coordinatorMibS: 0,
  cold: () => ({ coordinatorS: 100e-6, laneS: 50e-6 }),
  orderS: () => 50e-6,
  laneS: 20e-6,
  submitS: 5e-6,
  processS: 20e-6,
  threadS: 20e-6,
  imageS: 0,
};
const network: Way = {
  name: 'network',
  rate: 12 * gb,
  laneRate: 2 * gb,
  cpuPerByte: 0.1 / gb,
  traffic: 1,
  touches: true,
};
const load: Load = {
  direction: 'write',
  mode: 'default',
  streams: 32,
  blockBytes: 64 * mib,
  bytesPerStream: 1e12,
  slots: 3,
  blocksInFlight: 2,
  ioLanes: 16,
  digestLanes: 16,
  copies: true,
  freshArenas: true,
  pinned: true,
};
const limitOf = (over: Partial<Load>, of: Partial<Machine> = {}, way = network): string =>
  predict({ ...machine, ...of }, costs, way, { ...load, ...over }).limit;

test('each resource limits where it is the scarce one, and is told', () => {
  expect(limitOf({})).toBe('network');
  expect(limitOf({ digestLanes: 4 })).toBe('digest lanes');
  expect(limitOf({ streams: 4 })).toBe('digest lanes'); // one chain an image
  expect(limitOf({ streams: 1, mode: 'io-only' }, {}, { ...network, laneRate: 20 * gb })).toBe('host programs');
  expect(limitOf({ ioLanes: 4 })).toBe('io lanes');
  expect(limitOf({}, { cores: 8 })).toBe('cores');
  expect(limitOf({}, { memoryRate: 40 * gb })).toBe('memory');
  expect(limitOf({ pinned: false }, { nodes: 4, linkRate: 5 * gb })).toBe('links between nodes');
  expect(limitOf({ pinned: true }, { nodes: 4, linkRate: 5 * gb })).toBe('network');
  const fast = { ...network, rate: Number.POSITIVE_INFINITY, laneRate: Number.POSITIVE_INFINITY };
  expect(limitOf({ copies: false, mode: 'io-only', blockBytes: 4 * mib }, {}, fast)).toBe('coordinator');
  expect(
    limitOf({ copies: false, mode: 'io-only', streams: 1, blocksInFlight: 1, blockBytes: 4 * mib }, {}, fast),
  ).toBe('hand-overs');
});

test('rates are what the scarce resource gives, long images lose nothing at their ends', () => {
  const sha = predict(machine, costs, network, { ...load, streams: 4 });
  expect(sha.rate / (4 * 2 * gb)).toBeGreaterThan(0.98);
  expect(sha.rate / (4 * 2 * gb)).toBeLessThanOrEqual(1);
  expect(sha.next).toBe('network');
  const cores = predict({ ...machine, cores: 8 }, costs, network, load);
  // 0.1 copy + 0.5 SHA + 0.1 kernel = 0.7 CPU-s/GB and some orders
  expect(cores.rate / gb).toBeGreaterThan(11);
  expect(cores.rate / gb).toBeLessThan(8 / 0.7);
  expect(cores.coresUsed).toBeCloseTo(8, 0);
});

test('more of anything never makes it slower, and a short image is slower than a long one', () => {
  const rate = (over: Partial<Load>, of: Partial<Machine> = {}): number =>
    predict({ ...machine, ...of }, costs, network, { ...load, ...over }).rate;
  for (const streams of [1, 2, 4, 8, 16])
    expect(rate({ streams: 2 * streams })).toBeGreaterThanOrEqual(rate({ streams }));
  for (const cores of [2, 4, 8, 16]) expect(rate({}, { cores: 2 * cores })).toBeGreaterThanOrEqual(rate({}, { cores }));
  expect(rate({ bytesPerStream: 256 * mib, streams: 1 })).toBeLessThan(rate({ streams: 1 }));
});

test('memory traffic is counted stage by stage', () => {
  const sum = (over: Partial<Load>): number =>
    trafficOf(network, { ...load, freshArenas: false, ...over }).reduce((all, { traffic }) => all + traffic, 0);
  expect(sum({ mode: 'io-only' })).toBe(4); // buffer read, slot written with its lines read, DMA
  expect(sum({ mode: 'sums' })).toBe(5);
  expect(sum({ mode: 'io-only', direction: 'restore' })).toBe(2);
  expect(sum({ mode: 'io-only', copies: false })).toBe(1);
});

test('pages are fresh for as much of an image as its slots hold, and not where arenas are handed on', () => {
  const slots = 3 * 64 * mib;
  expect(freshShare({ ...load, bytesPerStream: slots * 4 })).toBeCloseTo(0.25);
  expect(freshShare({ ...load, bytesPerStream: 64 * mib })).toBe(1);
  expect(freshShare({ ...load, freshArenas: false, bytesPerStream: slots })).toBe(0);
});
