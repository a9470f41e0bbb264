/**
 * The WRITEs of an engine that was killed go on in the kernel. Whoever opens the image next must wait for them: nothing
 * may come behind its back, and none of it may stand in the image.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readStored } from '../fault/kill/stored-image.ts';
import { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { gen } from '../support/host-program.ts';
import { NfsStore } from './nfs-kit.ts';

const mib = 1 << 20;
const blockBytes = 64 * mib;
const newBytes = 2 * mib + 512;
/** Late writes were seen to come for less than a second; whoever waits longer than this sees none. */
const watchMs = 5000;

test('late writes of a killed engine come before the next writer, or not at all', async () => {
  using store = new NfsStore();
  const config = { general: { block_size_mb: 64 }, engine: { max_memory_mb: 1024 } };
  await using engine = await TestEngine.start({ directory: store.directory, config });
  const data = join(store.exported, 'lsu/image~7/image.data');
  const size = (): number => statSync(data).size;
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok(`write i 0 ${blockBytes} 5`);
    await host.ok(`write i ${blockBytes} ${blockBytes} 5`);
    await until(() => size() > mib);
    await engine.kill();
  }
  const atKill = size();
  expect(atKill).toBeLessThan(2 * blockBytes);
  await engine.launch();
  await using host = await engine.script();
  await host.ok('open_image v i lsu image 7 2');
  const atOpen = size();
  expect(await host.ok('prop i')).toMatchObject({ durable: 0 });
  const end = performance.now() + watchMs;
  let grown = 0;
  await until(() => {
    grown = Math.max(grown, size() - atOpen);
    return performance.now() > end;
  });
  console.log(`at the kill ${atKill} bytes, at the next open ${atOpen}, later ${grown} more`);
  expect(grown).toBe(0);
  await host.ok(`write i 0 ${newBytes} 6`);
  await host.ok('close i 1');
  const { data: bytes, problems } = readStored(store.exported, 'lsu', 'image', 7);
  expect(problems).toEqual([]);
  expect(bytes.equals(gen(6, 0, newBytes))).toBe(true);
});
