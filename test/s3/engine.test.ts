/** Images through plug-in, engine and net lanes into a bucket, and back. */
import { expect, test } from 'vitest';
import { gen } from '../support/host-program.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';

const mib = 1 << 20;

test.each([
  ['empty', 0],
  ['smaller than a part', 3 * mib + 1536],
  ['one block', 8 * mib],
  ['one block and a little', 8 * mib + 512],
  ['several parts and a tail', 39 * mib + 1536],
])('an image that is %s is read back', async (_, size) => {
  await using server = await S3Server.start();
  await using engine = await startS3Engine({ server, endpoints: server.url });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  if (size > 0) await host.ok(`write i 0 ${size} 5`);
  await host.ok('close i 1');
  expect(Buffer.from(server.bytes('lsu/image~7/image.data') ?? []).equals(gen(5, 0, size))).toBe(true);
  expect(server.keys('lsu/image~7/').sort()).toEqual(
    ['image.data', 'image.meta', 'image.sums'].map((name) => `lsu/image~7/${name}`),
  );
  expect(server.uploads()).toEqual([]);
  expect(await host.ok('prop_byname v lsu image 7')).toMatchObject({ size, state: 'complete' });
  await host.ok('open_image v r lsu image 7 1');
  if (size > 0) expect(await host.ok(`read r 0 ${size} expect=5`)).toMatchObject({ got: size });
  await host.ok('close r 0');
  expect(engine.bugs()).toEqual([]);
});
