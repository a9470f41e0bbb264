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
import { NfsStore, serverThreads } from './nfs-kit.ts';

const mib = 1 << 20;
const blockBytes = 64 * mib;
const newBytes = 2 * mib + 512;
/** Late writes were seen to come for less than a second; whoever waits longer than this sees none. */
const watchMs = 5000;

test('late writes of a killed engine come before the next writer, or not at all', async () => {
  using store = new NfsStore();
  const { directory } = store;
  const config = { general: { block_size_mb: 64 }, engine: { max_memory_mb: 1024 } };
  await using engine = await TestEngine.start({ directory, config });
  await using host = await engine.script();
  // The next writer's engine runs already: what it asks for follows the late writes at once.
  const own = { engine: { socket: join(directory, 's2') }, logging: { log_file: join(directory, 'second.log') } };
  await using second = await TestEngine.start({ directory, config: own });
  await using next = await second.script();
  const data = join(store.exported, 'lsu/image~7/image.data');
  const size = (): number => statSync(data).size;
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  await host.ok(`write i 0 ${blockBytes} 5`);
  await until(() => size() > mib);
  // WRITEs that the server does not answer stay in the kernel when the engine dies, and are sent again.
  serverThreads(0);
  let atKill: number;
  try {
    atKill = size();
    // The process ends when the server answers again: until then its claim is that of one who lives.
    process.kill(engine.pid, 'SIGKILL');
  } finally {
    serverThreads(8);
  }
  await until(async () => {
    const opened = await next.call('open_image v i lsu image 7 2');
    if (opened.status !== 0) expect(opened.name).toBe('STS_EBUSY');
    return opened.status === 0;
  });
  const atOpen = size();
  expect(await next.ok('prop i')).toMatchObject({ durable: 0 });
  const end = performance.now() + watchMs;
  let grown = 0;
  await until(() => {
    grown = Math.max(grown, size() - atOpen);
    return performance.now() > end;
  });
  console.log(`at the kill ${atKill} bytes, at the next open ${atOpen}, later ${grown} more`);
  expect(grown).toBe(0);
  await next.ok(`write i 0 ${newBytes} 6`);
  await next.ok('close i 1');
  const { data: bytes, problems } = readStored(store.exported, 'lsu', 'image', 7);
  expect(problems).toEqual([]);
  expect(bytes.equals(gen(6, 0, newBytes))).toBe(true);
});
