/** One side of a connection: its bytes when they are asked for, its writes when there is room. Nothing piles up. */
import type { Socket } from 'node:net';

/** A connection is not there any more, or was broken off on purpose: nothing more is to be said. */
export class Gone extends Error {}

export class Peer {
  readonly socket: Socket;
  /** Most bytes of this side that were in the memory of this process at once. */
  bufferedMax = 0;
  /** Read, and given back. */
  #rest: Buffer | null = null;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    for (const event of ['readable', 'end', 'close', 'error', 'drain', 'connect']) {
      socket.on(event, () => {
        for (const wake of this.#waiting.splice(0)) wake();
      });
    }
  }

  /** No byte can come from there any more. */
  get over(): boolean {
    return this.socket.destroyed || this.socket.readableEnded;
  }

  async connected(): Promise<void> {
    while (this.socket.connecting) await this.#event();
    if (this.socket.destroyed) throw new Gone('not connected');
  }

  /** Null: the end. */
  async read(): Promise<Buffer | null> {
    for (;;) {
      const got = this.#take();
      if (got !== null) return got;
      if (this.over) return null;
      await this.#event();
    }
  }

  /** The next read begins with these. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#rest = this.#rest === null ? bytes : Buffer.concat([bytes, this.#rest]);
  }

  /** Returns when this side has ended, or the exchange is over. Bytes that come meanwhile are kept, as many as fit. */
  async gone(exchange: { isOver: boolean }): Promise<void> {
    while (!this.over && !exchange.isOver) {
      if (this.#rest === null) this.#rest = this.#take();
      if (this.over) return;
      await this.#event();
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { socket } = this;
    if (socket.destroyed || !socket.writable) throw new Gone('nobody takes it');
    socket.write(bytes);
    this.#saw();
    while (socket.writableNeedDrain) {
      if (socket.destroyed) throw new Gone('nobody takes it');
      await this.#event();
    }
  }

  /** FIN, behind all that was written. */
  async end(): Promise<void> {
    this.socket.end();
    while (!this.socket.destroyed && !this.socket.writableFinished) {
      await Promise.race([this.#event(), new Promise((resolve) => this.socket.once('finish', resolve))]);
    }
  }

  reset(): void {
    if (!this.socket.destroyed) this.socket.resetAndDestroy();
  }

  #take(): Buffer | null {
    this.#saw();
    const rest = this.#rest;
    this.#rest = null;
    return rest ?? (this.socket.destroyed ? null : (this.socket.read() as Buffer | null));
  }

  #saw(): void {
    const { readableLength, writableLength } = this.socket;
    this.bufferedMax = Math.max(this.bufferedMax, readableLength + writableLength + (this.#rest?.length ?? 0));
  }

  #event(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
