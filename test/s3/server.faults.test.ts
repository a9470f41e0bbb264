/** The test server's faults: each does what it says, to the request it names and to no other. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Random, seed } from '../support/addon-kit.ts';
import { ask, askBroken, prepare } from './raw-client.ts';
import type { FaultAction, FaultData, Point } from './server/fault-data.ts';
import { caPath, S3Server } from './server/server.ts';

const ca = readFileSync(caPath, 'utf8');
const body = new Random(seed).bytes(500_000);
const endpoints = (['http', 'https'] as const).map((protocol) => ({ protocol }));

const carriedOut: Record<Point, boolean> = { start: false, in: false, read: false, done: true, out: true };

for (const at of Object.keys(carriedOut) as Point[]) {
  // At 'out' a put's answer, which has no body, is whole.
  test.for(at === 'out' ? [] : endpoints)(`a put that is reset at ${at} over $protocol`, async (endpoint) => {
    await using server = await S3Server.start({ endpoints: [endpoint] });
    const fault = server.faults.add({ match: { op: 'PutObject', count: 1 }, action: { do: 'reset', at, bytes: 0 } });
    const ended = server.next(({ op }) => op === 'PutObject');
    await expect(ask(server, { method: 'PUT', key: 'k', body, ca })).rejects.toThrow(
      /ECONNRESET|EPIPE|hang up|aborted/,
    );
    expect(await ended).toMatchObject({ fault: 'reset', status: 0, key: 'k' });
    expect([fault.hits, server.has('k')]).toEqual([1, carriedOut[at]]);
    expect((await ask(server, { method: 'PUT', key: 'k', body, ca })).status).toBe(200);
    expect(server.storedBytes).toBe(body.length);
  });

  test(`a put that is held at ${at} goes on when it is released`, async () => {
    await using server = await S3Server.start();
    const action: FaultAction = { do: 'stall', at, bytes: at === 'in' ? 200_000 : 0 };
    const fault = server.faults.add({ match: { op: 'PutObject' }, action });
    const put = ask(server, { method: 'PUT', key: 'k', body });
    await fault.stalled();
    expect([fault.held, server.requestsAtOnce, server.has('k')]).toEqual([1, 1, carriedOut[at]]);
    server.faults.release();
    expect((await put).status).toBe(200);
    expect(server.bytes('k').equals(body)).toBe(true);
    expect(fault.held).toBe(0);
  });
}

test('a client that goes away while it is held frees the server', async () => {
  await using server = await S3Server.start();
  const fault = server.faults.add({ match: {}, action: { do: 'stall', at: 'read' } });
  const { options } = prepare(server, { method: 'PUT', key: 'k', body });
  const request = http.request(options).on('error', () => {});
  request.end(body);
  await fault.stalled();
  const ended = server.next(() => true);
  request.destroy();
  expect((await ended).status).toBe(0);
  expect([server.requestsAtOnce, server.keys(), server.storedBytes]).toEqual([0, [], 0]);
});

test('a body that is cut: exactly so many bytes, by reset, by the end of the connection, by too small a body', async () => {
  await using server = await S3Server.start();
  server.plant('k', body);
  const cases: [FaultAction, bytes: number][] = [
    [{ do: 'end', at: 'out', bytes: 123_457 }, 123_457],
    [{ do: 'shortBody', bytes: 1 }, body.length - 1],
    [{ do: 'end', at: 'out', bytes: 0 }, 0],
  ];
  for (const [action, bytes] of cases) {
    server.faults.clear();
    server.faults.add({ match: { op: 'GetObject' }, action });
    const got = await askBroken(server, { key: 'k' });
    expect([got.status, got.headers['content-length'], got.error]).toEqual([200, '500000', 'ECONNRESET']);
    expect(got.body.equals(body.subarray(0, bytes))).toBe(true);
  }
  server.faults.clear();
  server.faults.add({ match: { op: 'GetObject' }, action: { do: 'reset', at: 'out', bytes: 100_000 } });
  const reset = await askBroken(server, { key: 'k' });
  expect(reset.error).toBe('ECONNRESET');
  expect(reset.body.length).toBeLessThanOrEqual(100_000);
});

test.for(endpoints)('an answer that is reset in its body over $protocol', async (endpoint) => {
  await using server = await S3Server.start({ endpoints: [endpoint] });
  server.plant('k', body);
  for (const bytes of [0, 100_000]) {
    server.faults.clear();
    server.faults.add({ match: { op: 'GetObject' }, action: { do: 'reset', at: 'out', bytes } });
    await expect(ask(server, { key: 'k', ca })).rejects.toThrow(/ECONNRESET|hang up|aborted/);
  }
  expect(server.requests.map(({ fault, bytesOut }) => [fault, bytesOut])).toEqual([
    ['reset', 0],
    ['reset', 100_000],
  ]);
});

test('a cut that the body never reaches is not in the log', async () => {
  await using server = await S3Server.start();
  const action: FaultAction = { do: 'reset', at: 'in', bytes: body.length + 1 };
  const fault = server.faults.add({ match: { op: 'PutObject' }, action });
  expect((await ask(server, { method: 'PUT', key: 'k', body })).status).toBe(200);
  expect([fault.hits, server.requests[0]!.fault]).toEqual([1, null]);
});

test('a body that is too long: with and without its Content-Length', async () => {
  await using server = await S3Server.start();
  server.plant('k', body);
  const fault = { op: 'GetObject' } as const;
  server.faults.add({ match: fault, action: { do: 'overlongBody', bytes: 10, counted: true } });
  const got = await ask(server, { key: 'k', headers: { range: 'bytes=0-99' } });
  expect([got.status, got.body.length]).toEqual([206, 110]);
  server.faults.clear();
  server.faults.add({ match: fault, action: { do: 'overlongBody', bytes: 10, counted: false } });
  const { options } = prepare(server, { key: 'k', headers: { range: 'bytes=0-99' } });
  const socket = net.connect(Number(options.port), options.host!);
  const head = Object.entries(options.headers!).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${options.path} HTTP/1.1\r\n${head.join('\r\n')}\r\nconnection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('latin1');
  expect(text.toLowerCase()).toContain('content-length: 100\r\n');
  expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(110);
});

test('a range that is another than the one asked for', async () => {
  await using server = await S3Server.start();
  server.plant('k', body);
  const get = async (action: FaultAction) => {
    server.faults.clear();
    server.faults.add({ match: { op: 'GetObject' }, action });
    const { status, headers, body: bytes } = await ask(server, { key: 'k', headers: { range: 'bytes=100-199' } });
    return [status, headers['content-range'], body.indexOf(bytes)];
  };
  expect(await get({ do: 'wrongRange', shift: 5 })).toEqual([206, 'bytes 105-204/500000', 100]);
  expect(await get({ do: 'wrongBytes', shift: 5 })).toEqual([206, 'bytes 100-199/500000', 105]);
  expect(await get({ do: 'ignoreRange' })).toEqual([200, undefined, 0]);
});

test('a bit that flips: on the way out, on the way in, in what is stored', async () => {
  await using server = await S3Server.start();
  const flipped = Buffer.from(body);
  flipped[70_001]! ^= 1 << 3;
  server.plant('k', body);
  server.faults.add({ match: { op: 'GetObject', count: 1 }, action: { do: 'corruptBody', offset: 70_001, bit: 3 } });
  expect((await ask(server, { key: 'k' })).body.equals(flipped)).toBe(true);
  expect((await ask(server, { key: 'k' })).body.equals(body)).toBe(true);
  server.faults.add({ match: { op: 'PutObject' }, action: { do: 'corruptIn', offset: 70_001, bit: 3 } });
  expect((await ask(server, { method: 'PUT', key: 'l', body })).code).toBe('XAmzContentSHA256Mismatch');
  expect((await ask(server, { method: 'PUT', key: 'l', body, payload: 'UNSIGNED-PAYLOAD' })).status).toBe(200);
  expect(server.bytes('l').equals(flipped)).toBe(true);
  server.flip('k', 70_001, 3);
  expect((await ask(server, { key: 'k' })).body.equals(flipped)).toBe(true);
  server.plant('small', Buffer.from([1, 2, 3]));
  server.flip('small', 2, 7);
  expect([...server.bytes('small')]).toEqual([1, 2, 131]);
  expect(() => server.flip('small', 3, 0)).toThrow(RangeError);
});

test('answers that are errors, each with its status, code and effect', async () => {
  await using server = await S3Server.start();
  const put = async (action: FaultAction) => {
    server.faults.clear();
    server.faults.add({ match: { op: 'PutObject' }, action });
    server.uproot('k');
    const { status, code, headers, text } = await ask(server, { method: 'PUT', key: 'k', body });
    return { is: `${status} ${code} ${server.has('k')}`, headers, text };
  };
  const busy = await put({ do: 'answer', status: 503, code: 'SlowDown', retryAfter: '2', close: true });
  expect(busy.is).toBe('503 SlowDown false');
  expect(busy.headers).toMatchObject({ 'retry-after': '2', connection: 'close' });
  expect((await put({ do: 'answer', status: 500, at: 'start' })).is).toBe('500 InternalError false');
  expect((await put({ do: 'answer', status: 500, at: 'done' })).is).toBe('500 InternalError true');
  expect((await put({ do: 'answer', status: 502, body: '<html>no' })).text).toBe('<html>no');
  expect((await put({ do: 'expiredToken' })).is).toBe('400 ExpiredToken false');
  expect((await put({ do: 'quota', status: 507 })).is).toBe('507 InsufficientStorage false');
  expect((await put({ do: 'quota', status: 403 })).is).toBe('403 QuotaExceeded false');
  expect((await put({ do: 'errorIn200', code: 'InternalError' })).is).toBe('200 InternalError false');
  expect((await put({ do: 'notStored' })).is).toBe('200  false');
  expect((await put({ do: 'wrongEtag' })).headers.etag).toBe(`"${'0'.repeat(32)}"`);
  server.faults.clear();
  server.faults.add({ match: {}, action: { do: 'raw', text: 'SSH-2.0-hello\r\n' } });
  expect((await askBroken(server, { key: 'k' })).error).toBe('HPE_INVALID_CONSTANT');
});

test('an early answer to a large body leaves the connection usable, unless it says close', async () => {
  await using server = await S3Server.start();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  try {
    server.faults.add({ match: { nth: 1 }, action: { do: 'answer', status: 503, code: 'SlowDown', at: 'start' } });
    expect((await ask(server, { method: 'PUT', key: 'k', body, agent })).code).toBe('SlowDown');
    expect((await ask(server, { method: 'PUT', key: 'k', body, agent })).status).toBe(200);
  } finally {
    agent.destroy();
  }
});

test('Complete that was carried out and answered by a reset: the second finds nothing, the object is there', async () => {
  await using server = await S3Server.start();
  const begun = await ask(server, { method: 'POST', key: 'k', query: { uploads: '' } });
  const uploadId = /<UploadId>([^<]+)/.exec(begun.text)![1]!;
  const { headers } = await ask(server, { method: 'PUT', key: 'k', query: { uploadId, partNumber: '1' }, body });
  const list = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headers.etag}</ETag></Part></CompleteMultipartUpload>`;
  server.faults.add({ match: { op: 'CompleteMultipartUpload', nth: 1 }, action: { do: 'doneButReset' } });
  const complete = () => ask(server, { method: 'POST', key: 'k', query: { uploadId }, body: list });
  await expect(complete()).rejects.toThrow(/ECONNRESET|hang up/);
  expect((await complete()).code).toBe('NoSuchUpload');
  expect(server.bytes('k').equals(body)).toBe(true);
});

test('a slow link is slow in both directions, and loses nothing', async () => {
  await using server = await S3Server.start();
  const bytesPerSecond = 5_000_000;
  server.faults.add({ match: { op: 'PutObject' }, action: { do: 'slow', side: 'in', bytesPerSecond } });
  const out = server.faults.add({ match: { op: 'GetObject' }, action: { do: 'slow', side: 'out', bytesPerSecond } });
  expect((await ask(server, { method: 'PUT', key: 'k', body })).status).toBe(200);
  expect((await ask(server, { key: 'k' })).body.equals(body)).toBe(true);
  expect(out.hits).toBe(1);
});

test('a fault hits what it names: operation, key, part, count, every, nth', async () => {
  await using server = await S3Server.start();
  const hit = async (match: FaultData['match'], keys: string[]) => {
    server.faults.clear();
    server.faults.add({ match, action: { do: 'answer', status: 503 } });
    const statuses: number[] = [];
    for (const key of keys) statuses.push((await ask(server, { method: 'PUT', key, body: 'x' })).status);
    return statuses.map((status) => (status === 503 ? '!' : '.')).join('');
  };
  const keys = ['a/1', 'a/2', 'b/1', 'a/3', 'a/4', 'a/5'];
  expect(await hit({}, keys)).toBe('!!!!!!');
  expect(await hit({ key: 'a/*' }, keys)).toBe('!!.!!!');
  expect(await hit({ key: '?/1' }, keys)).toBe('!.!...');
  expect(await hit({ key: 'a/*', nth: 3 }, keys)).toBe('...!..');
  expect(await hit({ key: 'a/*', every: 2 }, keys)).toBe('.!..!.');
  expect(await hit({ key: 'a/*', count: 2 }, keys)).toBe('!!....');
  expect(await hit({ op: 'GetObject' }, keys)).toBe('......');
  expect(await hit({ op: ['GetObject', 'PutObject'], part: 1 }, keys)).toBe('......');
  expect(await hit({ endpoint: 1 }, keys)).toBe('......');
});

test('faults come from a data file; one that nobody knows is refused', async () => {
  await using server = await S3Server.start();
  const dir = mkdtempSync(join(tmpdir(), 'vast-ost-faults-'));
  try {
    const path = join(dir, 'faults.json');
    const data: FaultData[] = [
      { match: { op: 'HeadObject', count: 1 }, action: { do: 'answer', status: 503, code: 'X' } },
    ];
    writeFileSync(path, JSON.stringify(data));
    const [fault] = server.faults.load(path);
    expect((await ask(server, { method: 'HEAD', key: 'k' })).status).toBe(503);
    expect((await ask(server, { method: 'HEAD', key: 'k' })).status).toBe(404);
    expect(fault!.hits).toBe(1);
    for (const bad of [
      { match: {}, action: { do: 'explode' } },
      { match: {}, action: { do: 'reset' } },
      { match: {}, action: { do: 'reset', at: 'nowhere' } },
      { match: { operation: 'GetObject' }, action: { do: 'ignoreRange' } },
      { match: { op: 'Get' }, action: { do: 'ignoreRange' } },
    ]) {
      writeFileSync(path, JSON.stringify([bad]));
      expect(() => server.faults.load(path)).toThrow(TypeError);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
