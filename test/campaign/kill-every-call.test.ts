/**
 * The engine is killed before and after every one of its calls on storage, in every operation, and a new one judges what
 * is left. First a run under strace, where that is installed, shows that the shim counts every call that there is.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KilledRun, pointName } from '../fault/kill/killed-run.ts';
import { lsu, operations } from '../fault/kill/operations.ts';
import { take } from '../fault/kill/steps.ts';
import { tracedCalls } from '../fault/kill/traced-calls.ts';
import { Shim } from '../fault/shim/shim.ts';
import { TestEngine, testDirectory } from '../support/engine.ts';

const pointMs = 60_000;

test('the shim sees every call that strace sees', { timeout: 10 * pointMs }, async ({ skip }) => {
  if (spawnSync('strace', ['-V']).status !== 0) skip('strace is not installed');
  const directory = testDirectory();
  const store = join(directory, 'store');
  mkdirSync(store);
  using shim = new Shim(directory, 'calls');
  const trace = join(directory, 'trace');
  // strace's own command line holds the engine's: the library is for the engine only.
  const env = Object.entries(shim.env(store, 'engine/main.ts')).map(([name, value]) => `-E${name}=${value}`);
  const wrapper = ['strace', '-f', '-y', '-qq', '-s', '0', '-e', 'trace=file,desc', '-o', trace, ...env];
  await using engine = await TestEngine.start({ directory, wrapper });
  {
    await using host = await engine.script();
    await host.ok(`create_lsu v ${lsu}`);
    for (const [i, operation] of operations.entries()) {
      const { prepare, run } = operation.round(`n${i}`);
      expect(await take(host, [...prepare, ...run])).toBeNull();
      await host.call('close i 0');
    }
  }
  await engine.stop();
  const counted: Record<string, number> = {};
  for (const line of shim.readLog()) {
    if (line.kind === 'begin') counted[line.name] = (counted[line.name] ?? 0) + 1;
  }
  console.log(counted);
  expect(counted).toEqual(tracedCalls(readFileSync(trace, 'utf8'), store));
});

describe('killed before and after every call of', () => {
  test.each(operations)('$name', { timeout: 300 * pointMs }, async (operation) => {
    await using run = await KilledRun.start();
    const calls = await run.count(operation);
    console.log(`${operation.name}: ${calls} calls, ${2 * calls} kills`);
    const problems: string[] = [];
    for (let call = 1; call <= calls; call++) {
      for (const action of ['killBefore', 'killAfter'] as const) {
        const point = { operation, action, call };
        problems.push(...(await run.kill(point)).map((text) => `${pointName(point)}: ${text}`));
      }
    }
    expect(problems).toEqual([]);
  });
});
