/** Several mounts: who takes an image over from a dead writer waits for what that one left under way, wherever it was. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errno } from './faults-kit.ts';
import { claimedAt, expectImage, MountsEngine, pathsOf } from './mounts-kit.ts';

const mib = 1 << 20;

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
