/** The test server's endpoints: http and https, path and host style, both families, down and up again. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { expect, test } from 'vitest';
import { Random, seed } from '../support/addon-kit.ts';
import { ask, prepare } from './raw-client.ts';
import type { EndpointOptions } from './server/options.ts';
import { caPath, otherCaPath, S3Server } from './server/server.ts';

const ca = readFileSync(caPath, 'utf8');
const body = new Random(seed).bytes(300_000);

const kinds: EndpointOptions[] = [
  { protocol: 'http', address: '127.0.0.1' },
  { protocol: 'https', address: '127.0.0.1' },
  { protocol: 'http', address: '::1' },
  { protocol: 'https', address: '::1' },
];

test.for(kinds)('$protocol at $address, bucket in the path and in the host', async (kind) => {
  await using server = await S3Server.start({ endpoints: [kind] });
  for (const isVirtualHost of [false, true]) {
    const key = `k-${isVirtualHost}`;
    expect((await ask(server, { method: 'PUT', key, body, isVirtualHost, ca })).status).toBe(200);
    expect((await ask(server, { key, isVirtualHost, ca })).body.equals(body)).toBe(true);
    expect((await ask(server, { method: 'HEAD', isVirtualHost, ca })).status).toBe(200);
  }
  expect(server.keys()).toEqual(['k-false', 'k-true']);
  const listed = await ask(server, { query: { 'list-type': '2' }, isVirtualHost: true, ca });
  expect(listed.text).toContain('<KeyCount>2</KeyCount>');
});

test('the certificate holds for its CA only', async () => {
  await using server = await S3Server.start({ endpoints: [{ protocol: 'https' }] });
  await expect(ask(server, { method: 'HEAD' })).rejects.toThrow(/certificate/);
  await expect(ask(server, { method: 'HEAD', ca: readFileSync(otherCaPath, 'utf8') })).rejects.toThrow(/certificate/);
  expect((await ask(server, { method: 'HEAD', ca })).status).toBe(200);
});

test('either way of naming the bucket can be switched off', async () => {
  await using server = await S3Server.start({ pathStyle: false });
  expect(await ask(server, { key: 'k' })).toMatchObject({ status: 400, code: 'InvalidRequest' });
  expect((await ask(server, { method: 'PUT', key: 'k', body, isVirtualHost: true })).status).toBe(200);
  server.options.pathStyle = true;
  server.options.virtualHostDomains = [];
  expect((await ask(server, { key: 'k' })).status).toBe(200);
  expect((await ask(server, { key: 'other/k', isVirtualHost: true })).code).toBe('NoSuchBucket');
});

test('several endpoints serve one store; one goes down and comes back on its port', async () => {
  await using server = await S3Server.start({ endpoints: [{}, {}, { protocol: 'https' }] });
  const targets = server.endpoints.map(({ url }) => ({ url, bucket: server.bucket, credentials: server.credentials }));
  expect((await ask(targets[0]!, { method: 'PUT', key: 'k', body })).status).toBe(200);
  const second = server.endpoints[1]!;
  const stall = server.faults.add({ match: { endpoint: 1 }, action: { do: 'stall', at: 'start' } });
  const cut = ask(targets[1]!, { key: 'k' });
  const isCut = expect(cut).rejects.toThrow(/ECONNRESET|socket hang up/);
  await stall.stalled();
  await second.down();
  await isCut;
  await expect(ask(targets[1]!, { key: 'k' })).rejects.toThrow(/ECONNREFUSED/);
  expect((await ask(targets[2]!, { key: 'k', ca })).body.equals(body)).toBe(true);
  server.faults.clear();
  await second.up();
  expect(second.url).toBe(targets[1]!.url);
  expect((await ask(targets[1]!, { key: 'k' })).body.equals(body)).toBe(true);
  expect(server.requests.map(({ op, endpoint, status }) => [op, endpoint, status])).toEqual([
    ['PutObject', 0, 200],
    ['GetObject', 1, 0],
    ['GetObject', 2, 200],
    ['GetObject', 1, 200],
  ]);
});

test.for(kinds.slice(0, 2))(
  '$protocol: connections that are reset at once, and those that never hear a byte',
  async (kind) => {
    await using server = await S3Server.start({ endpoints: [kind] });
    const endpoint = server.endpoints[0]!;
    endpoint.onConnect = 'reset';
    await expect(ask(server, { method: 'HEAD', ca })).rejects.toThrow(/ECONNRESET|hang up|disconnected/);
    endpoint.onConnect = 'silent';
    let isAnswered = false;
    const held = ask(server, { method: 'HEAD', ca }).finally(() => {
      isAnswered = true;
    });
    const isCut = expect(held).rejects.toThrow(/ECONNRESET|hang up|disconnected/);
    await endpoint.connected(2);
    endpoint.onConnect = 'serve';
    expect((await ask(server, { method: 'HEAD', ca })).status).toBe(200);
    expect([isAnswered, server.requests.length]).toEqual([false, 1]);
    await endpoint.down();
    await isCut;
  },
);

test('connections are kept alive and counted, and so are requests at the same time', async () => {
  await using server = await S3Server.start();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  try {
    for (let i = 0; i < 5; i++) await ask(server, { method: 'PUT', key: 'k', body, agent });
    expect(server.connectionsOpened).toBe(1);
    expect(server.requestsAtOnceMax).toBe(1);
    const stall = server.faults.add({ match: { op: 'GetObject' }, action: { do: 'stall', at: 'start' } });
    const got = [ask(server, { key: 'k', agent }), ask(server, { key: 'k', agent })];
    await stall.stalled(2);
    expect([server.requestsAtOnce, server.requestsAtOnceMax, server.connectionsOpened]).toEqual([2, 2, 2]);
    stall.release();
    for (const answer of await Promise.all(got)) expect(answer.status).toBe(200);
  } finally {
    agent.destroy();
  }
});

test('a client that waits for 100 Continue hears of a bad signature before it sends the body', async () => {
  await using server = await S3Server.start();
  /** What came first: the word to go on, or an answer. */
  const first = async (secretAccessKey: string) => {
    const { options } = prepare(server, {
      method: 'PUT',
      key: 'k',
      body,
      secretAccessKey,
      headers: { expect: '100-continue' },
    });
    const { promise, resolve } = Promise.withResolvers<string>();
    const request = http.request(options, (response) => resolve(`${response.statusCode}`));
    request.on('error', () => {});
    request.on('continue', () => resolve('100'));
    request.flushHeaders();
    const answer = await promise;
    request.destroy();
    return answer;
  };
  expect(await first(server.credentials.secretAccessKey)).toBe('100');
  expect(await first('wrong')).toBe('403');
});

test('the log is bounded and keeps the last', async () => {
  await using server = await S3Server.start({ logMax: 3 });
  for (const key of ['a', 'b', 'c', 'd']) await ask(server, { key, headers: { range: 'bytes=0-9' } });
  expect(server.requests.map(({ key, code, range }) => [key, code, range])).toEqual([
    ['b', 'NoSuchKey', 'bytes=0-9'],
    ['c', 'NoSuchKey', 'bytes=0-9'],
    ['d', 'NoSuchKey', 'bytes=0-9'],
  ]);
  expect(server.counter('GetObject')).toMatchObject({ count: 4, errors: 4 });
});
