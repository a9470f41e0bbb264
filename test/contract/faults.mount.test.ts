/** A mount that hangs, that is not there, that is another one: who waits, who goes on, and how the engine ends. */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';
import { TestEngine } from '../support/engine.ts';
import { baseline, settled, until } from '../support/engine-state.ts';
import { startFaulty } from './faults-kit.ts';

const mib = 1 << 20;

test('a call that hangs holds up its own image only; status shows it; when it ends all is as it should be', async () => {
  const config = { engine: { lane_overdue_s: 1, meta_lanes: 2 }, performance: { thread_pool_size: 2 } };
  await using faulty = await startFaulty({ config });
  const { engine, shim } = faulty;
  const from = baseline(engine);
  {
    await using stuck = await engine.script();
    await using other = await engine.script();
    await stuck.ok('create_lsu v lsu');
    await stuck.ok('create_image v i lsu stuck 7');
    await stuck.ok(`write i 0 ${mib} 3`);
    await other.ok('create_image v i lsu other 7');
    shim.arm(0, { action: 'hang', count: 0, names: ['write', 'fdatasync'], path: '*stuck*' });
    const flush = stuck.call('flush i');
    await until(() => shim.counts(0).holding > 0);
    await until(async () => (await engine.status()).mounts[0]!.stalledSeconds > 0);
    // Before the lane is given up, and behind that: the others go on.
    await other.ok(`write i 0 ${2 * mib} 5`);
    await other.ok('flush i');
    await until(async () => (await engine.status()).mounts[0]!.lanesLost > 0);
    const status = await engine.status();
    expect(status.jobs.find((job) => job.image === 'stuck')).toMatchObject({ mode: 'write', waitsFor: 'device' });
    expect(status.jobs.find((job) => job.image === 'stuck')?.stalledSeconds).toBeGreaterThan(0);
    await other.ok(`write i ${2 * mib} ${2 * mib} 5`);
    await other.ok('close i 1');
    await other.ok('open_image v r lsu other 7 read');
    expect(await other.ok('read r 0 16M expect=5')).toMatchObject({ got: 4 * mib, match: true });
    await other.ok('close r 0');
    await other.ok('list_images v lsu');
    shim.release(0);
    expect((await flush).status).toBe(0);
    shim.disarm(0);
    await until(async () => (await engine.status()).mounts[0]!.lanesLost === 0);
    await stuck.ok('close i 1');
    expect(await other.ok('prop_byname v lsu stuck 7')).toMatchObject({ state_bits: 2, size: mib });
  }
  await settled(engine, from);
});

test('an engine that is stopped while a call hangs ends itself when its time is up', async () => {
  await using faulty = await startFaulty({ config: { engine: { drain_s: 1 } } });
  const { engine, shim } = faulty;
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu stuck 7');
  await host.ok(`write i 0 ${mib} 3`);
  await host.ok('flush i');
  shim.arm(0, { action: 'hang', count: 0, path: '*stuck*' });
  await host.ok(`write i ${mib} ${mib} 3`);
  const flush = host.call('flush i');
  await until(() => shim.counts(0).holding > 0);
  expect(await engine.stop()).toBe('SIGKILL');
  expect((await flush).name).toBe('STS_ESOCKET');
  expect(engine.log().some((line) => line.msg === 'engine stopped' && line.clean === false)).toBe(true);
  // A new engine takes over: what was durable is there.
  await engine.launch({ env: { VAST_SHIM_ROOT: undefined } });
  await using again = await engine.script();
  await again.ok('open_image v i lsu stuck 7 write');
  expect(await again.ok('prop i')).toMatchObject({ durable: mib });
  await again.ok('close i 1');
  expect(await engine.stop()).toBe(0);
  expect(engine.bugs()).toEqual([]);
});

test('without its mount the engine serves and says so, writes no byte, and works once the mount is there', async () => {
  await using engine = await TestEngine.start({ noStore: true });
  const from = baseline(engine);
  {
    await using host = await engine.script();
    expect((await host.ok('server_prop v')).mounted).toBe(false);
    for (const line of [
      'create_lsu v lsu',
      'list_lsus v',
      'create_image v i lsu image 7',
      'prop_byname v lsu image 7',
    ]) {
      const answer = await host.call(line);
      expect(answer.name).toBe('STS_ENOTMOUNTED');
      expect(answer.text).toContain(`storage not mounted: ${engine.store}`);
      expect(answer.text).toContain(`vast-ost init-store ${engine.store}`);
    }
    const status = await engine.status();
    expect(status.mounts[0]).toMatchObject({ mounted: false, storeId: null });
    expect(status.mounts[0]?.warnings.join()).toContain('not mounted');
    expect(readdirSync(engine.store)).toEqual([]);
    writeFileSync(join(engine.store, '.vast-ost-store'), encodeMarker(newMarker(new Date(0))));
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok('close i 1');
    expect((await engine.status()).mounts[0]).toMatchObject({ mounted: true });
  }
  await settled(engine, from);
});

test('a mount that is replaced by another store is not written to by those who knew the first', async () => {
  await using engine = await TestEngine.start();
  const from = baseline(engine);
  const marker = join(engine.store, '.vast-ost-store');
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok('write i 0 512 3');
    await host.ok('flush i');
    await host.ok('write i 512 512 3');
    renameSync(marker, join(engine.directory, 'first'));
    mkdirSync(join(engine.directory, 'other'));
    writeFileSync(marker, 'no marker');
    expect((await host.call('flush i')).name).toBe('STS_ENOTMOUNTED');
    expect((await host.call('create_image v j lsu second 7')).name).toBe('STS_ENOTMOUNTED');
    expect((await host.call('close i 1')).name).toBe('STS_ENOTMOUNTED');
    renameSync(join(engine.directory, 'first'), marker);
    await host.ok('open_image v i lsu image 7 write');
    expect(await host.ok('prop i')).toMatchObject({ durable: 512 });
    await host.ok('close i 1');
    expect((await host.call('prop_byname v lsu second 7')).name).toBe('STS_ENOENT');
  }
  await settled(engine, from);
});
