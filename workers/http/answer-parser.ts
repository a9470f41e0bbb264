/**
 * The answer of one exchange, byte for byte: status line and headers, then the body by its length, in chunks or until the
 * end. Strict: what is doubtful is refused, because a connection on which both sides disagree about where an answer ends
 * gives the next exchange another one's bytes.
 *
 * Bytes come in by `feed`. A body that has a length is taken straight into the caller's memory: `wanted` is where the
 * next bytes belong, and `filled` says how many came there.
 */
import { ProtocolError } from './failure.ts';
import type { Head } from './head.ts';

const headBytesMax = 64 * 1024;
const chunkLineMax = 1024;
/** Of an error's body that are thrown away. */
const beyondMax = 1024 * 1024;
const statusLine = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: (.*))?$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
const lineEnd = Buffer.from('\r\n\r\n');

type State = 'head' | 'length' | 'chunkSize' | 'chunkData' | 'chunkEnd' | 'trailer' | 'untilEnd' | 'done';

export interface ParserOptions {
  /** HEAD has headers only. */
  noBody: boolean;
  /** A success' body goes here. null: it is collected, as the body of every other answer is. */
  into: Uint8Array | null;
  /** Most bytes that are collected. */
  collectMax: number;
}

export class AnswerParser {
  head: Head | null = null;
  /** Bytes in `into`. */
  received = 0;
  keepAlive = true;
  readonly #options: ParserOptions;
  #state: State = 'head';
  #pending: Buffer = Buffer.alloc(0);
  /** Of this answer and of those before it that were none (100 and its like). */
  #headBytes = 0;
  #left = 0;
  #direct = false;
  #collected: Buffer[] = [];
  #collectedBytes = 0;
  /** Bytes that were not kept. */
  #beyond = 0;

  constructor(options: ParserOptions) {
    this.#options = options;
  }

  get done(): boolean {
    return this.#state === 'done';
  }
  /** Any byte of an answer came. */
  get begun(): boolean {
    return this.#state !== 'head' || this.#pending.length > 0;
  }
  /** The rest of an answer is owed that nothing but a slow network can keep back: its head, or a body for `into`. */
  get owes(): boolean {
    return this.begun && !this.done && (this.head === null || this.#direct);
  }
  get body(): Buffer {
    return Buffer.concat(this.#collected);
  }

  /** Where the next bytes of the body belong; null: they are to be fed. */
  get wanted(): Uint8Array | null {
    if (this.#state !== 'length' || !this.#direct || this.#left === 0) return null;
    return (this.#options.into as Uint8Array).subarray(this.received, this.received + this.#left);
  }

  /** So many bytes came to where `wanted` said. */
  filled(count: number): void {
    this.received += count;
    this.#left -= count;
    if (this.#left === 0) this.#state = 'done';
  }

  /** Throws ProtocolError. Bytes behind the answer's end are one too: nothing was asked that they could answer. */
  feed(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#state === 'done') throw new ProtocolError('bytes behind the end of the answer');
      rest = this.#step(rest);
    }
  }

  /** The connection ended. Throws ProtocolError unless that is how this answer ends. */
  end(): void {
    if (this.#state === 'untilEnd') this.#state = 'done';
    if (this.#state !== 'done') throw new ProtocolError('the answer ends early');
  }

  #step(bytes: Buffer): Buffer {
    switch (this.#state) {
      case 'head':
        return this.#takeHead(bytes);
      case 'length':
        return this.#takeData(bytes, 'done');
      case 'chunkData':
        return this.#takeData(bytes, 'chunkEnd');
      case 'untilEnd':
        this.#keep(bytes);
        return bytes.subarray(bytes.length);
      default:
        return this.#takeLine(bytes);
    }
  }

  /** What is left of a body or a chunk that has a length; then comes `next`. */
  #takeData(bytes: Buffer, next: State): Buffer {
    const part = bytes.subarray(0, this.#left);
    this.#left -= part.length;
    this.#keep(part);
    if (this.#left === 0) this.#state = next;
    return bytes.subarray(part.length);
  }

  #takeHead(bytes: Buffer): Buffer {
    // An end of headers may lie across two pieces.
    const all = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    const end = all.indexOf(lineEnd);
    if (this.#headBytes + (end < 0 ? all.length : end) > headBytesMax) throw new ProtocolError('headers are too long');
    if (end < 0) {
      this.#pending = Buffer.from(all);
      return bytes.subarray(bytes.length);
    }
    this.#pending = Buffer.alloc(0);
    this.#headBytes += end + lineEnd.length;
    const head = parseHead(all.toString('latin1', 0, end));
    // 100 and its like are followed by the answer itself; nothing here asks to change the protocol.
    if (head.status === 101) throw new ProtocolError('the server changes the protocol');
    if (head.status >= 200) this.#begin(head);
    return all.subarray(end + lineEnd.length);
  }

  #begin(head: Head & { minor: string }): void {
    this.head = { status: head.status, reason: head.reason, headers: head.headers };
    const { connection = '', 'transfer-encoding': coding, 'content-length': length } = head.headers;
    const tokens = connection.toLowerCase().split(/\s*,\s*/);
    this.keepAlive = head.minor === '1' ? !tokens.includes('close') : tokens.includes('keep-alive');
    if (this.#options.noBody || head.status === 204 || head.status === 304) {
      this.#state = 'done';
      return;
    }
    this.#direct = this.#options.into !== null && head.status < 300;
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked') throw new ProtocolError(`transfer coding ${coding}`);
      if (length !== undefined) throw new ProtocolError('both a length and chunks');
      this.#state = 'chunkSize';
    } else if (length !== undefined) {
      this.#left = parseLength(length);
      const room = this.#options.into?.length ?? 0;
      if (this.#direct && this.#left > room)
        throw new ProtocolError(`${this.#left} bytes where ${room} were asked for`);
      this.#state = this.#left === 0 ? 'done' : 'length';
    } else {
      // Nobody could tell a whole body from one that was cut off.
      if (this.#direct) throw new ProtocolError('a body without a length');
      this.keepAlive = false;
      this.#state = 'untilEnd';
    }
  }

  /** Lines of chunks and trailers. */
  #takeLine(bytes: Buffer): Buffer {
    const at = bytes.indexOf(10);
    const piece = at < 0 ? bytes : bytes.subarray(0, at + 1);
    this.#pending = Buffer.concat([this.#pending, piece]);
    if (this.#pending.length > (this.#state === 'trailer' ? headBytesMax : chunkLineMax))
      throw new ProtocolError('a chunk line is too long');
    if (at < 0) return bytes.subarray(bytes.length);
    const line = this.#pending.toString('latin1');
    this.#pending = Buffer.alloc(0);
    if (!line.endsWith('\r\n')) throw new ProtocolError('a line without CR LF');
    this.#chunkLine(line.slice(0, -2));
    return bytes.subarray(piece.length);
  }

  #chunkLine(line: string): void {
    if (this.#state === 'chunkEnd') {
      if (line !== '') throw new ProtocolError('a chunk is longer than it says');
      this.#state = 'chunkSize';
    } else if (this.#state === 'trailer') {
      this.#headBytes += line.length;
      if (this.#headBytes > headBytesMax) throw new ProtocolError('trailers are too long');
      if (line === '') this.#state = 'done';
    } else {
      const size = /^([0-9A-Fa-f]{1,12})(?:[ \t]*;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new ProtocolError('a chunk without a size');
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunkData';
    }
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const { into, collectMax } = this.#options;
    if (this.#direct && into !== null) {
      if (this.received + bytes.length > into.length) throw new ProtocolError('more bytes than were asked for');
      into.set(bytes, this.received);
      this.received += bytes.length;
      return;
    }
    const room = collectMax - this.#collectedBytes;
    if (bytes.length > room && (this.head?.status ?? 0) < 300)
      throw new ProtocolError(`an answer of more than ${collectMax} bytes`);
    // Of an error the beginning is enough: its status counts. One without an end would keep its connection for ever.
    this.#beyond += Math.max(0, bytes.length - room);
    if (this.#beyond > Math.max(collectMax, beyondMax)) throw new ProtocolError('an error without an end');
    if (room > 0) this.#collected.push(Buffer.from(bytes.subarray(0, room)));
    this.#collectedBytes += Math.min(bytes.length, room);
  }
}

function parseHead(text: string): Head & { minor: string } {
  const [first = '', ...lines] = text.split('\r\n');
  const matched = statusLine.exec(first);
  if (matched === null) throw new ProtocolError('no status line');
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const found = headerLine.exec(line);
    if (found === null || /[\0\r\n]/.test(line)) throw new ProtocolError('a header line that is none');
    const name = (found[1] as string).toLowerCase();
    const value = found[2] as string;
    if (name === 'content-length' && headers[name] !== undefined) throw new ProtocolError('two lengths');
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { status: Number(matched[2]), reason: matched[3] ?? '', headers, minor: matched[1] as string };
}

function parseLength(text: string): number {
  const length = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw new ProtocolError('a length that is no number');
  return length;
}
