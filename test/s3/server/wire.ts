/** One HTTP exchange with the faults in it: the body in, the answer out, and every way to break off. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Reply } from './context.ts';
import type { FaultAction, Point } from './fault-data.ts';
import type { Fault } from './faults.ts';
import { readPieces } from './state.ts';

/** The connection was broken off on purpose, or by the client: nothing more is to be said. */
export class Gone extends Error {}

const strideBytes = 2 ** 20;
/** Slow links wait this often in a second. */
const stepsASecond = 20;

export class Wire {
  bytesIn = 0;
  bytesOut = 0;
  /** As sent; 0: not yet. */
  status = 0;
  readonly gone: Promise<void>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** Sends RST on the TCP connection, below TLS too. */
  readonly #reset: () => void;
  #fault: Fault<FaultAction> | null = null;
  /** Set when stall, reset or end has taken place: each happens once a request. */
  #isSpent = false;

  constructor(request: IncomingMessage, response: ServerResponse, reset: () => void) {
    this.#request = request;
    this.#response = response;
    this.#reset = reset;
    this.gone = new Promise((resolve) => response.once('close', resolve));
  }

  set fault(fault: Fault<FaultAction> | null) {
    this.#fault = fault;
  }

  get action(): FaultAction | null {
    return this.#fault?.data.action ?? null;
  }

  /** The request has come to this point, `bytes` into the body where the point is in one. Throws Gone. */
  async reach(point: Point, bytes = 0): Promise<void> {
    const cut = this.#cutAt(point);
    if (cut === null || bytes < cut.bytes) return;
    this.#isSpent = true;
    if (cut.do === 'stall') {
      await this.#fault!.hold(this.gone);
      if (this.#response.closed) throw new Gone('the client went away while it was held');
      return;
    }
    if (cut.do === 'reset') this.#reset();
    else this.#request.socket.end();
    throw new Gone(`${cut.do} at ${point}`);
  }

  /** Kind of the fault that took place; a cut that its body never came to has not. */
  get faultDone(): FaultAction['do'] | null {
    const action = this.action;
    const isCut = action !== null && ('at' in action || action.do === 'doneButReset') && action.do !== 'answer';
    return isCut && !this.#isSpent ? null : (action?.do ?? null);
  }

  /** How many bytes of a body may pass before the next cut at `point`. */
  #cutAt(point: Point): { do: 'reset' | 'end' | 'stall'; bytes: number } | null {
    const action = this.action;
    if (action === null || this.#isSpent) return null;
    if (action.do === 'doneButReset') return point === 'done' ? { do: 'reset', bytes: 0 } : null;
    if (action.do !== 'reset' && action.do !== 'end' && action.do !== 'stall') return null;
    return action.at === point ? { do: action.do, bytes: action.bytes ?? 0 } : null;
  }

  async *bodyChunks(): AsyncGenerator<Buffer> {
    if (this.#request.headers.expect?.toLowerCase() === '100-continue') this.#response.writeContinue();
    await this.reach('in', 0);
    const action = this.action;
    try {
      for await (const chunk of this.#request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        if (action?.do === 'corruptIn') flip(chunk, action.offset - this.bytesIn, action.bit);
        this.bytesIn += chunk.length;
        yield chunk;
        if (action?.do === 'slow' && action.side === 'in') await delay((chunk.length / action.bytesPerSecond) * 1000);
        await this.reach('in', this.bytesIn);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') throw new Gone('the client went away');
      throw error;
    }
  }

  async raw(text: string): Promise<never> {
    await new Promise((resolve) => this.#request.socket.end(text, () => resolve(null)));
    throw new Gone('raw');
  }

  /** Sends the answer, changed as the fault says. Throws Gone when it breaks off. */
  async answer(reply: Reply, headers: Record<string, string>): Promise<void> {
    const response = this.#response;
    const action = this.action;
    const size = sizeOf(reply);
    let said = size;
    if (action?.do === 'overlongBody' && action.counted) said += action.bytes;
    if (reply.status !== 204 && reply.status !== 304) headers['content-length'] = String(said);
    response.sendDate = false;
    response.writeHead(reply.status, headers);
    this.status = reply.status;
    if (this.#cutAt('out') !== null) response.flushHeaders();
    await this.reach('out', 0);
    if (reply.body !== undefined && this.#request.method !== 'HEAD') await this.#sendBody(reply.body, size);
    response.end();
    await this.gone;
    if (!response.writableFinished) throw new Gone('the client went away before the end of the answer');
  }

  async #sendBody(body: NonNullable<Reply['body']>, size: number): Promise<void> {
    const action = this.action;
    const end = action?.do === 'shortBody' ? Math.max(0, size - action.bytes) : size;
    for (const chunk of chunksOf(body)) {
      const rest = chunk.subarray(0, Math.max(0, end - this.bytesOut));
      if (action?.do === 'corruptBody') flip(rest, action.offset - this.bytesOut, action.bit);
      await this.#send(rest);
    }
    if (action?.do === 'overlongBody') await this.#send(Buffer.alloc(action.bytes, 0x2a));
    if (action?.do === 'shortBody') {
      this.#request.socket.end();
      throw new Gone('short body');
    }
  }

  /** In steps, so that a cut comes after exactly as many bytes as it says. */
  async #send(bytes: Buffer): Promise<void> {
    const action = this.action;
    const slow = action?.do === 'slow' && action.side === 'out' ? action.bytesPerSecond : null;
    for (let at = 0; at < bytes.length; ) {
      const cut = this.#cutAt('out');
      let step = bytes.length - at;
      if (cut !== null) step = Math.min(step, Math.max(1, cut.bytes - this.bytesOut));
      if (slow !== null) step = Math.min(step, Math.max(1, Math.round(slow / stepsASecond)));
      const part = bytes.subarray(at, at + step);
      // The buffer is read into again: it must have left for the kernel before that.
      await Promise.race([new Promise((resolve) => this.#response.write(part, resolve)), this.gone]);
      if (this.#response.closed) throw new Gone('the client went away during the answer');
      at += step;
      this.bytesOut += step;
      if (slow !== null) await delay((step / slow) * 1000);
      await this.reach('out', this.bytesOut);
    }
  }
}

function sizeOf({ body, length }: Reply): number {
  if (body === undefined) return length ?? 0;
  return typeof body === 'string' ? Buffer.byteLength(body) : body.end - body.start;
}

function chunksOf(body: NonNullable<Reply['body']>): Iterable<Buffer> {
  if (typeof body === 'string') return [Buffer.from(body)];
  return readPieces(body.object.pieces, body.start, body.end, strideBytes);
}

function flip(bytes: Buffer, offset: number, bit: number): void {
  if (offset >= 0 && offset < bytes.length) bytes[offset]! ^= 1 << bit;
}
