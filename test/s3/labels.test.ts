/** The objects of an image's data tell whose they are, in one piece, in parts, and after a resume. */
import { expect, test } from 'vitest';
import { gen } from '../support/host-program.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server, type StartOptions } from './server/server.ts';

const mib = 1 << 20;
const data = 'lsu/image~7/image.data';

/** Of the stored object, without what the server adds. */
function labelsAt(server: S3Server): Record<string, string> {
  const own = Object.entries(server.object(data).headers).filter(([name]) => name.startsWith('x-amz-meta-'));
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

test.each([
  ['in one piece', 3 * mib, {}],
  ['in parts, where checksums are refused', 17 * mib + 512, { mode: 'vast-like' as const }],
])('an image that is %s', async (_, size, options: StartOptions) => {
  await using server = await S3Server.start(options);
  await using engine = await startS3Engine({ server, endpoints: server.url });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await host.ok(`create_image v i lsu image 7 ${definition}`);
  await host.ok(`write i 0 ${size} 5`);
  await host.ok('close i 1');
  expectHostile(labelsAt(server));
  expect(engine.bugs()).toEqual([]);
});

test.each([
  ['before a part was sent', 3 * mib + 512, 1 * mib],
  ['behind parts', 9 * mib + 512, 9 * mib],
])('an image that is resumed %s', async (_, first, rest) => {
  await using server = await S3Server.start();
  await using engine = await startS3Engine({ server, endpoints: server.url });
  {
    await using host = await s3Script(engine);
    await host.ok('create_lsu v lsu');
    await host.ok(`create_image v i lsu image 7 ${definition}`);
    await host.ok(`write i 0 ${first} 5`);
    await host.ok('flush i');
    await engine.kill();
  }
  await engine.launch();
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  await host.ok(`write i ${first} ${rest} 5`);
  await host.ok('close i 1');
  expectHostile(labelsAt(server));
  expect(server.bytes(data).equals(gen(5, 0, first + rest))).toBe(true);
});

test('an upload that was completed before its writer died goes on in a new one, with the same labels', async () => {
  await using server = await S3Server.start();
  await using engine = await startS3Engine({ server, endpoints: server.url });
  const size = 8 * mib;
  {
    await using host = await s3Script(engine);
    await host.ok('create_lsu v lsu');
    await host.ok(`create_image v i lsu image 7 ${definition}`);
    await host.ok(`write i 0 ${size} 5`);
    await host.ok('flush i');
    const held = server.faults.add({ match: { op: 'PutObject', key: '*.meta' }, action: { do: 'stall', at: 'start' } });
    const closed = host.call('close i 1').catch(() => null);
    await held.stalled();
    expect(server.has(data)).toBe(true);
    await engine.kill();
    server.faults.clear();
    await closed;
  }
  await engine.launch();
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  await host.ok(`write i ${size} ${mib} 5`);
  await host.ok('close i 1');
  expect(server.counter('UploadPartCopy').count).toBeGreaterThan(0);
  expectHostile(labelsAt(server));
});

test('an endpoint that refuses metadata gets none, and the image', async () => {
  await using server = await S3Server.start({ limits: { metadataBytesMax: 100 } });
  await using engine = await startS3Engine({ server, endpoints: server.url });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await host.ok(`create_image v i lsu image 7 ${definition}`);
  await host.ok(`write i 0 ${10 * mib} 5`);
  await host.ok('close i 1');
  expect(labelsAt(server)).toEqual({});
  expect(await host.ok('prop_byname v lsu image 7')).toMatchObject({ state: 'complete' });
});
