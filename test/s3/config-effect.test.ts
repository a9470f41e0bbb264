/** Each key of a storage server in a bucket does what it says to its requests, seen at the server. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TestEngine } from '../support/engine.ts';
import { testDirectory } from '../support/engine.ts';
import { type S3EngineOptions, s3Script, startS3Engine } from './engine-kit.ts';
import { caPath, S3Server, type StartOptions } from './server/server.ts';

const mib = 1 << 20;

/** Writes an image of `size` bytes; the text of what failed, or ''. */
async function written(engine: TestEngine, size = 20 * mib): Promise<string> {
  await using host = await s3Script(engine);
  for (const line of ['create_lsu v lsu', 'create_image v i lsu image 7', `write i 0 ${size} 5`, 'close i 1']) {
    const answer = await host.call(line);
    if (answer.status !== 0) return answer.text;
  }
  return '';
}

async function withEngine(
  keys: NonNullable<S3EngineOptions['keys']>,
  work: (engine: TestEngine, server: S3Server) => Promise<void>,
  options: StartOptions = {},
): Promise<void> {
  await using server = await S3Server.start(options);
  const host = keys.addressing === 'virtual' ? 'localhost' : '127.0.0.1';
  await using engine = await startS3Engine({ server, endpoints: server.url.replace('127.0.0.1', host), keys });
  await work(engine, server);
  expect(engine.bugs()).toEqual([]);
}

test('prefix: keys begin with it', async () => {
  await using server = await S3Server.start();
  const marked = { ...server, bucket: server.bucket, credentials: server.credentials };
  const plant = (key: string, bytes: Uint8Array): unknown => server.plant(`some/where/${key}`, bytes);
  await using engine = await startS3Engine({
    server: { ...marked, plant },
    endpoints: server.url,
    keys: { prefix: 'some/where' },
  });
  expect(await written(engine)).toBe('');
  expect(server.keys().every((key) => key.startsWith('some/where/'))).toBe(true);
  expect(server.bytes('some/where/lsu/image~7/image.data')).toHaveLength(20 * mib);
});

test('region: requests are signed for it', async () => {
  await withEngine({ region: 'eu-there-1' }, async (engine) => expect(await written(engine)).toBe(''), {
    region: 'eu-there-1',
  });
  await withEngine({}, async (engine) => expect(await written(engine)).toContain('AuthorizationHeaderMalformed'), {
    region: 'eu-there-1',
  });
});

test('addressing: the bucket stands in the host name', async () => {
  await withEngine({ addressing: 'virtual' }, async (engine) => expect(await written(engine)).toBe(''), {
    pathStyle: false,
  });
});

test('credentials_file: its keys are used, and new ones as soon as they are there', async () => {
  const directory = testDirectory();
  const file = join(directory, 'credentials');
  const store = (secret: string): void => {
    writeFileSync(file, `[default]\naws_access_key_id = FILEKEY\naws_secret_access_key = ${secret}\n`);
    chmodSync(file, 0o600);
  };
  store('first');
  await withEngine(
    { credentials_file: file },
    async (engine, server) => {
      expect(await written(engine, 4096)).toBe('');
      const [known] = server.options.credentials;
      if (known === undefined) throw new Error('no credentials');
      known.secretAccessKey = 'second-secret';
      store('second-secret');
      await using host = await s3Script(engine);
      await host.ok('open_image v r lsu image 7 1');
      await host.ok('read r 0 4096 expect=5');
    },
    { credentials: [{ accessKeyId: 'FILEKEY', secretAccessKey: 'first' }] },
  );
});

test('ca_file: endpoints are trusted by it, and not without', async () => {
  const options: StartOptions = { endpoints: [{ protocol: 'https' }] };
  await withEngine({ ca_file: caPath }, async (engine) => expect(await written(engine)).toBe(''), options);
  await withEngine({}, async (engine) => expect(await written(engine)).toContain('set ca_file'), options);
});

test('part_size_mb: parts are so long, and the slots', async () => {
  await withEngine({ part_size_mb: 12 }, async (engine, server) => {
    expect(await written(engine, 30 * mib)).toBe('');
    const parts = server.requests.filter(
      ({ op, status, key }) => op === 'UploadPart' && status === 200 && key?.includes('lsu/'),
    );
    expect(parts.map(({ bytesIn }) => bytesIn / mib).sort((a, b) => b - a)).toEqual([12, 12, 6]);
  });
});

test('parts_in_flight: so many at once, and two more slots', async () => {
  await withEngine({ parts_in_flight: 3 }, async (engine, server) => {
    const hold = server.faults.add({ match: { op: 'UploadPart', key: 'lsu/*' }, action: { do: 'stall', at: 'read' } });
    await using host = await s3Script(engine);
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok(`write i 0 ${5 * 8 * mib} 5`);
    await hold.stalled(3);
    const [job] = (await engine.status()).jobs;
    expect(job?.slots.of).toBe(5);
    expect(hold.hits).toBe(3);
    hold.release();
    await host.ok('close i 1');
  });
});

test('connect_timeout_s: a connection that does not come up is given up', async () => {
  await withEngine(
    { connect_timeout_s: 1, request_retry_s: 0, ca_file: caPath },
    async (engine, server) => {
      const [endpoint] = server.endpoints;
      if (endpoint === undefined) throw new Error('no endpoint');
      await engine.kill();
      endpoint.onConnect = 'silent';
      await engine.launch();
      expect(await written(engine)).toContain('no connection after 1000 ms');
    },
    { endpoints: [{ protocol: 'https' }] },
  );
});

test('idle_timeout_s and request_retry_s: a request that stands still is given up, and told at the end', async () => {
  await withEngine({ idle_timeout_s: 1, request_retry_s: 1 }, async (engine, server) => {
    server.faults.add({ match: { op: 'UploadPart', key: 'lsu/*' }, action: { do: 'stall', at: 'read' } });
    const text = await written(engine);
    expect(text).toMatch(/UploadPart of http.*\/lsu\/image~7\/image.data part [12] failed/);
    expect(text).toContain('nothing moved for 1000 ms');
  });
});
