/** Endpoints that are not what their passports say: asked again, and requests made anew as they can be. */
import { afterEach, expect, test } from 'vitest';
import { Bucket } from '../../workers/s3/bucket.ts';
import { Objects } from '../../workers/s3/objects.ts';
import { probeDirectory } from '../../workers/s3/probe.ts';
import { S3Store } from '../../workers/s3/s3-store.ts';
import { StoreError } from '../../workers/store.ts';
import { lsu, marker } from '../contract/store-kit.ts';
import { until } from '../support/engine-state.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import type { LoggedRequest } from './server/journal.ts';
import { S3Server, type StartOptions } from './server/server.ts';
import { aws, settingsOf } from './store-kit.ts';

const mib = 1 << 20;
const bytes = Buffer.alloc(1000, 7);

/** A clock that only waits, and the test, make go on. */
class Clock {
  at = 0;
  now(): number {
    return this.at;
  }
  async wait(ms: number): Promise<void> {
    this.at += ms;
  }
  random(): number {
    return 0.5;
  }
}

interface Kit extends AsyncDisposable {
  server: S3Server;
  store: S3Store;
  objects: Objects;
  clock: Clock;
  notes: string[];
  /** How often endpoints were asked. */
  probes(): number;
}

const servers: S3Server[] = [];

/** A bucket that was opened, its endpoints asked: `down` of them could not be reached; `foreign`: more. */
async function kit(options: StartOptions = {}, down: number[] = [], foreign: string[] = []): Promise<Kit> {
  const server = await S3Server.start(options);
  servers.push(server);
  server.plant('.vast-ost-store', Buffer.from(marker));
  const urls = [...server.endpoints.map(({ url }) => url), ...foreign];
  const endpoints = urls.flatMap(
    (url) => settingsOf({ url, bucket: server.bucket, credentials: server.credentials }).endpoints,
  );
  for (const i of down) await server.endpoints[i]?.down();
  const clock = new Clock();
  const objects = new Objects(new Bucket(settingsOf(server, { endpoints }), clock), aws);
  const notes: string[] = [];
  const store = new S3Store({
    objects,
    probing: true,
    note: (level, text, more) => notes.push(`${level} ${text} ${JSON.stringify(more)}`),
  });
  await store.openRoot({ root: '', requireMount: false, direct: true });
  await store.makeLsu({ lsu, text: '{}' });
  // A probe begins with a plain put of its own key.
  const isFirst = ({ op, key, headers }: LoggedRequest): boolean =>
    op === 'PutObject' &&
    /\.vast-ost-probe\/.*\/first$/.test(key) &&
    !('if-match' in headers || 'if-none-match' in headers);
  const probes = (): number => server.requests.filter(isFirst).length;
  return {
    server,
    store,
    objects,
    clock,
    notes,
    probes,
    async [Symbol.asyncDispose]() {
      await store.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const isPut = ({ op }: LoggedRequest): boolean => op === 'PutObject' || op === 'UploadPart';
const isProbe = ({ key }: LoggedRequest): boolean => key.includes(probeDirectory);

/** Whatever the endpoints did: nothing was sent both unsigned and without a checksum. */
afterEach(() => {
  for (const server of servers.splice(0)) {
    for (const { headers } of server.requests.filter(isPut)) {
      const isChecked = Object.keys(headers).some((name) => /^(x-amz-checksum-|content-md5$)/.test(name));
      expect(isChecked || /^[0-9a-f]{64}$/.test(headers['x-amz-content-sha256'] ?? '')).toBe(true);
    }
  }
});

test('a checksum that is refused now: puts under way go on, signed, and the endpoint is asked once', async () => {
  await using own = await kit();
  const { server, objects, notes, probes } = own;
  expect(objects.abilities.integrity).toBe('crc64nvme');
  server.options.checksums.crc64nvme = 'refuse';
  await Promise.all(Array.from({ length: 8 }, (_, i) => objects.put(`k${i}`, [bytes])));
  expect(server.keys('k').map((key) => server.bytes(key).equals(bytes))).toEqual(Array(8).fill(true));
  expect(objects.abilities.integrity).toBe('sha256');
  expect(probes(), 'at open, and once more').toBe(2);
  const [note = '', ...others] = notes;
  expect(note).toContain('warn an endpoint is not what its passport said');
  expect(note).toContain(`${server.url}: crc64nvmePart: verified -> refused`);
  expect(others).toEqual([]);
});

test('conditional puts that are refused now: new objects stay new, replaced ones are read back', async () => {
  await using own = await kit();
  const { server, objects, notes } = own;
  server.options.conditionalPut = 'refuse';
  expect(await objects.putNew('a', bytes)).toMatchObject({ size: bytes.length });
  expect(await objects.putNew('a', Buffer.from('another'))).toBeNull();
  expect(server.bytes('a')).toEqual(bytes);
  expect(await objects.replace('a', Buffer.from('third'), 'any')).not.toBeNull();
  expect(notes.join('\n')).toContain('only one engine may write to this bucket');
});

test('labels that are refused now are left out', async () => {
  await using own = await kit();
  const { server, objects } = own;
  server.options.limits.metadataBytesMax = 10;
  await objects.put('a', [bytes], { image: 'some-image~7' });
  expect(server.object('a').headers['x-amz-meta-image']).toBeUndefined();
  expect(objects.abilities.labels).toBe(false);
});

/** `write` adds parts, each of bytes of its own. */
async function image({ store }: Kit): Promise<{ write(count: number): Promise<void>; complete(): Promise<void> }> {
  const arg = { lsu, image: 'image~7', token: '0'.repeat(32), meta: '{}', claim: 'c', sumsHeader: null };
  const { data } = await store.createImage(arg);
  const open = store.files.get(data);
  if (open?.kind !== 'pendingData') throw new Error('an image that is being written');
  const { upload } = open.pending;
  let next = 0;
  return {
    async write(count) {
      for (let i = 0; i < count; i++) await upload.write(upload.end, partOf(next++), false);
    },
    complete: () => upload.complete(upload.end),
  };
}

const partOf = (index: number): Buffer => Buffer.alloc(5 * mib, index + 1);
const wholeOf = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, (_, i) => partOf(i)));

const crcsOfParts = (server: S3Server): boolean[] =>
  server.requests
    .filter(({ op, status, key }) => op === 'UploadPart' && status === 200 && !key.includes(probeDirectory))
    .map(({ headers }) => headers['x-amz-checksum-crc64nvme'] !== undefined);

test('in the middle of an upload with checksums: the other parts are signed, and the object is whole', async () => {
  await using own = await kit();
  const { server } = own;
  const { write, complete } = await image(own);
  await write(2);
  server.options.checksums.crc64nvme = 'refuse';
  await write(2);
  await complete();
  expect(crcsOfParts(server)).toEqual([true, true, false, false]);
  expect(server.bytes(`${lsu}/image~7/image.data`).equals(wholeOf(4))).toBe(true);
});

test('in the middle of an upload without checksums: no part gets one, although they are checked now', async () => {
  await using own = await kit({ mode: 'vast-like' });
  const { server, objects } = own;
  const { write, complete } = await image(own);
  await write(1);
  server.options.checksums.crc64nvme = 'verify';
  await objects.bucket.probe();
  expect(objects.abilities.integrity).toBe('crc64nvme');
  await write(1);
  await complete();
  expect(crcsOfParts(server)).toEqual([false, false]);
  expect(server.bytes(`${lsu}/image~7/image.data`).equals(wholeOf(2))).toBe(true);
});

test('an endpoint that was down at open and can do less is asked before it is used', async () => {
  await using own = await kit({ endpoints: [{}, {}] }, [1]);
  const { server, objects, clock, notes } = own;
  const second = server.endpoints[1];
  if (second === undefined) throw new Error('two endpoints');
  expect(objects.abilities).toMatchObject({ integrity: 'crc64nvme', conditionalPut: true });
  second.over = { checksums: { ...server.options.checksums, crc64nvme: 'refuse' }, conditionalPut: 'ignore' };
  await second.up();
  clock.at += 60_000;
  await until(async () => {
    await objects.put('a', [bytes]);
    return objects.abilities.integrity !== 'crc64nvme';
  });
  expect(objects.abilities).toMatchObject({ integrity: 'sha256', conditionalPut: false });
  expect(notes.join('\n')).toContain(`${second.url}: none -> there`);
  const there = (): LoggedRequest[] => server.requests.filter((one) => one.endpoint === 1 && !isProbe(one));
  await until(async () => {
    expect(await objects.putNew('.vast-ost-store', bytes), 'never over another one').toBeNull();
    // Requests take turns: of two puts one goes there.
    await Promise.all([objects.put('a', [bytes]), objects.put('b', [bytes])]);
    return there().some(isPut);
  });
  expect(there().filter(({ headers }) => headers['x-amz-checksum-crc64nvme'] !== undefined)).toEqual([]);
  expect(there().filter(({ status }) => status >= 400)).toEqual([]);
});

test('an endpoint that was gone and is another one now is asked before it is used', async () => {
  await using own = await kit();
  const { server, objects, clock } = own;
  await server.endpoints[0]?.down();
  await expect(objects.put('a', [bytes])).rejects.toThrow(StoreError);
  server.options.conditionalPut = 'ignore';
  server.plant('there', Buffer.from('of another writer'));
  await server.endpoints[0]?.up();
  clock.at += 60_000;
  expect(await objects.putNew('there', bytes)).toBeNull();
  expect(server.bytes('there').toString()).toBe('of another writer');
  expect(objects.abilities.conditionalPut).toBe(false);
});

/** Another storage, whose endpoint is down. */
async function otherStore() {
  const other = await S3Server.start();
  servers.push(other);
  other.plant('.vast-ost-store', Buffer.from(marker.replace('aaaa', 'bbbb')));
  const foreign = other.endpoints[0];
  if (foreign === undefined) throw new Error('an endpoint');
  await foreign.down();
  return { other, foreign };
}

test('otherStore: an endpoint that was down at open and shows another storage is never used', async () => {
  const { other, foreign } = await otherStore();
  await using own = await kit({}, [], [foreign.url]);
  const { server, objects, clock } = own;
  await foreign.up();
  clock.at += 60_000;
  const problemOf = (): string => objects.bucket.status().endpoints[1]?.problem ?? '';
  await until(async () => {
    await objects.put('a', [bytes]);
    return problemOf().includes('another .vast-ost-store');
  });
  for (let i = 0; i < 4; i++) await objects.put('b', [bytes]);
  expect(other.requests.every(({ key }) => key === '.vast-ost-store')).toBe(true);
  expect(other.keys('')).toEqual(['.vast-ost-store']);

  // With nobody else left the request fails, and says why.
  await server.endpoints[0]?.down();
  clock.at += 60_000;
  const failure = await objects.put('c', [bytes]).catch((error: unknown) => error);
  expect(String((failure as StoreError).failure.text)).toMatch(/WrongStore|ECONNREFUSED/);
  expect(other.keys('')).toEqual(['.vast-ost-store']);
});

test('an endpoint that came back and says nothing keeps no request from those that answer', async () => {
  await using own = await kit({ endpoints: [{}, {}] }, [1]);
  const { server, objects, clock } = own;
  await server.endpoints[1]?.up();
  const held = server.faults.add({ match: { endpoint: 1 }, action: { do: 'stall', at: 'start' } });
  server.faults.add({
    match: { endpoint: 0, key: 'a', count: 1 },
    action: { do: 'answer', status: 503, code: 'SlowDown' },
  });
  clock.at += 60_000;
  await objects.put('a', [bytes]);
  expect(server.bytes('a')).toEqual(bytes);
  await held.stalled();
  // Once it answers, it is used.
  held.release();
  await until(async () => {
    clock.at += 60_000;
    await Promise.all([objects.put('a', [bytes]), objects.put('b', [bytes])]);
    return server.requests.some((one) => one.endpoint === 1 && isPut(one) && !isProbe(one));
  });
});

test('otherStore: an endpoint whose marker cannot be read is not taken for one of this storage', async () => {
  const { other, foreign } = await otherStore();
  await using own = await kit({}, [], [foreign.url]);
  const { objects, clock } = own;
  const silent = other.faults.add({
    match: { op: 'GetObject', key: '.vast-ost-store' },
    action: { do: 'answer', status: 503, code: 'SlowDown' },
  });
  await foreign.up();
  clock.at += 60_000;
  await until(async () => {
    await Promise.all([objects.put('a', [bytes]), objects.put('b', [bytes])]);
    return silent.hits > 0 && objects.bucket.status().endpoints[1]?.problem !== '';
  });
  await Promise.all(Array.from({ length: 4 }, () => objects.put('a', [bytes])));
  expect(other.keys('')).toEqual(['.vast-ost-store']);
  expect(other.counter('PutObject').count).toBe(0);
});

test('refusals that a passport does not explain make nobody ask again and again', async () => {
  await using own = await kit();
  const { server, objects, probes, clock, notes } = own;
  server.faults.add({
    match: { op: 'PutObject', key: 'bad*' },
    action: { do: 'answer', status: 400, code: 'InvalidRequest' },
  });
  for (let i = 0; i < 20; i++) {
    await expect(objects.put('bad', [bytes])).rejects.toMatchObject({
      failure: { text: expect.stringContaining('InvalidRequest') },
    });
    clock.at += 100;
  }
  // Of 2 s: at once, and when the second had passed that the first had earned; then after two more.
  expect(probes()).toBeLessThanOrEqual(3);
  expect(probes()).toBeGreaterThanOrEqual(2);
  expect(notes).toEqual([]);
});

test('bytes that go on changing on their way make the endpoint be asked, and its passport stays', async () => {
  await using own = await kit();
  const { server, objects, probes } = own;
  server.faults.add({ match: { op: 'PutObject', key: 'a', count: 4 }, action: { do: 'corruptIn', offset: 3, bit: 1 } });
  await objects.put('a', [bytes]);
  expect(server.bytes('a')).toEqual(bytes);
  expect(probes()).toBe(2);
  expect(objects.abilities.integrity).toBe('crc64nvme');
});

test('through the engine: an image whose endpoint changes its mind half-way is written and read, and the log says so', async () => {
  await using server = await S3Server.start();
  servers.push(server);
  await using engine = await startS3Engine({ server, endpoints: server.url });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  await host.ok(`write i 0 ${8 * mib} 5`);
  await host.ok('flush i');
  server.options.checksums.crc64nvme = 'refuse';
  server.options.conditionalPut = 'refuse';
  await host.ok(`write i ${8 * mib} ${9 * mib} 5`);
  await host.ok('close i 1');
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.ok(`read r 0 ${64 * mib} expect=5`)).toMatchObject({ got: 17 * mib });
  await host.ok('close r 0');
  const said = () => engine.log().filter(({ msg }) => msg === 'an endpoint is not what its passport said');
  await until(() => said().length > 0);
  expect(said()).toMatchObject([{ level: 'WARN', server: 'VastData:s3', integrity: 'sha256', conditionalPut: false }]);
  await until(async () => (await engine.status()).servers.some(({ integrity }) => integrity === 'sha256'));
  expect(engine.bugs()).toEqual([]);
});
