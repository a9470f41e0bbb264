/** What `vast-ost status` and the log say of a bucket's endpoints, one of which dies and comes back. */
import { expect, test } from 'vitest';
import { BucketWatch } from '../../engine/coordinator/bucket-watch.ts';
import type { StatusServer } from '../../engine/core/status-report.ts';
import type { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';

async function bucketOf(engine: TestEngine): Promise<StatusServer> {
  const found = (await engine.status()).servers.find(({ store }) => store === 's3');
  if (found === undefined) throw new Error('the engine has a bucket');
  return found;
}

test('an endpoint that dies, and is used again when it is back', async () => {
  await using server = await S3Server.start({ endpoints: [{}, {}] });
  const [first, second] = server.endpoints;
  if (first === undefined || second === undefined) throw new Error('two endpoints');
  await using engine = await startS3Engine({ server, endpoints: `${first.url}, ${second.url}` });
  await using host = await s3Script(engine);
  await host.ok('create_lsu v lsu');
  await until(async () => (await bucketOf(engine)).endpoints.every(({ requests }) => requests > 0));
  expect(await bucketOf(engine)).toMatchObject({
    ready: true,
    retries: 0,
    integrity: 'crc64nvme',
    conditionalPuts: true,
    tlsVerify: true,
    endpoints: [first, second].map(({ url }) => ({ origin: url, healthy: true, failures: 0, problem: '' })),
  });

  await second.down();
  /** Requests until the bucket is seen to be so; none of them may fail. */
  const usedUntil = (reached: (bucket: StatusServer) => boolean): Promise<void> =>
    until(async () => {
      await host.ok('lsu_prop v lsu');
      return reached(await bucketOf(engine));
    });
  await usedUntil(({ endpoints }) => endpoints[1]?.healthy === false);
  const dead = await bucketOf(engine);
  expect(dead.endpoints[0]).toMatchObject({ healthy: true, failures: 0, problem: '' });
  expect(dead.endpoints[1]?.problem).toMatch(/ECONNRE/);
  expect(dead.endpoints[1]?.failures).toBeGreaterThan(0);
  expect(dead.retries).toBeGreaterThan(0);
  const lines = (msg: RegExp) => engine.log().filter((line) => msg.test(String(line.msg)));
  await until(() => lines(/an endpoint fails/).length > 0);
  expect(lines(/an endpoint fails/)).toMatchObject([{ level: 'WARN', server: 'VastData:s3', endpoint: second.url }]);

  await second.up();
  await usedUntil(({ endpoints }) => endpoints[1]?.healthy === true);
  await until(() => lines(/an endpoint answers again/).length > 0);
  expect(lines(/an endpoint answers again/)).toMatchObject([{ level: 'INFO', endpoint: second.url }]);
  expect((await bucketOf(engine)).endpoints[1]?.problem).toBe('');
  expect(engine.bugs()).toEqual([]);
});

test('an endpoint that fails and answers by turns fills no log', () => {
  const lines: string[] = [];
  let now = 0;
  const address = { protocol: 'http', host: '::1', port: 80 } as const;
  const watch = new BucketWatch(
    { endpoints: [address] },
    (level) => lines.push(level),
    () => now,
  );
  const endpoint = { origin: 'http://[::1]:80', busy: 0, requests: 1, failures: 1 };
  expect(watch.status.endpoints).toMatchObject([{ origin: endpoint.origin, healthy: true }]);
  const take = (healthy: boolean): void =>
    watch.take({
      bucket: { requests: 1, retries: 0, endpoints: [{ ...endpoint, healthy, problem: '' }], ways: null },
    });
  for (let i = 0; i < 1000; i++) {
    now += 10;
    take(i % 2 === 1);
  }
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.length).toBeLessThanOrEqual(11);
  // What held is told in the end.
  now += 1000;
  take(false);
  now += 1000;
  take(true);
  expect(lines.at(-1)).toBe('info');
});
