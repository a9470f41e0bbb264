/**
 * Cores that threads share as the kernel shares them: by weight, no thread more than one core. A thread does one piece of work
 * after another; how fast a piece that is bytes goes depends on what the other cores do at that moment.
 *
 * Pure: time is a number that advances from event to event.
 */
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
  share: number;
  speed: number;
  readonly done: () => void;
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

export class Cores {
  readonly #limits: Limits;
  #pieces: Piece[] = [];
  #timers: Timer[] = [];
  now = 0;
  /** Seconds of cores, of each thread by name, and of what is shared. */
  readonly busy = new Map<string, number>();
  coreSeconds = 0;
  memoryBytes = 0;
  transferBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The thread has nothing else under way. */
  run(thread: Thread, kind: Kind, amount: number, done: () => void): void {
    this.#pieces.push({ thread, kind, left: amount, share: 0, speed: 0, done });
  }

  after(seconds: number, fire: () => void): void {
    this.#timers.push({ at: this.now + seconds, fire });
  }

  /** Until nothing is left to do. */
  go(): void {
    while (this.#pieces.length > 0 || this.#timers.length > 0) this.#step();
  }

  #step(): void {
    this.#divide();
    let next = Number.POSITIVE_INFINITY;
    for (const { left, speed } of this.#pieces) next = Math.min(next, left / speed);
    for (const { at } of this.#timers) next = Math.min(next, at - this.now);
    const dt = Math.max(0, next);
    this.now += dt;
    const ended: (() => void)[] = [];
    for (const piece of this.#pieces) this.#advance(piece, dt, ended);
    this.#pieces = this.#pieces.filter(({ left }) => left > 0);
    const due = this.#timers.filter(({ at }) => at <= this.now + nearly);
    this.#timers = this.#timers.filter(({ at }) => at > this.now + nearly);
    for (const done of ended) done();
    for (const { fire } of due) fire();
  }

  #advance(piece: Piece, dt: number, ended: (() => void)[]): void {
    const { thread, kind, share, speed } = piece;
    const moved = speed * dt;
    // A transfer that waits for others on the same way is no work of its lane.
    const seconds = kind === 'transfer' ? moved / this.#limits.laneRate : share * dt;
    this.busy.set(thread.name, (this.busy.get(thread.name) ?? 0) + seconds);
    this.coreSeconds += share * dt;
    this.memoryBytes += moved * this.#limits.traffic[kind];
    if (kind === 'transfer') this.transferBytes += moved;
    // What is left would be done within a millionth of a millionth of a second.
    piece.left = piece.left - moved <= speed * nearly ? 0 : piece.left - moved;
    if (piece.left === 0) ended.push(piece.done);
  }

  /** Shares of cores, then speeds from what runs beside. */
  #divide(): void {
    const { costs, traffic, memoryRate, laneRate, wayRate } = this.#limits;
    const onCores = this.#pieces.filter(({ kind }) => kind !== 'transfer');
    shareOut(onCores, this.#limits.cores);
    const transfers = this.#pieces.length - onCores.length;
    let [copies, digests, all, demand] = [0, 0, 0, 0];
    for (const { kind, share } of onCores) {
      all += share;
      if (kind === 'copy') copies += share;
      if (kind === 'digest') digests += share;
    }
    for (const piece of this.#pieces) {
      const { kind, share } = piece;
      if (kind === 'transfer') {
        piece.share = 0;
        piece.speed = Math.min(laneRate, wayRate / transfers);
      } else if (kind === 'time') piece.speed = share;
      else {
        // Of the other cores, while this one does this.
        const others = Math.max(all - share, this.#limits.cores - 1, nearly);
        const [copying, digesting] = kind === 'copy' ? [copies - share, digests] : [copies, digests - share];
        piece.speed = share / costAt(costs[kind], copying / others, digesting / others);
      }
      demand += piece.speed * traffic[kind];
    }
    if (demand <= memoryRate) return;
    for (const piece of this.#pieces) if (traffic[piece.kind] > 0) piece.speed *= memoryRate / demand;
  }
}

/** Seconds for a byte when these parts of the other cores copy and digest. */
export function costAt({ alone, besideCopies, besideDigests }: Cost, copying: number, digesting: number): number {
  return alone + copying * (besideCopies - alone) + digesting * (besideDigests - alone);
}

/** By weight; who would have more than a core has one, and leaves the rest to the others. */
function shareOut(pieces: readonly Piece[], cores: number): void {
  if (pieces.length <= cores) {
    for (const piece of pieces) piece.share = 1;
    return;
  }
  let [left, rest] = [cores, [...pieces]];
  for (;;) {
    const weights = rest.reduce((sum, { thread }) => sum + thread.weight, 0);
    const full = rest.filter(({ thread }) => (left * thread.weight) / weights >= 1);
    for (const piece of full.length > 0 ? full : rest)
      piece.share = full.length > 0 ? 1 : (left * piece.thread.weight) / weights;
    if (full.length === 0 || full.length === rest.length) return;
    left -= full.length;
    rest = rest.filter((piece) => !full.includes(piece));
  }
}
