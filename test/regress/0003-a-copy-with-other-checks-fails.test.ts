/** A copy under `sums = false` of an image that has sums failed with a bug: the copy was made without a file for them. */
import { expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';

const mib = 1 << 20;

test('a copy has the sums and checksum of its source, whatever new images get', async () => {
  await using engine = await TestEngine.start({ config: { general: { use_direct_io: true } } });
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok(`write i 0 ${3 * mib + 512} 5`);
    await host.ok('close i 1');
  }
  expect(await engine.stop()).toBe(0);
  await using other = await TestEngine.start({
    directory: engine.directory,
    config: { integrity: { sums: false, checksum: 'none' } },
  });
  await using host = await other.script();
  await host.ok('copy v lsu copy 8 lsu image 7');
  const { checksum } = await host.ok('prop_byname v lsu image 7');
  expect(await host.ok('prop_byname v lsu copy 8')).toMatchObject({ state: 'complete', checksum });
  await host.ok('open_image v r lsu copy 8 1');
  expect(await host.ok(`read r 0 ${4 * mib} expect=5`)).toMatchObject({ got: 3 * mib + 512, match: true });
  await host.ok('close r 0');
  expect(other.bugs()).toEqual([]);
});
