/**
 * The place where log lines go: a file or standard error, written by libuv's threads, so that a disk that is slow, full
 * or gone under the log never holds up the coordinator's thread.
 *
 * Not pino.destination: its flushSync sleeps and tries again for ever on a full disk, and loses what is in flight when
 * the process kills itself afterwards; a reopen that failed makes the next one close a foreign descriptor.
 */
import { close, open, openSync, write, writeSync } from 'node:fs';

/** Bytes that may wait for the disk; lines beyond are dropped and counted. */
export const logWaitingBytesMax = 8 * 1_048_576;
const chunkBytesMax = 65_536;
const fileMode = 0o640;
/** Standard error may be a pipe whose reader is slow. */
const retryMs = 50;

export class LogFile {
  /** Lines that could not be written since start. */
  dropped = 0;
  /** Text of the last failure; null once a write has worked again. */
  failure: string | null = null;
  readonly #path: string | null;
  #file: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #busy = false;
  #reopenWanted = false;
  #isDirect = false;
  /** A failed write may have left half a line. */
  #lineTorn = false;
  #idle: (() => void)[] = [];

  /** Throws when the file cannot be opened. `path` null: standard error. */
  constructor(path: string | null) {
    this.#path = path;
    this.#file = path === null ? 2 : openSync(path, 'a', fileMode);
  }

  /** One line with its line feed. Never throws, never waits. */
  write(line: string): void {
    const bytes = Buffer.from(line, 'utf8');
    if (this.#isDirect) {
      this.#writeNow(bytes);
      return;
    }
    if (this.#waitingBytes + bytes.length > logWaitingBytesMax) {
      this.dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#goOn();
  }

  /** From now on in a new file of the same name; where that fails, the old one stays in use. */
  reopen(): void {
    this.#reopenWanted = this.#path !== null;
    this.#goOn();
  }

  /** Resolves when all that was handed over is written or dropped, at most after `msMax`. True: nothing waits. */
  async flush(msMax: number): Promise<boolean> {
    if (!this.#busy) return true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), msMax);
    });
    const done = new Promise<boolean>((resolve) => {
      this.#idle.push(() => resolve(true));
    });
    const written = await Promise.race([done, late]);
    clearTimeout(timer);
    return written;
  }

  /**
   * For the end after a bug, when this thread must not go back to its loop: what waits is written now, and so is each
   * later line. May wait for the disk. A chunk that another thread is writing at this moment may be lost.
   */
  direct(): void {
    this.#isDirect = true;
    for (const bytes of this.#waiting.splice(0)) this.#writeNow(bytes);
  }

  #writeNow(bytes: Buffer): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      this.dropped++;
      this.failure = (error as Error).message;
    }
  }

  #goOn(): void {
    if (this.#busy) return;
    if (this.#reopenWanted) {
      this.#reopenWanted = false;
      this.#busy = true;
      this.#openAnew();
    } else if (this.#waiting.length > 0) {
      this.#busy = true;
      this.#writeChunk();
    } else {
      for (const tell of this.#idle.splice(0)) tell();
    }
  }

  #ended(): void {
    this.#busy = false;
    this.#goOn();
  }

  #openAnew(): void {
    open(this.#path as string, 'a', fileMode, (error, file) => {
      if (error) {
        this.failure = error.message;
        this.#ended();
        return;
      }
      const old = this.#file;
      this.#file = file;
      this.#lineTorn = false;
      this.failure = null;
      close(old, () => this.#ended());
    });
  }

  #writeChunk(): void {
    let lines = 0;
    let length = 0;
    do {
      length += (this.#waiting[lines] as Buffer).length;
      lines++;
    } while (lines < this.#waiting.length && length < chunkBytesMax);
    const taken = this.#waiting.splice(0, lines);
    const chunk = Buffer.concat(this.#lineTorn ? [Buffer.from('\n'), ...taken] : taken);
    this.#writeFrom(chunk, 0, (error, written) => {
      this.#waitingBytes -= length;
      if (error) {
        this.dropped += lines;
        this.failure = error.message;
        this.#lineTorn = this.#lineTorn || written > 0;
      } else {
        this.#lineTorn = false;
        this.failure = null;
      }
      this.#ended();
    });
  }

  #writeFrom(chunk: Buffer, at: number, done: (error: Error | null, written: number) => void): void {
    write(this.#file, chunk, at, chunk.length - at, null, (error, count) => {
      if (error?.code === 'EAGAIN') setTimeout(() => this.#writeFrom(chunk, at, done), retryMs);
      else if (error) done(error, at);
      else if (at + count < chunk.length) this.#writeFrom(chunk, at + count, done);
      else done(null, chunk.length);
    });
  }
}
