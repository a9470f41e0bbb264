/** One address at which the server listens; can be taken down and brought back on the same port. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { EndpointOptions, Options } from './options.ts';
import type { Arrival } from './serve.ts';

const fixtures = new URL('../../../bench/s3/fixtures/', import.meta.url);

/** Paths of the certificates, for configuration files. */
export const caPath = new URL('ca.pem', fixtures).pathname;
export const otherCaPath = new URL('other-ca.pem', fixtures).pathname;

/** What becomes of a new connection: served · reset as soon as it is there · accepted, and never a byte. */
export type OnConnect = 'serve' | 'reset' | 'silent';

export class Endpoint {
  readonly index: number;
  readonly protocol: 'http' | 'https';
  readonly address: string;
  port: number;
  /** For connections to come; those that are open stay as they are. */
  onConnect: OnConnect = 'serve';
  /** Options that differ from the server's here; may be changed at any time. */
  over: Partial<Options> = {};
  connectionsOpened = 0;
  requests = 0;
  readonly #http: http.Server;
  readonly #serve: (arrival: Arrival) => Promise<void>;
  readonly #newConnection: () => number;
  /** Open TCP connections and their numbers, by the client's port: below TLS, only these can send RST. */
  readonly #sockets = new Map<number, { tcp: net.Socket; connection: number }>();
  readonly #serving = new Set<Promise<void>>();
  readonly #waiting: { opened: number; resolve: () => void }[] = [];
  #listener: net.Server | null = null;

  constructor(
    index: number,
    { protocol = 'http', address = '127.0.0.1', port = 0 }: EndpointOptions,
    keepAliveMs: number,
    newConnection: () => number,
    serve: (arrival: Arrival) => Promise<void>,
  ) {
    this.index = index;
    this.protocol = protocol;
    this.address = address;
    this.port = port;
    this.#newConnection = newConnection;
    this.#serve = serve;
    this.#http = makeServer(protocol, keepAliveMs);
    const arrive = (request: http.IncomingMessage, response: http.ServerResponse): void =>
      this.#arrive(request, response);
    this.#http.on('request', arrive);
    // The client waits for our word before it sends the body: wire.ts gives it when the head is found good.
    this.#http.on('checkContinue', arrive);
  }

  get isUp(): boolean {
    return this.#listener !== null;
  }

  /** http://127.0.0.1:1234 */
  get url(): string {
    const host = this.address.includes(':') ? `[${this.address}]` : this.address;
    return `${this.protocol}://${host}:${this.port}`;
  }

  async up(): Promise<void> {
    if (this.#listener !== null) return;
    const listener = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    listener.once('error', reject);
    listener.listen(this.port, this.address, resolve);
    await promise;
    this.port = (listener.address() as net.AddressInfo).port;
    this.#listener = listener;
  }

  /** Nobody listens any more, every connection is reset; what was being carried out has ended when this returns. */
  async down(): Promise<void> {
    const listener = this.#listener;
    if (listener === null) return;
    this.#listener = null;
    const closed = new Promise((resolve) => listener.close(resolve));
    for (const { tcp } of this.#sockets.values()) resetConnection(tcp);
    await closed;
    await Promise.allSettled([...this.#serving]);
  }

  /** Resolves when this many connections have been opened since the start. */
  connected(opened: number): Promise<void> {
    if (this.connectionsOpened >= opened) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ opened, resolve });
    return promise;
  }

  #accept(tcp: net.Socket): void {
    const port = tcp.remotePort;
    // Gone already.
    if (port === undefined) return;
    this.connectionsOpened++;
    this.#sockets.set(port, { tcp, connection: this.#newConnection() });
    tcp.on('error', () => {});
    tcp.once('close', () => {
      if (this.#sockets.get(port)?.tcp === tcp) this.#sockets.delete(port);
    });
    for (const { opened, resolve } of this.#waiting) if (opened <= this.connectionsOpened) resolve();
    if (this.onConnect === 'reset') resetConnection(tcp);
    else if (this.onConnect === 'silent') tcp.resume();
    else this.#http.emit('connection', tcp);
  }

  #arrive(request: http.IncomingMessage, response: http.ServerResponse): void {
    request.on('error', () => {});
    response.on('error', () => {});
    this.requests++;
    const below = this.#sockets.get(request.socket.remotePort ?? -1);
    // The connection went while its request was being read.
    if (below === undefined) return;
    const serving = this.#serve({
      request,
      response,
      endpoint: this.index,
      over: this.over,
      connection: below.connection,
      isTls: this.protocol === 'https',
      reset: () => resetConnection(below.tcp),
    });
    this.#serving.add(serving);
    serving.finally(() => this.#serving.delete(serving));
  }
}

/** Speaks HTTP on the connections that it is given; listens on none. No time-outs: a test decides what lasts how long. */
function makeServer(protocol: 'http' | 'https', keepAliveTimeout: number): http.Server {
  const options = { keepAliveTimeout, requestTimeout: 0, headersTimeout: 0 };
  const server =
    protocol === 'http'
      ? http.createServer(options)
      : https.createServer({
          ...options,
          key: readFileSync(new URL('server.key', fixtures)),
          cert: readFileSync(new URL('server.pem', fixtures)),
          ALPNProtocols: ['http/1.1'],
        });
  server.on('tlsClientError', () => {});
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

function resetConnection(socket: net.Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}
