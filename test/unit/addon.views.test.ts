/** Views of an arena: the same memory, held as long as somebody may touch it, and not longer. */
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { counts, errno, must } from '../support/addon-kit.ts';

const mib = 1 << 20;

function openArenas(): number {
  return counts()[2]!;
}

/** What was detached is let go of within the next turns of the loop. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
}
afterEach(settle);

function viewOf(arena: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const view = addon.arenaView(arena, offset, length);
  if (typeof view === 'number') throw new Error(`no view: ${view}`);
  return view;
}

test('a view is the memory itself, in both directions', () => {
  const arena = must(addon.arenaOpen(mib));
  const view = viewOf(arena, 4096, 8192);
  addon.arenaPoke(arena, 4096, Buffer.from('from below'));
  expect(Buffer.from(view.subarray(0, 10)).toString()).toBe('from below');
  view.set(Buffer.from('from above'), 8182);
  const seen = Buffer.alloc(10);
  addon.arenaPeek(arena, 4096 + 8182, seen);
  expect(seen.toString()).toBe('from above');
  expect(view.length).toBe(8192);
  addon.arenaDetach(view);
  addon.arenaClose(arena);
});

test('several views of the same bytes stand beside each other', () => {
  const arena = must(addon.arenaOpen(mib));
  const [one, two] = [viewOf(arena, 0, 100), viewOf(arena, 0, 100)];
  one[7] = 42;
  expect(two[7]).toBe(42);
  addon.arenaDetach(one);
  expect([one.length, two.length, two[7]]).toEqual([0, 100, 42]);
  addon.arenaDetach(two);
  addon.arenaClose(arena);
});

test('bytes outside of the arena, none at all, and arenas that are not open are refused', () => {
  const arena = must(addon.arenaOpen(mib));
  expect(addon.arenaView(arena, mib, 1)).toBe(-errno.EFAULT);
  expect(addon.arenaView(arena, 1, mib)).toBe(-errno.EFAULT);
  expect(addon.arenaView(arena, 0, 0)).toBe(-errno.EFAULT);
  expect(() => addon.arenaView(arena, -1, 1)).toThrow();
  addon.arenaClose(arena);
  expect(addon.arenaView(arena, 0, 1)).toBe(-errno.EBADF);
});

test('an arena that is closed lives on under its views, and goes with the last one that is detached', async () => {
  const before = openArenas();
  const arena = must(addon.arenaOpen(mib));
  const views = [viewOf(arena, 0, mib), viewOf(arena, 4096, 4096)];
  addon.arenaClose(arena);
  expect(openArenas()).toBe(before + 1);
  for (const [i, view] of views.entries()) {
    view[0] = 1;
    expect(addon.arenaDetach(view)).toBe(0);
    expect(view.length).toBe(0);
    await settle();
    expect(openArenas()).toBe(before + (i === 0 ? 1 : 0));
  }
  expect(addon.arenaDetach(views[0]!), 'once more').toBe(0);
});

test('a worker that ends lets go of what it held', async () => {
  const before = openArenas();
  const arena = must(addon.arenaOpen(mib));
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = require(workerData.path);
    const view = addon.arenaView(workerData.arena, 0, 16);
    view.set(Buffer.from('written by worker'.slice(0, 16)));
    parentPort.postMessage(view.length);`;
  const path = new URL('../../native/addon/build/vast_ost_addon.node', import.meta.url).pathname;
  const worker = new Worker(script, { eval: true, workerData: { path, arena } });
  // Asked for both at once: a worker that ends at once tells its last message and its end in one go.
  const [[length]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  expect(length).toBe(16);
  const seen = Buffer.alloc(16);
  addon.arenaPeek(arena, 0, seen);
  expect(seen.toString()).toBe('written by worke');
  addon.arenaClose(arena);
  expect(openArenas()).toBe(before);
});
