/** The shim under a real engine: it misses no call on storage, and the engine does not notice it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestEngine, testDirectory } from '../../support/engine.ts';
import { materialise } from '../power-loss/materialise.ts';
import { takeSnapshot } from '../power-loss/snapshot.ts';
import { crashStates, dataFile } from '../power-loss/states.ts';
import { Shim } from './shim.ts';

const mib = 1 << 20;
const names = /^\d+ +(\w+)\(/;
let directory = '';
let store = '';

beforeEach(() => {
  directory = testDirectory();
  store = join(directory, 'store');
  mkdirSync(store);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Create, write, flush, reopen, complete, read, copy, list, delete. */
async function life(engine: TestEngine): Promise<void> {
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  await host.ok(`write i 0 ${3 * mib + 512} 5`);
  await host.ok('flush i');
  await host.ok(`write i ${3 * mib + 512} ${mib} 5`);
  await host.ok('close i 0');
  await host.ok('open_image v i lsu image 7 2');
  await host.ok('close i 1');
  await host.ok('open_image v r lsu image 7 1');
  await host.ok(`read r 0 ${8 * mib} expect=5`);
  await host.ok('close r 0');
  await host.ok('copy v lsu copied 7 lsu image 7');
  await host.ok('label_lsu v lsu text');
  await host.ok('delete v lsu image 7');
}

test('strace counts the same calls in a whole life of an image', { timeout: 120_000 }, async ({ skip }) => {
  if (spawnSync('strace', ['-V']).status !== 0) skip('strace is not installed');
  using shim = new Shim(directory);
  const trace = join(directory, 'trace');
  // strace's own command line holds the engine's: the library is for the engine only.
  const env = Object.entries(shim.env(store, 'engine/main.ts')).map(([name, value]) => `-E${name}=${value}`);
  const wrapper = ['strace', '-f', '-y', '-qq', '-s', '0', '-e', 'trace=file,desc', '-o', trace, ...env];
  {
    await using engine = await TestEngine.start({ directory, wrapper });
    await life(engine);
    expect(shim.pid).toBe(engine.pid);
    await engine.stop();
  }
  const calls = new Map<string, number>();
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const name = names.exec(line)?.[1];
    // The shim itself follows links of the root once, when it starts; of what fcntl sets no storage hears.
    if (!name || !line.includes(store) || /^(close$|fcntl|readlink)/.test(name)) continue;
    calls.set(name, (calls.get(name) ?? 0) + 1);
  }
  console.log(Object.fromEntries(calls));
  const total = [...calls.values()].reduce((a, b) => a + b, 0);
  expect(total).toBeGreaterThan(50);
  expect(shim.calls).toBe(total);
});

test('a log of a whole life, replayed without any loss, is what lies in the store', async () => {
  using shim = new Shim(directory, 'data');
  let base = takeSnapshot(store);
  const env = shim.env(store, 'engine/main.ts');
  {
    // The marker is made before the engine starts, by the kit: the log begins behind it.
    await using first = await TestEngine.start({ directory });
    await first.stop();
    base = takeSnapshot(store);
    await first.launch({ env });
    await using host = await first.script();
    await host.ok('create_lsu v lsu');
    for (const name of ['one', 'two']) {
      await host.ok(`create_image v i lsu ${name} 7`);
      await host.ok(`write i 0 ${mib + 512} 5`);
      await host.ok('close i 1');
    }
    await first.stop();
    expect(first.bugs()).toEqual([]);
  }
  const options = { base, data: dataFile(shim.data), seed: 1, exhaustiveMax: 0 };
  const states = [...crashStates(shim.readLog(), options)];
  const whole = states.findLast((state) => state.lost.length === 0);
  const again = join(directory, 'again');
  mkdirSync(again);
  if (whole) materialise(whole, again);
  expect(spawnSync('diff', ['-r', store, again], { encoding: 'utf8' }).stdout).toBe('');
  expect(readFileSync(join(again, 'lsu/two~7/image.data')).length).toBe(mib + 512);
});
