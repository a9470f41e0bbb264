/** The Run that workloads are given by the command line. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CutShort } from './bench-error.ts';
import { bytesPerStream, type RunOptions } from './cli/options.ts';
import { counters } from './conditions/counters.ts';
import type { Result, Row } from './result/schema.ts';
import type { BucketTarget, Run, Step, Workload } from './run-context.ts';
import { type RunLimits, reached } from './workplace/limits.ts';
import type { Progress } from './workplace/progress.ts';

const lookEveryMs = 2000;

export interface LiveRunParts {
  readonly id: string;
  readonly options: RunOptions;
  readonly workloads: readonly Workload[];
  readonly directory: string;
  readonly bucket: BucketTarget | null;
  readonly signal: AbortSignal;
  /** Fires the signal. */
  cut(reason: Error): void;
  readonly progress: Progress;
  readonly limits: RunLimits;
}

export class LiveRun implements Run {
  readonly id: string;
  readonly directory: string;
  readonly bucket: BucketTarget | null;
  readonly signal: AbortSignal;
  readonly store: Run['store'];
  readonly modes: Run['modes'];
  readonly blocks: Run['blocks'];
  readonly streams: Run['streams'];
  readonly alternations: number;
  readonly warmUps: number;
  readonly data: Run['data'];
  readonly quick: boolean;
  readonly peers: Run['peers'];
  readonly settings: Run['settings'];
  readonly workloads: Run['workloads'];
  readonly stalls: Result['stalls'] = [];
  readonly #rows = new Set<Row>();
  readonly #parts: LiveRunParts;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  #looking = false;

  constructor(parts: LiveRunParts) {
    const { options } = parts;
    this.#parts = parts;
    this.id = parts.id;
    this.directory = parts.directory;
    this.bucket = parts.bucket;
    this.signal = parts.signal;
    this.store = options.store;
    this.modes = options.modes;
    this.blocks = options.blocks;
    this.streams = options.streams;
    this.alternations = options.alternations;
    this.warmUps = options.warmUps;
    this.data = options.data;
    this.quick = options.quick;
    this.peers = options.peers;
    this.settings = options.settings;
    this.workloads = parts.workloads;
    this.#timer = setInterval(() => void this.#look(), lookEveryMs);
    this.#timer.unref();
  }

  /** A look that takes long, on a file system that does not answer, is not joined by another one. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const why = await reached(this.#parts.limits, this.elapsed());
      if (why !== null) this.#parts.cut(new CutShort(why));
    } finally {
      this.#looking = false;
    }
  }

  /** In the order in which they were complete. */
  get rows(): Row[] {
    return [...this.#rows];
  }

  place(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  progress(step: Step): void {
    this.#parts.progress.step(step);
  }

  elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  note(text: string): void {
    this.#parts.progress.note(text);
  }

  check(): void {
    this.signal.throwIfAborted();
  }

  keep(rows: readonly Row[]): void {
    for (const row of rows) this.#rows.add(row);
    this.#parts.progress.pointDone();
  }

  keepStalls(stalls: Result['stalls']): void {
    this.stalls.push(...stalls);
  }

  counters(): Record<string, number> {
    return counters(this.#parts.limits.directory);
  }

  bytesPerStream(streams: number): number {
    return bytesPerStream(this.#parts.options, streams);
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
