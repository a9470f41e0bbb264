/** Where a pool's lanes run: each in a thread of its own, or all in one thread's event loop. Piscina owns the threads. */

import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { BucketTold } from '../core/bucket-status.ts';
import type { NetStart, NetTold, ServeNetTask, ServeTask } from '../core/order.ts';
import type { S3Settings } from '../core/s3-settings.ts';

export interface LaneThreads {
  /** Resolves when the lane has ended after its stop word; rejects when it died. */
  start(task: ServeTask): Promise<void>;
  /** After all lanes have ended. */
  destroy(): Promise<void>;
}

type OnBucket = ((told: BucketTold) => void) | undefined;
type OnDied = ((error: Error | null) => void) | undefined;

/**
 * A lane makes little garbage and lives long: with V8's own limits its heap would grow to many times what it needs. The
 * old generation still holds several store calls of the longest texts.
 */
const laneHeap = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };
const common = {
  minThreads: 0,
  idleTimeout: Number.POSITIVE_INFINITY,
  concurrentTasksPerWorker: 1,
  atomics: 'disabled',
  recordTiming: false,
} as const;

export function workerPath(name: string): string {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`../../workers/${name}.${ending}`, import.meta.url));
}

/** Lanes that may block: a thread each. */
export class BlockingThreads implements LaneThreads {
  readonly #threads: Piscina<ServeTask, void>;
  readonly #filename: string;

  constructor(threadsMax: number, onDied: OnDied, filename = workerPath('lane-main')) {
    this.#filename = filename;
    this.#threads = new Piscina({ ...common, maxThreads: threadsMax, resourceLimits: laneHeap });
    // Of a worker that fails between two tasks; one that fails in its task rejects that.
    this.#threads.on('error', (error: Error) => onDied?.(error));
  }

  start(task: ServeTask): Promise<void> {
    return this.#threads.run(task, { filename: this.#filename });
  }
  destroy(): Promise<void> {
    return this.#threads.destroy();
  }
}

/** It parses answers and signs requests beside its buffers. */
const netHeap = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 512 };

/** Lanes that wait for the network: all in one event loop, so that they share connections and what is known of images. */
export class NetThread implements LaneThreads {
  readonly #threads: Piscina<ServeNetTask, void>;
  readonly #s3: S3Settings;
  readonly #onBucket: OnBucket;
  readonly #lanes = new Map<number, PromiseWithResolvers<void>>();
  #port: MessagePort | null = null;
  #running: Promise<void> = Promise.resolve();
  #laneNext = 1;

  constructor(s3: S3Settings, onDied: OnDied, onBucket: OnBucket) {
    this.#s3 = s3;
    this.#onBucket = onBucket;
    this.#threads = new Piscina({ ...common, maxThreads: 1, resourceLimits: netHeap });
    this.#threads.on('error', (error: Error) => onDied?.(error));
  }

  start(task: ServeTask): Promise<void> {
    const lane = this.#laneNext++;
    const ended = Promise.withResolvers<void>();
    this.#lanes.set(lane, ended);
    this.#port ??= this.#open();
    this.#port.postMessage({ lane, task } satisfies NetStart);
    return ended.promise;
  }

  async destroy(): Promise<void> {
    this.#port?.close();
    await this.#running;
    await this.#threads.destroy();
  }

  #open(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (told: NetTold) => {
      if ('lane' in told) this.#ended(told.lane, told.problem);
      else this.#onBucket?.(told);
    });
    // An idle pool keeps no process alive: the pool's own timer does that while an order is out.
    port1.unref();
    const task = { port: port2, s3: this.#s3 };
    // Piscina's type stands for another form of postMessage's second argument.
    const transferList = [port2] as never;
    this.#running = this.#threads.run(task, { filename: workerPath('net-main'), transferList }).then(
      () => this.#lost(port1, 'the net thread ended'),
      (error) => this.#lost(port1, String(error)),
    );
    return port1;
  }

  #ended(lane: number, problem: string | null): void {
    const ended = this.#lanes.get(lane);
    this.#lanes.delete(lane);
    if (problem === null) ended?.resolve();
    else ended?.reject(new Error(problem));
  }

  /** The thread is gone, and all its lanes with it; the next one starts another. */
  #lost(port: MessagePort, problem: string): void {
    if (this.#port === port) this.#port = null;
    port.close();
    for (const lane of [...this.#lanes.keys()]) this.#ended(lane, problem);
  }
}
