/** The thin path and its first branches, end to end: plug-in, socket, lanes, a real file system, and back. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { gen } from '../support/host-program.ts';

const mib = 1 << 20;

test('an image that was written is read back, listed with its checksum, and lies in the store as it was', async () => {
  await using engine = await TestEngine.start();
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  const size = 9 * mib + 1536;
  await host.ok(`write i 0 ${size} 5`);
  await host.ok('close i 1');
  const prop = await host.ok('prop_byname v lsu image 7');
  const data = readFileSync(join(engine.store, 'lsu/image~7/image.data'));
  expect(data.equals(gen(5, 0, size))).toBe(true);
  expect(prop).toMatchObject({
    size,
    state: 'complete',
    checksum: `sha256:${createHash('sha256').update(data).digest('hex')}`,
  });
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.ok(`read r 0 ${size} expect=5`)).toMatchObject({ got: size });
  expect(await host.ok(`read r ${size - 100} 4096 expect=5:100`)).toMatchObject({ got: 100 });
  await host.ok('close r 0');
  expect(engine.bugs()).toEqual([]);
});

test('a pending image is continued after its engine was killed, at its durable size', async () => {
  await using engine = await TestEngine.start();
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok(`write i 0 ${3 * mib + 512} 5`);
    await host.ok('flush i');
    await host.ok(`write i ${3 * mib + 512} ${5 * mib} 5`);
    await engine.kill();
    expect((await host.call('close i 1')).name).toBe('STS_ESOCKET');
  }
  await engine.launch();
  await using host = await engine.script();
  await host.ok('open_image v i lsu image 7 2');
  expect(await host.ok('prop i')).toMatchObject({ durable: 3 * mib + 512 });
  await host.ok(`write i ${3 * mib + 512} ${7 * mib} 5`);
  await host.ok('close i 1');
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.ok(`read r 0 ${32 * mib} expect=5`)).toMatchObject({ got: 10 * mib + 512 });
  await host.ok('close r 0');
  expect(engine.bugs()).toEqual([]);
  expect(await engine.stop()).toBe(0);
});

test('rewrites, holes filled late and odd sectors give the bytes that were written last', async () => {
  await using engine = await TestEngine.start();
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  await host.ok(`write i 512 ${2 * mib} 1`);
  await host.ok(`write i ${5 * mib} ${mib} 1`);
  await host.ok('write i 0 512 1');
  await host.ok(`write i ${2 * mib + 512} ${3 * mib - 512} 1`);
  await host.ok('flush i');
  await host.ok(`write i ${mib + 1024} 1536 2`);
  await host.ok('flush i');
  await host.ok('close i 1');
  await host.ok('open_image v r lsu image 7 1');
  const expected = `1:${mib + 1024},2:1536,1`;
  expect(await host.ok(`read r 0 ${32 * mib} expect=${expected}`)).toMatchObject({ got: 6 * mib });
  await host.ok('close r 0');
  const data = readFileSync(join(engine.store, 'lsu/image~7/image.data'));
  const prop = await host.ok('prop_byname v lsu image 7');
  expect(prop.checksum).toBe(`sha256:${createHash('sha256').update(data).digest('hex')}`);
  expect(engine.bugs()).toEqual([]);
});
