/** Pools whose threads die, or hang in a system call. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { op } from '../../engine/core/order.ts';
import type { PoolOptions } from '../../engine/lanes/pool.ts';
import { addon } from '../../native/addon/index.ts';
import { lsu } from '../contract/store-kit.ts';
import { failureOf, makeMeta, makePool, rootPerTest } from '../support/pool-kit.ts';

const root = rootPerTest();

describe('lanes that die', () => {
  const lanePath = new URL('../support/dying-lane.ts', import.meta.url).pathname;
  const die = (arena: number, sha = 0) => ({ op: op.populate, arena, sha });

  it('have their order given out again, to another', async () => {
    process.env.VAST_OST_TEST_DIED = join(root.path, 'died');
    const died: (Error | null)[] = [];
    const io = makePool({ lanePath, lanesMax: 1, onDied: (error) => died.push(error) });
    expect(await io.run(die(-2))).toMatchObject({ result: 0 });
    expect(died).toHaveLength(1);
    expect(io.status()).toMatchObject({ diedEver: 1, lanes: 1, completed: 1 });
  });

  it.each([-1, -3])('over an order twice fail it, and only it (%i)', async (arena) => {
    const io = makePool({ lanePath, lanesMax: 1 });
    const [bad, good] = await Promise.all([io.run(die(arena)), io.run(die(1))]);
    expect(bad).toMatchObject({ result: -errno.EIO, text: expect.stringContaining('lane died') });
    expect(good).toMatchObject({ result: 0 });
    expect(io.status()).toMatchObject({ diedEver: 2, queued: 0, busy: 0 });
  });

  it('over an order that may not be repeated fail it at once', async () => {
    const io = makePool({ lanePath, lanesMax: 1 });
    expect(await io.run(die(-1, 7))).toMatchObject({ result: -errno.EIO });
    expect(io.status().diedEver).toBe(1);
  });

  it('behind a completion have done their work, and nothing is repeated', async () => {
    const io = makePool({ lanePath, lanesMax: 1 });
    expect(await io.run(die(-4))).toMatchObject({ result: 0 });
    expect(await io.run(die(1))).toMatchObject({ result: 0 });
    expect(io.status()).toMatchObject({ completed: 2 });
  });

  it('cannot even start: the order fails and nothing hangs', async () => {
    const io = makePool({ lanePath: join(root.path, 'no-such-lane.ts'), lanesMax: 1 });
    expect(await io.run(die(1))).toMatchObject({ result: -errno.EIO });
    expect(await io.stop(5000)).toBe(true);
  });
});

describe('lanes that have answered, and hang over what nobody waits for', () => {
  const lanePath = new URL('../support/behind-lane.ts', import.meta.url).pathname;

  it('hold up no order while there are others', async () => {
    const fifo = join(root.path, 'behind');
    process.env.VAST_OST_TEST_BEHIND = fifo;
    execFileSync('mkfifo', [fifo]);
    let now = 0;
    const io = makePool({ lanePath, now: () => now });
    expect(await io.run({ op: op.populate, arena: -1 })).toMatchObject({ result: 0 });
    now += 20;
    expect(await io.run({ op: op.populate, arena: 1 })).toMatchObject({ result: 0 });
    expect(io.status()).toMatchObject({ lanes: 2, busy: 0, lost: 0 });
    closeSync(openSync(fifo, 'w'));
  });
});

describe('lanes that hang in a system call', () => {
  const lanePath = new URL('../support/hanging-lane.ts', import.meta.url).pathname;

  function hangingImage(name: string): { release(): void } {
    mkdirSync(join(root.path, lsu, name), { recursive: true });
    writeFileSync(join(root.path, lsu, name, 'image.data'), '');
    const fifo = join(root.path, 'hangs');
    execFileSync('mkfifo', [fifo]);
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK));
    };
    return { release };
  }

  function lossOf(options: Partial<PoolOptions>) {
    const clock = { ms: 0 };
    // A thread has the environment of the moment at which it began.
    process.env.VAST_OST_TEST_HANGS = join(root.path, 'hangs');
    let lost: () => void = () => {};
    const wasLost = new Promise<void>((resolve) => {
      lost = resolve;
    });
    return {
      clock,
      wasLost,
      options: { ...options, lanePath, overdueMs: 40, now: () => clock.ms, onLost: () => lost() },
    };
  }

  it('are lost, replaced, and come back with their answer', async () => {
    const { clock, wasLost, options } = lossOf({ lanesMax: 1 });
    const meta = await makeMeta(root.path, options);
    await meta.call('openRoot', { root: root.path, requireMount: false, direct: false });
    const hanging = hangingImage('hangs~1');
    const stuck = meta.call('openImage', { lsu, image: 'hangs~1', data: ['image.data'], sums: false });
    clock.ms = 40;
    await wasLost;
    expect(meta.status()).toMatchObject({ lost: 1, lostEver: 1, busy: 0 });
    // One probe at a time reaches the storage, through the lane that replaces the lost one.
    expect((await meta.call('capacity', {})).capacity).toBeGreaterThan(0);
    expect(meta.status()).toMatchObject({ lanes: 2, lost: 1 });
    hanging.release();
    const files = await stuck;
    expect(files.data).toBeGreaterThanOrEqual(0);
    await meta.call('closeFiles', { files: [files.data, files.dir] });
    expect(meta.status()).toMatchObject({ lanes: 1, lost: 0, lostEver: 1 });
  });

  it('do not hold up the end of the pool beyond its deadline', async () => {
    const { options } = lossOf({ lanesMax: 1 });
    const meta = await makeMeta(root.path, { ...options, now: () => performance.now(), overdueMs: 60_000 });
    await meta.call('openRoot', { root: root.path, requireMount: false, direct: false });
    const hanging = hangingImage('hangs~1');
    const stuck = meta.call('openImage', { lsu, image: 'hangs~1', data: ['image.data'], sums: false });
    const waiting = failureOf(meta.call('capacity', {}));
    expect(await meta.stop(50)).toBe(false);
    expect(await waiting).toMatchObject({ errno: -errno.ECANCELED });
    expect(await failureOf(meta.call('capacity', {}))).toMatchObject({ errno: -errno.ECANCELED });
    hanging.release();
    const files = await stuck;
    for (const file of [files.data, files.dir]) addon.closeFile(file);
  });
});
