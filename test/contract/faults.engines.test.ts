/** Two engines: on one storage root they respect each other's writers, on one socket the second does not come up. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { baseline, settled } from '../support/engine-state.ts';

const mib = 1 << 20;

test("an image that another engine's writer holds is busy, until that engine is gone", async () => {
  await using first = await TestEngine.start();
  await using second = await TestEngine.start({ config: { general: { nfs_mount_point: first.store } } });
  const from = baseline(second);
  {
    await using writer = await first.script();
    await writer.ok('create_lsu v lsu');
    await writer.ok('create_image v i lsu image 7');
    await writer.ok(`write i 0 ${mib} 3`);
    await writer.ok('flush i');
    await writer.ok(`write i ${mib} ${mib} 3`);
    await using other = await second.script();
    const busy = { name: 'STS_EBUSY', text: expect.stringContaining(`process ${first.pid} (claim.1) is writing it`) };
    expect(await other.call('open_image v i lsu image 7 write')).toMatchObject(busy);
    expect(await other.call('delete v lsu image 7')).toMatchObject(busy);
    expect((await other.call('create_image v i lsu image 7')).name).toBe('STS_EEXIST');
    expect(await other.ok('prop_byname v lsu image 7')).toMatchObject({ state_bits: 5, size: mib });
    expect((await other.call('open_image v r lsu image 7 read')).name).toBe('STS_ESTATE');
    // What one completes, the other reads, copies and deletes.
    await writer.ok('create_image v j lsu done 7');
    await writer.ok('write j 0 512 3');
    await writer.ok('close j 1');
    await other.ok('open_image v r lsu done 7 read');
    expect(await other.ok('read r 0 1M expect=3')).toMatchObject({ got: 512, match: true });
    await other.ok('delete v lsu done 7');
    await other.ok('close r 0');
    expect((await writer.call('prop_byname v lsu done 7')).name).toBe('STS_ENOENT');
    await first.kill();
    await other.ok('open_image v i lsu image 7 write');
    expect(await other.ok('prop i')).toMatchObject({ durable: mib });
    const claims = readdirSync(join(first.store, 'lsu/image~7')).filter((name) => name.startsWith('claim'));
    expect(claims).toEqual(['claim.2']);
    await other.ok(`write i ${mib} ${mib} 4`);
    await other.ok('close i 1');
    await other.ok('open_image v r lsu image 7 read');
    expect(await other.ok(`read r 0 16M expect=3:${mib},4`)).toMatchObject({ got: 2 * mib, match: true });
    await other.ok('close r 0');
  }
  await settled(second, from);
  expect(readdirSync(join(first.store, 'lsu/image~7')).sort()).toEqual(['image.data', 'image.meta', 'image.sums']);
});

test('a second engine on one socket does not come up, and harms the first not', async () => {
  await using first = await TestEngine.start();
  await using host = await first.script();
  await host.ok('create_lsu v lsu');
  const second = TestEngine.start({
    directory: first.directory,
    config: { logging: { log_file: join(first.directory, 'second.log') } },
  });
  await expect(second).rejects.toThrow(
    `another engine holds ${first.socket}.lock: stop it first, or give this one its own [engine] socket`,
  );
  await host.ok('create_image v i lsu image 7');
  await host.ok('close i 1');
  // The socket's file alone holds nobody back.
  await first.kill();
  await first.launch();
  await using again = await first.script();
  await again.ok('delete v lsu image 7');
  expect(first.bugs()).toEqual([]);
});

test('an image that is deleted from outside while it is written fails its flush and close', async () => {
  await using engine = await TestEngine.start();
  const from = baseline(engine);
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    for (const call of ['flush i', 'close i 1', 'close i 0']) {
      await host.ok('create_image v i lsu image 7');
      await host.ok('write i 0 512 3');
      await host.ok('flush i');
      await host.ok('write i 512 512 3');
      rmSync(join(engine.store, 'lsu/image~7'), { recursive: true });
      const gone = { name: 'STS_EGONE', text: expect.stringContaining('was taken over by another writer, or deleted') };
      expect(await host.call(call)).toMatchObject(gone);
      if (call === 'flush i') expect(await host.call('close i 1')).toMatchObject(gone);
      expect((await host.call('prop_byname v lsu image 7')).name).toBe('STS_ENOENT');
    }
  }
  await settled(engine, from);
});
