/**
 * A faulty proxy in front of any S3 endpoint that speaks plain http, in the process of the test:
 *
 *   await using proxy = await S3Proxy.start({ url: server.url, bucket: server.bucket });
 *   proxy.faults.add({ match: { op: 'UploadPart', count: 1 }, action: { do: 'reset', at: 'answered' } });
 *   proxy.rain = new Rain(seed, { perMille: 200 });
 *
 * README.md beside this file says the rest.
 */
import net from 'node:net';
import type { OperationName } from '../server/call.ts';
import { Faults } from '../server/faults.ts';
import { type Counter, Journal, type LoggedRequest } from '../server/journal.ts';
import { checkProxyFault, type ProxyAction } from './fault-data.ts';
import { type Behind, Line } from './line.ts';
import { Peer } from './peer.ts';
import type { Rain } from './rain.ts';

const logMax = 20_000;
const bugsMax = 20;

export interface ProxyOptions {
  /** Of the endpoint behind it: http://host:port */
  readonly url: string;
  readonly bucket: string;
}

export class S3Proxy implements AsyncDisposable {
  readonly faults = new Faults<ProxyAction>(checkProxyFault);
  /** Hits what no fault has hit; null: nothing. */
  rain: Rain | null = null;
  /** Most bytes that one side of a connection had in memory. */
  bufferedMax = 0;
  port = 0;
  readonly #options: ProxyOptions;
  readonly #journal = new Journal(logMax);
  readonly #lines = new Map<Line, Promise<void>>();
  readonly #bugs: unknown[] = [];
  #listener: net.Server | null = null;

  private constructor(options: ProxyOptions) {
    this.#options = options;
  }

  static async start(options: ProxyOptions): Promise<S3Proxy> {
    const proxy = new S3Proxy(options);
    await proxy.up();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** On the port that it had, if it had one. */
  async up(): Promise<void> {
    if (this.#listener !== null) return;
    const listener = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    listener.once('error', reject);
    listener.listen(this.port, '127.0.0.1', resolve);
    await promise;
    this.port = (listener.address() as net.AddressInfo).port;
    this.#listener = listener;
  }

  /** Connections are reset, new ones refused. */
  async down(): Promise<void> {
    const listener = this.#listener;
    if (listener === null) return;
    this.#listener = null;
    const closed = new Promise((resolve) => listener.close(resolve));
    for (const line of this.#lines.keys()) line.reset();
    await Promise.all(this.#lines.values());
    await closed;
  }

  // --- what happened ------------------------------------------------------------------------------------------------
  /** In the order in which they ended. */
  get requests(): readonly LoggedRequest[] {
    return this.#journal.requests;
  }
  counter(op: OperationName | 'unknown'): Readonly<Counter> {
    return this.#journal.counter(op);
  }
  get requestsAtOnce(): number {
    return this.#journal.requestsAtOnce;
  }
  get requestsAtOnceMax(): number {
    return this.#journal.requestsAtOnceMax;
  }
  get connectionsOpened(): number {
    return this.#journal.connectionsOpened;
  }
  /** The next request to end, from now on, that matches. */
  next(matches: (one: LoggedRequest) => boolean): Promise<LoggedRequest> {
    return this.#journal.next(matches);
  }
  clearLog(): void {
    this.#journal.clear();
  }

  #accept(socket: net.Socket): void {
    socket.on('error', () => {});
    const { url, bucket } = this.#options;
    const { hostname, port } = new URL(url);
    const behind: Behind = {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port),
      bucket,
      connection: ++this.#journal.connectionsOpened,
      fault: (asked) => this.faults.take({ ...asked, endpoint: 0 }) ?? this.rain?.take(asked) ?? null,
      begun: () => this.#journal.begin(),
      ended: (request) => this.#journal.end(request),
    };
    const line = new Line(new Peer(socket), behind);
    const served = line
      .serve()
      .catch((error: unknown) => {
        if (this.#bugs.length < bugsMax) this.#bugs.push(error);
      })
      .finally(() => {
        this.bufferedMax = Math.max(this.bufferedMax, line.bufferedMax);
        this.#lines.delete(line);
      });
    this.#lines.set(line, served);
  }

  /** Throws when the proxy itself had failed: such a test has shown nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.faults.clear();
    await this.down();
    if (this.#bugs.length > 0) throw new AggregateError(this.#bugs, `the proxy failed: ${this.#bugs[0]}`);
  }
}
