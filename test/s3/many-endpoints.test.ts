/**
 * Four endpoints of one bucket, through the engine and under load: one is killed and comes back, one is dead from the
 * start. No host program hears of it, and the load is even over those that live, counted at the proxies before them.
 */
import { expect, test } from 'vitest';
import { until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import type { S3Proxy } from './proxy/proxy.ts';
import { backup, gc, mib, type Proxied, restore, startProxied } from './proxy-kit.ts';
import { S3Server } from './server/server.ts';

/** Images that each stream writes, or reads, in each phase. */
const rounds = Number(process.env.VAST_OST_S3_ENDPOINT_ROUNDS ?? 1);
const sizes = [16 * mib, 24 * mib + 512];
const sizeOf = (n: number): number => sizes[n % sizes.length] ?? 0;
const writers = 3;
const readers = 2;
type Phase = 'before' | 'dead' | 'back';

/** Most that an endpoint's share may differ from an even one; and where there are only a few of them, so many. */
const uneven = 0.2;
const grain = { requests: 6, bytes: 24 * mib } as const;

interface Share {
  requests: number;
  bytes: number;
}

/** What came to each proxy for images, since its log was cleared. */
function shares(proxies: readonly S3Proxy[]): Share[] {
  return proxies.map(({ requests }) => {
    const ours = requests.filter(({ key }) => key.startsWith('lsu/'));
    return { requests: ours.length, bytes: ours.reduce((sum, { bytesIn, bytesOut }) => sum + bytesIn + bytesOut, 0) };
  });
}

/** What is not even; []: all is. */
function unevenness(phase: Phase, proxies: readonly S3Proxy[]): string[] {
  const all = shares(proxies);
  if (process.env.VAST_OST_S3_ENDPOINT_ROUNDS !== undefined) process.stdout.write(`${phase}: ${JSON.stringify(all)}\n`);
  return (['requests', 'bytes'] as const).flatMap((what) => {
    const even = all.reduce((sum, share) => sum + share[what], 0) / all.length;
    return all.flatMap((share, i) =>
      Math.abs(share[what] - even) <= Math.max(uneven * even, grain[what])
        ? []
        : [`${phase}: endpoint ${i} has ${share[what]} ${what}, an even share is ${Math.round(even)}`],
    );
  });
}

/** All streams at once, each in a host program of its own; returns what is wrong with the images. */
async function load({ engine }: Proxied, phase: Phase): Promise<string[]> {
  const stream = async (n: number): Promise<string[]> => {
    await using host: HostScript = await s3Script(engine);
    const wrong: string[] = [];
    for (let i = 0; i < rounds; i++) {
      if (n < writers) await backup(host, `${phase}-${n}-${i}`, sizeOf(n + i));
      else wrong.push(await restore(host, `ready-${(n + i) % sizes.length}`, sizeOf(n + i)));
    }
    return wrong.filter(Boolean);
  };
  return (await Promise.all(Array.from({ length: writers + readers }, (_, n) => stream(n)))).flat();
}

test(`one of four is killed under load and comes back (${rounds} images a stream and phase)`, {
  timeout: 60_000 + rounds * 30_000,
}, async () => {
  await using server = await S3Server.start();
  await using run = await startProxied(server, { count: 4, keys: { parts_in_flight: 3 } });
  const { engine, proxies } = run;
  const clear = (): void => {
    for (const proxy of proxies) proxy.clearLog();
  };
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  for (const [i, size] of sizes.entries()) await backup(host, `ready-${i}`, size);
  const problems: string[] = [];

  clear();
  problems.push(...(await load(run, 'before')), ...unevenness('before', proxies));

  clear();
  const victim = proxies[1] as S3Proxy;
  const others = proxies.filter((proxy) => proxy !== victim);
  const loaded = load(run, 'dead');
  // In the middle of its work: a part is on its way through it.
  const held = victim.faults.add({
    match: { op: 'UploadPart', nth: 1 },
    action: { do: 'stall', at: 'in', bytes: 4096 },
  });
  await held.stalled();
  await victim.down();
  victim.faults.clear();
  // The kill itself is behind us: from here on three of them share the load.
  clear();
  problems.push(...(await loaded), ...unevenness('dead', others));
  expect(shares([victim])).toEqual([{ requests: 0, bytes: 0 }]);

  await victim.up();
  // It rests for as long as its failures say; then it is asked what it can do, and used.
  await until(async () => {
    await host.ok('prop_byname v lsu ready-0 7');
    const { servers } = await engine.status();
    return servers.every(({ endpoints }) => endpoints.every(({ healthy }) => healthy));
  });
  clear();
  problems.push(...(await load(run, 'back')), ...unevenness('back', proxies));

  for (let n = 0; n < writers; n++) {
    for (let i = 0; i < rounds; i++) problems.push(await restore(host, `dead-${n}-${i}`, sizeOf(n + i)));
  }
  problems.push(await gc(engine, server));
  expect(problems.filter(Boolean)).toEqual([]);
  expect(server.uploads()).toEqual([]);
  expect(engine.bugs()).toEqual([]);
});

test('endpoints that refuse, reset or say nothing at the start keep no engine from the bucket', async () => {
  await using server = await S3Server.start({ endpoints: [{}, {}, {}, {}] });
  const [refuses, resets, silent, good] = server.endpoints;
  if (refuses === undefined || resets === undefined || silent === undefined) throw new Error('no endpoints');
  const endpoints = server.endpoints.map(({ url }) => url).join(', ');
  await refuses.down();
  resets.onConnect = 'reset';
  silent.onConnect = 'silent';
  await using engine = await startS3Engine({ server, endpoints, keys: { idle_timeout_s: 1, connect_timeout_s: 1 } });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await backup(host, 'image', 9 * mib);
  expect(await restore(host, 'image', 9 * mib)).toBe('');
  expect(new Set(server.requests.map(({ endpoint }) => endpoint))).toEqual(new Set([good?.index]));
  expect(engine.bugs()).toEqual([]);
});
