/**
 * One connection: frames in, frames out, one call at a time. It knows the protocol's manners, and nothing of images.
 *
 * Everything that comes in is hostile. What breaks the rules ends this connection with a text in the log, and nothing
 * else. What goes out is bounded too: a client that does not read is dropped.
 */
import type { Socket } from 'node:net';
import { addon } from '../../native/addon/index.ts';
import { FrameCutter } from '../core/frames.ts';
import { FrameError } from '../core/layout.ts';
import { decodeRequest, encodeBare, encodeReply, frame, type Request, wire } from '../core/wire.ts';

/** A client may leave this much unread before it is dropped: some hundred control frames, or several list pages. */
const unreadBytesMax = 512 * 1024;
/** How long a full socket may hold up an arena's descriptor. */
const arenaWaitMs = 30_000;
const arenaRetryMs = 2;
/** A connection that says nothing at all is given up: it is nobody's handle yet. */
const helloWaitMs = wire.silenceS * 1000;
/** The end of a dead process's connection is told within it, unless a child of its still holds the connection. */
const deathGraceMs = 50;

export interface Peer {
  pid: number;
  uid: number;
  gid: number;
}

export interface LinkEvents {
  /** A frame, checked for type and length. One-way frames and calls alike. */
  request(link: Link, request: Request): void;
  /** Once, for whatever reason: the peer closed, broke a rule, or its process is gone. */
  ended(link: Link, why: string): void;
}

/** Frames without a reply; all others are calls. */
const oneWay: ReadonlySet<number> = new Set([frame.submit, frame.slotDone, frame.arenaDropped, frame.populate]);

type Outgoing = { bytes: Buffer; arena: number; since: number };

export class Link {
  readonly id: number;
  readonly peer: Peer;
  /** Job name from HELLO: goes into every line about this connection. */
  job = '';
  server = '';
  /** It ended by the client's own close, in all processes that had it. */
  closedByPeer = false;
  /** The call that waits for its reply; 0: none. */
  #callId = 0;
  #callType = 0;
  #callSince = 0;
  #ended = false;
  #watch = 0;
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  readonly #cutter = new FrameCutter();
  readonly #queue: Outgoing[] = [];
  #retry: NodeJS.Timeout | null = null;
  #death: NodeJS.Timeout | null = null;
  #silence: NodeJS.Timeout | null;

  constructor(id: number, socket: Socket, events: LinkEvents) {
    this.id = id;
    this.#socket = socket;
    this.#events = events;
    const ids = new Int32Array(3);
    addon.peerCredentials(this.#descriptor(), ids);
    this.peer = { pid: ids[0] as number, uid: ids[1] as number, gid: ids[2] as number };
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('close', () => {
      if (!this.#ended) this.closedByPeer = true;
      this.#end('the host program closed the connection');
    });
    socket.on('error', (error) => this.#end(`the connection failed: ${error.message}`));
    socket.on('drain', () => this.#pump());
    // bptm forks, and its children keep the descriptor: the end of the socket is not the end of the process.
    const watch = this.peer.pid > 0 ? addon.watchProcess(this.peer.pid, () => this.#died()) : -1;
    this.#watch = Math.max(watch, 0);
    this.#silence = setTimeout(() => this.#end('no HELLO came'), helloWaitMs);
    this.#silence.unref();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Milliseconds (of `now`'s clock) since the outstanding call came; null when there is none. */
  callAge(now: number): number | null {
    return this.#callId === 0 ? null : now - this.#callSince;
  }

  /** Frame type of the outstanding call; 0: none. */
  get callType(): number {
    return this.#callId === 0 ? 0 : this.#callType;
  }

  stillWorking(): void {
    this.send(encodeBare(frame.stillWorking, this.#callId));
  }

  /** Answers the outstanding call. */
  reply(callId: number, status: number, sysErrno: number, text: string, body: Uint8Array | null): void {
    if (callId === this.#callId) this.#callId = 0;
    this.send(encodeReply(callId, status, sysErrno, text, body));
  }

  send(bytes: Buffer): void {
    if (this.#ended) return;
    if (this.#queue.length > 0) this.#queue.push({ bytes, arena: 0, since: 0 });
    else this.#write(bytes);
  }

  /** Sends a frame together with the arena's descriptor, in order with all other frames. */
  sendArena(bytes: Buffer, arena: number): void {
    if (this.#ended) return;
    this.#queue.push({ bytes, arena, since: performance.now() });
    this.#pump();
  }

  /** Several frames as one write. */
  batch(work: () => void): void {
    this.#socket.cork();
    work();
    this.#socket.uncork();
  }

  end(why: string): void {
    this.#end(why);
  }

  #descriptor(): number {
    // Node gives a socket's descriptor only here; without it neither SO_PEERCRED nor SCM_RIGHTS is to be had.
    const handle = (this.#socket as unknown as { _handle: { fd: number } | null })._handle;
    return handle === null ? -1 : handle.fd;
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      this.#cutter.push(chunk, (from, at, length) => {
        if (this.#ended) return;
        this.#take(decodeRequest(from, at, length));
      });
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#end(`the host program sent a bad frame: ${error.message}`);
    }
  }

  #take(request: Request): void {
    this.#endSilence();
    if (!oneWay.has(request.type)) {
      if (this.#callId !== 0) throw new FrameError('a second call before the first was answered');
      if (request.callId === 0) throw new FrameError('a call without an id');
      this.#callId = request.callId;
      this.#callType = request.type;
      this.#callSince = performance.now();
    }
    this.#events.request(this, request);
  }

  #endSilence(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
  }

  #write(bytes: Buffer): void {
    this.#socket.write(bytes);
    if (this.#socket.writableLength > unreadBytesMax) this.#end('the host program does not read its answers');
  }

  #pump(): void {
    if (this.#retry !== null) return;
    while (!this.#ended && this.#queue.length > 0) {
      const next = this.#queue[0] as Outgoing;
      if (next.arena !== 0 && !this.#passArena(next)) return;
      this.#queue.shift();
      if (next.arena === 0) this.#write(next.bytes);
    }
  }

  /** False: not now, it will be tried again. A descriptor may only pass when libuv has nothing queued before it. */
  #passArena(next: Outgoing): boolean {
    if (performance.now() - next.since > arenaWaitMs) {
      this.#end('the host program does not read its answers');
      return false;
    }
    const eagain = -11;
    const result =
      this.#socket.writableLength > 0 ? eagain : addon.arenaSend(this.#descriptor(), next.bytes, next.arena);
    if (result >= 0) return true;
    if (result !== eagain) {
      this.#end(`the arena could not be passed: errno ${-result}`);
      return false;
    }
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#pump();
    }, arenaRetryMs);
    return false;
  }

  /** Who closes its image and ends has done both before this thread hears of either: the close counts, and is told later. */
  #died(): void {
    if (this.#ended) return;
    this.#death = setTimeout(() => this.#end('the host program died'), deathGraceMs);
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#death !== null) clearTimeout(this.#death);
    if (this.#watch !== 0) addon.unwatchProcess(this.#watch);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#endSilence();
    this.#queue.length = 0;
    this.#socket.destroy();
    this.#events.ended(this, why);
  }
}
