/** The mount is not there yet, goes away, is refused, hangs: nothing goes below the mount point, nothing is lost. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readStored } from '../fault/kill/stored-image.ts';
import { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { grantExport, NfsStore, serverThreads, withdrawExport } from './nfs-kit.ts';

const mib = 1 << 20;
const config = { engine: { require_mount: true } };

async function writePending(host: HostScript, name: string): Promise<void> {
  await host.ok(`create_image v i lsu ${name} 7`);
  await host.ok(`write i 0 ${mib + 512} 5`);
}

async function writeImage(host: HostScript, name: string): Promise<void> {
  await writePending(host, name);
  await host.ok('close i 1');
}

/** A host program that has written an image and not closed it. */
async function hostThatWrites(engine: TestEngine): Promise<HostScript> {
  const host = await engine.script();
  await host.ok('create_lsu v lsu');
  await writePending(host, 'image');
  return host;
}

test('an engine that starts before its mount says so, writes nothing below, and works once the mount is there', async () => {
  using store = new NfsStore(false);
  await using engine = await TestEngine.start({ directory: store.directory, noStore: true, config });
  await using host = await engine.script();
  for (const line of ['create_lsu v lsu', 'create_image v i lsu image 7', 'list_lsus v']) {
    expect((await host.call(line)).name).toBe('STS_ENOTMOUNTED');
  }
  expect(readdirSync(store.mountPoint)).toEqual([]);
  store.mount();
  await host.ok('create_lsu v lsu');
  await writeImage(host, 'image');
  expect((await engine.status()).mounts[0]).toMatchObject({ mounted: true, fsType: 'nfs' });
  expect(readStored(store.exported, 'lsu', 'image', 7).problems).toEqual([]);
});

test('a mount that is taken away under way: nothing goes below its place, all that was acknowledged is there later', async () => {
  using store = new NfsStore();
  await using engine = await TestEngine.start({ directory: store.directory, config });
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await writeImage(host, 'before');
    await host.ok('create_image v i lsu under 7');
    await host.ok(`write i 0 ${mib} 5`);
    store.unmountLazily();
    const closed = await host.call('close i 1');
    const created = await host.call('create_image v j lsu after 7');
    expect(readdirSync(store.mountPoint)).toEqual([]);
    await engine.kill();
    store.mount();
    await engine.launch();
    await using again = await engine.script();
    expect(await again.ok('prop_byname v lsu before 7')).toMatchObject({ state: 'complete', size: mib + 512 });
    const under = await again.ok('prop_byname v lsu under 7');
    expect(under.state).toBe(closed.status === 0 ? 'complete' : 'pending');
    if (created.status === 0) expect(await again.ok('prop_byname v lsu after 7')).toMatchObject({ state: 'pending' });
  }
  expect(engine.bugs()).toEqual([]);
});

test('an export that is withdrawn fails the calls with a text, and all goes on when it is granted again', async () => {
  using store = new NfsStore();
  await using engine = await TestEngine.start({ directory: store.directory, config });
  await using host = await hostThatWrites(engine);
  await host.ok('flush i');
  withdrawExport();
  try {
    await host.call(`write i ${mib + 512} ${mib} 5`);
    const flushed = await host.call('flush i');
    expect(flushed.status, flushed.text).not.toBe(0);
    expect(flushed.text).toMatch(/image|storage/);
    // The failure was told; the close only frees the handle.
    await host.call('close i 0');
  } finally {
    grantExport();
  }
  await until(async () => (await host.call('open_image v i lsu image 7 2')).status === 0);
  expect(await host.ok('prop i')).toMatchObject({ durable: mib + 512 });
  await host.ok(`write i ${mib + 512} ${mib} 5`);
  await host.ok('close i 1');
  expect(readStored(store.exported, 'lsu', 'image', 7).problems).toEqual([]);
  expect(engine.bugs()).toEqual([]);
});

test('a server that does not answer holds up the close, which succeeds when it is back; the engine serves on', async () => {
  using store = new NfsStore();
  await using engine = await TestEngine.start({ directory: store.directory, config });
  await using host = await hostThatWrites(engine);
  serverThreads(0);
  let closing: ReturnType<HostScript['call']>;
  try {
    closing = host.call('close i 1');
    // When the wait below fails, that is what the test tells, not this call's end with its process.
    closing.catch(() => undefined);
    await until(async () => ((await engine.status()).mounts[0]?.stalledSeconds ?? 0) > 2);
  } finally {
    serverThreads(8);
  }
  expect(await closing).toMatchObject({ name: 'STS_EOK' });
  expect(readStored(store.exported, 'lsu', 'image', 7).problems).toEqual([]);
});
