/** One client's connection, and the one behind it to the endpoint: exchange after exchange, with the faults in them. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../server/faults.ts';
import type { LoggedRequest } from '../server/journal.ts';
import { BentBody } from './bent.ts';
import type { ProxyAction, ProxyPoint, Side } from './fault-data.ts';
import { type Asked, BodyFrame, type Head, readAsked, readHead } from './message.ts';
import { Gone, Peer } from './peer.ts';

/** Slow links wait this often in a second. */
const stepsASecond = 20;

export interface Behind {
  readonly host: string;
  readonly port: number;
  readonly bucket: string;
  /** Number of the connection, from 1. */
  readonly connection: number;
  /** The fault that hits this request. */
  fault(asked: Asked): Fault<ProxyAction> | null;
  begun(): void;
  ended(request: LoggedRequest): void;
}

/** The two sides of an exchange that is under way. */
interface Exchange {
  readonly asked: Asked;
  readonly fault: Fault<ProxyAction> | null;
  readonly log: LoggedRequest;
  /** A cut or a stall takes place once. */
  isSpent: boolean;
  isOver: boolean;
}

export class Line {
  readonly #behind: Behind;
  readonly #client: Peer;
  #endpoint: Peer | null = null;
  /** The client was told the end in good order. */
  #isEnded = false;

  constructor(client: Peer, behind: Behind) {
    this.#client = client;
    this.#behind = behind;
  }

  get bufferedMax(): number {
    return Math.max(this.#client.bufferedMax, this.#endpoint?.bufferedMax ?? 0);
  }

  /** Returns when the connection is at its end. Throws what is a fault of the proxy itself. */
  async serve(): Promise<void> {
    try {
      for (let head = await this.#next(); head !== null; head = await this.#next()) {
        if (!(await this.#exchange(head))) break;
      }
      await this.#client.end();
    } catch (error) {
      if (!this.#isEnded) this.#client.reset();
      if (!(error instanceof Gone)) throw error;
    } finally {
      this.#client.socket.destroy();
      this.#endpoint?.socket.destroy();
    }
  }

  reset(): void {
    this.#client.reset();
    this.#endpoint?.reset();
  }

  /** Null: either side ended the connection. */
  async #next(): Promise<Head | null> {
    const idle = { isOver: false };
    const head = readHead(this.#client);
    const endpoint = this.#endpoint;
    const first = await (endpoint === null ? head : Promise.race([head, endpoint.gone(idle).then(() => null)]));
    idle.isOver = true;
    return first;
  }

  /** Returns whether the connection is good for another one. Throws Gone. */
  async #exchange(head: Head): Promise<boolean> {
    const asked = readAsked(head, this.#behind.bucket);
    const { op, method, bucket, key, part, range } = asked;
    const { connection } = this.#behind;
    const fault = this.#behind.fault(asked);
    const counted = { status: 0, code: '', bytesIn: 0, bytesOut: 0, requestId: '', endpoint: 0, connection };
    const log: LoggedRequest = { op, method, bucket, key, part, range, ...counted, fault: null, headers: {} };
    const exchange: Exchange = { asked, fault, log, isSpent: false, isOver: false };
    this.#behind.begun();
    try {
      await this.#reach(exchange, 'head', 0);
      if (fault?.data.action.do === 'answer') return await this.#answer(exchange, head, fault.data.action);
      return await this.#pass(exchange, head);
    } finally {
      exchange.isOver = true;
      this.#behind.ended(log);
    }
  }

  async #pass(exchange: Exchange, head: Head): Promise<boolean> {
    const endpoint = await this.#connected();
    const sent = this.#passRequest(exchange, head, endpoint);
    const answered = this.#passAnswer(exchange, endpoint);
    // From when the request is sent on, the client's side is only looked at for its end.
    const left = sent
      .then(() => this.#client.gone(exchange))
      .then((): boolean => {
        if (!exchange.isOver) throw new Gone('the client went away');
        return false;
      });
    for (const one of [sent, answered, left]) one.catch(() => {});
    const [, keeps] = await Promise.all([sent, Promise.race([answered, left])]);
    return keeps && head.headers.get('connection')?.toLowerCase() !== 'close';
  }

  async #passRequest(exchange: Exchange, head: Head, endpoint: Peer): Promise<void> {
    await endpoint.write(head.bytes);
    await this.#passBody(exchange, 'in', new BodyFrame(head, 'declared'), this.#client, endpoint);
    await this.#reach(exchange, 'sent', 0);
  }

  async #passAnswer(exchange: Exchange, endpoint: Peer): Promise<boolean> {
    let head = await readHead(endpoint);
    while (head !== null && /^HTTP\/1\.1 1/.test(head.startLine)) {
      await this.#client.write(head.bytes);
      head = await readHead(endpoint);
    }
    if (head === null) throw new Gone('the endpoint ended the connection');
    const { asked, log } = exchange;
    const status = Number(head.startLine.split(' ')[1]);
    const bodiless = asked.method === 'HEAD' || status === 204 || status === 304;
    const frame = new BodyFrame(head, bodiless ? 'none' : 'untilEnd');
    await this.#reachAnswered(exchange, frame, endpoint);
    log.requestId = head.headers.get('x-amz-request-id') ?? '';
    await this.#client.write(head.bytes);
    log.status = status;
    await this.#passBody(exchange, 'out', frame, endpoint, this.#client);
    const { action } = exchange.fault?.data ?? {};
    if (action?.do === 'trailing') {
      log.fault = action.do;
      await this.#client.write(Buffer.alloc(action.bytes, 0x2a));
    }
    if (action?.do === 'shortBody') {
      this.#isEnded = true;
      log.fault = action.do;
      await this.#client.end();
      throw new Gone('a short body');
    }
    return !frame.endsWithConnection && head.headers.get('connection')?.toLowerCase() !== 'close';
  }

  /** What the endpoint does is done when it has answered to the end. */
  async #reachAnswered(exchange: Exchange, frame: BodyFrame, endpoint: Peer): Promise<void> {
    const { action } = exchange.fault?.data ?? {};
    if (action === undefined || !('at' in action) || action.at !== 'answered') return;
    if (action.do !== 'stall') await drop(frame, endpoint);
    await this.#reach(exchange, 'answered', 0);
  }

  /** In steps, so that a cut comes after exactly as many bytes as it says. */
  async #passBody(exchange: Exchange, side: Side, frame: BodyFrame, from: Peer, to: Peer): Promise<void> {
    const { log } = exchange;
    const action = exchange.fault?.data.action ?? null;
    const bent = new BentBody(action, side, frame.length);
    const slow = action?.do === 'slow' && action.side === side ? action.bytesPerSecond : null;
    let passed = 0;
    await this.#reach(exchange, side, passed);
    while (!frame.done) {
      const came = await from.read();
      if (came === null) {
        if (frame.endsWithConnection) return;
        throw new Gone(`the ${side === 'in' ? 'client' : 'endpoint'} ended inside a body`);
      }
      const taken = frame.take(came);
      from.unread(came.subarray(taken));
      const bytes = bent.take(came.subarray(0, taken));
      if (action !== null && (bent.isBent || slow !== null)) log.fault = action.do;
      for (let at = 0; at < bytes.length; ) {
        let step = Math.min(bytes.length - at, this.#bytesToCut(exchange, side) - passed);
        if (slow !== null) step = Math.min(step, Math.max(1, Math.round(slow / stepsASecond)));
        await to.write(bytes.subarray(at, at + step));
        at += step;
        passed += step;
        log[side === 'in' ? 'bytesIn' : 'bytesOut'] += step;
        if (slow !== null) await delay((step / slow) * 1000);
        await this.#reach(exchange, side, passed);
      }
    }
  }

  /** The request is taken, and goes nowhere. */
  async #answer(
    exchange: Exchange,
    head: Head,
    { status, code, retryAfter }: Extract<ProxyAction, { do: 'answer' }>,
  ): Promise<boolean> {
    const { log, asked } = exchange;
    log.bytesIn = await drop(new BodyFrame(head, 'declared'), this.#client);
    const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>by the proxy</Message></Error>`;
    const lines = [
      `HTTP/1.1 ${status} by the proxy`,
      'content-type: application/xml',
      `content-length: ${xml.length}`,
      ...(retryAfter === undefined ? [] : [`retry-after: ${retryAfter}`]),
    ];
    log.status = status;
    log.code = code;
    log.fault = 'answer';
    await this.#client.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n${asked.method === 'HEAD' ? '' : xml}`));
    return true;
  }

  /** The exchange has come to this point, `bytes` into the body where the point is in one. Throws Gone. */
  async #reach(exchange: Exchange, point: ProxyPoint, bytes: number): Promise<void> {
    const { fault } = exchange;
    const { action } = fault?.data ?? {};
    if (fault === null || action === undefined || exchange.isSpent) return;
    if (!('at' in action) || action.at !== point || bytes < (action.bytes ?? 0)) return;
    if (action.do !== 'stall') return this.#cut(exchange, action.do, point);
    exchange.isSpent = true;
    exchange.log.fault = 'stall';
    await fault.hold(this.#client.gone(exchange));
    if (this.#client.over) throw new Gone('the client went away while it was held');
  }

  async #cut(exchange: Exchange, how: 'reset' | 'end', point: ProxyPoint): Promise<never> {
    exchange.isSpent = true;
    exchange.log.fault = how;
    this.#isEnded = how === 'end';
    if (how === 'reset') this.#client.reset();
    else await this.#client.end();
    throw new Gone(`${how} at ${point}`);
  }

  #bytesToCut({ fault, isSpent }: Exchange, side: Side): number {
    const { action } = fault?.data ?? {};
    if (isSpent || action === undefined || !('at' in action) || action.at !== side) return Number.POSITIVE_INFINITY;
    return action.bytes ?? 0;
  }

  async #connected(): Promise<Peer> {
    if (this.#endpoint === null) {
      const { host, port } = this.#behind;
      const socket = connect({ host, port, noDelay: true });
      socket.on('error', () => {});
      this.#endpoint = new Peer(socket);
      await this.#endpoint.connected();
    }
    return this.#endpoint;
  }
}

/** Reads a body that goes nowhere; returns how long it was. */
async function drop(frame: BodyFrame, from: Peer): Promise<number> {
  let dropped = 0;
  while (!frame.done) {
    const came = await from.read();
    if (came === null) break;
    const taken = frame.take(came);
    from.unread(came.subarray(taken));
    dropped += taken;
  }
  return dropped;
}
