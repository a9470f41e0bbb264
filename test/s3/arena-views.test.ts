/** An arena is viewed once for an open file, and let go of with it. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { ArenaViews } from '../../workers/s3/arena-views.ts';
import { counts, must } from '../support/addon-kit.ts';

const arenaBytes = 32 << 20;
const longBytes = 16 << 20;

function openArenas(): number {
  return counts()[2] ?? 0;
}

/** What was detached is let go of within the next turns of the loop. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
}

test('blocks of one file share one view, which outlives the arena only until the file is closed', async () => {
  const before = openArenas();
  const views = new ArenaViews();
  const arena = must(addon.arenaOpen(arenaBytes));
  expect(addon.arenaBytes(arena)).toBe(arenaBytes);
  const buffers = new Set<ArrayBufferLike>();
  for (const offset of [0, longBytes]) {
    await views.use(arena, offset, longBytes, async (view) => {
      expect([view.byteOffset, view.length]).toEqual([offset, longBytes]);
      buffers.add(view.buffer);
    });
  }
  expect(buffers.size).toBe(1);
  addon.arenaClose(arena);
  await settle();
  expect(openArenas()).toBe(before + 1);
  views.close();
  await settle();
  expect(openArenas()).toBe(before);
});

test('a short range is viewed by itself, and only while it is used', async () => {
  const before = openArenas();
  const views = new ArenaViews();
  const arena = must(addon.arenaOpen(arenaBytes));
  await views.use(arena, 4096, 100, async (view) =>
    expect([view.byteOffset, view.buffer.byteLength]).toEqual([0, 100]),
  );
  addon.arenaClose(arena);
  await settle();
  expect(openArenas()).toBe(before);
});

test('memory in use when the file is closed stays until its work has ended', async () => {
  const before = openArenas();
  const views = new ArenaViews();
  const arena = must(addon.arenaOpen(arenaBytes));
  const gate = Promise.withResolvers<void>();
  const used = views.use(arena, 0, longBytes, async (view) => {
    await gate.promise;
    return view.length;
  });
  addon.arenaClose(arena);
  views.close();
  await settle();
  expect(openArenas()).toBe(before + 1);
  gate.resolve();
  expect(await used).toBe(longBytes);
  await settle();
  expect(openArenas()).toBe(before);
});

test('a file that goes on in another arena lets go of the one that was closed', async () => {
  const before = openArenas();
  const views = new ArenaViews();
  const [one, two] = [must(addon.arenaOpen(arenaBytes)), must(addon.arenaOpen(arenaBytes))];
  await views.use(one, 0, longBytes, async () => {});
  addon.arenaClose(one);
  await views.use(two, 0, longBytes, async () => {});
  await settle();
  expect(openArenas()).toBe(before + 1);
  addon.arenaClose(two);
  views.close();
  await settle();
  expect(openArenas()).toBe(before);
});

test('bytes outside of the arena, and arenas that are not open, are refused', async () => {
  const views = new ArenaViews();
  const arena = must(addon.arenaOpen(arenaBytes));
  const none = async (): Promise<void> => {};
  await expect(views.use(arena, arenaBytes - 8, longBytes, none)).rejects.toThrow();
  await expect(views.use(arena, arenaBytes, 1, none)).rejects.toThrow();
  addon.arenaClose(arena);
  views.close();
  await expect(new ArenaViews().use(arena, 0, longBytes, none)).rejects.toThrow();
  await settle();
});
