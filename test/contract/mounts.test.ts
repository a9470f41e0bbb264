/** Several mounts of one export: where images go, and what happens when a mount goes. */
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeMarker } from '../../engine/image/marker.ts';
import { randomOf } from '../fault/power-loss/choices.ts';
import { baseline, settled, until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { seed } from '../support/seed.ts';
import { errno } from './faults-kit.ts';
import { claimedAt, expectImage, MountsEngine, pathsOf } from './mounts-kit.ts';

const mib = 1 << 20;
const jobsEach = Number(process.env.VAST_OST_MOUNT_JOBS ?? 12);

async function writeImage(host: HostScript, image: string, seed = 3): Promise<void> {
  await host.ok(`create_image v i lsu ${image} 7`);
  await host.ok(`write i 0 ${mib} ${seed}`);
  await host.ok('close i 1');
}

/** Names of the links through which calls of this name went to files of the image; '': of any. */
function waysOf(mounts: MountsEngine, call: string, image: string): string[] {
  const paths = pathsOf(mounts, call).filter((path) => path.includes(`${image}~7/`));
  return [...new Set(paths.map((path) => path.split(':')[0] as string))].sort();
}

test('each image has its mount, all of them are one store, and its writer stays there', async () => {
  await using mounts = await MountsEngine.start();
  const { engine } = mounts;
  const from = baseline(engine);
  const images = { a: mounts.imageOf('a', ['b']), b: mounts.imageOf('b', ['a']) };
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    for (const [name, image] of Object.entries(images)) {
      await writeImage(host, image);
      await expectImage(host, image);
      expect(waysOf(mounts, 'write', image)).toEqual([name]);
      expect(waysOf(mounts, 'read', image)).toEqual([name]);
    }
    const listed = JSON.stringify(await host.ok('list_images v lsu'));
    for (const image of Object.values(images)) expect(listed).toContain(image);
    await host.ok(`copy v lsu copy 7 lsu ${images.a} 7`);
    await expectImage(host, 'copy');
    for (const image of Object.values(images)) await host.ok(`delete v lsu ${image} 7`);
  }
  expect(await mounts.states()).toEqual({ a: 'healthy', b: 'healthy' });
  await settled(engine, from);
});

test('a mount that hangs: its open job waits, new ones use the other, and all is well when it answers again', async () => {
  await using mounts = await MountsEngine.start({ config: { engine: { lane_overdue_s: 2, meta_lanes: 2 } } });
  const { engine, shim } = mounts;
  const from = baseline(engine);
  const [before, under, after, later] = [0, 1, 2, 3].map((nth) => mounts.imageOf('a', ['b'], nth));
  {
    await using stuck = await engine.script();
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await writeImage(host, before as string, 5);
    await stuck.ok(`create_image v i lsu ${under} 7`);
    expect(claimedAt(mounts, under as string)).toBe(mounts.path('a'));
    shim.arm(0, { action: 'hang', count: 0, path: 'a:*' });
    await stuck.ok(`write i 0 ${mib} 3`);
    const flush = stuck.call('flush i');
    await until(() => shim.counts(0).holding > 0);
    // It asks both, and one answers: what begins now waits for the other's answer, for a moment.
    await host.ok('server_prop v');
    await expectImage(host, before as string, 5);
    await writeImage(host, after as string, 5);
    await expectImage(host, after as string, 5);
    expect(waysOf(mounts, 'write', after as string)).toEqual(['b']);
    await writeImage(host, mounts.imageOf('b', ['a']));
    await host.ok('list_images v lsu');
    await host.ok('lsu_prop v lsu');
    await host.ok('create_lsu v other');
    await host.ok(`delete v lsu ${before} 7`);
    await until(async () => (await mounts.states()).a === 'lanes lost');
    expect((await engine.status()).servers[0]).toMatchObject({ ready: true, problem: '' });
    await host.ok(`delete v lsu ${after} 7`);
    shim.disarm(0);
    expect((await flush).status).toBe(0);
    await stuck.ok('close i 1');
    await until(async () => (await mounts.states()).a === 'healthy');
    // It has its images back.
    await host.ok(`create_image v i lsu ${later} 7`);
    expect(claimedAt(mounts, later as string)).toBe(mounts.path('a'));
    await host.ok('close i 1');
    await expectImage(host, under as string);
  }
  await settled(engine, from);
});

test('a mount that fails: its open job fails plainly, new ones use the other', async () => {
  await using mounts = await MountsEngine.start();
  const { engine, shim } = mounts;
  const from = baseline(engine);
  const [image, next, last] = [0, 1, 2].map((nth) => mounts.imageOf('a', ['b'], nth)) as [string, string, string];
  {
    await using open = await engine.script();
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await open.ok(`create_image v i lsu ${image} 7`);
    await open.ok(`write i 0 ${mib} 3`);
    await open.ok('flush i');
    shim.arm(0, { action: 'fail', argument: errno.EIO, count: 0, path: 'a:*' });
    await open.ok(`write i ${mib} ${mib} 3`);
    const failed = await open.call('flush i');
    expect(failed).toMatchObject({ name: 'STS_ESYSTEM', text: expect.stringContaining('EIO') });
    await writeImage(host, next);
    await writeImage(host, last);
    await expectImage(host, last);
    expect(waysOf(mounts, 'write', last)).toEqual(['b']);
    shim.disarm(0);
    await open.call('close i 0');
    await open.ok(`open_image v i lsu ${image} 7 write`);
    expect(await open.ok('prop i')).toMatchObject({ durable: mib });
    await open.ok(`write i ${mib} ${mib} 3`);
    await open.ok('close i 1');
    await expectImage(host, image);
  }
  await settled(engine, from);
});

test('a mount that fails under load: what began behind that works, what was acknowledged is there', async () => {
  await using mounts = await MountsEngine.start({ names: ['a', 'b', 'c'] });
  const { engine, shim } = mounts;
  const from = baseline(engine);
  const random = randomOf(seed);
  const broken = ['a', 'b', 'c'][Math.floor(random() * 3)] as string;
  const breakAt = Math.floor((random() * jobsEach) / 2);
  const jobs: { image: string; armed: boolean; failure: string | null }[] = [];
  let armed = false;
  const work = async (number: number): Promise<void> => {
    await using host = await engine.script();
    for (let i = 0; i < jobsEach; i++) {
      const image = `s${seed}w${number}i${i}`;
      const job = { image, armed, failure: null as string | null };
      jobs.push(job);
      for (const call of [`create_image v i lsu ${image} 7`, `write i 0 ${mib} ${i + 1}`, 'flush i', 'close i 1']) {
        const answer = await host.call(call);
        if (answer.status === 0) continue;
        job.failure = answer.text as string;
        // A close frees the handle whatever it answers.
        if (!/^(create|close)/.test(call)) await host.call('close i 0');
        break;
      }
      // At one job of the first worker, between two of its calls: others are anywhere.
      if (number === 0 && i === breakAt) {
        shim.arm(0, { action: 'fail', argument: errno.EIO, count: 0, path: `${broken}:*` });
        armed = true;
      }
    }
  };
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await Promise.all(Array.from({ length: 4 }, (_, number) => work(number)));
    expect(armed).toBe(true);
    shim.disarm(0);
    expect(jobs.filter((job) => job.armed && job.failure !== null)).toEqual([]);
    for (const { image, failure } of jobs) {
      if (failure === null) await expectImage(host, image, Number(image.split('i')[1]) + 1);
      else expect(failure).toContain(`image ${image} (7)`);
    }
    expect(waysOf(mounts, 'write', '')).toEqual(['a', 'b', 'c']);
  }
  await settled(engine, from, /claim|meta/);
}, 600_000);

test('a reader under way goes on through another mount when its own fails, and where none is left it is told', async () => {
  await using mounts = await MountsEngine.start({ config: { performance: { read_ahead_mb: 0 } } });
  const { engine, shim } = mounts;
  const from = baseline(engine);
  const image = mounts.imageOf('a', ['b']);
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok(`create_image v i lsu ${image} 7`);
    await host.ok(`write i 0 ${8 * mib} 3`);
    await host.ok('close i 1');
    await host.ok(`open_image v r lsu ${image} 7 read`);
    expect(await host.ok(`read r 0 ${2 * mib} expect=3`)).toMatchObject({ match: true });
    shim.arm(0, { action: 'fail', argument: errno.EIO, count: 0, path: 'a:*' });
    expect(await host.ok(`read r ${2 * mib} ${6 * mib} expect=3`)).toMatchObject({ got: 6 * mib, match: true });
    expect(waysOf(mounts, 'read', image)).toEqual(['a', 'b']);
    shim.arm(1, { action: 'fail', argument: errno.EIO, count: 0, path: 'b:*' });
    const last = await host.call(`read r 0 ${mib}`);
    expect(last).toMatchObject({ name: 'STS_ESYSTEM', text: expect.stringContaining('EIO') });
    // The mount that was left answers nothing at all any more: that keeps no close waiting.
    shim.arm(0, { action: 'hang', count: 0, path: 'a:*' });
    shim.arm(2, { action: 'hang', count: 0, names: ['close'], path: 'a:*' });
    shim.disarm(1);
    await host.ok('close r 1');
    for (const slot of [0, 2]) shim.disarm(slot);
  }
  await settled(engine, from);
});

test('a mount of another store, or of none, is never used, and told with both ids and paths', async () => {
  const ids = { a: '0'.repeat(32), b: '1'.repeat(32) };
  await using mounts = await MountsEngine.start({
    names: ['a', 'b', 'c'],
    prepare: (directory) => {
      markAs(join(directory, 'store'), ids.a);
      for (const name of ['b', 'c']) {
        rmSync(join(directory, name));
        mkdirSync(join(directory, name));
      }
      markAs(join(directory, 'b'), ids.b);
    },
  });
  const { engine } = mounts;
  const [a, b, c] = ['a', 'b', 'c'].map((name) => mounts.path(name)) as [string, string, string];
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    for (const name of ['a', 'b', 'c']) {
      const others = ['a', 'b', 'c'].filter((one) => one !== name);
      await writeImage(host, mounts.imageOf(name, others));
    }
    expect(await mounts.states()).toEqual({ a: 'healthy', b: 'not mounted', c: 'not mounted' });
    const told = (await engine.status()).mounts.map(({ warnings }) => warnings.join());
    expect(told[1]).toContain(`${b} shows store ${ids.b}, and ${a} shows ${ids.a}`);
    expect(told[2]).toContain(`${c}: there is no .vast-ost-store`);
    for (const root of [b, c]) expect(readdirSync(root)).not.toContain('lsu');
    // Nor when the right one is gone: which store it is, is known.
    rmSync(a);
    renameSync(join(mounts.directory, 'store/.vast-ost-store'), join(mounts.directory, 'marker'));
    const answer = await host.call('create_lsu v second');
    expect(answer).toMatchObject({ name: 'STS_ENOTMOUNTED' });
    for (const text of [a, b, c, ids.a, ids.b]) expect(answer.text).toContain(text);
    expect((await host.ok('server_prop v')).mounted).toBe(false);
    // One that shows the right store serves, whichever it is.
    renameSync(join(mounts.directory, 'marker'), join(mounts.directory, 'store/.vast-ost-store'));
    rmSync(b, { recursive: true });
    symlinkSync('store', b);
    await expectImage(host, mounts.imageOf('a', ['b', 'c']));
    expect((await host.ok('server_prop v')).mounted).toBe(true);
  }
  expect(engine.bugs()).toEqual([]);
});

function markAs(root: string, storeId: string): void {
  writeFileSync(join(root, '.vast-ost-store'), encodeMarker({ storeId, createdAt: new Date(0).toISOString() }));
}
