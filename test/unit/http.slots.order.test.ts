/** When native code tells the end of a body: before the answer, after it, after the connection's end; and when it cannot send. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { AnswerParser } from '../../workers/http/answer-parser.ts';
import { type Piece, SlotBytes } from '../../workers/http/body.ts';
import { type Answer, HttpClient, type HttpFailure } from '../../workers/http/client.ts';
import { errno, must, Random, seed } from '../support/addon-kit.ts';

const bytes = 3 * 1024 * 1024;
const content = new Random(seed).bytes(bytes);
let server: Server;
let client: HttpClient;
let arena: number;
let connections: Socket[];
let bodies: Buffer[];

beforeEach(() => {
  arena = must(addon.arenaOpen(bytes));
  addon.arenaPoke(arena, 0, content);
  connections = [];
  bodies = [];
});
afterEach(async () => {
  await client.close();
  for (const socket of connections) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  addon.arenaClose(arena);
});

/** Answers a request when so many bytes of its body have come. */
async function serve(wanted: number, answer: (socket: Socket) => void, idleMs = 60_000): Promise<void> {
  server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => undefined);
    let came = Buffer.alloc(0);
    socket.on('data', (piece: Buffer) => {
      came = Buffer.concat([came, piece]);
      const body = came.indexOf('\r\n\r\n') + 4;
      if (body < 4 || came.length < body + wanted) return;
      bodies.push(came.subarray(body));
      came = Buffer.alloc(0);
      answer(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = new HttpClient(
    { protocol: 'http', host: '127.0.0.1', port },
    {
      connectMs: 5000,
      idleMs,
      keptMs: 5000,
      sliceBytes: 256 * 1024,
      connectionsMax: 1,
      waitersMax: 1,
      tls: { ca: undefined, verify: true },
    },
  );
}

function put(body: readonly Piece[]): Promise<Answer> {
  return client.request({ method: 'PUT', path: '/x', headers: { host: 'x' }, body, into: null, collectMax: 1000 });
}

function slot(offset = 0, length = bytes): SlotBytes {
  return new SlotBytes(arena, offset, length, (from, count) =>
    Uint8Array.prototype.subarray.call(content, from, from + count),
  );
}

function failureOf(promise: Promise<unknown>): Promise<HttpFailure> {
  return promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error) => error as HttpFailure,
  );
}

/** Resolves at the next call, which is made all the same. */
function called(name: 'sendIsLast' | 'stopSend'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const real = addon[name];
  vi.spyOn(addon, name).mockImplementation((id) => {
    resolve();
    return real(id);
  });
  return promise;
}

/** Bodies are sent, but the end of it is told when the returned function is called: as `result`, or as it was. */
function heldEnd(): (result?: number) => Promise<void> {
  const end = Promise.withResolvers<(result?: number) => void>();
  const real = addon.sendSlot;
  vi.spyOn(addon, 'sendSlot').mockImplementation((...args) => {
    const told = args.pop() as (result: number, ns: number) => void;
    const [socket, memory, offset, length, idleMs, leastBytes] = args as number[];
    return real(socket, memory, offset, length, idleMs, leastBytes, (result, ns) =>
      end.resolve((instead = result) => told(instead, ns)),
    );
  });
  return async (result) => (await end.promise)(result);
}

test('an answer that comes before the end is told waits for it, and the connection goes on', async () => {
  await serve(bytes, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  const end = heldEnd();
  const asked = called('sendIsLast');
  const answer = put([slot()]);
  await asked;
  await end();
  expect(await answer).toMatchObject({ status: 200 });
  expect(client.stats).toMatchObject({ open: 1, idle: 1 });
  expect(bodies[0]?.equals(content)).toBe(true);
});

test('a success is none where the end that is waited for is a failure', async () => {
  await serve(bytes, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  const end = heldEnd();
  const asked = called('sendIsLast');
  const failure = failureOf(put([slot()]));
  await asked;
  await end(-errno.ECONNRESET);
  expect(await failure).toMatchObject({ code: 'EPROTOCOL' });
  expect(client.stats).toMatchObject({ open: 0, idle: 0 });
});

test('an answer counts whose connection has ended before the end of the body is told', async () => {
  for (const text of [
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.0 200 OK\r\n\r\nok',
  ]) {
    await serve(bytes, (socket) => socket.end(text));
    const end = heldEnd();
    const closed = called('stopSend');
    const answer = put([slot()]);
    await closed;
    await end();
    expect(await answer).toMatchObject({ status: 200, body: Buffer.from('ok') });
    vi.restoreAllMocks();
    await client.close();
    await new Promise((resolve) => server.close(resolve));
  }
  expect(bodies.map((body) => body.equals(content))).toEqual([true, true]);
});

test('an answer that lies in the socket counts, when native code tells in the same turn that the connection is cut', async () => {
  await serve(0, (socket) => socket.write('HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nbusy'));
  let cut = (): void => undefined;
  vi.spyOn(addon, 'sendSlot').mockImplementation((...args) => {
    cut = () => (args.at(-1) as (result: number, ns: number) => void)(-errno.ECONNRESET, 0);
    return 1;
  });
  const { feed } = AnswerParser.prototype;
  vi.spyOn(AnswerParser.prototype, 'feed').mockImplementation(function (this: AnswerParser, piece) {
    cut();
    feed.call(this, piece);
  });
  const answer = await put([slot()]);
  expect([answer.status, answer.body.toString()]).toEqual([503, 'busy']);
  expect(client.stats).toMatchObject({ open: 0, idle: 0 });
});

test('while native code sends it alone looks at the time', async () => {
  const idleMs = 50;
  await serve(0, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), idleMs);
  vi.spyOn(addon, 'sendSlot').mockImplementation((...args) => {
    setTimeout(() => (args.at(-1) as (result: number, ns: number) => void)(bytes, 0), 3 * idleMs);
    return 1;
  });
  expect(await put([slot()])).toMatchObject({ status: 200 });
});

test('where no thread is to be had the body goes as arrays do, in its order', async () => {
  const body = [content.subarray(3, 9), slot(0, 2 * 1024 * 1024), content.subarray(9, 12), slot(1, 1024 * 1024 + 1)];
  const model = Buffer.concat(
    body.map((piece) =>
      piece instanceof SlotBytes ? content.subarray(piece.offset).subarray(0, piece.length) : piece,
    ),
  );
  await serve(model.length, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  vi.spyOn(addon, 'sendSlot').mockReturnValue(-errno.EMFILE);
  expect(await put(body)).toMatchObject({ status: 200 });
  expect(bodies[0]?.equals(model)).toBe(true);
  expect(client.stats).toMatchObject({ open: 1, idle: 1 });
});
