/**
 * What one job's client waits for, from event to event. Pure: the clock comes in, and at each event the image is asked
 * what its client waits for from now on; the time up to the next event is put there.
 *
 *   submitted ──► given ──────────────► ended        an order, as its pool tells of it
 *       queue       device or digest      the part of it that no lane worked: ring
 *
 * A block that is written and digested at the same time waits for the one that ends last: which it was is known then,
 * so that time is kept apart until it is.
 */

export const stages = ['memory', 'queue', 'digestQueue', 'ring', 'digest', 'device', 'commit'] as const;
export type Stage = (typeof stages)[number];

export type OrderKind = 'device' | 'digest';
/** `slot`: in a call that needs a slot, as the plug-in counts it too. `call`: in any other call. */
export type Waiting = 'slot' | 'call';

/** An order of the job: its pool tells it where it is. */
export class JobOrder {
  readonly kind: OrderKind;
  readonly #clock: JobClock;
  at: 'nowhere' | 'queue' | 'lane' | 'done' = 'nowhere';
  /** In a lane, and waited for: milliseconds. */
  waitedMs = 0;
  endedAtMs = Infinity;

  constructor(clock: JobClock, kind: OrderKind) {
    this.#clock = clock;
    this.kind = kind;
  }

  submitted(): void {
    this.#clock.move(this, 'queue');
  }
  given(): void {
    this.#clock.move(this, 'lane');
  }
  /** `ringMs`: from given to noticed, less the time in the lane. */
  ended(ringMs: number): void {
    this.#clock.move(this, 'done', ringMs);
  }

  /** It waits for a lane, or has one. */
  get isOut(): boolean {
    return this.at === 'queue' || this.at === 'lane';
  }
  get stage(): Stage {
    if (this.at === 'lane') return this.kind;
    return this.kind === 'device' ? 'queue' : 'digestQueue';
  }
}

type Times = Record<Stage, number>;

function noTimes(): Times {
  return { memory: 0, queue: 0, digestQueue: 0, ring: 0, digest: 0, device: 0, commit: 0 };
}

function addTimes(to: Times, from: Readonly<Times>): void {
  for (const stage of stages) to[stage] += from[stage];
}

function clear(times: Times): void {
  for (const stage of stages) times[stage] = 0;
}

export interface ClockSource {
  /** Tells the clock what the client waits for now: `clock.waits`, or nothing when it does not wait. */
  waitsNow(clock: JobClock): void;
}

/** Milliseconds, since the job began. */
export interface ClockTimes {
  readonly slot: Readonly<Times>;
  readonly call: Readonly<Times>;
  /** From the first order that a lane had to the end of the last one. */
  readonly spanMs: number;
  /** Of these: without any order in a lane. */
  readonly idleMs: number;
  /** With an order that moves bytes in a lane, or waiting for one. */
  readonly movingMs: number;
  /** Orders that moved bytes. */
  readonly moves: number;
}

export class JobClock {
  readonly #now: () => number;
  readonly #source: ClockSource;
  #lastMs: number;
  readonly #times: Record<Waiting, Times> = { slot: noTimes(), call: noTimes() };
  /** While two orders of the block that is waited for are out: as if the one, or the other, were to end last. */
  readonly #perhaps: Record<OrderKind, Record<Waiting, Times>> = {
    device: { slot: noTimes(), call: noTimes() },
    digest: { slot: noTimes(), call: noTimes() },
  };
  /** Those two. */
  #pair: { readonly device: JobOrder; readonly digest: JobOrder } | null = null;
  // What is waited for since #lastMs.
  #waiting: Waiting | null = null;
  #move: JobOrder | null = null;
  #digest: JobOrder | null = null;
  #otherwise: Stage = 'commit';
  // Orders in lanes.
  #inLane = 0;
  #moving = 0;
  #firstMs = -1;
  #idleMs = 0;
  #idleSince = 0;
  #movingMs = 0;
  #moves = 0;

  constructor(now: () => number, source: ClockSource) {
    this.#now = now;
    this.#source = source;
    this.#lastMs = now();
  }

  order(kind: OrderKind): JobOrder {
    return new JobOrder(this, kind);
  }

  /** Something happened that may change what the client waits for. */
  tick(): void {
    this.#count();
    this.#look();
  }

  /** From the source: orders of the block that is waited for, and the stage where none of them is out. */
  waits(waiting: Waiting, move: JobOrder | null, digest: JobOrder | null, otherwise: Stage): void {
    this.#waiting = waiting;
    this.#move = move?.isOut ? move : null;
    this.#digest = digest?.isOut ? digest : null;
    this.#otherwise = otherwise;
  }

  /** From an order. */
  move(order: JobOrder, to: JobOrder['at'], ringMs = 0): void {
    const now = this.#count();
    const wasOut = order.isOut;
    const isOut = to === 'queue' || to === 'lane';
    if (order.at === 'lane' && to !== 'lane') {
      this.#inLane--;
      this.#idleSince = now;
    } else if (order.at !== 'lane' && to === 'lane') {
      if (this.#firstMs < 0) this.#firstMs = now;
      else if (this.#inLane === 0) this.#idleMs += now - this.#idleSince;
      this.#inLane++;
    }
    if (order.kind === 'device' && isOut !== wasOut) {
      this.#moving += isOut ? 1 : -1;
      if (wasOut) this.#moves++;
    }
    if (to === 'done') {
      this.#ring(order, ringMs);
      order.endedAtMs = now;
    } else order.endedAtMs = Infinity;
    order.at = to;
    this.#look();
  }

  /** Up to now. */
  times(): ClockTimes {
    this.tick();
    this.#settle();
    const end = this.#inLane > 0 ? this.#lastMs : this.#idleSince;
    return {
      slot: { ...this.#times.slot },
      call: { ...this.#times.call },
      spanMs: this.#firstMs < 0 ? 0 : end - this.#firstMs,
      idleMs: this.#idleMs,
      movingMs: this.#movingMs,
      moves: this.#moves,
    };
  }

  /** The same of a job that goes on: what is still to be decided is put to the lanes that move bytes, and stays open. */
  soFar(): Pick<ClockTimes, 'slot' | 'call'> {
    this.tick();
    const [slot, call] = [{ ...this.#times.slot }, { ...this.#times.call }];
    addTimes(slot, this.#perhaps.device.slot);
    addTimes(call, this.#perhaps.device.call);
    return { slot, call };
  }

  /** Puts the time since the last event where it belongs. */
  #count(): number {
    const now = Math.max(this.#lastMs, this.#now());
    const ms = now - this.#lastMs;
    this.#lastMs = now;
    if (this.#moving > 0) this.#movingMs += ms;
    const waiting = this.#waiting;
    if (waiting === null) return now;
    const [move, digest] = [this.#move, this.#digest];
    if (move?.at === 'lane') move.waitedMs += ms;
    if (digest?.at === 'lane') digest.waitedMs += ms;
    if (move !== null && digest !== null) {
      if (this.#pair?.device !== move || this.#pair.digest !== digest) {
        this.#settle();
        this.#pair = { device: move, digest };
      }
      this.#perhaps.device[waiting][move.stage] += ms;
      this.#perhaps.digest[waiting][digest.stage] += ms;
    } else this.#times[waiting][(move ?? digest)?.stage ?? this.#otherwise] += ms;
    return now;
  }

  #look(): void {
    this.#waiting = null;
    this.#move = null;
    this.#digest = null;
    this.#source.waitsNow(this);
    if (this.#pair !== null && (!this.#pair.device.isOut || !this.#pair.digest.isOut)) this.#settle();
  }

  #settle(): void {
    const pair = this.#pair;
    if (pair === null) return;
    this.#pair = null;
    const last = pair.digest.endedAtMs > pair.device.endedAtMs ? this.#perhaps.digest : this.#perhaps.device;
    for (const waiting of ['slot', 'call'] as const) addTimes(this.#times[waiting], last[waiting]);
    for (const one of Object.values(this.#perhaps)) {
      clear(one.slot);
      clear(one.call);
    }
  }

  /** Time in which the order was waited for, and no lane worked on it. */
  #ring({ kind, waitedMs }: JobOrder, ringMs: number): void {
    let left = Math.min(waitedMs, Math.max(0, ringMs));
    for (const times of [this.#perhaps[kind].slot, this.#perhaps[kind].call, this.#times.slot, this.#times.call]) {
      const moved = Math.min(left, times[kind]);
      times[kind] -= moved;
      times.ring += moved;
      left -= moved;
    }
  }
}
