/** The discarding engine moves orders and keeps no byte; nobody who has only the product gets there. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { counter, host, submit } from '../../bench/discard/clients.ts';
import { arenaBytes, startDiscarding } from '../../bench/discard/engine.ts';
import { configKeys } from '../../engine/config-keys.ts';
import { importGraph } from '../../scripts/checks/imports.ts';
import { sources } from '../../scripts/checks/sources.ts';
import { testDirectory } from '../support/engine.ts';

const project = join(import.meta.dirname, '../..');
const mib = 1 << 20;

test('orders go through the whole engine by submitter and by plug-in, and nothing is stored', async () => {
  execFileSync('make', ['-s', '-C', join(project, 'bench/native'), 'build/submitter']);
  const directory = testDirectory();
  const engine = await startDiscarding({ directory, mode: 'sums', blockBytes: 4 * mib, streams: 2 });
  try {
    const load = { engine, streams: 2, blockBytes: 4 * mib };
    const sample = await submit({ ...load, blocks: 6, warm: 2, date: 1 });
    expect(sample.bytes).toBe(sample.counters[counter.blocks]! * 4 * mib);
    expect(sample.counters[counter.blocks]).toBeGreaterThan(0);
    expect(sample.counters[counter.coordinator]).toBeGreaterThan(0);
    // Its slots were never written: zeros, whose sums a reader with a fresh arena finds right.
    const restored = await host({ ...load, command: 'restore', image: 'submitted', bytesPerStream: 0, date: 1 });
    expect(restored.bytes).toBe(2 * 6 * 4 * mib);
    const written = await host({ ...load, command: 'backup', image: 'copied', bytesPerStream: 8 * mib, date: 2 });
    expect(written.bytes).toBe(2 * 8 * mib);
    // Arenas are kept, with the pages that were made in them.
    expect(arenaBytes(engine.pid)).toBeGreaterThanOrEqual(2 * 4 * mib);
    expect(written.counters[counter.made]).toBeLessThanOrEqual(arenaBytes(engine.pid));
    const back = host({ ...load, command: 'restore', image: 'copied', bytesPerStream: 0, date: 2 });
    await expect(back).rejects.toThrow(/EDAMAGED/);
  } finally {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});

test('the discarding engine refuses a store that keeps images', () => {
  const directory = testDirectory();
  const config = join(directory, 'c');
  writeFileSync(config, `[general]\nnfs_mount_point = ${directory}\n[engine]\nsocket = ${directory}/s\n`);
  const { status, stderr } = spawnSync(process.execPath, [
    join(project, 'bench/discard/engine-main.ts'),
    '--config',
    config,
  ]);
  rmSync(directory, { recursive: true, force: true });
  expect(status).not.toBe(0);
  expect(String(stderr)).toContain('takes [engine] store = memory');
});

test('no key of the configuration takes a discarding store, or another file for the lanes', () => {
  for (const { schema, key } of configKeys) {
    if (key === 'store') expect(schema.safeParse('discard').success).toBe(false);
    expect(key).not.toMatch(/lane_path|discard/);
  }
  const store = configKeys.find(({ key }) => key === 'store');
  expect(store?.form).toBe('one of file, memory');
});

test('the product hands the engine no other lanes, and imports nothing of the bench', () => {
  const product = sources(['.ts']).filter(({ path }) => /^(engine|workers|cli|native)\//.test(path));
  const made = product.flatMap(({ text }) => text.match(/new Engine\([^;]*\);/g) ?? []);
  expect(made).toEqual(['new Engine(config, log, release);']);
  const named = product.filter(({ text }) => /lanePath/.test(text)).map(({ path }) => path);
  expect(named.toSorted()).toEqual(['engine/coordinator/engine.ts', 'engine/lanes/pool.ts']);
  const targets = [...importGraph(product).values()].flat();
  expect(targets.filter((path) => path.startsWith('bench/'))).toEqual([]);
  // Nor does a variable of the environment reach the path.
  expect(readFileSync(join(project, 'engine/lanes/threads.ts'), 'utf8')).not.toContain('process.env');
});
