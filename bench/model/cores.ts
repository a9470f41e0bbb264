/**
 * Cores that threads share as the kernel shares them (kernel.ts has its rules): a thread that wakes goes where it ran last, or to
 * an idle core where one is looked for, else it waits; who runs goes on for a slice, then the one with the least time for its
 * weight is next; a core with nothing to do takes a thread that waits elsewhere, at once or at the next balance. A thread does
 * one piece of work after another; how fast a piece that is bytes goes depends on what the other cores do at that moment.
 *
 * Pure: time is a number that advances from event to event.
 */
import { balanceS, idleSearchBelow, sliceS, utilisationHalfLifeS } from './kernel.ts';
import type { Cost } from './types.ts';

/** 'copy' and 'digest' are bytes; 'time' is seconds of a core. 'transfer' is bytes, and takes no core. */
export type Kind = 'copy' | 'digest' | 'time' | 'transfer';

export interface Costs {
  readonly copy: Cost;
  readonly digest: Cost;
}

export interface Thread {
  readonly name: string;
  readonly weight: number;
}

interface Piece {
  readonly thread: Thread;
  readonly kind: Kind;
  left: number;
  speed: number;
  readonly done: () => void;
}

interface Core {
  running: Piece | null;
  /** Whose piece has ended this instant: its next one goes on here. */
  keeps: Thread | null;
  /** Its thread has gone to sleep this instant. */
  left: boolean;
  sliceEnd: number;
  /** When it looks for threads that wait elsewhere. */
  balanceAt: number;
  readonly queue: Piece[];
}

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

export interface Limits {
  readonly cores: number;
  readonly costs: Costs;
  /** Bytes over the memory bus for a byte of each kind, and what there are a second. */
  readonly traffic: Readonly<Record<Kind, number>>;
  readonly memoryRate: number;
  /** Of all transfers together, and of each. */
  readonly wayRate: number;
  readonly laneRate: number;
}

/** Pieces are done up to rounding. */
const nearly = 1e-12;
/** Many times what any load takes that is moved in minutes: 128 images on 128 cores are 23,000. */
const stepsMax = 300_000;

export class Cores {
  readonly #limits: Limits;
  readonly #cores: Core[];
  /** Those on which something runs, or did when the instant began. */
  #active: Core[] = [];
  /** Pieces in queues. */
  #waiting = 0;
  readonly #searchBelow: number;
  #transfers: Piece[] = [];
  #timers: Timer[] = [];
  /** Time for their weight: who has less is next. */
  readonly #spent = new Map<Thread, number>();
  readonly #last = new Map<Thread, Core>();
  /** Part of all cores that ran of late. */
  #utilisation = 0;
  now = 0;
  /** Seconds of cores, of each thread by name, and of what is shared. */
  readonly busy = new Map<string, number>();
  coreSeconds = 0;
  memoryBytes = 0;
  transferBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#searchBelow = idleSearchBelow(limits.cores);
    const core = (): Core => ({ running: null, keeps: null, left: false, sliceEnd: 0, balanceAt: 0, queue: [] });
    this.#cores = Array.from({ length: limits.cores }, core);
  }

  /** Who is woken on an idle core comes late; on the waker's own, which it leaves, at once. */
  get hasIdle(): boolean {
    return this.#active.length < this.#cores.length || this.#cores.some(isIdle);
  }

  /** The thread has nothing else under way. */
  run(thread: Thread, kind: Kind, amount: number, done: () => void): void {
    const piece = { thread, kind, left: amount, speed: 0, done };
    if (kind === 'transfer') {
      this.#transfers.push(piece);
      return;
    }
    const kept = this.#active.find(({ keeps }) => keeps === thread);
    if (kept !== undefined) {
      kept.keeps = null;
      kept.running = piece;
      return;
    }
    const core = this.#placeFor(thread);
    if (isIdle(core)) this.#start(core, piece);
    else this.#enqueue(core, piece);
  }

  after(seconds: number, fire: () => void): void {
    this.#timers.push({ at: this.now + seconds, fire });
  }

  /** Until nothing is left to do, or `over`. Throws where no end is in sight. */
  go(over: () => boolean = () => false): void {
    for (let steps = 0; !over() && this.#timers.length + this.#transfers.length + this.#active.length > 0; steps++) {
      if (steps === stepsMax) throw new Error(`the model has no end: ${stepsMax} steps, ${this.now} s`);
      this.#step();
    }
  }

  #placeFor(thread: Thread): Core {
    const last = this.#last.get(thread);
    if (last !== undefined && (isIdle(last) || this.#utilisation >= this.#searchBelow)) return last;
    const shortest = (best: Core, one: Core): Core => (one.queue.length < best.queue.length ? one : best);
    return this.#cores.find(isIdle) ?? last ?? this.#cores.reduce(shortest);
  }

  #enqueue(core: Core, piece: Piece): void {
    const { thread } = piece;
    // Sleep earns nothing: it begins where the others of the core stand.
    const others = [core.running, ...core.queue].flatMap((one) => (one === null ? [] : [this.#spentOf(one.thread)]));
    const middle = others.reduce((sum, spent) => sum + spent, 0) / Math.max(1, others.length);
    this.#spent.set(thread, Math.max(this.#spentOf(thread), middle));
    this.#last.set(thread, core);
    // Who ran on alone began new slices of its own.
    const late = this.now - core.sliceEnd;
    if (late >= 0) core.sliceEnd += sliceS * (Math.floor(late / sliceS) + 1);
    core.queue.push(piece);
    this.#waiting++;
  }

  #step(): void {
    this.#setSpeeds();
    const dt = Math.max(0, this.#untilNext());
    this.now += dt;
    this.#noteUtilisation(dt);
    const ended: Piece[] = [];
    for (const core of this.#active) this.#advanceCore(core, dt, ended);
    for (const piece of this.#transfers) this.#advance(piece, dt, ended);
    if (this.#transfers.length > 0) this.#transfers = this.#transfers.filter((piece) => piece.left > 0);
    const due = this.#dueTimers();
    for (const { done } of ended) done();
    for (const { fire } of due) fire();
    for (const core of this.#active) this.#choose(core);
    if (this.#waiting > 0) for (const core of this.#cores) if (core.running === null) this.#choose(core);
    this.#active = this.#active.filter(({ running }) => running !== null);
  }

  #untilNext(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { running, queue, sliceEnd } of this.#active) {
      if (running !== null) next = Math.min(next, running.left / running.speed);
      if (running !== null && queue.length > 0) next = Math.min(next, sliceEnd - this.now);
    }
    if (this.#waiting > 0)
      for (const { running, balanceAt } of this.#cores)
        if (running === null) next = Math.min(next, balanceAt - this.now);
    for (const { left, speed } of this.#transfers) next = Math.min(next, left / speed);
    for (const { at } of this.#timers) next = Math.min(next, at - this.now);
    return next;
  }

  #dueTimers(): Timer[] {
    const until = this.now + nearly;
    if (!this.#timers.some(({ at }) => at <= until)) return [];
    const due = this.#timers.filter(({ at }) => at <= until);
    this.#timers = this.#timers.filter(({ at }) => at > until);
    return due;
  }

  #noteUtilisation(dt: number): void {
    const kept = 0.5 ** (dt / utilisationHalfLifeS);
    this.#utilisation = this.#utilisation * kept + (this.#active.length / this.#cores.length) * (1 - kept);
  }

  #advanceCore(core: Core, dt: number, ended: Piece[]): void {
    const piece = core.running;
    if (piece === null) return;
    this.#spent.set(piece.thread, this.#spentOf(piece.thread) + dt / piece.thread.weight);
    this.coreSeconds += dt;
    this.#advance(piece, dt, ended);
    if (piece.left > 0) return;
    core.running = null;
    core.keeps = piece.thread;
    core.left = true;
  }

  #advance(piece: Piece, dt: number, ended: Piece[]): void {
    const { thread, kind, speed } = piece;
    const moved = speed * dt;
    // A transfer that waits for others on the same way is no work of its lane.
    const worked = kind === 'transfer' ? moved / this.#limits.laneRate : dt;
    this.busy.set(thread.name, (this.busy.get(thread.name) ?? 0) + worked);
    this.memoryBytes += moved * this.#limits.traffic[kind];
    if (kind === 'transfer') this.transferBytes += moved;
    // What is left would be done within a millionth of a millionth of a second.
    piece.left = piece.left - moved <= speed * nearly ? 0 : piece.left - moved;
    if (piece.left === 0) ended.push(piece);
  }

  /** Who runs on when an instant's ends and wakes are known. */
  #choose(core: Core): void {
    const { left } = core;
    core.left = false;
    core.keeps = null;
    if (core.running !== null && (core.queue.length === 0 || core.sliceEnd > this.now + nearly)) return;
    if (core.running !== null) {
      core.queue.push(core.running);
      this.#waiting++;
    }
    core.running = null;
    const balances = left || core.balanceAt <= this.now + nearly;
    const from = core.queue.length > 0 || !balances ? core : this.#fullest();
    if (balances) core.balanceAt = this.now + balanceS;
    if (from.queue.length === 0) return;
    const sooner = (best: Piece, one: Piece): Piece =>
      this.#spentOf(one.thread) < this.#spentOf(best.thread) ? one : best;
    const piece = from.queue.reduce(sooner);
    from.queue.splice(from.queue.indexOf(piece), 1);
    this.#waiting--;
    this.#start(core, piece);
  }

  #fullest(): Core {
    return this.#cores.reduce((best, one) => (one.queue.length > best.queue.length ? one : best));
  }

  #start(core: Core, piece: Piece): void {
    if (!this.#active.includes(core)) this.#active.push(core);
    core.running = piece;
    core.sliceEnd = this.now + sliceS;
    this.#last.set(piece.thread, core);
  }

  #spentOf(thread: Thread): number {
    return this.#spent.get(thread) ?? 0;
  }

  /** From what runs beside. */
  #setSpeeds(): void {
    const { costs, traffic, memoryRate, laneRate, wayRate, cores } = this.#limits;
    const others = Math.max(1, cores - 1);
    let [copies, digests] = [0, 0];
    for (const { running } of this.#active) {
      if (running?.kind === 'copy') copies++;
      if (running?.kind === 'digest') digests++;
    }
    // On a core that is busy with one of them there is one fewer beside it.
    const copyRate = 1 / costAt(costs.copy, (copies - 1) / others, digests / others);
    const digestRate = 1 / costAt(costs.digest, copies / others, (digests - 1) / others);
    const transferRate = Math.min(laneRate, wayRate / this.#transfers.length);
    const speeds = { copy: copyRate, digest: digestRate, time: 1, transfer: transferRate };
    let demand = 0;
    const set = (piece: Piece): void => {
      piece.speed = speeds[piece.kind];
      demand += piece.speed * traffic[piece.kind];
    };
    for (const { running } of this.#active) if (running !== null) set(running);
    for (const piece of this.#transfers) set(piece);
    if (demand <= memoryRate) return;
    const slow = (piece: Piece): void => {
      if (traffic[piece.kind] > 0) piece.speed *= memoryRate / demand;
    };
    for (const { running } of this.#active) if (running !== null) slow(running);
    for (const piece of this.#transfers) slow(piece);
  }
}

function isIdle({ running, keeps }: Core): boolean {
  return running === null && keeps === null;
}

/** Seconds for a byte when these parts of the other cores copy and digest. */
export function costAt({ alone, besideCopies, besideDigests }: Cost, copying: number, digesting: number): number {
  return alone + copying * (besideCopies - alone) + digesting * (besideDigests - alone);
}
