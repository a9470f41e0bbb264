/**
 * One connection to an endpoint: one exchange at a time, bodies straight out of and into the caller's memory.
 *
 * When an exchange's promise settles nothing touches that memory any more: either all that was written has been sent and
 * the answer is whole, or the socket is closed.
 */
import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { AnswerParser } from './answer-parser.ts';
import { lengthOf, type Piece } from './body.ts';
import { BodySender } from './body-sender.ts';
import { HttpFailure, ProtocolError, type Stage } from './failure.ts';
import type { Head } from './head.ts';
import { rotatingLookup } from './lookup.ts';

export interface Endpoint {
  readonly protocol: 'http' | 'https';
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface Exchange {
  readonly method: string;
  /** Encoded, with its query. */
  readonly path: string;
  /** Host included. Content-Length is written here, from `body`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent one after the other. */
  readonly body: readonly Piece[];
  /** The body of a success is received here; null: it is collected, like that of every other answer. */
  readonly into: Uint8Array | null;
  /** Most bytes that are collected. */
  readonly collectMax: number;
  readonly signal?: AbortSignal;
}

export interface Answer extends Head {
  /** What was collected. */
  body: Buffer;
  /** Bytes in `into`. */
  received: number;
}

export interface ConnectionSettings {
  /** Name, TCP and TLS together. */
  readonly connectMs: number;
  /** No byte moves in either direction. */
  readonly idleMs: number;
  /** Between exchanges: then it is closed. */
  readonly keptMs: number;
  /** Bytes that are sent in one turn of the event loop: the others are to have theirs. */
  readonly sliceBytes: number;
  readonly tls: { readonly ca: string | undefined; readonly verify: boolean };
}

/**
 * The least that an answer under way brings, and that the other side takes of a body, bytes a second: bytes that trickle
 * would keep a time-out away.
 */
const bytesPerSecondMin = 1024;

function bytesIn(ms: number): number {
  return Math.ceil((bytesPerSecondMin * ms) / 1000);
}

/** Headers, and what comes with them of the body, land here first. */
const scratchBytes = 16 * 1024;

interface Current {
  exchange: Exchange;
  parser: AnswerParser;
  stage: Stage;
  sent: boolean;
  /** One of ours; or the caller's own, of memory that it had promised. */
  failure: Error | null;
  /** Bytes that came since the last look, at which more of the answer was owed or not. */
  came: number;
  owed: boolean;
  settled: PromiseWithResolvers<Answer>;
  unlisten: () => void;
}

export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #socket: Socket;
  readonly #secure: boolean;
  readonly #scratch: Buffer;
  readonly #sender: BodySender;
  readonly #closed = Promise.withResolvers<void>();
  #current: Current | null = null;
  #used = false;
  #dead = false;

  private constructor(socket: Socket, scratch: Buffer, secure: boolean, settings: ConnectionSettings) {
    this.#socket = socket;
    this.#scratch = scratch;
    this.#secure = secure;
    this.#settings = settings;
    const { idleMs, sliceBytes } = settings;
    this.#sender = new BodySender(socket, { idleMs, leastBytes: bytesIn(idleMs), sliceBytes, secure });
  }

  /** Throws HttpFailure: 'connect' or 'tls'. */
  static async open(endpoint: Endpoint, settings: ConnectionSettings): Promise<Connection> {
    const secure = endpoint.protocol === 'https';
    // The socket asks for its first memory here and now: what comes first must land where the connection looks for it.
    const scratch = Buffer.alloc(scratchBytes);
    let connection: Connection | null = null;
    const options = {
      host: endpoint.host,
      port: endpoint.port,
      lookup: rotatingLookup,
      autoSelectFamily: false,
      noDelay: true,
      onread: {
        buffer: () => connection?.nextBuffer() ?? scratch,
        callback: (count: number, buffer: Uint8Array) => connection?.took(count, buffer) ?? true,
      },
    };
    const { ca, verify } = settings.tls;
    const tls: ConnectionOptions = { ca, rejectUnauthorized: verify };
    // An address is no server name (RFC 6066, section 3).
    if (isIP(endpoint.host) === 0) tls.servername = endpoint.host;
    const socket = secure ? tlsConnect({ ...options, ...tls } as ConnectionOptions) : tcpConnect(options);
    connection = new Connection(socket, scratch, secure, settings);
    connection.#listen();
    await connection.#connected(endpoint);
    return connection;
  }

  /** May take another exchange. */
  get usable(): boolean {
    return !this.#dead && this.#current === null;
  }

  /** Carries out one exchange. Throws HttpFailure, and what the body's memory throws where it is gone. */
  async exchange(exchange: Exchange): Promise<Answer> {
    const { into, collectMax, method, signal } = exchange;
    const steps = this.#sender.stepsOf(requestHead(exchange), exchange.body);
    const current: Current = {
      exchange,
      parser: new AnswerParser({ noBody: method === 'HEAD', into, collectMax }),
      stage: 'send',
      sent: false,
      failure: null,
      came: 0,
      owed: false,
      settled: Promise.withResolvers(),
      unlisten: () => undefined,
    };
    this.#current = current;
    if (signal) {
      const abort = (): void => this.#fail('EABORTED', 'given up');
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      current.unlisten = () => signal.removeEventListener('abort', abort);
    }
    this.#socket.ref();
    this.#socket.setTimeout(this.#settings.idleMs);
    const watch = setInterval(() => this.#demandRate(current), this.#settings.idleMs);
    this.#send(current, steps);
    try {
      return await current.settled.promise;
    } finally {
      clearInterval(watch);
      current.unlisten();
      this.#current = null;
      this.#used = true;
      this.#socket.setTimeout(this.#settings.keptMs);
      this.#socket.unref();
    }
  }

  /** Ends it; resolves when the socket is closed. */
  close(): Promise<void> {
    this.#destroy();
    return this.#closed.promise;
  }

  /** For the socket: where the next bytes go. */
  nextBuffer(): Uint8Array {
    // All of it: one that is filled by what is there is read into again in the same turn, up to 32 times; one that is
    // larger ends the turn.
    return this.#current?.parser.wanted ?? this.#scratch;
  }

  /** For the socket: bytes came. */
  took(count: number, buffer: Uint8Array): boolean {
    const current = this.#current;
    if (current === null) {
      // Nothing was asked: what comes now would be taken for the next answer.
      if (!this.#dead) void this.close();
      return false;
    }
    current.came += count;
    try {
      if (buffer.buffer === this.#scratch.buffer) current.parser.feed(this.#scratch.subarray(0, count));
      else current.parser.filled(count);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail('EPROTOCOL', error.message);
      return false;
    }
    if (current.parser.head !== null) current.stage = 'body';
    if (current.parser.done) this.#answered(current);
    return true;
  }

  /** Of a body that is collected nothing is demanded: S3 sends blanks while it puts an object together. */
  #demandRate(current: Current): void {
    const { idleMs } = this.#settings;
    const { came, owed } = current;
    current.came = 0;
    current.owed = current.parser.owes;
    if (owed && current.owed && came < bytesIn(idleMs)) this.#fail('ETIMEDOUT', `only ${came} bytes in ${idleMs} ms`);
  }

  #listen(): void {
    this.#socket.on('timeout', () => {
      if (this.#current === null) void this.close();
      else this.#fail('ETIMEDOUT', `nothing moved for ${this.#settings.idleMs} ms`);
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(error.code ?? 'EUNKNOWN', error.message));
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => void this.#ends());
  }

  async #ends(): Promise<void> {
    this.#dead = true;
    await this.#sender.stop();
    const { failure, settled } = this.#current ?? {};
    if (settled !== undefined) settled.reject(failure ?? this.#failure('ECONNRESET', 'the connection was closed'));
    this.#closed.resolve();
  }

  /** The other side has said its last byte: that may be the end of the answer. */
  #ended(): void {
    const current = this.#current;
    this.#dead = true;
    if (current === null) {
      this.#destroy();
      return;
    }
    try {
      current.parser.end();
      this.#answered(current);
    } catch (error) {
      this.#fail('ECONNRESET', error instanceof Error ? error.message : String(error));
    }
  }

  async #connected({ host, port }: Endpoint): Promise<void> {
    const socket = this.#socket;
    const { connectMs } = this.#settings;
    const standing = Promise.withResolvers<void>();
    let stage: Stage = 'connect';
    const refuse = (code: string, text: string): void => {
      standing.reject(new HttpFailure(stage, code, `${host}:${port}: ${text}`));
    };
    const timer = setTimeout(() => refuse('ETIMEDOUT', `no connection after ${connectMs} ms`), connectMs);
    socket.once('connect', () => {
      stage = 'tls';
    });
    socket.once(this.#secure ? 'secureConnect' : 'connect', () => standing.resolve());
    socket.once('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? 'EUNKNOWN', error.message));
    socket.once('close', () => refuse('ECONNRESET', 'closed'));
    try {
      await standing.promise;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #send(current: Current, steps: readonly Piece[]): void {
    if (this.#dead) return;
    this.#sender.send(steps, {
      sent: () => {
        current.sent = true;
        if (current.stage === 'send') current.stage = 'headers';
      },
      failed: (code, text) => {
        // An answer that has come is about to be judged, and tells more.
        if (this.#current === current && !current.parser.done) this.#fail(code, text);
      },
      gone: (error) => {
        if (this.#current !== current || current.parser.done) return;
        current.failure ??= error;
        this.#destroy();
      },
    });
  }

  /** The socket's memory of the request goes with it; native code's a moment later. */
  #destroy(): void {
    this.#dead = true;
    void this.#sender.stop();
    this.#socket.destroy();
  }

  /**
   * The answer is whole. It counts once nothing of the request is being read any more, and when no byte has come behind
   * it: that one would be taken for the beginning of the next answer.
   *
   * Judged a turn of the event loop later: TLS tells of a write only then, and a fast answer comes before.
   */
  #answered(current: Current): void {
    setImmediate(() => this.#judge(current));
  }

  #judge(current: Current): void {
    if (current.failure !== null || this.#current !== current) return;
    const { parser, sent } = current;
    const head = parser.head as Head;
    if (!sent && head.status < 300) {
      const last = this.#sender.lastBytes();
      if (last !== null) void last.then(() => this.#judge(current));
      // Nobody can have stored what was not sent.
      else this.#fail('EPROTOCOL', `${head.status} for a request that is not sent yet`);
      return;
    }
    const answer = { ...head, body: parser.body, received: parser.received };
    if (sent && parser.keepAlive && !this.#dead) {
      current.settled.resolve(answer);
      return;
    }
    // 'close' rejects what is under way: this one has its answer.
    this.#current = null;
    void this.close().then(() => current.settled.resolve(answer));
  }

  #fail(code: string, text: string): void {
    if (this.#current !== null) this.#current.failure ??= this.#failure(code, text);
    this.#destroy();
  }

  #failure(code: string, text: string): HttpFailure {
    const current = this.#current as Current;
    // Of a server that took the request and answers nothing nobody knows what it did; a kept connection just ends.
    const stale = this.#used && !current.parser.begun && code !== 'ETIMEDOUT' && code !== 'EABORTED';
    return new HttpFailure(current.stage, code, text, {
      stale,
      received: current.parser.received,
      head: current.parser.head,
    });
  }
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const target = /^\/[\x21-\x7e]*$/;

/** Throws RangeError on what would not go over the wire as it stands here. */
function requestHead({ method, path, headers, body }: Exchange): Buffer {
  if (!token.test(method) || !target.test(path)) throw new RangeError('a request line that is none');
  const lines = [`${method} ${path} HTTP/1.1`];
  for (const [name, value] of Object.entries(headers)) {
    if (!token.test(name) || !fieldValue.test(value)) throw new RangeError(`header ${name} is none`);
    if (name.toLowerCase() !== 'content-length') lines.push(`${name}: ${value}`);
  }
  const length = lengthOf(body);
  if (length > 0 || method === 'PUT' || method === 'POST') lines.push(`content-length: ${length}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
