/** Several storage servers in one engine: each its own images, its own storage, its own troubles. */
import { existsSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { status } from '../../engine/core/errors.ts';
import { frame } from '../../engine/core/wire.ts';
import { type EngineOptions, TestEngine, testDirectory } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { HostScript } from '../support/host-program.ts';
import { WireClient } from '../support/wire-client.ts';
import { startFaulty } from './faults-kit.ts';
import { makeRoot, markRoot, serverStatus } from './servers-kit.ts';

let directory: string;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => {
  if (!process.env.VAST_OST_KEEP) rmSync(directory, { recursive: true, force: true });
});

const startWith = (config: EngineOptions['config']): Promise<TestEngine> => TestEngine.start({ directory, config });

/** A host program with a server handle of each name: a for VastData:a. */
async function hostOf(engine: TestEngine, ...names: string[]): Promise<HostScript> {
  const host = new HostScript();
  await host.ok(`init ${engine.config}`);
  await host.ok('session s job');
  for (const name of names) await host.ok(`open_server s ${name} VastData:${name}`);
  return host;
}

async function writeImage(host: HostScript, server: string, image: string, seed: number): Promise<void> {
  await host.ok(`create_image ${server} i lsu ${image} 7`);
  await host.ok(`write i 0 8192 ${seed}`);
  await host.ok('close i 1');
}

async function expectImage(host: HostScript, server: string, image: string, seed: number): Promise<void> {
  await host.ok(`open_image ${server} r lsu ${image} 7 read`);
  await host.ok(`read r 0 8192 expect=${seed}`);
  await host.ok('close r 1');
}

test('images of one name are different images on each of them, and stay so over a restart', async () => {
  const roots = { a: makeRoot(directory, 'a'), b: makeRoot(directory, 'b') };
  await using engine = await startWith({
    'server:a': { mount_points: roots.a },
    'server:b': { mount_points: roots.b },
  });
  const names = ['a', 'b', 'other'];
  {
    await using host = await hostOf(engine, ...names);
    for (const [seed, name] of names.entries()) {
      await host.ok(`create_lsu ${name} lsu`);
      await writeImage(host, name, 'image', seed + 1);
    }
  }
  expect(await engine.stop()).toBe(0);
  await engine.launch();
  {
    await using host = await hostOf(engine, ...names);
    for (const [seed, name] of names.entries()) await expectImage(host, name, 'image', seed + 1);
    await host.ok('delete a lsu image 7');
    expect((await host.call('prop_byname a lsu image 7')).name).toBe('STS_ENOENT');
    await expectImage(host, 'b', 'image', 2);
  }
  // A name without a section is the default's, and the log tells of it once, however often it is used.
  expect(existsSync(join(engine.store, 'lsu/image~7/image.data'))).toBe(true);
  expect(existsSync(join(roots.b, 'lsu/image~7/image.data'))).toBe(true);
  expect(readdirSync(join(roots.a, 'lsu'))).not.toContain('image~7');
  const noted = engine.log().filter((line) => String(line.msg).startsWith('no section of its own'));
  expect(noted.map(({ server }) => server).filter((server) => server === 'VastData:other')).toHaveLength(2);
  expect(engine.bugs()).toEqual([]);
});

test('a copy in flight: one image is read on one server and written under its name on another', async () => {
  const b = makeRoot(directory, 'b');
  await using engine = await startWith({ 'server:b': { mount_points: b } });
  await using host = await hostOf(engine, 'default', 'b');
  for (const name of ['default', 'b']) await host.ok(`create_lsu ${name} lsu`);
  await writeImage(host, 'default', 'image', 5);
  await host.ok('create_image b w lsu image 7');
  await expectImage(host, 'default', 'image', 5);
  await host.ok('write w 0 8192 5');
  await host.ok('close w 1');
  await expectImage(host, 'b', 'image', 5);
});

test('one that is not mounted disturbs no other, and serves once it is there', async () => {
  const a = makeRoot(directory, 'a');
  const late = makeRoot(directory, 'late', false);
  await using engine = await startWith({
    general: { nfs_mount_point: null },
    'server:a': { mount_points: a },
    'server:late': { mount_points: late },
    'server:gone': { mount_points: join(directory, 'nowhere') },
  });
  await using host = await hostOf(engine, 'a', 'late', 'gone');
  await host.ok('create_lsu a lsu');
  await writeImage(host, 'a', 'image', 1);
  for (const [name, root] of [
    ['late', late],
    ['gone', join(directory, 'nowhere')],
  ]) {
    const answer = await host.call(`create_lsu ${name} lsu`);
    expect(answer).toMatchObject({ name: 'STS_ENOTMOUNTED', text: expect.stringContaining(`not mounted: ${root}`) });
    expect((await host.ok(`server_prop ${name}`)).mounted).toBe(false);
    const told = { name: `VastData:${name}`, store: 'nfs', root, ready: false };
    expect(await serverStatus(engine, `VastData:${name}`)).toMatchObject(told);
  }
  expect((await host.ok('server_prop a')).mounted).toBe(true);
  expect(await serverStatus(engine, 'VastData:a')).toMatchObject({ root: a, ready: true, problem: '' });
  // Nobody wrote a default: there is none to look at.
  expect((await engine.status()).servers).toHaveLength(3);
  markRoot(late);
  await host.ok('create_lsu late lsu');
  await writeImage(host, 'late', 'image', 2);
  expect(await serverStatus(engine, 'VastData:late')).toMatchObject({ ready: true, problem: '' });
  await expectImage(host, 'a', 'image', 1);
});

test('one whose storage hangs holds up its own jobs only', async () => {
  // The shim sees what lies in the default server's root: that one hangs.
  const free = makeRoot(directory, 'free');
  await using faulty = await startFaulty({
    config: {
      performance: { thread_pool_size: 2 },
      engine: { io_lanes_per_mount: 1, meta_lanes: 1 },
      'server:free': { mount_points: free },
    },
  });
  const { engine, shim } = faulty;
  await using stuck = await hostOf(engine, 'default');
  await stuck.ok('create_lsu default lsu');
  await stuck.ok('create_image default i lsu image 7');
  shim.arm(0, { action: 'hang', count: 0, names: ['write'], path: '*image.data' });
  await stuck.ok('write i 0 4194304 3');
  await until(() => shim.counts(0).holding > 0);
  shim.arm(1, { action: 'hang', count: 0, names: ['mkdir'] });
  await using other = await hostOf(engine, 'default');
  const creates = other.call('create_image default j lsu second 7');
  await until(() => shim.counts(1).holding > 0);
  {
    await using host = await hostOf(engine, 'free');
    await host.ok('create_lsu free lsu');
    await writeImage(host, 'free', 'image', 1);
    await expectImage(host, 'free', 'image', 1);
  }
  await until(async () => ((await engine.status()).mounts[0]?.stalledSeconds ?? 0) > 1);
  const { mounts } = await engine.status();
  expect(mounts.map(({ server, stalledSeconds }) => [server, stalledSeconds > 0])).toEqual([
    ['[general]', true],
    ['VastData:free', false],
  ]);
  shim.disarm(0);
  shim.disarm(1);
  expect((await creates).status).toBe(0);
  await stuck.ok('close i 1');
});

test('a name without a section is refused where there is no default server, and status is answered', async () => {
  await using engine = await startWith({
    general: { nfs_mount_point: null },
    'server:Prod': { mount_points: makeRoot(directory, 'a') },
  });
  await using host = await hostOf(engine, 'Prod');
  for (const wrong of ['VastData:prod', 'VastData:Prod2', 'VastData:status']) {
    const answer = await host.call(`open_server s w ${wrong}`);
    expect(answer).toMatchObject({
      name: 'STS_ECLAIM',
      text: expect.stringContaining(`${wrong} is no storage server of this engine, which has VastData:Prod:`),
    });
    expect(await host.call(`server_prop_byname s ${wrong}`)).toMatchObject({ name: 'STS_ECLAIM' });
  }
  expect(await host.ok('server_prop_byname s VastData:Prod')).toMatchObject({ mounted: true, store: 'file' });
  // What is behind a refused HELLO is answered like it, and hands out nothing.
  await using client = await WireClient.connect(engine.socket);
  expect((await client.hello({ server: 'VastData:nobody' })).status).toBe(status.ECLAIM);
  expect((await client.call('lsu', frame.lsuCreate, { lsu: 'lsu' })).status).toBe(status.ECLAIM);
  expect(engine.bugs()).toEqual([]);
});

test('two servers on one storage: a live writer of one is busy for the other, its image is seen when it is complete', async () => {
  const root = makeRoot(directory, 'a');
  symlinkSync(root, join(directory, 'alias'));
  await using engine = await startWith({
    'server:a': { mount_points: root },
    'server:b': { mount_points: join(directory, 'alias') },
  });
  await using host = await hostOf(engine, 'a', 'b');
  await host.ok('create_lsu a lsu');
  await host.ok('create_image a i lsu image 7');
  await host.ok('write i 0 8192 3');
  await host.ok('flush i');
  for (const call of ['open_image b w lsu image 7 write', 'delete b lsu image 7']) {
    expect(await host.call(call)).toMatchObject({ name: 'STS_EBUSY', text: expect.stringContaining('is writing it') });
  }
  expect((await host.call('create_image b w lsu image 7')).name).toBe('STS_EEXIST');
  await host.ok('close i 0');
  // Nobody holds it any more: the other one goes on with it.
  await host.ok('open_image b w lsu image 7 write');
  expect(await host.ok('prop w')).toMatchObject({ durable: 8192 });
  expect((await host.call('open_image a i lsu image 7 write')).name).toBe('STS_EBUSY');
  await host.ok('close w 1');
  await expectImage(host, 'a', 'image', 3);
  await host.ok('delete a lsu image 7');
  expect((await host.call('prop_byname b lsu image 7')).name).toBe('STS_ENOENT');
  expect(engine.bugs()).toEqual([]);
});

test("handles and memory are the engine's, whatever server they are for", async () => {
  await using engine = await startWith({
    engine: { handles_max: 3, max_memory_mb: 64 },
    'server:a': { mount_points: makeRoot(directory, 'a') },
  });
  await using host = await hostOf(engine, 'a', 'x', 'y');
  expect(await host.call('open_server s b VastData:a')).toMatchObject({ name: 'STS_EBUSY' });
  expect((await engine.status()).memory.budgetBytes).toBe(64 << 20);
});

test('the janitor sweeps each of them', async () => {
  const roots = ['a', 'b'].map((name) => makeRoot(directory, name));
  for (const root of roots) makeRoot(root, 'lsu/.trash/0123456789abcdef0123456789abcdef', false);
  await using engine = await startWith({
    'server:a': { mount_points: roots[0] as string },
    'server:b': { mount_points: roots[1] as string },
  });
  for (const root of roots) await until(() => readdirSync(join(root, 'lsu/.trash')).length === 0);
  expect(engine.bugs()).toEqual([]);
});

test('sixty-four of them fit a status, with all that ails them', async () => {
  const config: EngineOptions['config'] = { general: { nfs_mount_point: null } };
  for (let i = 0; i < 64; i++) config[`server:s${i}`] = { mount_points: `/${'nowhere'.repeat(100)}${i}` };
  await using engine = await startWith(config);
  await until(async () => (await engine.status()).servers.every(({ problem }) => problem !== ''));
  const { servers, mounts } = await engine.status();
  expect([servers.length, mounts.length]).toEqual([64, 64]);
  expect(engine.bugs()).toEqual([]);
});
