/** The faulty proxy by itself: what it passes on unchanged, what it counts, and that each of its faults does what it says. */
import http from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../support/addon-kit.ts';
import { seed } from '../support/seed.ts';
import type { ProxyAction } from './proxy/fault-data.ts';
import { S3Proxy } from './proxy/proxy.ts';
import { Rain, rainKinds } from './proxy/rain.ts';
import { type Ask, askBroken as askBrokenBy, ask as askBy, md5Base64, prepare, type Target } from './raw-client.ts';
import { S3Server } from './server/server.ts';

const mib = 1 << 20;
const body = new Random(seed).bytes(300_000);
let server: S3Server;
let proxy: S3Proxy;
let target: Target;

beforeAll(async () => {
  server = await S3Server.start();
  proxy = await S3Proxy.start(server);
  target = { url: proxy.url, bucket: server.bucket, credentials: server.credentials };
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** A connection for each request: one that was reset while it was kept would fail the next one. */
const agentOnce = new http.Agent({ keepAlive: false });
const ask = (to: Target, what: Ask) => askBy(to, { agent: agentOnce, ...what });
const askBroken = (to: Target, what: Ask) => askBrokenBy(to, { agent: agentOnce, ...what });

/** One fault, for the next request. */
async function with1<T>(action: ProxyAction, work: () => Promise<T>): Promise<T> {
  const fault = proxy.faults.add({ match: { count: 1 }, action });
  try {
    const result = await work();
    expect(fault.hits).toBe(1);
    return result;
  } finally {
    proxy.faults.remove(fault);
  }
}
const put = (key: string) => ({ method: 'PUT', key, body, headers: { 'content-md5': md5Base64(body) } });

test('without a fault bytes, signatures and connections go through, and are counted by operation', async () => {
  proxy.clearLog();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const before = proxy.connectionsOpened;
  expect((await ask(target, { ...put('plain'), agent })).status).toBe(200);
  expect((await ask(target, { key: 'plain', agent })).body.equals(body)).toBe(true);
  expect((await ask(target, { key: 'plain', method: 'HEAD', agent })).headers['content-length']).toBe('300000');
  expect((await ask(target, { key: 'plain', headers: { range: 'bytes=5-104' }, agent })).body).toHaveLength(100);
  expect((await ask(target, { query: { 'list-type': '2' }, agent })).text).toContain('<Key>plain</Key>');
  expect((await ask(target, { key: 'plain', method: 'DELETE', agent })).status).toBe(204);
  expect((await ask(target, { key: 'plain', agent })).code).toBe('NoSuchKey');
  agent.destroy();
  expect(proxy.connectionsOpened - before).toBe(1);
  expect(proxy.counter('PutObject')).toEqual({ count: 1, errors: 0, bytesIn: body.length, bytesOut: 0 });
  expect(proxy.counter('GetObject')).toMatchObject({ count: 3, errors: 1, bytesIn: 0 });
  const gets = proxy.requests.filter(({ op }) => op === 'GetObject');
  expect(gets.map(({ key, range, status }) => [key, range, status])).toEqual([
    ['plain', '', 200],
    ['plain', 'bytes=5-104', 206],
    ['plain', '', 404],
  ]);
  expect(gets[0]?.bytesOut).toBe(body.length);
  expect(proxy.counter('ListObjectsV2').count).toBe(1);
});

test('a client that does not read fills no memory of the proxy', async () => {
  server.plant('long', Buffer.alloc(24 * mib, 7));
  const { options } = prepare(target, { key: 'long' });
  const request = http.request({ ...options, agent: agentOnce }).end();
  const [answer] = await new Promise<[http.IncomingMessage]>((resolve) =>
    request.on('response', (one) => resolve([one])),
  );
  // Paused at its beginning, read on to its end when that is far behind what sockets hold.
  expect((await ask(target, put('meanwhile'))).status).toBe(200);
  let got = 0;
  for await (const chunk of answer) got += (chunk as Buffer).length;
  expect(got).toBe(24 * mib);
  expect((await ask(target, { method: 'PUT', key: 'long', body: Buffer.alloc(8 * mib) })).status).toBe(200);
  await proxy.down();
  await proxy.up();
  expect(proxy.bufferedMax).toBeGreaterThan(0);
  expect(proxy.bufferedMax).toBeLessThan(mib);
});

const broken: [action: ProxyAction, stored: boolean | null][] = [
  [{ do: 'reset', at: 'head' }, false],
  [{ do: 'reset', at: 'in', bytes: 1000 }, false],
  [{ do: 'end', at: 'in', bytes: 1000 }, false],
  [{ do: 'reset', at: 'sent' }, null],
  [{ do: 'reset', at: 'answered' }, true],
];
test.each(broken)('a put under %j', async (action, stored) => {
  const key = JSON.stringify(action);
  const ended = proxy.next(({ op }) => op === 'PutObject');
  await with1(action, () => expect(ask(target, put(key))).rejects.toThrow(/ECONNRESET|EPIPE|hang up|aborted/));
  const { bytesIn, fault } = await ended;
  expect([fault, bytesIn]).toEqual([
    action.do,
    'bytes' in action ? 1000 : action.do === 'reset' && action.at === 'head' ? 0 : body.length,
  ]);
  if (stored !== null) expect(server.has(key)).toBe(stored);
  expect((await ask(target, put(key))).status).toBe(200);
});

test.each<[ProxyAction, number, string]>([
  [{ do: 'reset', at: 'out', bytes: 1000 }, 1000, 'ECONNRESET'],
  [{ do: 'end', at: 'out', bytes: 1000 }, 1000, 'ECONNRESET'],
  [{ do: 'shortBody', bytes: 10 }, body.length - 10, 'ECONNRESET'],
])('a get under %j', async (action, bytes, error) => {
  server.plant('get', body);
  const got = await with1(action, () => askBroken(target, { key: 'get' }));
  expect(got).toMatchObject({ status: 200, error });
  // A reset may overtake bytes.
  expect(got.body.length).toBeLessThanOrEqual(bytes);
  if (action.do !== 'reset') expect(got.body).toHaveLength(bytes);
  expect(got.body.equals(body.subarray(0, got.body.length))).toBe(true);
  expect((await ask(target, { key: 'get' })).body.equals(body)).toBe(true);
});

test('flipped and doubled bytes on the way up are not what was signed; the length stays', async () => {
  for (const action of [
    { do: 'flip', side: 'in', offset: 299_999, bit: 7 },
    { do: 'duplicate', side: 'in', offset: 100_000, bytes: 60_000 },
  ] as const) {
    const refused = await with1(action, () => ask(target, put('bent')));
    expect([refused.status, refused.code]).toEqual([400, expect.stringMatching(/BadDigest|SHA256Mismatch/)]);
  }
  expect(server.has('bent')).toBe(false);
});

test('flipped and doubled bytes on the way down; the length stays', async () => {
  server.plant('bent', body);
  const flipped = await with1({ do: 'flip', side: 'out', offset: 70_000, bit: 3 }, () => ask(target, { key: 'bent' }));
  const differs = [...body.keys()].filter((i) => flipped.body[i] !== body[i]);
  expect([flipped.body.length, differs]).toEqual([body.length, [70_000]]);
  const bytes = 60_000;
  const twice = await with1({ do: 'duplicate', side: 'out', offset: 40_000, bytes }, () =>
    ask(target, { key: 'bent' }),
  );
  const made = Buffer.concat([body.subarray(0, 100_000), body.subarray(40_000, 100_000), body.subarray(100_000)]);
  expect(twice.body.equals(made.subarray(0, body.length))).toBe(true);
});

test("the proxy's own answer, and the connection is good for the next request", async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const before = proxy.connectionsOpened;
  const action = { do: 'answer', status: 503, code: 'SlowDown', retryAfter: '7' } as const;
  const answer = await with1(action, () => ask(target, { ...put('busy'), agent }));
  expect([answer.status, answer.code, answer.headers['retry-after']]).toEqual([503, 'SlowDown', '7']);
  expect(server.has('busy')).toBe(false);
  expect((await ask(target, { ...put('busy'), agent })).status).toBe(200);
  expect(proxy.connectionsOpened - before).toBe(1);
  agent.destroy();
});

test('a stall holds until it is let go, or the client has gone', async () => {
  const fault = proxy.faults.add({ match: { key: 'held' }, action: { do: 'stall', at: 'in', bytes: 5000 } });
  const held = ask(target, put('held'));
  await fault.stalled();
  expect(server.has('held')).toBe(false);
  fault.release(false);
  expect((await held).status).toBe(200);
  proxy.faults.remove(fault);
  const down = proxy.faults.add({ match: { key: 'held' }, action: { do: 'stall', at: 'out', bytes: 5000 } });
  const request = http.request(prepare(target, { key: 'held', agent: agentOnce }).options);
  request.on('error', () => {});
  request.end();
  await down.stalled();
  const ended = proxy.next(({ key }) => key === 'held');
  request.destroy();
  expect(await ended).toMatchObject({ fault: 'stall', status: 200, bytesOut: 5000 });
  proxy.faults.remove(down);
});

test('bytes behind the end of an answer, and a slow body', async () => {
  server.plant('get', body);
  const raw = await with1({ do: 'trailing', bytes: 5 }, () => askBroken(target, { key: 'get' }));
  expect(raw.body.equals(body)).toBe(true);
  const slow = await with1({ do: 'slow', side: 'out', bytesPerSecond: 6e6 }, () => ask(target, { key: 'get' }));
  expect(slow.body.equals(body)).toBe(true);
});

test('a proxy that is taken down resets, then refuses; brought back it has its port', async () => {
  const fault = proxy.faults.add({ match: { key: 'cut' }, action: { do: 'stall', at: 'sent' } });
  const { url } = proxy;
  const cut = askBroken(target, put('cut'));
  await fault.stalled();
  await proxy.down();
  expect((await cut).error).toBe('ECONNRESET');
  expect((await askBroken(target, { key: 'get' })).error).toBe('ECONNREFUSED');
  await proxy.up();
  proxy.faults.remove(fault);
  expect(proxy.url).toBe(url);
  expect((await ask(target, put('cut'))).status).toBe(200);
});

test('rain is the same for the same seed, whatever comes first', () => {
  const keys = Array.from({ length: 200 }, (_, i) => `lsu/image${i % 20}`);
  const asked = (key: string, i: number) => ({
    ...{ method: 'PUT', bucket: '', range: '' },
    ...({ op: i % 2 === 0 ? 'GetObject' : 'UploadPart', key, part: i % 10, bytes: 1000 } as const),
  });
  const drawn = (order: number[], chance = seed): Map<number, unknown> => {
    const rain = new Rain(chance, { perMille: 300 });
    const made = new Map(order.map((i) => [i, rain.take(asked(keys[i] as string, i))?.data.action ?? null]));
    expect(rain.total).toBe([...made.values()].filter((one) => one !== null).length);
    return made;
  };
  // Each request is asked ten times: those of one identity in their order, all others anyhow.
  const order = [...keys.keys()];
  const byIdentity = order.toSorted((a, b) => (a % 20) - (b % 20) || a - b);
  const [one, other] = [drawn(order), drawn(byIdentity)];
  for (const i of order) expect(other.get(i)).toEqual(one.get(i));
  expect([...drawn(order, seed + 1).values()]).not.toEqual([...one.values()]);
  const kinds = new Set([...one.values()].map((action) => (action as ProxyAction | null)?.do));
  expect(kinds.size).toBeGreaterThan(4);
  expect(rainKinds.length).toBeGreaterThan(10);
});

test('what is no fault is refused', () => {
  const add = (action: object, match: object = {}): void => {
    proxy.faults.add({ match, action: action as ProxyAction });
  };
  expect(() => add({ do: 'explode' })).toThrow(/no such fault/);
  expect(() => add({ do: 'reset', at: 'done' })).toThrow(/no such point/);
  expect(() => add({ do: 'flip', side: 'up', offset: 1, bit: 1 })).toThrow(/no side/);
  expect(() => add({ do: 'flip', side: 'in', bit: 1 })).toThrow(/needs offset/);
  expect(() => add({ do: 'reset', at: 'head' }, { verb: 'GET' })).toThrow(/cannot match by verb/);
});
