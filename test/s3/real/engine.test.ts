/** Plug-in and engine over real S3 servers: upload, restore, resume; and one tree seen through NFS and through S3. */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testDirectory } from '../../support/engine.ts';
import type { HostScript } from '../../support/host-program.ts';
import { gen } from '../../support/host-program.ts';
import { s3Script, startS3Engine } from '../engine-kit.ts';
import { partLimit } from './part-limit.ts';
import { isBuilt, type RealKind, type RealOptions, RealServer, realKinds } from './real-server.ts';

const mib = 1 << 20;

async function writeImage(host: HostScript, server: string, image: string, size: number): Promise<void> {
  await host.ok(`create_image ${server} i lsu ${image} 7`);
  if (size > 0) await host.ok(`write i 0 ${size} 5`);
  await host.ok('close i 1');
}

async function expectImage(host: HostScript, server: string, image: string, size: number): Promise<void> {
  const checksum = `sha256:${createHash('sha256')
    .update(gen(5, 0, size))
    .digest('hex')}`;
  expect(await host.ok(`prop_byname ${server} lsu ${image} 7`)).toMatchObject({ size, state: 'complete', checksum });
  await host.ok(`open_image ${server} r lsu ${image} 7 1`);
  if (size > 0) expect(await host.ok(`read r 0 ${size} expect=5`)).toMatchObject({ got: size });
  await host.ok('close r 0');
}

const matrix: [name: string, options: Partial<RealOptions>][] = [
  ['http', {}],
  ['https with a CA file', { tls: true }],
  ['an IPv6 literal', { host: '::1' }],
];

describe.each(realKinds)('%s', (kind: RealKind) => {
  const built = describe.skipIf(!isBuilt(kind));
  built.each(matrix)('over %s', (_, options) => {
    test('images of every kind come back', async () => {
      await using server = await RealServer.start({ kind, ...options });
      await using engine = await startS3Engine({
        server,
        endpoints: server.url,
        keys: server.caPath === undefined ? {} : { ca_file: server.caPath },
      });
      await using host = await s3Script(engine);
      await host.ok('create_lsu v lsu');
      const sizes = [0, 1536, 8 * mib, 8 * mib + 512, 39 * mib + 1536];
      for (const [i, size] of sizes.entries()) await writeImage(host, 'v', `image${i}`, size);
      for (const [i, size] of sizes.entries()) await expectImage(host, 'v', `image${i}`, size);
      await host.ok('delete v lsu image0 7');
      expect((await host.call('open_image v r lsu image0 7 1')).status).not.toBe(0);
      expect(engine.bugs()).toEqual([]);
    });
  });

  built('resume', () => {
    test.each([3 * mib + 512, 19 * mib + 512])(
      'of an image flushed at %i by an engine that was killed',
      async (first) => {
        await using server = await RealServer.start({ kind });
        await using engine = await startS3Engine({ server, endpoints: server.url });
        {
          await using host = await s3Script(engine);
          await host.ok('create_lsu v lsu');
          await host.ok('create_image v i lsu image 7');
          await host.ok(`write i 0 ${first} 5`);
          await host.ok('flush i');
          await host.ok(`write i ${first} ${9 * mib} 6`);
          await engine.kill();
        }
        await engine.launch();
        await using host = await s3Script(engine);
        await host.ok('open_image v i lsu image 7 2');
        expect(await host.ok('prop i')).toMatchObject({ durable: first });
        await host.ok(`write i ${first} ${11 * mib} 5`);
        await host.ok('close i 1');
        await expectImage(host, 'v', 'image', first + 11 * mib);
        expect(engine.bugs()).toEqual([]);
      },
    );
  });
});

describe.skipIf(!isBuilt('versitygw'))('one tree through both', () => {
  test('an image in several objects is restored through S3 and through NFS, bit for bit', async () => {
    const directory = testDirectory();
    try {
      await using server = await RealServer.start({ kind: 'versitygw', directory, bucket: 'store' });
      await using limited = await partLimit(server.url, 3);
      await using engine = await startS3Engine({ server, endpoints: limited.url, directory });
      await using host = await s3Script(engine);
      await host.ok('open_server s f VastData:files');
      await host.ok('create_lsu v lsu');
      const size = 61 * mib + 512;
      await writeImage(host, 'v', 'image', size);
      const names = ['image.data', 'image.data.0002', 'image.data.0003'];
      const stored = names.map((name) => readFileSync(join(directory, `store/lsu/image~7/${name}`)));
      expect(stored.map(({ length }) => length)).toEqual([24 * mib, 24 * mib, 13 * mib + 512]);
      expect(Buffer.concat(stored).equals(gen(5, 0, size))).toBe(true);
      for (const server of ['v', 'f']) await expectImage(host, server, 'image', size);
      await host.ok('copy f lsu copy 7 lsu image 7');
      for (const server of ['v', 'f']) await expectImage(host, server, 'copy', size);
      await host.ok('delete f lsu image 7');
      expect((await host.call('open_image v r lsu image 7 1')).status).not.toBe(0);
      expect(engine.bugs()).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('what was written through NFS is restored through S3, and the other way round, bit for bit', async () => {
    const directory = testDirectory();
    try {
      await using server = await RealServer.start({ kind: 'versitygw', directory, bucket: 'store' });
      await using engine = await startS3Engine({ server, endpoints: server.url, directory });
      await using host = await s3Script(engine);
      await host.ok('open_server s f VastData:files');
      await host.ok('create_lsu f lsu');
      const sizes = [0, 1536, 8 * mib, 21 * mib + 512];
      for (const [i, size] of sizes.entries()) {
        await writeImage(host, 'f', `nfs${i}`, size);
        await writeImage(host, 'v', `s3${i}`, size);
      }
      for (const [i, size] of sizes.entries()) {
        for (const server of ['f', 'v'])
          for (const from of ['nfs', 's3']) await expectImage(host, server, `${from}${i}`, size);
        expect(readFileSync(join(directory, `store/lsu/s3${i}~7/image.data`)).equals(gen(5, 0, size))).toBe(true);
      }
      await host.ok('delete v lsu nfs3 7');
      expect((await host.call('open_image f r lsu nfs3 7 1')).status).not.toBe(0);
      await host.ok('delete f lsu s33 7');
      expect((await host.call('open_image v r lsu s33 7 1')).status).not.toBe(0);
      expect(engine.bugs()).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
