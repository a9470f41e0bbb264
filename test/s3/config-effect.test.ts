/** Each key of a storage server in a bucket does what it says to its requests, seen at the server. */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';
import { type EngineOptions, TestEngine, testDirectory } from '../support/engine.ts';
import { HostScript } from '../support/host-program.ts';
import { caPath, S3Server, type StartOptions } from './server/server.ts';

const mib = 1 << 20;

/** A storage server for each key, all of one engine, each before an S3 server of its own. */
interface Case {
  readonly keys: Readonly<Record<string, string | number | boolean>>;
  readonly options?: StartOptions;
  /** Where its marker lies. */
  readonly prefix?: string;
  /** Accepts connections and says nothing, from before the engine's start on. */
  readonly silent?: true;
}

const tls: StartOptions = { endpoints: [{ protocol: 'https' }] };
const elsewhere: StartOptions = { region: 'eu-there-1' };
const fileKeys: StartOptions = { credentials: [{ accessKeyId: 'FILEKEY', secretAccessKey: 'first' }] };
const directory = testDirectory();
const credentialsFile = join(directory, 'credentials');

const cases = {
  prefix: { keys: { prefix: 'some/where' }, prefix: 'some/where/' },
  region: { keys: { region: 'eu-there-1' }, options: elsewhere },
  'no-region': { keys: {}, options: elsewhere },
  addressing: { keys: { addressing: 'virtual' }, options: { pathStyle: false } },
  credentials: { keys: { credentials_file: credentialsFile }, options: fileKeys },
  ca: { keys: { ca_file: caPath }, options: tls },
  'no-ca': { keys: {}, options: tls },
  parts: { keys: { part_size_mb: 12 } },
  flight: { keys: { parts_in_flight: 3 } },
  connect: { keys: { connect_timeout_s: 1, request_retry_s: 0, ca_file: caPath }, options: tls, silent: true },
  idle: { keys: { idle_timeout_s: 1, request_retry_s: 1 } },
} satisfies Record<string, Case>;
type Name = keyof typeof cases;

const held = new AsyncDisposableStack();
const servers = new Map<Name, S3Server>();
let engine!: TestEngine;

function secretOf(secret: string): void {
  writeFileSync(credentialsFile, `[default]\naws_access_key_id = FILEKEY\naws_secret_access_key = ${secret}\n`);
  chmodSync(credentialsFile, 0o600);
}

function serverOf(name: Name): S3Server {
  return servers.get(name) as S3Server;
}

beforeAll(async () => {
  secretOf('first');
  const sections: NonNullable<EngineOptions['config']> = {};
  for (const [name, { keys, options, prefix = '', silent }] of Object.entries(cases) as [Name, Case][]) {
    const server = held.use(await S3Server.start(options));
    servers.set(name, server);
    server.plant(`${prefix}.vast-ost-store`, Buffer.from(encodeMarker(newMarker(new Date(0)))));
    if (silent) for (const endpoint of server.endpoints) endpoint.onConnect = 'silent';
    const host = keys.addressing === 'virtual' ? 'localhost' : '127.0.0.1';
    const endpoints = server.url.replace('127.0.0.1', host);
    const own = { store: 's3', endpoints, bucket: server.bucket, part_size_mb: 8, request_retry_s: 10 };
    sections[`server:${name}`] = { ...own, ...keys };
  }
  const { accessKeyId, secretAccessKey } = serverOf('prefix').credentials;
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  engine = held.use(await TestEngine.start({ config: sections, env }));
});
afterEach(() => expect(engine.bugs()).toEqual([]));
afterAll(async () => {
  await held.disposeAsync();
  rmSync(directory, { recursive: true });
});

async function script(name: Name): Promise<HostScript> {
  const host = new HostScript();
  await host.ok(`init ${engine.config}`);
  await host.ok('session s job');
  await host.ok(`open_server s v VastData:${name}`);
  return host;
}

/** Writes an image of `size` bytes; the text of what failed, or ''. */
async function written(name: Name, size = 20 * mib): Promise<string> {
  await using host = await script(name);
  for (const line of ['create_lsu v lsu', 'create_image v i lsu image 7', `write i 0 ${size} 5`, 'close i 1']) {
    const answer = await host.call(line);
    if (answer.status !== 0) return answer.text;
  }
  return '';
}

test('prefix: keys begin with it', async () => {
  expect(await written('prefix')).toBe('');
  const server = serverOf('prefix');
  expect(server.keys().every((key) => key.startsWith('some/where/'))).toBe(true);
  expect(server.bytes('some/where/lsu/image~7/image.data')).toHaveLength(20 * mib);
});

test('region: requests are signed for it', async () => {
  expect(await written('region')).toBe('');
  expect(await written('no-region')).toContain('AuthorizationHeaderMalformed');
});

test('addressing: the bucket stands in the host name', async () => {
  expect(await written('addressing')).toBe('');
});

test('credentials_file: its keys are used, and new ones as soon as they are there', async () => {
  expect(await written('credentials', 4096)).toBe('');
  const [known] = serverOf('credentials').options.credentials;
  if (known === undefined) throw new Error('no credentials');
  known.secretAccessKey = 'second-secret';
  secretOf('second-secret');
  await using host = await script('credentials');
  await host.ok('open_image v r lsu image 7 1');
  await host.ok('read r 0 4096 expect=5');
});

test('ca_file: endpoints are trusted by it, and not without', async () => {
  expect(await written('ca')).toBe('');
  expect(await written('no-ca')).toContain('set ca_file');
});

test('part_size_mb: parts are so long, and the slots', async () => {
  expect(await written('parts', 30 * mib)).toBe('');
  const parts = serverOf('parts').requests.filter(
    ({ op, status, key }) => op === 'UploadPart' && status === 200 && key?.includes('lsu/'),
  );
  expect(parts.map(({ bytesIn }) => bytesIn / mib).sort((a, b) => b - a)).toEqual([12, 12, 6]);
});

test('parts_in_flight: so many at once, and two more slots', async () => {
  const hold = serverOf('flight').faults.add({
    match: { op: 'UploadPart', key: 'lsu/*' },
    action: { do: 'stall', at: 'read' },
  });
  await using host = await script('flight');
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu slots 7');
  await host.ok(`write i 0 ${5 * 8 * mib} 5`);
  await hold.stalled(3);
  const job = (await engine.status()).jobs.find(({ image }) => image.includes('slots'));
  expect(job?.slots.of).toBe(5);
  expect(hold.hits).toBe(3);
  hold.release();
  await host.ok('close i 1');
});

test('connect_timeout_s: a connection that does not come up is given up', async () => {
  expect(await written('connect')).toContain('no connection after 1000 ms');
});

test('idle_timeout_s and request_retry_s: a request that stands still is given up, and told at the end', async () => {
  serverOf('idle').faults.add({
    match: { op: 'UploadPart', key: 'lsu/*' },
    action: { do: 'stall', at: 'read' },
  });
  const text = await written('idle');
  expect(text).toMatch(/UploadPart of http.*\/lsu\/image~7\/image.data part [12] failed/);
  expect(text).toContain('nothing moved for 1000 ms');
});
