/** Kills of both closes at each of their calls on a real NFS mount: before and after by turns, emulation is slow. */
import { expect, test } from 'vitest';
import { KilledRun, pointName } from '../fault/kill/killed-run.ts';
import { operations } from '../fault/kill/operations.ts';
import { NfsStore } from './nfs-kit.ts';

const closes = operations.filter(({ name }) => / close$/.test(name));

test.each(closes)('$name, killed at every call', async (operation) => {
  using store = new NfsStore();
  await using run = await KilledRun.start(store.directory);
  const calls = await run.count(operation);
  console.log(`${operation.name}: ${calls} calls`);
  const problems: string[] = [];
  for (let call = 1; call <= calls; call++) {
    const point = { operation, action: call % 2 === 0 ? 'killBefore' : 'killAfter', call } as const;
    problems.push(...(await run.kill(point)).map((text) => `${pointName(point)}: ${text}`));
  }
  expect(problems).toEqual([]);
});
