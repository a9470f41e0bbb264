/** Several mounts of one export: where images go, what happens when a mount goes, and who waits for late writes. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeMarker } from '../../engine/image/marker.ts';
import { randomOf } from '../fault/power-loss/choices.ts';
import { baseline, settled, until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { seed } from '../support/seed.ts';
import { errno } from './faults-kit.ts';
import { MountsEngine } from './mounts-kit.ts';

const mib = 1 << 20;
const jobsEach = Number(process.env.VAST_OST_MOUNT_JOBS ?? 12);

async function writeImage(host: HostScript, image: string, seed = 3): Promise<void> {
  await host.ok(`create_image v i lsu ${image} 7`);
  await host.ok(`write i 0 ${mib} ${seed}`);
  await host.ok('close i 1');
}

async function expectImage(host: HostScript, image: string, seed = 3): Promise<void> {
  await host.ok(`open_image v r lsu ${image} 7 read`);
  expect(await host.ok(`read r 0 ${mib} expect=${seed}`)).toMatchObject({ got: mib, match: true });
  await host.ok('close r 1');
}

/** Paths of all calls of this name, each with the name of the link that led to it in front. */
function pathsOf(mounts: MountsEngine, call: string): string[] {
  return mounts.shim.readLog().flatMap((line) => (line.kind === 'begin' && line.name === call ? [line.path] : []));
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

/** An image that an engine flushed on mount a before it was killed; among a, b and c it belongs to c. */
async function diedOnA(mounts: MountsEngine): Promise<string> {
  const { engine } = mounts;
  const image = mounts.imageWhere(
    (name) => mounts.bestFor(name, ['a', 'b']) === 'a' && mounts.bestFor(name, ['a', 'b', 'c']) === 'c',
  );
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok(`create_image v i lsu ${image} 7`);
  expect(claimedAt(mounts, image)).toBe(mounts.path('a'));
  await host.ok(`write i 0 ${mib} 3`);
  await host.ok('flush i');
  await engine.kill();
  return image;
}

test('a resume on another mount waits for late writes on the one where the writer died', async () => {
  await using mounts = await MountsEngine.start();
  const { engine } = mounts;
  const image = await diedOnA(mounts);
  await mounts.launch(['a', 'b', 'c']);
  const { shim } = mounts;
  {
    await using host = await engine.script();
    shim.arm(0, { action: 'hang', count: 0, names: ['chmod'], path: `a:lsu/${image}~7/*` });
    const busy = await host.call(`open_image v i lsu ${image} 7 write`);
    expect(busy).toMatchObject({ name: 'STS_EBUSY' });
    expect(busy.text).toContain(`died at ${mounts.path('a')}, which does not answer`);
    expect(busy.text).toContain('try again');
    // Nobody took it: the claim stands that tells the mount.
    expect(claimedAt(mounts, image)).toBe(mounts.path('a'));
    shim.disarm(0);
    await host.ok(`open_image v i lsu ${image} 7 write`);
    expect(claimedAt(mounts, image)).toBe(mounts.path('c'));
    expect(await host.ok('prop i')).toMatchObject({ durable: mib });
    await host.ok(`write i ${mib} ${mib} 3`);
    await host.ok('close i 1');
    await host.ok(`open_image v r lsu ${image} 7 read`);
    expect(await host.ok(`read r 0 ${2 * mib} expect=3`)).toMatchObject({ match: true });
    await host.ok('close r 1');
  }
  expect(fenced(mounts, image)).toEqual(['a:image.data', 'a:image.sums', 'c:image.data']);
  expect(engine.bugs()).toEqual([]);
});

test('a resume that fails on the mount where the writer died leaves the claim that tells it', async () => {
  await using mounts = await MountsEngine.start();
  const { engine } = mounts;
  const image = await diedOnA(mounts);
  await mounts.launch(['a', 'b']);
  const { shim } = mounts;
  {
    await using host = await engine.script();
    shim.arm(0, { action: 'fail', argument: errno.EACCES, count: 0, names: ['open'], path: `a:lsu/${image}~7/*.data` });
    expect((await host.call(`open_image v i lsu ${image} 7 write`)).text).toContain('EACCES');
    // Nothing has waited for the dead writer yet: the next one, on whatever mount, must know of it.
    expect(claimedAt(mounts, image)).toBe(mounts.path('a'));
    shim.disarm(0);
    await host.ok(`open_image v i lsu ${image} 7 write`);
    expect(await host.ok('prop i')).toMatchObject({ durable: mib });
    await host.ok('close i 1');
  }
  expect(engine.bugs()).toEqual([]);
});

/** Files of the image whose late writes somebody waited for, by mount, in the order of the first time. */
function fenced(mounts: MountsEngine, image: string): string[] {
  const paths = pathsOf(mounts, 'chmod');
  return [...new Set(paths)].map((path) => path.replace(`lsu/${image}~7/`, '')).sort();
}

test('a dead writer whose mount is none of ours any more keeps its image busy until the machine has restarted', async () => {
  await using mounts = await MountsEngine.start();
  const { engine } = mounts;
  const image = await diedOnA(mounts);
  await mounts.launch(['b', 'c']);
  {
    await using host = await engine.script();
    const busy = await host.call(`open_image v i lsu ${image} 7 write`);
    expect(busy).toMatchObject({ name: 'STS_EBUSY' });
    expect(busy.text).toContain(`${mounts.path('a')}, which is no mount point of this engine now`);
    const claim = join(mounts.directory, 'store/lsu', `${image}~7/claim.1`);
    const before = JSON.parse(readFileSync(claim, 'utf8')) as Record<string, unknown>;
    const boot = '00000000-0000-4000-8000-000000000000';
    writeFileSync(claim, `${JSON.stringify({ ...before, boot_id: boot })}\n`);
    await host.ok(`open_image v i lsu ${image} 7 write`);
    expect(await host.ok('prop i')).toMatchObject({ durable: mib });
    await host.ok('close i 1');
  }
  expect(engine.bugs()).toEqual([]);
});

test('a claim that tells no mount: late writes are waited for on all of them', async () => {
  await using mounts = await MountsEngine.start({ names: ['a'] });
  const { engine } = mounts;
  const image = mounts.imageOf('b', ['a', 'c']);
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok(`create_image v i lsu ${image} 7`);
    await host.ok(`write i 0 ${mib} 3`);
    await host.ok('flush i');
    expect(claimedAt(mounts, image)).toBeUndefined();
    await engine.kill();
  }
  await mounts.launch(['a', 'b', 'c']);
  {
    await using host = await engine.script();
    await host.ok(`open_image v i lsu ${image} 7 write`);
    await host.ok('close i 1');
  }
  expect(fenced(mounts, image)).toEqual([
    'a:image.data',
    'a:image.sums',
    'b:image.data',
    'b:image.sums',
    'c:image.data',
    'c:image.sums',
  ]);
  expect(engine.bugs()).toEqual([]);
});

test('two storage servers over one store, each with a mount of its own: one waits for the late writes of the other', async () => {
  await using mounts = await MountsEngine.start({ names: ['a'], others: ['b'] });
  const { engine } = mounts;
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok(`write i 0 ${mib} 3`);
    await host.ok('flush i');
    expect(claimedAt(mounts, 'image')).toBe(mounts.path('a'));
    await engine.kill();
  }
  await mounts.launch(['a'], ['b']);
  {
    await using host = await engine.script();
    await host.ok('open_server s o VastData:other');
    await host.ok('open_image o i lsu image 7 write');
    expect(await host.ok('prop i')).toMatchObject({ durable: mib });
    await host.ok('close i 1');
    expect(fenced(mounts, 'image')).toEqual(['a:image.data', 'a:image.sums', 'b:image.data']);
    await expectImage(host, 'image');
  }
  expect(engine.bugs()).toEqual([]);
});

/** The mount that an image's claim names. */
function claimedAt({ directory }: MountsEngine, image: string): string | undefined {
  const dir = join(directory, 'store/lsu', `${image}~7`);
  const [claim] = readdirSync(dir).filter((name) => name.startsWith('claim.'));
  return (JSON.parse(readFileSync(join(dir, claim as string), 'utf8')) as { mount?: string }).mount;
}
