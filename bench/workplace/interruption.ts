/**
 * SIGINT, SIGTERM and SIGHUP end a run in order: its signal fires, everything that was started is stopped, what it made is
 * removed. A second one ends it at once and tells what is left.
 */
import { constants } from 'node:os';
import { CutShort } from '../bench-error.ts';
import { liveEngines } from '../engine-process.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/**
 * `timeout`, systemd and shells signal every process of a job, and what starts the bench hands on what it heard: one wish
 * comes twice. Who means it twice takes longer, or sends another signal.
 */
const echoMs = 500;

export class Interruption {
  readonly #controller = new AbortController();
  readonly #handlers: (() => void)[] = [];
  readonly #left: () => string[];
  readonly #tell: (line: string) => void;
  readonly #nowMs: () => number;
  #first: { readonly name: string; readonly atMs: number } | null = null;

  /** `left`: what there is to be removed at this moment, a line each. */
  constructor(left: () => string[], tell: (line: string) => void, nowMs: () => number = () => performance.now()) {
    this.#left = left;
    this.#tell = tell;
    this.#nowMs = nowMs;
    for (const name of signals) {
      const handler = (): void => this.#signalled(name);
      process.on(name, handler);
      this.#handlers.push(() => process.off(name, handler));
    }
    const failed = (error: Error): void => this.cut(error);
    process.on('uncaughtException', failed);
    this.#handlers.push(() => process.off('uncaughtException', failed));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The first reason counts. */
  cut(reason: Error): void {
    if (!this.signal.aborted) this.#controller.abort(reason);
  }

  #signalled(name: (typeof signals)[number]): void {
    const code = 128 + constants.signals[name];
    if (this.#first?.name === name && this.#nowMs() - this.#first.atMs < echoMs) return;
    this.#first ??= { name, atMs: this.#nowMs() };
    if (!this.signal.aborted) {
      this.#tell(`${name}: stopping what was started and removing what was made; once more ends at once`);
      this.cut(new CutShort(`interrupted by ${name}`, code));
      return;
    }
    for (const pid of liveEngines()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }
    for (const line of this.#left()) this.#tell(line);
    process.exit(code);
  }

  /** The signals are the process's own again. */
  [Symbol.dispose](): void {
    for (const off of this.#handlers) off();
  }
}
