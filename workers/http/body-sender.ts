/**
 * How requests leave: arrays by the socket, slice by slice, each in a turn of the event loop; slots of an arena, where
 * nothing stands between the socket and the wire, by native code beside the event loop.
 *
 *   send ─► head ─► slice ─► slice … ─► slot (a thread of its own) ─► … ─► sent
 */
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { addon } from '../../native/addon/index.ts';
import { type Piece, SlotBytes, slicesOf } from './body.ts';

export interface SenderSettings {
  readonly idleMs: number;
  /** Of a body that native code sends, in `idleMs`. */
  readonly leastBytes: number;
  readonly sliceBytes: number;
  readonly secure: boolean;
}

export interface SenderTold {
  /** The socket has taken all of it: nothing reads the caller's memory any more. */
  sent(): void;
  /** Only of what native code sends: else the socket's own 'error' tells. */
  failed(code: string, text: string): void;
  /** The memory cannot be shown, which is no failure of the connection's: what was thrown. */
  gone(error: Error): void;
}

/** Below this a thread would cost more than it saves. */
const nativeFromBytes = 1024 * 1024;

/** Of threads that have ended; who measures the calling thread's CPU time adds it. */
let cpuNs = 0;

export function sendersCpuNs(): number {
  return cpuNs;
}

interface Native {
  readonly id: number;
  /** Nothing of the request is behind it. */
  readonly isLast: boolean;
  readonly ended: Promise<void>;
}

export class BodySender {
  readonly #socket: Socket;
  readonly #settings: SenderSettings;
  #native: Native | null = null;
  #stopped = false;

  constructor(socket: Socket, settings: SenderSettings) {
    this.#socket = socket;
    this.#settings = settings;
  }

  /** What `send` is to be given: throws where the memory is gone, before anything is sent. */
  stepsOf(head: Buffer, body: readonly Piece[]): readonly Piece[] {
    return [head, ...body.flatMap((piece) => this.#steps(piece))];
  }

  /** One request at a time. */
  send(steps: readonly Piece[], told: SenderTold): void {
    this.#step(steps, 0, told);
  }

  /** Nothing more is sent. Resolves when native code holds neither memory nor connection; the socket is the caller's. */
  stop(): Promise<void> {
    this.#stopped = true;
    if (this.#native === null) return Promise.resolve();
    addon.stopSend(this.#native.id);
    return this.#native.ended;
  }

  /**
   * The request's last bytes may have arrived at the other side already, which native code is about to tell: resolves when
   * it has. Null: they cannot have.
   */
  lastBytes(): Promise<void> | null {
    if (this.#native === null || !this.#native.isLast || addon.sendIsLast(this.#native.id) === 0) return null;
    return this.#native.ended;
  }

  #steps(piece: Piece): Piece[] {
    const { secure, sliceBytes } = this.#settings;
    // Encrypting a whole part in one go would hold up the event loop for a tenth of a second. Without TLS a fast endpoint
    // takes a whole part in one system call.
    if (secure || !(piece instanceof SlotBytes)) return slicesOf([piece], sliceBytes);
    return piece.length < nativeFromBytes ? [piece.copy()] : [piece];
  }

  #step(steps: readonly Piece[], at: number, told: SenderTold): void {
    if (this.#stopped) return;
    const piece = steps[at];
    if (piece === undefined) {
      told.sent();
      return;
    }
    if (piece instanceof SlotBytes) {
      this.#sendSlot(piece, steps.slice(at + 1), told);
      return;
    }
    this.#socket.write(piece, (error) => {
      if (error) return; // 'error' and 'close' tell
      // What the socket has taken at once is told of in this very turn. So it is by TLS: it tells by one of Node's own
      // immediates, and those that they make run in the same turn, for as long as the endpoint takes all.
      if (at === 0 || at + 1 === steps.length) this.#step(steps, at + 1, told);
      else setImmediate(() => this.#step(steps, at + 1, told));
    });
  }

  #sendSlot(slot: SlotBytes, rest: readonly Piece[], told: SenderTold): void {
    const { arena, offset, length } = slot;
    const { idleMs, leastBytes } = this.#settings;
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = addon.sendSlot(descriptorOf(this.#socket), arena, offset, length, idleMs, leastBytes, (result, ns) => {
      cpuNs += ns;
      this.#native = null;
      // Where the connection has ended meanwhile as well: the answer that came before waits for nothing but this.
      if (result === length && rest.length === 0) told.sent();
      resolve();
      if (this.#stopped) return;
      this.#socket.setTimeout(idleMs);
      // An answer that came before the other side ended the connection is read first.
      if (result !== length) setImmediate(() => this.#failed(-result, told));
      else if (rest.length > 0) this.#step(rest, 0, told);
    });
    if (id < 0) {
      this.#instead(slot, rest, told);
      return;
    }
    this.#native = { id, isLast: rest.length === 0, ended: promise };
    // The socket sees nothing move: native code looks itself.
    this.#socket.setTimeout(0);
  }

  /** No thread or no descriptor was to be had. */
  #instead(slot: SlotBytes, rest: readonly Piece[], told: SenderTold): void {
    let slices: Uint8Array[];
    try {
      slices = slicesOf([slot], this.#settings.sliceBytes);
    } catch (error) {
      told.gone(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#step([...slices, ...rest], 0, told);
  }

  #failed(errno: number, told: SenderTold): void {
    if (this.#stopped) return;
    const code = getSystemErrorName(-errno);
    const { idleMs, leastBytes } = this.#settings;
    const text =
      code === 'ETIMEDOUT' ? `not even ${leastBytes} bytes were taken in ${idleMs} ms` : 'the request was cut off';
    told.failed(code, text);
  }
}

/** −1 where there is none, or where another Node keeps it elsewhere: the addon refuses it. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { _handle?: { fd?: number } | null };
  return handle?.fd ?? -1;
}
