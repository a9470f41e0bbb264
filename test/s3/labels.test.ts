/** The objects of an image's data tell whose they are, in one piece, in parts, and after a resume. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestEngine } from '../support/engine.ts';
import { gen, type HostScript } from '../support/host-program.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';

const mib = 1 << 20;
const dataIn = (lsu: string): string => `${lsu}/image~7/image.data`;

/** Of the stored object, without what the server adds. */
function labelsAt(server: S3Server, lsu: string): Record<string, string> {
  const own = Object.entries(server.object(dataIn(lsu)).headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  return Object.fromEntries(own.map(([name, value]) => [name.slice('x-amz-meta-'.length), value]));
}

const hex = (text: string): string => `hex:${Buffer.from(text).toString('hex')}`;
/** Unicode, an attempt at a header of its own, and names that fill their fields with bytes that must be escaped. */
const policy = 'Ärzte ✓\r\nx-amz-acl: public-read';
const schedule = 'ß'.repeat(127);
const client = '\u0001'.repeat(255);
const definition = `policy=${hex(policy)} schedule=${hex(schedule)} client=${hex(client)}`;

function expectHostile(labels: Record<string, string>): void {
  expect(Object.keys(labels).sort()).toEqual(['client', 'format', 'image', 'policy', 'schedule']);
  expect(labels).toMatchObject({ format: 'vast-ost-1', image: 'image~7' });
  expect(decodeURIComponent(labels.policy ?? '')).toBe(policy);
  expect(decodeURIComponent(labels.schedule ?? '')).toMatch(/^ß+\.\.\.$/);
  expect(labels.client).toMatch(/^(%01)+\.\.\.$/);
  const bytes = Object.entries(labels).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  expect(bytes).toBeLessThanOrEqual(2048);
}

/** A new LSU and image, whose definition is hostile, with `bytes` of it written. */
async function begin(host: HostScript, lsu: string, bytes: number): Promise<void> {
  await host.ok(`create_lsu v ${lsu}`);
  await host.ok(`create_image v i ${lsu} image 7 ${definition}`);
  await host.ok(`write i 0 ${bytes} 5`);
}

describe('an image that is', () => {
  const behind = [
    { where: 'resumed before a part was sent', lsu: 'first', first: 3 * mib + 512, rest: 1 * mib },
    { where: 'resumed behind parts', lsu: 'parts', first: 9 * mib + 512, rest: 9 * mib },
  ];
  /**
   * Its upload is completed, and its writer dies before the meta says so. An object of whole MiB would be kept as it is, and
   * the image go on in another one.
   */
  const completed = { lsu: 'completed', size: 9 * mib + 512 };
  const held = new AsyncDisposableStack();
  let server!: S3Server;
  let engine!: TestEngine;

  // One engine writes them all and is killed, another goes on.
  beforeAll(async () => {
    server = held.use(await S3Server.start());
    engine = held.use(await startS3Engine({ server, endpoints: server.url }));
    await using hosts = new AsyncDisposableStack();
    const open = async (): Promise<HostScript> => hosts.use(await s3Script(engine));
    const whole = await open();
    await begin(whole, 'piece', 3 * mib);
    await whole.ok('close i 1');
    for (const { lsu, first } of behind) {
      const host = await open();
      await begin(host, lsu, first);
      await host.ok('flush i');
    }
    const host = await open();
    await begin(host, completed.lsu, completed.size);
    await host.ok('flush i');
    const stall = server.faults.add({
      match: { op: 'PutObject', key: `${completed.lsu}/*.meta` },
      action: { do: 'stall', at: 'start' },
    });
    const closed = host.call('close i 1').catch(() => null);
    await stall.stalled();
    expect(server.has(dataIn(completed.lsu))).toBe(true);
    await engine.kill();
    server.faults.clear();
    await closed;
    await engine.launch();
  });
  afterAll(() => held.disposeAsync());

  test('in one piece', () => {
    expectHostile(labelsAt(server, 'piece'));
  });

  test.each(behind)('$where', async ({ lsu, first, rest }) => {
    await using host = await s3Script(engine);
    await host.ok(`open_image v i ${lsu} image 7 2`);
    await host.ok(`write i ${first} ${rest} 5`);
    await host.ok('close i 1');
    expectHostile(labelsAt(server, lsu));
    expect(server.bytes(dataIn(lsu)).equals(gen(5, 0, first + rest))).toBe(true);
  });

  test('in an upload that was completed before its writer died: it goes on in a new one, with the same labels', async () => {
    const { lsu, size } = completed;
    const copied = server.counter('UploadPartCopy').count;
    await using host = await s3Script(engine);
    await host.ok(`open_image v i ${lsu} image 7 2`);
    await host.ok(`write i ${size} ${mib} 5`);
    await host.ok('close i 1');
    expect(server.counter('UploadPartCopy').count).toBeGreaterThan(copied);
    expectHostile(labelsAt(server, lsu));
    expect(engine.bugs()).toEqual([]);
  });
});

test('an image that is in parts, where checksums are refused', async () => {
  await using server = await S3Server.start({ mode: 'vast-like' });
  await using engine = await startS3Engine({ server, endpoints: server.url });
  await using host = await s3Script(engine);
  await begin(host, 'lsu', 17 * mib + 512);
  await host.ok('close i 1');
  expectHostile(labelsAt(server, 'lsu'));
  expect(engine.bugs()).toEqual([]);
});

test('an endpoint that refuses metadata gets none, and the image', async () => {
  await using server = await S3Server.start({ limits: { metadataBytesMax: 100 } });
  await using engine = await startS3Engine({ server, endpoints: server.url });
  await using host = await s3Script(engine);
  await begin(host, 'lsu', 10 * mib);
  await host.ok('close i 1');
  expect(labelsAt(server, 'lsu')).toEqual({});
  expect(await host.ok('prop_byname v lsu image 7')).toMatchObject({ state: 'complete' });
});
