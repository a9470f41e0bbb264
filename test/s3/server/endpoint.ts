/** One address at which the server listens; can be taken down and brought back on the same port. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { EndpointOptions } from './options.ts';
import type { Arrival } from './serve.ts';

const fixtures = new URL('../fixtures/', import.meta.url);

/** Paths of the certificates, for configuration files. */
export const caPath = new URL('ca.pem', fixtures).pathname;
export const otherCaPath = new URL('other-ca.pem', fixtures).pathname;

export class Endpoint {
  readonly index: number;
  readonly protocol: 'http' | 'https';
  readonly address: string;
  port: number;
  connectionsOpened = 0;
  requests = 0;
  readonly #serve: (arrival: Arrival) => Promise<void>;
  readonly #newConnection: () => number;
  readonly #keepAliveMs: number;
  readonly #sockets = new Set<Socket>();
  readonly #serving = new Set<Promise<void>>();
  #server: http.Server | null = null;

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
    this.#keepAliveMs = keepAliveMs;
    this.#newConnection = newConnection;
    this.#serve = serve;
  }

  get isUp(): boolean {
    return this.#server !== null;
  }

  /** http://127.0.0.1:1234 */
  get url(): string {
    const host = this.address.includes(':') ? `[${this.address}]` : this.address;
    return `${this.protocol}://${host}:${this.port}`;
  }

  async up(): Promise<void> {
    if (this.#server !== null) return;
    // No time-outs: a test decides how long a request lasts.
    const options = { keepAliveTimeout: this.#keepAliveMs, requestTimeout: 0, headersTimeout: 0, noDelay: true };
    const server =
      this.protocol === 'http'
        ? http.createServer(options)
        : https.createServer({
            ...options,
            key: readFileSync(new URL('server.key', fixtures)),
            cert: readFileSync(new URL('server.pem', fixtures)),
            ALPNProtocols: ['http/1.1'],
          });
    // The TCP socket below each TLS socket, by the client's port: only the former can send RST.
    const byPort = new Map<number, Socket>();
    const numbers = new WeakMap<Socket, number>();
    server.on('connection', (socket: Socket) => {
      const port = socket.remotePort!;
      byPort.set(port, socket);
      this.#sockets.add(socket);
      this.connectionsOpened++;
      numbers.set(socket, this.#newConnection());
      socket.on('error', () => {});
      socket.once('close', () => {
        this.#sockets.delete(socket);
        if (byPort.get(port) === socket) byPort.delete(port);
      });
    });
    server.on('tlsClientError', () => {});
    server.on('clientError', (_error, socket) => socket.destroy());
    const arrive = (request: http.IncomingMessage, response: http.ServerResponse): void => {
      const tcp = byPort.get(request.socket.remotePort!) ?? request.socket;
      request.on('error', () => {});
      response.on('error', () => {});
      this.requests++;
      const serving = this.#serve({
        request,
        response,
        endpoint: this.index,
        connection: numbers.get(tcp) ?? 0,
        isTls: this.protocol === 'https',
        reset: () => resetConnection(tcp),
      });
      this.#serving.add(serving);
      serving.finally(() => this.#serving.delete(serving));
    };
    server.on('request', arrive);
    // The client waits for our word before it sends the body: wire.ts gives it when the head is found good.
    server.on('checkContinue', arrive);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.address, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Nobody listens any more, every connection is reset; what was being carried out has ended when this returns. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) resetConnection(socket);
    await closed;
    await Promise.allSettled([...this.#serving]);
  }
}

function resetConnection(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}
