/** Exchanges with servers that answer byte for byte as a test says, over TCP and TLS. */
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ClientSettings, type Exchange, HttpClient, type HttpFailure } from '../../workers/http/client.ts';

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../bench/s3/fixtures', name), 'utf8');
const kib = 1024;

interface Asked {
  head: string;
  body: Buffer;
}

/** Takes whole requests, hands each to `answer`, keeps what it saw. */
class Responder {
  readonly server: Server;
  readonly asked: Asked[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  answer: (asked: Asked, socket: Socket, nth: number) => void = () => undefined;
  /** Called with each piece that comes: for answers before the request is whole. */
  early: (socket: Socket) => void = () => undefined;

  constructor(secure: boolean) {
    const taken = (socket: Socket): void => this.#serve(socket);
    this.server = secure
      ? createTlsServer({ key: fixture('server.key'), cert: fixture('server.pem') }, taken)
      : createServer(taken);
    this.server.on('tlsClientError', () => undefined);
  }

  async listen(host = '127.0.0.1'): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, host, resolve));
    return (this.server.address() as AddressInfo).port;
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    let pending = Buffer.alloc(0);
    socket.on('data', (piece: Buffer) => {
      this.early(socket);
      pending = Buffer.concat([pending, piece]);
      for (;;) {
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = pending.toString('latin1', 0, end);
        const length = Number(/^content-length: (\d+)$/m.exec(head)?.[1] ?? 0);
        if (pending.length < end + 4 + length) return;
        const asked = { head, body: pending.subarray(end + 4, end + 4 + length) };
        pending = pending.subarray(end + 4 + length);
        this.asked.push(asked);
        this.answer(asked, socket, this.asked.length);
      }
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function ok(body: string | Buffer, more = ''): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n${more}\r\n`), bytes]);
}

function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + seed) & 0xff;
  return bytes;
}

const settings: ClientSettings = {
  connectMs: 5000,
  idleMs: 5000,
  keptMs: 5000,
  sliceBytes: 256 * kib,
  connectionsMax: 4,
  waitersMax: 8,
  tls: { ca: fixture('ca.pem'), verify: true },
};

function get(more: Partial<Exchange> = {}): Exchange {
  return { method: 'GET', path: '/x', headers: { host: 'x' }, body: [], into: null, collectMax: 1000, ...more };
}

async function failureOf(promise: Promise<unknown>): Promise<HttpFailure> {
  return await promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error) => error as HttpFailure,
  );
}

describe.each(['http', 'https'] as const)('%s', (protocol) => {
  let responder: Responder;
  let client: HttpClient;
  let port: number;
  const clientWith = (more: Partial<ClientSettings>, host = '127.0.0.1'): HttpClient =>
    new HttpClient({ protocol, host, port }, { ...settings, ...more });

  beforeEach(async () => {
    responder = new Responder(protocol === 'https');
    port = await responder.listen();
    client = clientWith({});
  });
  afterEach(async () => {
    await client.close();
    await responder.close();
  });

  test('a body of several pieces arrives whole, the answer comes back, and the connection is used again', async () => {
    responder.answer = (_, socket, nth) => socket.write(ok(`answer ${nth}`, 'X-Y: z\r\n'));
    const pieces = [pattern(700 * kib, 1), pattern(3, 2), pattern(1200 * kib, 3)];
    for (const nth of [1, 2]) {
      const answer = await client.request(get({ method: 'PUT', path: '/k?a=b', body: pieces }));
      expect(answer).toMatchObject({ status: 200, reason: 'OK', received: 0 });
      expect([answer.body.toString(), answer.headers['x-y']]).toEqual([`answer ${nth}`, 'z']);
    }
    expect(responder.asked.map(({ head }) => head.split('\r\n')[0])).toEqual([
      'PUT /k?a=b HTTP/1.1',
      'PUT /k?a=b HTTP/1.1',
    ]);
    expect(responder.asked[1]?.body.equals(Buffer.concat(pieces))).toBe(true);
    expect(responder.asked[0]?.head).not.toMatch(/expect/i);
    expect(responder.connections).toBe(1);
    expect(client.stats).toEqual({ open: 1, idle: 1, opened: 1, waiting: 0 });
  });

  test('one slice goes out in a turn of the event loop, also where the socket would take more', async () => {
    responder.answer = (_, socket) => socket.write(ok(''));
    const slices = 64;
    const oneByOne = clientWith({ sliceBytes: 16 * kib });
    await oneByOne.request(get());
    let turns = 0;
    let counts = true;
    const count = (): void => {
      turns++;
      if (counts) setImmediate(count);
    };
    setImmediate(count);
    await oneByOne.request(get({ method: 'PUT', body: [pattern(slices * 16 * kib, 1)] }));
    counts = false;
    expect(turns).toBeGreaterThan(slices - 2);
    await oneByOne.close();
  });

  test("a success' body lands in the caller's memory, and nothing beside it", async () => {
    const body = pattern(900 * kib, 5);
    responder.answer = (_, socket) => socket.write(ok(body));
    const memory = Buffer.alloc(body.length + 200, 0xee);
    const answer = await client.request(get({ into: memory.subarray(100, 100 + body.length) }));
    expect(answer).toMatchObject({ received: body.length });
    expect(answer.body.length).toBe(0);
    expect(memory.subarray(100, 100 + body.length).equals(body)).toBe(true);
    for (const side of [memory.subarray(0, 100), memory.subarray(100 + body.length)])
      expect(side.every((byte) => byte === 0xee)).toBe(true);
  });

  test('an answer that comes before the request is sent counts, and ends the connection', async () => {
    let told = false;
    responder.early = (socket) => {
      if (told) return;
      told = true;
      socket.pause();
      socket.write('HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nbusy');
    };
    // More than both sockets' buffers hold: it cannot be sent while the other side does not read.
    const answer = await client.request(get({ method: 'PUT', body: [pattern(64 * kib * kib, 1)] }));
    expect([answer.status, answer.body.toString()]).toEqual([503, 'busy']);
    expect(client.stats).toMatchObject({ open: 0, idle: 0 });
  });

  test('a success that comes before the request is sent is none', async () => {
    let told = false;
    responder.early = (socket) => {
      if (told) return;
      told = true;
      socket.pause();
      socket.write(ok('stored'));
    };
    const failure = await failureOf(client.request(get({ method: 'PUT', body: [pattern(64 * kib * kib, 1)] })));
    expect(failure).toMatchObject({ code: 'EPROTOCOL' });
  });

  test("an answer behind the answer is nobody's, whatever is asked next", async () => {
    const body = pattern(40 * kib, 3);
    responder.answer = (_, socket) => socket.write(Buffer.concat([ok(body), ok('not yours')]));
    const narrow = clientWith({ connectionsMax: 1 });
    const first = failureOf(narrow.request(get({ into: new Uint8Array(body.length) })));
    const second = failureOf(narrow.request(get({ collectMax: 50 * kib })));
    expect((await first).code).toBe('EPROTOCOL');
    expect((await second).code).toBe('EPROTOCOL');
    expect(responder.connections).toBe(2);
  });

  test('a short body tells how far it came; the connection is not used again', async () => {
    responder.answer = (_, socket) => socket.end(ok('0123456789').subarray(0, -3));
    const failure = await failureOf(client.request(get({ into: new Uint8Array(10) })));
    expect(failure).toMatchObject({ stage: 'body', code: 'ECONNRESET', received: 7, stale: false });
    expect(client.stats.idle).toBe(0);
  });

  test('a body that is longer than asked for is refused', async () => {
    responder.answer = (_, socket) => socket.write(ok('0123456789'));
    const failure = await failureOf(client.request(get({ into: new Uint8Array(9) })));
    expect(failure).toMatchObject({ code: 'EPROTOCOL' });
    expect(client.stats.idle).toBe(0);
  });

  test('silence ends by the time limit, with its stage', async () => {
    const hasty = clientWith({ idleMs: 50 });
    expect(await failureOf(hasty.request(get()))).toMatchObject({ stage: 'headers', code: 'ETIMEDOUT', stale: false });
    responder.answer = (_, socket) => socket.write(ok('0123456789').subarray(0, -5));
    expect(await failureOf(hasty.request(get()))).toMatchObject({ stage: 'body', code: 'ETIMEDOUT' });
  });

  test('an answer that trickles ends as silence does, in its head and in a body', async () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n';
    for (const start of [head, `${head}\r\n`]) {
      responder.answer = (_, socket) => {
        socket.write(start);
        const timer = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(timer));
      };
      const failure = await failureOf(clientWith({ idleMs: 200 }).request(get({ into: new Uint8Array(1000) })));
      expect(failure).toMatchObject({ code: 'ETIMEDOUT', message: expect.stringMatching(/only \d+ bytes in 200 ms/) });
    }
  });

  test('a kept connection that the server ended meanwhile is stale; a fresh one is not', async () => {
    responder.answer = (_, socket, nth) => {
      if (nth === 1) socket.write(ok('x'));
      else socket.destroy();
    };
    await client.request(get());
    expect(await failureOf(client.request(get()))).toMatchObject({ stale: true });
    expect(await failureOf(client.request(get()))).toMatchObject({ stale: false });
  });

  test('bytes that nobody asked for end a kept connection', async () => {
    responder.answer = (_, socket) => socket.write(ok('x'));
    await client.request(get());
    const [socket] = responder.sockets;
    const closed = new Promise((resolve) => socket?.once('close', resolve));
    socket?.write(ok('y'));
    await closed;
    expect((await client.request(get())).body.toString()).toBe('x');
    expect(responder.connections).toBe(2);
  });

  test('no more connections than allowed, waiters in order, and a limit for them', async () => {
    const narrow = clientWith({ connectionsMax: 1, waitersMax: 2 });
    const held: Socket[] = [];
    let asked = (): void => undefined;
    responder.answer = (_, socket) => {
      held.push(socket);
      asked();
    };
    const first = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const answers = [1, 2, 3].map((n) => narrow.request(get({ path: `/${n}` })));
    expect(await failureOf(narrow.request(get()))).toMatchObject({ code: 'EAGAIN' });
    await first;
    expect(narrow.stats).toMatchObject({ waiting: 2, open: 1, idle: 0 });
    responder.answer = (_, socket) => socket.write(ok('x'));
    held[0]?.write(ok('x'));
    await Promise.all(answers);
    expect(responder.asked.map(({ head }) => head.split(' ')[1])).toEqual(['/1', '/2', '/3']);
    expect(responder.connections).toBe(1);
    await narrow.close();
  });

  test('giving up closes the connection before it is told', async () => {
    const stop = new AbortController();
    responder.answer = () => stop.abort();
    const failure = await failureOf(client.request(get({ signal: stop.signal })));
    expect(failure).toMatchObject({ code: 'EABORTED' });
    expect(client.stats).toMatchObject({ open: 0, idle: 0, waiting: 0 });
    expect((await failureOf(client.request(get({ signal: stop.signal })))).code).toBe('EABORTED');
  });

  test('a connection that nobody uses is closed', async () => {
    const hasty = clientWith({ keptMs: 20 });
    const gone = Promise.withResolvers<void>();
    responder.answer = (_, socket) => {
      socket.on('close', () => gone.resolve());
      socket.write(ok('x'));
    };
    await hasty.request(get());
    await gone.promise;
    responder.answer = (_, socket) => socket.write(ok('y'));
    expect((await hasty.request(get())).body.toString()).toBe('y');
    expect(responder.connections).toBe(2);
    await hasty.close();
  });

  test('closing ends what is under way, and what waits for its turn', async () => {
    const narrow = clientWith({ connectionsMax: 1 });
    const came = Promise.withResolvers<void>();
    responder.answer = () => came.resolve();
    const underWay = failureOf(narrow.request(get()));
    const waiting = failureOf(narrow.request(get()));
    await came.promise;
    await narrow.close();
    expect((await underWay).code).toBe('ECONNRESET');
    expect((await waiting).code).toBe('EABORTED');
    expect((await failureOf(narrow.request(get()))).code).toBe('EABORTED');
    expect(responder.connections).toBe(1);
  });

  test('a line break in a header is refused before anything is sent', async () => {
    responder.answer = (_, socket) => socket.write(ok('x'));
    for (const value of ['x\r\ny: z', 'x\ny: z', 'x\u010d\u010ay: z', 'x\0'])
      await expect(client.request(get({ headers: { host: value } }))).rejects.toThrow('header host');
    for (const path of ['x', '/a b', '/a\r\nb', '/\u010a'])
      await expect(client.request(get({ path }))).rejects.toThrow('request line');
    expect(responder.asked).toEqual([]);
    expect((await client.request(get())).status).toBe(200);
  });
});

describe('connecting', () => {
  test('to a port where nobody listens fails as such', async () => {
    const responder = new Responder(false);
    const port = await responder.listen();
    await responder.close();
    const client = new HttpClient({ protocol: 'http', host: '127.0.0.1', port }, settings);
    expect(await failureOf(client.request(get()))).toMatchObject({
      stage: 'connect',
      code: 'ECONNREFUSED',
      stale: false,
    });
  });

  test('to a name that does not exist fails as such', async () => {
    const client = new HttpClient({ protocol: 'http', host: 'no-such-host.invalid', port: 80 }, settings);
    const failure = await failureOf(client.request(get()));
    expect(failure.stage).toBe('connect');
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(failure.code);
  });

  test('a server that never speaks TLS fails by the time limit', async () => {
    const responder = new Responder(false);
    const port = await responder.listen();
    const client = new HttpClient({ protocol: 'https', host: '127.0.0.1', port }, { ...settings, connectMs: 50 });
    expect(await failureOf(client.request(get()))).toMatchObject({ stage: 'tls', code: 'ETIMEDOUT' });
    await responder.close();
  });

  test.each([
    ['the right authority', '127.0.0.1', 'ca.pem', true, null],
    ['its name', 'localhost', 'ca.pem', true, null],
    ['another authority', '127.0.0.1', 'other-ca.pem', true, /SELF_SIGNED|UNABLE_TO/],
    ['another authority, not verified', '127.0.0.1', 'other-ca.pem', false, null],
  ])('TLS with %s', async (_, host, ca, verify, problem) => {
    const responder = new Responder(true);
    responder.answer = (_asked, socket) => socket.write(ok('x'));
    const port = await responder.listen(host);
    const client = new HttpClient({ protocol: 'https', host, port }, { ...settings, tls: { ca: fixture(ca), verify } });
    if (problem === null) expect((await client.request(get())).status).toBe(200);
    else {
      const failure = await failureOf(client.request(get()));
      expect([failure.stage, failure.code]).toEqual(['tls', expect.stringMatching(problem)]);
      expect(responder.asked).toEqual([]);
    }
    await client.close();
    await responder.close();
  });
});
