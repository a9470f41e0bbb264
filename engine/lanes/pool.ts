/**
 * All lanes of one kind: takes orders, hands them to lanes, starts lanes on demand, replaces those that die or are lost.
 *
 * Who gets what is decided in assign.ts; Piscina owns the threads, each running one long task.
 */
import type { BucketTold } from '../core/bucket-status.ts';
import { errno } from '../core/errors.ts';
import { op, type ServeTask } from '../core/order.ts';
import type { S3Settings } from '../core/s3-settings.ts';
import { type Store, type StoreAnswer, StoreError, type StoreMethod } from '../core/store.ts';
import { Assign, type AssignStatus } from './assign.ts';
import { Countdown, within } from './drain.ts';
import { Lane } from './lane.ts';
import { failedResult, isRepeatable, type LaneOrder, type LaneResult } from './lane-order.ts';
import { BlockingThreads, type LaneThreads, NetThread } from './threads.ts';

export interface PoolOptions {
  kind: ServeTask['pool'];
  lanesMax: number;
  /** A lane that works on one order for longer is lost: replaced, its order left to it. */
  overdueMs: number;
  /** Added to the nice value of the lanes' threads. */
  niceness: number;
  storeKind: ServeTask['storeKind'];
  /** A pool of net lanes: of this bucket. */
  s3?: S3Settings;
  /** What its thread tells of it. */
  onBucket?(told: BucketTold): void;
  /** Orders of one mount under way at once; not given: as many as lanes. */
  perMountMax?: number;
  /** Orders that wait; more are answered with −EAGAIN. */
  queueMax?: number;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Tests and the bench: another entry for the lanes' threads. */
  lanePath?: string | undefined;
  onLost?(order: LaneOrder, mount: number): void;
  onDied?(error: Error | null): void;
}

export interface PoolStatus extends AssignStatus {
  kind: string;
  lanesMax: number;
  completed: number;
  /** Sums over all completions. */
  cpuNs: number;
  wallNs: number;
}

interface Work {
  order: LaneOrder;
  method: StoreMethod | null;
  readonly submittedAt: number;
  resolve(result: LaneResult): void;
  reject(error: unknown): void;
}

const nsPerMs = 1e6;
const queueMaxDefault = 4096;
/** Steps that need no open root: what is held is let go of whether the storage is mounted or not. */
const rootless: ReadonlySet<StoreMethod> = new Set(['openRoot', 'closeFiles', 'closeNames']);

export class Pool {
  readonly #options: PoolOptions;
  readonly #assign: Assign<Work>;
  readonly #threads: LaneThreads;
  readonly #lanes = new Map<number, Lane>();
  readonly #running = new Countdown();
  readonly #outstanding = new Countdown();
  /** Looks for overdue lanes; it also keeps the event loop alive while an order is out, which waitAsync does not. */
  readonly #timer: NodeJS.Timeout;
  /** The storage root as last opened, for stores of lanes that do not know it yet; the memory store has one lane only. */
  #root = '';
  #rootGeneration = 0;
  #stopping = false;
  #completed = 0;
  #cpuNs = 0;
  #wallNs = 0;

  constructor(options: PoolOptions) {
    // The memory store's namespace lives in its lane.
    const lanesMax = options.kind === 'meta' && options.storeKind === 'memory' ? 1 : options.lanesMax;
    this.#options = { ...options, lanesMax };
    this.#assign = new Assign({
      lanesMax,
      perMountMax: options.perMountMax ?? lanesMax,
      queueMax: options.queueMax ?? queueMaxDefault,
      overdueMs: options.overdueMs,
      now: options.now,
      isHeldUp: (lane) => this.#lanes.get(lane)?.isHeldUp(options.now()) ?? false,
    });
    // As many again may replace lanes that are lost.
    this.#threads =
      options.s3 === undefined
        ? new BlockingThreads(2 * lanesMax, options.onDied, options.lanePath)
        : new NetThread(options.s3, options.onDied, options.onBucket);
    this.#timer = setInterval(() => this.#lookForLost(), Math.max(10, Math.min(1000, options.overdueMs / 4)));
    this.#timer.unref();
  }

  /** A lane is free or may be started. */
  get idle(): boolean {
    return !this.#stopping && this.#assign.idle;
  }

  /** The same, and the mount takes an order now. */
  idleFor(mount: number): boolean {
    return !this.#stopping && this.#assign.idleFor(mount);
  }

  /**
   * Carries out one order. Never rejects but for bugs: failures are negative results. Orders of one `key` (an image)
   * stay in order among themselves; keys take turns.
   */
  run(order: LaneOrder, mount = 0, key = 0): Promise<LaneResult> {
    return this.#submit(order, null, mount, key);
  }

  /**
   * One step of the store, in a meta lane. Throws StoreError. `into`: packed names are left there, if they fit, and not in new
   * memory; it is the call's until this resolves.
   */
  async call<M extends StoreMethod>(
    method: M,
    arg: Parameters<Store[M]>[0],
    into: BigUint64Array | null = null,
  ): Promise<ReturnType<Store[M]>> {
    const text = JSON.stringify({ method, arg });
    const result = await this.#submit({ op: op.store, text, into }, method, 0, 0);
    if (result.result < 0) {
      // A sync that was under way when its lane died may have failed: what it should have made durable is not believed.
      const syncFailed = result.result === -errno.EIO;
      throw new StoreError({ errno: result.result, step: 'lane', path: result.text ?? '', syncFailed });
    }
    const answer = JSON.parse(result.text ?? '') as StoreAnswer<M>;
    if (!answer.ok) throw new StoreError(answer.failure);
    // Only packed names travel beside the text.
    if (result.crcs === null) return answer.value;
    const { buffer, byteOffset, byteLength } = result.crcs;
    return { ...answer.value, packed: new Uint8Array(buffer, byteOffset, byteLength) };
  }

  /** Seconds that the longest order under way, of one mount or of all, has taken so far, above one: then something does not answer. */
  oldestSeconds(mount: number | null = null): number {
    const seconds = this.#assign.oldestMs(mount) / 1000;
    return seconds < 1 ? 0 : seconds;
  }

  /** Lanes that work for one mount, and lost ones. */
  mountStatus(mount: number): { busy: number; lost: number } {
    return this.#assign.mountStatus(mount);
  }

  status(): PoolStatus {
    return {
      kind: this.#options.kind,
      lanesMax: this.#options.lanesMax,
      ...this.#assign.status(),
      completed: this.#completed,
      cpuNs: this.#cpuNs,
      wallNs: this.#wallNs,
    };
  }

  /**
   * Takes no more orders, lets what is under way end, ends the lanes. False when the deadline came first: then lanes
   * hang in system calls, and this process can only be killed.
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#stopping = true;
    const deadline = this.#options.now() + deadlineMs;
    const left = () => deadline - this.#options.now();
    await within(this.#outstanding.zero(), left());
    for (const ticket of this.#assign.takeQueued()) this.#fail(ticket.payload, -errno.ECANCELED, 'the engine stops');
    for (const lane of this.#lanes.values()) lane.stop();
    const ended = await within(this.#running.zero(), left());
    clearInterval(this.#timer);
    // Ending the threads waits for each of them: with one that hangs it would never come back.
    if (ended) await this.#threads.destroy();
    return ended;
  }

  #submit(order: LaneOrder, method: StoreMethod | null, mount: number, key: number): Promise<LaneResult> {
    if (this.#stopping) return Promise.resolve(failedResult(-errno.ECANCELED, 'the engine stops'));
    return new Promise((resolve, reject) => {
      const work = { order, method, submittedAt: this.#options.now(), resolve, reject };
      if (!this.#assign.submit(work, mount, key, isRepeatable(order, method))) {
        resolve(failedResult(-errno.EAGAIN, `the ${this.#options.kind} queue is full`));
        return;
      }
      if (this.#outstanding.count === 0) this.#timer.ref();
      this.#outstanding.add();
      order.watch?.submitted();
      this.#dispatch();
    });
  }

  #dispatch(): void {
    for (let given = this.#assign.give(); given !== null; given = this.#assign.give()) {
      const lane = given.start ? this.#start(given.lane) : this.#lanes.get(given.lane)!;
      const work = given.ticket.payload;
      try {
        lane.give(work.method === null ? work.order : this.#withRoot(lane, work));
        work.order.watch?.given();
      } catch (error) {
        // An order that cannot be encoded is a bug of its caller, and no reason to lose the lane.
        this.#assign.finished(lane.number);
        this.#settled();
        work.order.watch?.ended(0);
        work.reject(error);
      }
    }
  }

  /** A lane whose store has not seen the newest opening of the root opens it itself, before the call. */
  #withRoot(lane: Lane, work: Work): LaneOrder {
    if (work.method !== null && rootless.has(work.method)) return work.order;
    if (lane.rootGeneration === this.#rootGeneration) return work.order;
    lane.rootGiven = this.#rootGeneration;
    return { ...work.order, text: `{"root":${this.#root},${work.order.text!.slice(1)}` };
  }

  #start(number: number): Lane {
    const { kind, niceness, storeKind } = this.#options;
    const lane = new Lane(number, { pool: kind, niceness, storeKind }, (task) => this.#threads.start(task), {
      completed: (lane, result) => this.#onCompleted(lane, result),
      ended: (lane, error) => this.#onEnded(lane, error),
    });
    this.#lanes.set(number, lane);
    this.#running.add();
    return lane;
  }

  #onCompleted(lane: Lane, result: LaneResult): void {
    lane.answeredAt = this.#options.now();
    const { ticket, retire } = this.#assign.finished(lane.number);
    if (retire) {
      this.#lanes.delete(lane.number);
      lane.stop();
    }
    const work = ticket.payload;
    if (work.method !== null) this.#noteRoot(lane, work, result);
    this.#completed++;
    this.#cpuNs += result.cpuNs;
    this.#wallNs += result.wallNs;
    const ringMs = Math.max(0, this.#options.now() - ticket.givenAt - result.wallNs / nsPerMs);
    result.queueNs = Math.max(0, ticket.givenAt - work.submittedAt) * nsPerMs;
    result.ringNs = ringMs * nsPerMs;
    work.order.watch?.ended(ringMs);
    this.#settled();
    work.resolve(result);
    this.#dispatch();
  }

  #noteRoot(lane: Lane, work: Work, result: LaneResult): void {
    // 1: the lane's store opened the root, on the way or because that was the call.
    if (result.result !== 1) return;
    if (work.method === 'openRoot') {
      this.#root = JSON.stringify((JSON.parse(work.order.text!) as { arg: unknown }).arg);
      this.#rootGeneration++;
      lane.rootGiven = this.#rootGeneration;
    }
    lane.rootGeneration = lane.rootGiven;
  }

  #onEnded(lane: Lane, error: Error | null): void {
    this.#running.done();
    // A lane that was told to stop is done with its orders, or was retired.
    const known = this.#lanes.delete(lane.number);
    if (!known || (this.#stopping && error === null)) return;
    this.#options.onDied?.(error);
    const { ticket, again } = this.#assign.died(lane.number);
    if (again) ticket?.payload.order.watch?.submitted();
    if (ticket !== null && !again) {
      this.#fail(ticket.payload, -errno.EIO, `its lane died: ${error?.message ?? 'it ended early'}`);
    }
    this.#dispatch();
  }

  #fail(work: Work, result: number, text: string): void {
    this.#settled();
    work.order.watch?.ended(0);
    work.resolve(failedResult(result, text));
  }

  #settled(): void {
    this.#outstanding.done();
    if (this.#outstanding.count === 0) this.#timer.unref();
  }

  #lookForLost(): void {
    for (const { ticket } of this.#assign.overdue()) this.#options.onLost?.(ticket.payload.order, ticket.mount);
    this.#dispatch();
  }
}
