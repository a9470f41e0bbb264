/** Requests whose bodies lie in an arena and are sent by native code: what arrives, what cuts them off, and who holds the memory. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { type Piece, SlotBytes } from '../../workers/http/body.ts';
import { type Exchange, HttpClient, type HttpFailure } from '../../workers/http/client.ts';
import { counts, errno, must, Random, seed } from '../support/addon-kit.ts';

const mib = 1 << 20;
/** More than both sockets' buffers hold: it cannot be sent while the other side does not read. */
const arenaBytes = 64 * mib;
const settings = {
  connectMs: 5000,
  /** No test ends by it, but for those that say so. */
  idleMs: 60_000,
  keptMs: 5000,
  sliceBytes: 256 * 1024,
  connectionsMax: 4,
  waitersMax: 8,
  tls: { ca: undefined, verify: true },
};

const random = new Random(seed);
const content = random.bytes(mib);
let server: Server;
let client: HttpClient;
let arena: number;
let connections: Socket[];
let serve: (socket: Socket) => void;

beforeEach(async () => {
  arena = must(addon.arenaOpen(arenaBytes));
  for (let at = 0; at < arenaBytes; at += 5 * mib) addon.arenaPoke(arena, at, content);
  connections = [];
  serve = () => undefined;
  server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = clientWith({});
});
afterEach(async () => {
  await client.close();
  for (const socket of connections) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  addon.arenaClose(arena);
});

function clientWith(more: Partial<typeof settings>): HttpClient {
  const { port } = server.address() as AddressInfo;
  return new HttpClient({ protocol: 'http', host: '127.0.0.1', port }, { ...settings, ...more });
}

const noArray = (): never => {
  throw new Error('an array was made');
};

function slot(offset: number, length: number, show: () => Uint8Array = noArray): SlotBytes {
  return new SlotBytes(arena, offset, length, show);
}

function put(body: readonly Piece[], more: Partial<Exchange> = {}): Exchange {
  return { method: 'PUT', path: '/x', headers: { host: 'x' }, body, into: null, collectMax: 1000, ...more };
}

function peek(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  must(addon.arenaPeek(arena, offset, bytes));
  return bytes;
}

async function failureOf(promise: Promise<unknown>): Promise<HttpFailure> {
  return await promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error) => error as HttpFailure,
  );
}

/** Takes whole requests. */
function takesAll(bodies: Buffer[]): (socket: Socket) => void {
  return (socket) => {
    let pieces: Buffer[] = [];
    let bytes = 0;
    let wanted = 0;
    let head = 0;
    socket.on('data', (piece: Buffer) => {
      if (bytes === 0) {
        head = piece.indexOf('\r\n\r\n') + 4;
        wanted = head + Number(/content-length: (\d+)/.exec(piece.toString('latin1', 0, head))?.[1]);
      }
      pieces.push(piece);
      bytes += piece.length;
      if (bytes < wanted) return;
      bodies.push(Buffer.concat(pieces).subarray(head));
      pieces = [];
      bytes = 0;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  };
}

/** Reads nothing more, and says so many bytes at the first that come. */
function says(text: string): (socket: Socket) => void {
  return (socket) =>
    socket.once('data', () => {
      socket.pause();
      socket.write(text);
    });
}

/** Whoever has told the end holds it no more: it may go to another client at this moment. */
function expectFree(): void {
  arena = must(addon.arenaRenew(arena));
}

test('slots and arrays arrive in their order, and the connection is used again', async () => {
  const bodies: Buffer[] = [];
  serve = takesAll(bodies);
  const odd = 3 * mib + 12_345;
  for (const make of [
    () => [slot(0, odd)],
    () => [content.subarray(0, 777), slot(odd, 5 * mib), content.subarray(5), slot(7, 2 * mib), slot(9, 100)],
  ]) {
    const pieces: Piece[] = make();
    const model = pieces.map((piece) => (piece instanceof SlotBytes ? peek(piece.offset, piece.length) : piece));
    expect(await client.request(put(pieces))).toMatchObject({ status: 200 });
    expectFree();
    expect(bodies.at(-1)?.equals(Buffer.concat(model))).toBe(true);
  }
  expect(client.stats).toEqual({ open: 1, idle: 1, opened: 1, waiting: 0 });
});

test('parts of slots are cut as arrays are', () => {
  const whole = slot(100, 1000);
  for (const [from, to] of [
    [0, undefined],
    [10, 20],
    [990, 2000],
    [1000, undefined],
    [2000, 3000],
    [20, 10],
  ] as const) {
    const part = whole.subarray(from, to);
    const model = new Uint8Array(1100).subarray(100).subarray(from, to);
    expect([from, to, part.length]).toEqual([from, to, model.length]);
    if (model.length > 0) expect(part.offset).toBe(model.byteOffset);
  }
  expect(slot(0, 100).copy().equals(peek(0, 100))).toBe(true);
});

test('an error that comes while the body is under way counts, and ends the connection', async () => {
  serve = says('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nbusy');
  const answer = await client.request(put([slot(0, arenaBytes)]));
  expect([answer.status, answer.body.toString()]).toEqual([503, 'busy']);
  expectFree();
  expect(client.stats).toMatchObject({ open: 0, idle: 0 });
});

test('a success that comes while the body is under way is none', async () => {
  serve = says('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  expect(await failureOf(client.request(put([slot(0, arenaBytes)])))).toMatchObject({ code: 'EPROTOCOL' });
  expectFree();
});

test('a connection that the server ends in the midst of a body fails as such', async () => {
  for (const cut of [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.resetAndDestroy()]) {
    serve = (socket) => socket.once('data', () => cut(socket));
    const failure = await failureOf(client.request(put([slot(0, arenaBytes)])));
    expect(['EPIPE', 'ECONNRESET']).toContain(failure.code);
    expect(failure).toMatchObject({ stage: 'send', stale: false });
    expectFree();
  }
});

test('a server that stops reading is waited for, but not for longer than the time limit', async () => {
  serve = (socket) => socket.once('data', () => socket.pause());
  const hasty = clientWith({ idleMs: 100 });
  const failure = await failureOf(hasty.request(put([slot(0, arenaBytes)])));
  expect(failure).toMatchObject({ stage: 'send', code: 'ETIMEDOUT', message: expect.stringContaining('100 ms') });
  expectFree();
});

test('giving up and closing end what is under way before they are told', async () => {
  const stop = new AbortController();
  serve = (socket) =>
    socket.once('data', () => {
      socket.pause();
      stop.abort();
    });
  const request = client.request(put([slot(0, arenaBytes)], { signal: stop.signal }));
  expect(await failureOf(request)).toMatchObject({ code: 'EABORTED' });
  expectFree();
  const came = Promise.withResolvers<void>();
  serve = (socket) =>
    socket.once('data', () => {
      socket.pause();
      came.resolve();
    });
  const underWay = failureOf(client.request(put([slot(0, arenaBytes)])));
  await came.promise;
  await client.close();
  expectFree();
  expect((await underWay).code).toBe('ECONNRESET');
});

test('memory that is gone is told before anything is sent, and where an array would have to be made of it', async () => {
  addon.arenaClose(arena);
  const gone = new Error('gone');
  const show = (): never => {
    throw gone;
  };
  for (const length of [100, 2 * mib]) {
    expect(await failureOf(client.request(put([slot(0, length, show)])))).toBe(gone);
  }
  expect(client.stats).toMatchObject({ open: 0, idle: 0 });
  arena = must(addon.arenaOpen(arenaBytes));
  expect(addon.sendSlot(-1, arena, 0, 1, 1, 0, noArray)).toBe(-errno.EBADF);
  expect(addon.sendSlot(0, arena, arenaBytes, 1, 1, 0, noArray)).toBe(-errno.EFAULT);
  expect(addon.stopSend(0)).toBe(-errno.EBADF);
});

test('a worker that ends takes what it sends with it', async () => {
  const before = counts()[2];
  serve = (socket) => {
    socket.once('data', () => {
      socket.pause();
      void worker.terminate();
    });
  };
  const script = `
    const { workerData } = require('node:worker_threads');
    const { connect } = require('node:net');
    const addon = require(workerData.path);
    const socket = connect(workerData.port, '127.0.0.1', () => {
      addon.sendSlot(socket._handle.fd, workerData.arena, 0, workerData.bytes, 60000, 0, () => {});
    });`;
  const path = new URL('../../native/addon/build/vast_ost_addon.node', import.meta.url).pathname;
  const { port } = server.address() as AddressInfo;
  const worker = new Worker(script, { eval: true, workerData: { path, arena, port, bytes: arenaBytes } });
  await once(worker, 'exit');
  let free = 0;
  const isFree = (): boolean => {
    free = addon.arenaRenew(arena);
    return free > 0;
  };
  await expect.poll(isFree, { timeout: 10_000 }).toBe(true);
  arena = free;
  expect(counts()[2]).toBe(before);
});
