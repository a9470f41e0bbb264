/**
 * Bits that flip between engine and endpoint: on the way up the endpoint refuses them and they are sent again, on the way
 * down they are found and read again; and a bit that flipped where it is stored is told as damage, at once and each time.
 */
import { expect, test } from 'vitest';
import { s3Script } from './engine-kit.ts';
import type { ProxyAction } from './proxy/fault-data.ts';
import { backup, dataSeed, mib, restore, startProxied, summaries } from './proxy-kit.ts';
import type { FaultMatch } from './server/fault-data.ts';
import { S3Server } from './server/server.ts';

const size = 18 * mib + 512;
const flipIn: ProxyAction = { do: 'flip', side: 'in', offset: 40, bit: 6 };
const flipOut: ProxyAction = { do: 'flip', side: 'out', offset: 40, bit: 6 };

/** Every body that goes up for an image, with how many retries stand in its summary line. */
const up: [what: string, match: FaultMatch, size: number, retries: number][] = [
  ['a part', { op: 'UploadPart', part: 2 }, size, 1],
  // Three parts and what goes again for them: the second and the fourth.
  ['every other part', { op: 'UploadPart', every: 2 }, 24 * mib, 2],
  ['an image of one object', { op: 'PutObject', key: '*.data' }, 3 * mib + 512, 1],
  ['the sums', { op: 'PutObject', key: '*.sums' }, size, 0],
  ['the meta', { op: 'PutObject', key: '*.meta', nth: 2 }, size, 0],
  ['the list of parts', { op: 'CompleteMultipartUpload' }, size, 0],
];

const signed: ReadonlySet<string> = new Set(['a part', 'an image of one object', 'the list of parts']);

test.each(['aws-like', 'vast-like'] as const)('on the way up to an endpoint that is %s', async (mode) => {
  await using server = await S3Server.start({ mode });
  await using run = await startProxied(server);
  await using host = await s3Script(run.engine);
  await host.ok('create_lsu v lsu');
  // Each body once, where CRCs go with them; where they are signed or hashed one of each kind.
  const some = mode === 'aws-like' ? up : up.filter(([what]) => signed.has(what));
  for (const [i, [what, match, bytes, retries]] of some.entries()) {
    const hits = match.every ?? 1;
    const fault = run.proxy.faults.add({ match: { ...match, count: hits }, action: flipIn });
    server.clearLog();
    await backup(host, `image${i}`, bytes);
    const refused = server.requests.filter(({ status }) => status === 400);
    expect([what, fault.hits, refused.length]).toEqual([what, hits, hits]);
    for (const { code } of refused) expect(code).toMatch(/BadDigest|SHA256Mismatch|InvalidDigest/);
    if (match.op !== 'PutObject' || match.key === '*.data') {
      expect((await summaries(run.engine, 'image written', i + 1)).at(-1), what).toMatchObject({ retries });
    }
    run.proxy.faults.remove(fault);
    expect(await restore(host, `image${i}`, bytes)).toBe('');
  }
  expect(run.engine.bugs()).toEqual([]);
});

test('on the way down: it is read again, and nobody is told', async () => {
  await using server = await S3Server.start();
  await using run = await startProxied(server);
  await using host = await s3Script(run.engine);
  await host.ok('create_lsu v lsu');
  await backup(host, 'image', size);
  const down: [FaultMatch, number][] = [
    [{ op: 'GetObject', key: '*.data', count: 1 }, 1],
    [{ op: 'GetObject', key: '*.data', nth: 2 }, 1],
    [{ op: 'GetObject', key: '*.sums', count: 1 }, 1],
    [{ op: 'GetObject', key: '*.meta', count: 1 }, 0],
  ];
  for (const [i, [match, retries]] of down.entries()) {
    const action = match.key === '*.sums' ? { ...flipOut, offset: 3 } : flipOut;
    const fault = run.proxy.faults.add({ match, action });
    expect(await restore(host, 'image', size), JSON.stringify(match)).toBe('');
    expect(fault.hits).toBe(1);
    expect((await summaries(run.engine, 'image read', i + 1)).at(-1)).toMatchObject({ retries });
    run.proxy.faults.remove(fault);
  }
  const warned = run.engine.log().filter(({ msg }) => String(msg).endsWith('does not match its checksum: read again'));
  expect(warned).toHaveLength(3);
  expect(warned[0]).toMatchObject({ level: 'WARN', offset: 0 });
  expect(run.engine.bugs()).toEqual([]);
});

test('a chunk that is damaged where it is stored is told, after it was read twice, and the rest is read', async () => {
  await using server = await S3Server.start();
  await using run = await startProxied(server);
  await using host = await s3Script(run.engine);
  await host.ok('create_lsu v lsu');
  await backup(host, 'image', size);
  server.flip('lsu/image~7/image.data', 9 * mib + 77, 3);
  for (let time = 0; time < 2; time++) {
    run.proxy.clearLog();
    await host.ok('open_image v r lsu image 7 1');
    const damaged = await host.call(`read r ${9 * mib} 4096 expect=${dataSeed}`);
    expect([damaged.name, damaged.text]).toEqual([
      'STS_EDAMAGED',
      expect.stringContaining(`offset ${9 * mib} is damaged`),
    ]);
    expect(run.proxy.requests.filter(({ op, key }) => op === 'GetObject' && key.endsWith('.data'))).toHaveLength(2);
    expect(await host.ok(`read r ${10 * mib} ${mib} expect=${dataSeed}`)).toMatchObject({ got: mib, match: true });
    await host.ok('close r 0');
  }
  server.flip('lsu/image~7/image.data', 9 * mib + 77, 3);
  server.flip('lsu/image~7/image.meta', 40, 3);
  expect(await host.call('open_image v r lsu image 7 1')).toMatchObject({ name: 'STS_EDAMAGED' });
  server.flip('lsu/image~7/image.meta', 40, 3);
  expect(await restore(host, 'image', size)).toBe('');
  expect(run.engine.bugs()).toEqual([]);
});
