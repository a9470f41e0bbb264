/**
 * A client that speaks native/wire/wire.h by hand on the engine's socket: for what no plug-in of ours would ever send,
 * and for RESUME. Descriptors that come with an ARENA are dropped: it never maps one.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { FrameCutter } from '../../engine/core/frames.ts';
import { type Fields, type Layout, readStruct } from '../../engine/core/layout.ts';
import {
  decodeReply,
  encodeBare,
  encodeFrame,
  type FrameOf,
  type FrameType,
  frame,
  type ImageDef,
  type Layouts,
  layouts,
  wire,
} from '../../engine/core/wire.ts';

export interface ClientReply {
  status: number;
  text: string;
  body: Buffer;
}

interface Incoming {
  type: number;
  bytes: Buffer;
}

export interface Opened extends ClientReply {
  imageId: Uint8Array;
  token: Uint8Array;
}

export const testServer = 'VastData:test';

export function imageDefinition(basename: string, date: number): ImageDef {
  const opaque = new Uint8Array(0);
  return { basename, date, policy: '', schedule: '', client: '', opaque_length: 0, reserved: 0, opaque };
}

export class WireClient implements AsyncDisposable {
  readonly socket: Socket;
  /** Resolves when the connection is over, whoever ended it. */
  readonly ended: Promise<void>;
  #over = false;
  #callId = 0;
  readonly #frames: Incoming[] = [];
  #wake: (() => void) | null = null;
  readonly #cutter = new FrameCutter();

  private constructor(socket: Socket) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.#over = true;
        this.#wake?.();
        resolve();
      });
    });
    // An engine that hangs up on hostile bytes resets the connection: that is what tests wait for.
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.#cutter.push(chunk, (from, at, length) => {
        this.#frames.push({ type: from.readUInt16LE(at + 4), bytes: Buffer.from(from.subarray(at, at + length)) });
      });
      this.#wake?.();
    });
  }

  static async connect(path: string): Promise<WireClient> {
    const socket = connect(path);
    const client = new WireClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  /** Connected and greeted. */
  static async greeted(path: string): Promise<WireClient> {
    const client = await WireClient.connect(path);
    const reply = await client.hello();
    if (reply.status !== 0) throw new Error(`HELLO: ${reply.status} ${reply.text}`);
    return client;
  }

  send(bytes: Uint8Array): void {
    if (!this.#over) this.socket.write(bytes);
  }

  /** The next frame of this type; others before it are passed over. Null: the connection ended first. */
  async next(type: number): Promise<Buffer | null> {
    for (;;) {
      for (let got = this.#frames.shift(); got !== undefined; got = this.#frames.shift()) {
        if (got.type === type) return got.bytes;
      }
      if (this.#over) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async reply(): Promise<ClientReply> {
    const bytes = await this.next(frame.reply);
    if (bytes === null) throw new Error('the engine ended the connection instead of a reply');
    return decodeReply(bytes);
  }

  nextCallId(): number {
    this.#callId++;
    return this.#callId;
  }

  frame<K extends keyof Layouts>(
    kind: K,
    type: FrameType,
    values: Partial<Omit<FrameOf<K>, 'header'>>,
    tail?: Uint8Array,
  ): Buffer {
    return encodeFrame(kind, type, this.nextCallId(), values, tail);
  }

  async call<K extends keyof Layouts>(
    kind: K,
    type: FrameType,
    values: Partial<Omit<FrameOf<K>, 'header'>>,
    tail?: Uint8Array,
  ): Promise<ClientReply> {
    this.send(this.frame(kind, type, values, tail));
    return this.reply();
  }

  async bare(type: FrameType): Promise<ClientReply> {
    this.send(encodeBare(type, this.nextCallId()));
    return this.reply();
  }

  hello(over: Partial<FrameOf<'hello'>> = {}): Promise<ClientReply> {
    const { magic, major, minor } = wire;
    const values = { magic, major, minor, pid: process.pid, job: 'wire-client', server: testServer, ...over };
    return this.call('hello', frame.hello, values);
  }

  async create(lsu: string, basename: string, date: number): Promise<Opened> {
    const token = randomBytes(wire.tokenBytes);
    const def = imageDefinition(basename, date);
    const reply = await this.call('imageCreate', frame.imageCreate, { token, lsu, def });
    return opened(reply, token);
  }

  async open(mode: number, lsu: string, basename: string, date: number): Promise<Opened> {
    const token = mode === 1 ? Buffer.alloc(wire.tokenBytes) : randomBytes(wire.tokenBytes);
    const def = imageDefinition(basename, date);
    return opened(await this.call('imageOpen', frame.imageOpen, { token, mode, lsu, def }), token);
  }

  resume(token: Uint8Array, imageId: Uint8Array, lsu: string, basename: string, date: number): Promise<ClientReply> {
    const def = imageDefinition(basename, date);
    return this.call('imageResume', frame.imageResume, { token, image_id: imageId, lsu, def });
  }

  /** ARENA and one credit for each of its slots. */
  async arena(): Promise<{ arena: number; slots: number; slotBytes: number }> {
    const bytes = await this.next(frame.arena);
    if (bytes === null) throw new Error('no arena came');
    const { arena, slots, slot_bytes } = values('arena', bytes);
    for (let slot = 0; slot < slots; slot++) await this.next(frame.slotFree);
    return { arena, slots, slotBytes: slot_bytes };
  }

  /** Ends it from this side. */
  end(): Promise<void> {
    this.socket.destroy();
    return this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

function opened(reply: ClientReply, token: Uint8Array): Opened {
  return { ...reply, token, imageId: Buffer.from(reply.body.subarray(0, wire.tokenBytes)) };
}

/** A frame's fields. */
export function values<K extends keyof Layouts>(kind: K, bytes: Buffer): FrameOf<K> {
  return readStruct(layouts[kind] as unknown as Layout<Fields>, bytes, 0) as unknown as FrameOf<K>;
}
