/** As much of HTTP/1.1 as a proxy has to know: a head, and where the body behind it ends. Bytes are passed on as they came. */
import { type OperationName, operationOf } from '../server/call.ts';
import type { Peer } from './peer.ts';

const headBytesMax = 64 * 1024;
const headEnd = Buffer.from('\r\n\r\n');

export interface Head {
  /** As it came, with the empty line. */
  bytes: Buffer;
  startLine: string;
  headers: Map<string, string>;
}

/** Null: the connection ended before a head began. Throws on what is no head. */
export async function readHead(peer: Peer): Promise<Head | null> {
  let bytes: Buffer = Buffer.alloc(0);
  for (;;) {
    const more = await peer.read();
    if (more === null) return null;
    bytes = bytes.length === 0 ? more : Buffer.concat([bytes, more]);
    const end = bytes.indexOf(headEnd);
    if (end >= 0) {
      peer.unread(bytes.subarray(end + headEnd.length));
      return parse(bytes.subarray(0, end + headEnd.length));
    }
    if (bytes.length > headBytesMax) throw new Error('a head that does not end');
  }
}

function parse(bytes: Buffer): Head {
  const [startLine = '', ...lines] = bytes.toString('latin1').trimEnd().split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { bytes, startLine, headers };
}

export interface Asked {
  method: string;
  op: OperationName | null;
  bucket: string;
  key: string;
  /** Of an upload; 0: none. */
  part: number;
  /** Range as asked, '' without. */
  range: string;
  /** Bytes of the body, as its head says. */
  bytes: number;
}

/** `bucket`: of clients that put it into the host name, not into the path. */
export function readAsked({ startLine, headers }: Head, bucket: string): Asked {
  const [method = '', target = '/'] = startLine.split(' ');
  const [path = '/', rawQuery = ''] = target.split(/\?(.*)/s, 2);
  const query = new Map(new URLSearchParams(rawQuery));
  const [, first = '', rest = ''] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(path)) ?? [];
  const inHost = headers.get('host')?.startsWith(`${bucket}.`) ?? false;
  const key = inHost ? decodeURIComponent(path).slice(1) : rest;
  return {
    method,
    op: operationOf({ method, key, query, headers }),
    bucket: inHost ? bucket : first,
    key,
    part: Number(query.get('partNumber') ?? 0),
    range: headers.get('range') ?? '',
    bytes: Number(headers.get('content-length') ?? 0),
  };
}

type State = 'data' | 'untilEnd' | 'size' | 'chunk' | 'chunkEnd' | 'trailer' | 'done';

/** Tells the bytes of one body from those behind it. */
export class BodyFrame {
  /** Bytes, where the head says how many. */
  readonly length: number | null;
  #state: State;
  #left = 0;
  #line = '';

  constructor({ headers }: Head, has: 'none' | 'declared' | 'untilEnd') {
    const length = headers.get('content-length');
    const isChunked = headers.get('transfer-encoding')?.toLowerCase() === 'chunked';
    if (has === 'none') [this.length, this.#state] = [0, 'done'];
    else if (isChunked) [this.length, this.#state] = [null, 'size'];
    else if (length !== undefined || has === 'declared') {
      this.length = Number(length ?? 0);
      this.#left = this.length;
      this.#state = this.length === 0 ? 'done' : 'data';
    } else [this.length, this.#state] = [null, 'untilEnd'];
  }

  get done(): boolean {
    return this.#state === 'done';
  }
  /** The end of the connection ends this body. */
  get endsWithConnection(): boolean {
    return this.#state === 'untilEnd';
  }

  /** How many of these bytes are the body's. */
  take(bytes: Buffer): number {
    if (this.#state === 'untilEnd') return bytes.length;
    let at = 0;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data' || this.#state === 'chunk') {
        const step = Math.min(this.#left, bytes.length - at);
        at += step;
        this.#left -= step;
        if (this.#left === 0) this.#state = this.#state === 'data' ? 'done' : 'chunkEnd';
      } else {
        const end = bytes.indexOf(10, at);
        this.#line += bytes.toString('latin1', at, end < 0 ? bytes.length : end);
        at = end < 0 ? bytes.length : end + 1;
        if (end >= 0) this.#takeLine();
      }
    }
    return at;
  }

  #takeLine(): void {
    const line = this.#line.trimEnd();
    this.#line = '';
    if (this.#state === 'chunkEnd') this.#state = 'size';
    else if (this.#state === 'trailer') this.#state = line === '' ? 'done' : 'trailer';
    else {
      this.#left = Number.parseInt(line, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk';
    }
  }
}
