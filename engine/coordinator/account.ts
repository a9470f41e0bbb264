/** What one handle cost: sums and a clock for its summary line and for status. */
import { availableParallelism } from 'node:os';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { Shares } from '../core/shares.ts';
import type { JobFacts } from '../core/verdict.ts';
import type { LaneResult } from '../lanes/lane-order.ts';
import {
  type ClockSource,
  JobClock,
  type JobOrder,
  type OrderKind,
  type Stage,
  stages,
} from '../transfer/job-clock.ts';
import { type SharedOut, sharesOf, sharesSoFar } from '../transfer/job-shares.ts';

/** What all jobs of the engine have in common. */
export class Load {
  /** Of images, moved since the start. */
  bytes = 0;
  readonly digestLanes: number;
  /** B/s of one core; 0: not known. */
  readonly copyRate: number;
  readonly cores = availableParallelism();

  constructor(digestLanes: number, copyRate: number) {
    this.digestLanes = digestLanes;
    this.copyRate = Math.max(0, copyRate);
  }
}

/** What an image knows of its job and the account does not. */
export type ImageFacts = Pick<JobFacts, 'mode' | 'store' | 'slots' | 'slotsWanted'>;

function wayTo(store: ImageFacts['store']): 'device' | 'network' {
  return store === 'file' ? 'device' : 'network';
}

export class Account implements ClockSource {
  readonly since: number;
  readonly clock: JobClock;
  bytes = 0;
  cpuNs = 0;
  deviceNs = 0;
  digestNs = 0;
  /** Requests over the network that were sent again, and pieces that were read again for their checksums' sake. */
  retries = 0;
  #failed = false;
  /** The plug-in's own account, from CLOSE. */
  hostWaitNs = 0;
  slotWaitNs = 0;
  copyNs = 0;
  /** Monotonic milliseconds of the last byte moved. */
  movedAt: number;
  readonly #load: Load;
  readonly #loadBytes: number;
  readonly #loopSince: EventLoopUtilization;
  #image: ClockSource | null = null;
  #opening: Stage = 'commit';
  #last: JobOrder | null = null;

  /** From the call on that opens the image. */
  constructor({ now, load }: { now(): number; load: Load }) {
    this.since = now();
    this.movedAt = this.since;
    this.#load = load;
    this.#loadBytes = load.bytes;
    this.#loopSince = performance.eventLoopUtilization();
    this.clock = new JobClock(now, this);
    this.clock.tick();
  }

  /** An image is there that knows what its client waits for. */
  attach(image: ClockSource): void {
    this.#image = image;
    this.clock.tick();
  }

  /** Until then: what the call that opens it waits for. */
  opening(stage: Stage): void {
    this.#opening = stage;
    this.clock.tick();
  }

  order(kind: OrderKind): JobOrder {
    this.#last = this.clock.order(kind);
    return this.#last;
  }

  /** Without an image one order follows the other. */
  waitsNow(clock: JobClock): void {
    if (this.#image === null) clock.waits('call', this.#last, null, this.#opening);
    else this.#image.waitsNow(clock);
  }

  /** With CLOSE. What the engine timed itself, from the open on, is no wait for a slot. */
  told(close: { host_wait_ns: number; slot_wait_ns: number; copy_ns: number }): void {
    this.hostWaitNs = close.host_wait_ns;
    this.slotWaitNs = Math.max(0, close.slot_wait_ns - this.#callsBeforeClose() * 1e6);
    this.copyNs = close.copy_ns;
  }

  #callsBeforeClose(): number {
    const { call } = this.clock.times();
    return stages.reduce((ms, stage) => ms + call[stage], 0);
  }

  device(result: LaneResult): void {
    this.cpuNs += result.cpuNs;
    this.deviceNs += result.wallNs;
    this.retries += result.retries;
    if (result.result < 0) this.#failed = true;
  }
  digest(result: LaneResult): void {
    this.cpuNs += result.cpuNs;
    this.digestNs += result.wallNs;
  }
  moved(bytes: number, now: number): void {
    this.bytes += bytes;
    this.#load.bytes += bytes;
    this.movedAt = now;
  }

  /** A step failed that wrote from this image's memory. */
  spoiled(): void {
    this.#failed = true;
  }

  /** No order failed, not even once: nothing of this image's memory is left in the hands of the kernel. */
  get clean(): boolean {
    return !this.#failed && this.retries === 0;
  }

  /** One line's worth: bytes, seconds, GB/s, CPU-s/GB, waits in seconds. */
  summary(now: number): object {
    const seconds = Math.max(1e-6, (now - this.since) / 1000);
    const gigabytes = this.bytes / 1e9;
    const three = (value: number): number => Math.round(value * 1000) / 1000;
    return {
      bytes: this.bytes,
      seconds: three(seconds),
      gbPerS: three(gigabytes / seconds),
      cpuSPerGb: gigabytes > 0 ? three(this.cpuNs / 1e9 / gigabytes) : null,
      waits: {
        hostProgramS: three(this.hostWaitNs / 1e9),
        slotS: three(this.slotWaitNs / 1e9),
        digestS: three(this.digestNs / 1e9),
        deviceS: three(this.deviceNs / 1e9),
      },
      copyS: three(this.copyNs / 1e9),
      retries: this.retries,
    };
  }

  /** Of a job that goes on, for status. */
  sharesSoFar(now: number, store: ImageFacts['store']): Shares {
    return sharesSoFar(Math.max(1e-3, now - this.since), this.clock.soFar(), wayTo(store));
  }

  /** Where the time went up to now, and what the verdict needs besides. */
  shares(now: number, image: ImageFacts): SharedOut & { readonly facts: JobFacts } {
    const wallMs = Math.max(1e-3, now - this.since);
    const times = this.clock.times();
    const told = { hostMs: this.hostWaitNs / 1e6, copyMs: this.copyNs / 1e6, slotMs: this.slotWaitNs / 1e6 };
    const out = sharesOf(wallMs, told, times, wayTo(image.store));
    const seconds = wallMs / 1000;
    const facts: JobFacts = {
      ...image,
      seconds,
      moves: times.moves,
      idle: times.idleMs / wallMs,
      moving: times.movingMs / wallMs,
      moveQueue: out.moveQueue,
      digestQueue: out.digestQueue,
      eventLoop: performance.eventLoopUtilization(this.#loopSince).utilization,
      copyRate: this.#load.copyRate,
      engineRate: (this.#load.bytes - this.#loadBytes) / seconds,
      digestLanes: this.#load.digestLanes,
      cores: this.#load.cores,
    };
    return { ...out, facts };
  }
}
