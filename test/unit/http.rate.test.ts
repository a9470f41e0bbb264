/** The least rate, in both directions: what a body has to move between two looks, to the byte, with a clock that the test sets. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { AnswerParser } from '../../workers/http/answer-parser.ts';
import { SlotBytes } from '../../workers/http/body.ts';
import { HttpClient, type HttpFailure } from '../../workers/http/client.ts';
import { must } from '../support/addon-kit.ts';

const idleMs = 60_000;
/** A KiB a second. */
const least = 61_440;
const mib = 1 << 20;
let server: Server;
let client: HttpClient;
let sockets: Socket[];

beforeEach(async () => {
  // The looks alone: sockets keep their own time, which nothing here waits for.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const more = { keptMs: 5000, sliceBytes: 256 * 1024, connectionsMax: 1, waitersMax: 1 };
  const settings = { ...more, connectMs: 5000, idleMs, tls: { ca: undefined, verify: true } };
  client = new HttpClient({ protocol: 'http', host: '127.0.0.1', port }, settings);
});
afterEach(async () => {
  vi.useRealTimers();
  await client.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** Resolves when so many bytes of an answer's body have come, of which `feed` takes what comes with the head. */
function received(): (bytes: number) => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let wanted = { bytes: Number.POSITIVE_INFINITY, promise, resolve };
  let came = 0;
  const look = (parser: AnswerParser): void => {
    came = parser.received;
    if (parser.head !== null && came >= wanted.bytes) wanted.resolve();
  };
  const { feed, filled } = AnswerParser.prototype;
  vi.spyOn(AnswerParser.prototype, 'feed').mockImplementation(function (this: AnswerParser, bytes) {
    feed.call(this, bytes);
    look(this);
  });
  vi.spyOn(AnswerParser.prototype, 'filled').mockImplementation(function (this: AnswerParser, count) {
    filled.call(this, count);
    look(this);
  });
  return (bytes) => {
    wanted = { bytes, ...Promise.withResolvers<void>() };
    return wanted.promise;
  };
}

test('an answer that brings a KiB a second goes on, and one byte less ends it', async () => {
  const come = received();
  const into = new Uint8Array(mib);
  const request = { method: 'GET', path: '/x', headers: { host: 'x' }, body: [], into, collectMax: 1000 };
  const failure = client.request(request).then(
    () => expect.fail('it succeeded'),
    (error: HttpFailure) => error,
  );
  if (sockets.length === 0) await once(server, 'connection');
  const [socket] = sockets;
  await once(socket!, 'data');
  let all = 0;
  for (const bytes of [0, least, least, least - 1]) {
    all += bytes;
    const arrived = come(all);
    if (bytes === 0) socket?.write(`HTTP/1.1 200 OK\r\nContent-Length: ${mib}\r\n\r\n`);
    else socket?.write(Buffer.alloc(bytes));
    await arrived;
    expect(client.stats.open).toBe(1);
    vi.advanceTimersByTime(idleMs);
  }
  expect(await failure).toMatchObject({ code: 'ETIMEDOUT', received: all });
  expect((await failure).message).toContain(`only ${least - 1} bytes in ${idleMs} ms`);
});

test('a body that native code sends has to be taken at the same rate', async () => {
  const asked = Promise.withResolvers<unknown[]>();
  vi.spyOn(addon, 'sendSlot').mockImplementation((...args) => {
    asked.resolve(args);
    setImmediate(() => (args.at(-1) as (result: number, ns: number) => void)(-110, 0));
    return 1;
  });
  const arena = must(addon.arenaOpen(2 * mib));
  const slot = new SlotBytes(arena, 0, 2 * mib, () => expect.fail('an array was made'));
  const request = { method: 'PUT', path: '/x', headers: { host: 'x' }, body: [slot], into: null, collectMax: 1000 };
  await expect(client.request(request)).rejects.toMatchObject({
    code: 'ETIMEDOUT',
    message: expect.stringContaining(`not even ${least} bytes were taken in ${idleMs} ms`),
  });
  expect((await asked.promise).slice(4, 6)).toEqual([idleMs, least]);
  addon.arenaClose(arena);
});
