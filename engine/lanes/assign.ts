/**
 * Which lane gets which order. Pure: no thread, no timer; the clock comes in.
 *
 *            give            overdue
 *     free ────────► busy ────────────► lost
 *      ▲              │                  │
 *      └── finished ──┴──── finished ────┘      a lane too many retires instead; a lane that died is forgotten
 *
 * A lost lane hangs in a system call that nobody can end. It is replaced (up to the pool's size in all), its order stays
 * out, so that the slot it reads or fills stays pinned, and its mount gets one probing order at a time until it is back.
 */
import { assert } from '../core/assert.ts';
import { FairQueue } from './fair-queue.ts';

export interface AssignOptions {
  lanesMax: number;
  /** Orders of one mount under way at once. */
  perMountMax: number;
  /** Orders waiting, all mounts together. */
  queueMax: number;
  /** A lane that works on one order for longer is lost. */
  overdueMs: number;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** A lane that is free is not done with its last order, and will not be soon. */
  isHeldUp?(lane: number): boolean;
}

export interface Ticket<T> {
  readonly payload: T;
  readonly mount: number;
  readonly key: number;
  /** May be carried out a second time when its lane died over it. */
  readonly repeatable: boolean;
  /** How often it was given to a lane. */
  attempts: number;
  givenAt: number;
  probe: boolean;
}

export interface Given<T> {
  lane: number;
  /** The lane does not run yet: start it. */
  start: boolean;
  ticket: Ticket<T>;
}

type LaneState = 'free' | 'busy' | 'lost';

/** Row: from; the states that may follow. `gone` is no entry in the table any more. */
const moves: Record<LaneState, readonly (LaneState | 'gone')[]> = {
  free: ['busy', 'gone'],
  busy: ['free', 'lost', 'gone'],
  lost: ['free', 'gone'],
};

interface LaneEntry<T> {
  state: LaneState;
  ticket: Ticket<T> | null;
}

interface Mount<T> {
  readonly queue: FairQueue<Ticket<T>>;
  underWay: number;
  lost: number;
  probing: boolean;
}

export interface AssignStatus {
  lanes: number;
  busy: number;
  lost: number;
  queued: number;
  lostEver: number;
  diedEver: number;
}

export class Assign<T> {
  readonly #options: AssignOptions;
  readonly #lanes = new Map<number, LaneEntry<T>>();
  /** Lanes that are free, the one used last on top: its caches are warm, and the others may stay asleep. */
  readonly #free: number[] = [];
  readonly #mounts = new Map<number, Mount<T>>();
  readonly #mountList: Mount<T>[] = [];
  #mountTurn = 0;
  #laneNext = 1;
  #queued = 0;
  #lost = 0;
  #lostEver = 0;
  #diedEver = 0;

  constructor(options: AssignOptions) {
    assert(options.lanesMax >= 1, 'a pool has at least one lane');
    assert(options.perMountMax >= 1, 'a mount gets at least one order at a time');
    this.#options = options;
  }

  /** A lane is free, or may be started. */
  get idle(): boolean {
    return this.#free.length > 0 || this.#mayStart();
  }

  /** The same, and the mount takes an order now. */
  idleFor(mountId: number): boolean {
    const mount = this.#mounts.get(mountId);
    return this.idle && (mount === undefined || (mount.queue.length === 0 && this.#takes(mount)));
  }

  get queued(): number {
    return this.#queued;
  }
  get underWay(): number {
    return this.#lanes.size - this.#free.length;
  }

  /** Returns false when the queue is full: an ordinary answer. */
  submit(payload: T, mountId: number, key: number, repeatable: boolean): boolean {
    if (this.#queued >= this.#options.queueMax) return false;
    const ticket = { payload, mount: mountId, key, repeatable, attempts: 0, givenAt: 0, probe: false };
    this.#mount(mountId).queue.push(key, ticket);
    this.#queued++;
    return true;
  }

  /** The next order with its lane; null: no lane, or nothing that may go. Called until it says so. */
  give(): Given<T> | null {
    if (this.#queued === 0 || !this.idle) return null;
    const mount = this.#nextMount();
    if (mount === null) return null;
    const ticket = mount.queue.shift()!;
    this.#queued--;
    ticket.attempts++;
    ticket.givenAt = this.#options.now();
    ticket.probe = mount.lost > 0;
    mount.underWay++;
    if (ticket.probe) mount.probing = true;
    const free = this.#takeFree();
    const lane = free ?? this.#laneNext++;
    if (free === undefined) this.#lanes.set(lane, { state: 'free', ticket: null });
    const entry = this.#lanes.get(lane)!;
    this.#move(entry, 'busy');
    entry.ticket = ticket;
    return { lane, start: free === undefined, ticket };
  }

  /** The lane answered. `retire`: one too many now, since it was replaced while it was lost; it is forgotten here. */
  finished(lane: number): { ticket: Ticket<T>; retire: boolean } {
    const entry = this.#entry(lane);
    const ticket = this.#takeBack(entry);
    this.#move(entry, 'free');
    if (this.#lanes.size - this.#lost > this.#options.lanesMax) {
      this.#lanes.delete(lane);
      return { ticket, retire: true };
    }
    this.#free.push(lane);
    return { ticket, retire: false };
  }

  /** The lane's thread ended. `again`: its order waits once more, in front; else the caller answers it as failed. */
  died(lane: number): { ticket: Ticket<T> | null; again: boolean } {
    const entry = this.#entry(lane);
    this.#diedEver++;
    this.#lanes.delete(lane);
    if (entry.ticket === null) {
      this.#free.splice(this.#free.indexOf(lane), 1);
      return { ticket: null, again: false };
    }
    const ticket = this.#takeBack(entry);
    const again = ticket.repeatable && ticket.attempts < 2;
    if (again) {
      // Not held against queueMax: it was counted when it came.
      this.#mount(ticket.mount).queue.pushFront(ticket.key, ticket);
      this.#queued++;
    }
    return { ticket, again };
  }

  /** Declares lanes lost that are overdue, and returns them with their orders. */
  overdue(): { lane: number; ticket: Ticket<T> }[] {
    const since = this.#options.now() - this.#options.overdueMs;
    const found: { lane: number; ticket: Ticket<T> }[] = [];
    for (const [lane, entry] of this.#lanes) {
      if (entry.state !== 'busy' || entry.ticket!.givenAt > since) continue;
      this.#move(entry, 'lost');
      this.#lost++;
      this.#lostEver++;
      this.#mount(entry.ticket!.mount).lost++;
      found.push({ lane, ticket: entry.ticket! });
    }
    return found;
  }

  /** Takes back everything that waits: for the end of the pool. */
  takeQueued(): Ticket<T>[] {
    const all: Ticket<T>[] = [];
    for (const mount of this.#mountList) {
      for (let ticket = mount.queue.shift(); ticket !== undefined; ticket = mount.queue.shift()) all.push(ticket);
    }
    this.#queued = 0;
    return all;
  }

  /** Milliseconds that the oldest order under way, of one mount or of all, has taken so far; 0: none is. */
  oldestMs(mountId: number | null = null): number {
    let oldest = 0;
    for (const { ticket } of this.#lanes.values()) {
      const counts = ticket !== null && (mountId === null || ticket.mount === mountId);
      if (counts) oldest = Math.max(oldest, this.#options.now() - ticket.givenAt);
    }
    return oldest;
  }

  /** Of one mount: lanes that work for it, and lost ones. */
  mountStatus(mountId: number): { busy: number; lost: number } {
    const { underWay = 0, lost = 0 } = this.#mounts.get(mountId) ?? {};
    return { busy: underWay - lost, lost };
  }

  status(): AssignStatus {
    return {
      lanes: this.#lanes.size,
      busy: this.underWay - this.#lost,
      lost: this.#lost,
      queued: this.#queued,
      lostEver: this.#lostEver,
      diedEver: this.#diedEver,
    };
  }

  /** Replacements included there are never more than twice the pool's size, so a dead mount cannot eat all threads. */
  #mayStart(): boolean {
    const { lanesMax } = this.#options;
    return this.#lanes.size - this.#lost < lanesMax && this.#lanes.size < 2 * lanesMax;
  }

  readonly #isReady = (lane: number): boolean => this.#options.isHeldUp?.(lane) !== true;

  /** Undefined: a new one. One that is held up gets an order only where there is no other, and none may be started. */
  #takeFree(): number | undefined {
    const place = this.#free.findLastIndex(this.#isReady);
    if (place === this.#free.length - 1 || (place < 0 && !this.#mayStart())) return this.#free.pop();
    return place < 0 ? undefined : this.#free.splice(place, 1)[0];
  }

  #takes(mount: Mount<T>): boolean {
    return mount.lost > 0 ? !mount.probing : mount.underWay < this.#options.perMountMax;
  }

  #nextMount(): Mount<T> | null {
    const mounts = this.#mountList;
    for (let i = 0; i < mounts.length; i++) {
      const place = (this.#mountTurn + i) % mounts.length;
      const mount = mounts[place];
      if (mount.queue.length === 0 || !this.#takes(mount)) continue;
      this.#mountTurn = place + 1;
      return mount;
    }
    return null;
  }

  #takeBack(entry: LaneEntry<T>): Ticket<T> {
    const ticket = entry.ticket;
    assert(ticket !== null, 'a lane answered without an order');
    entry.ticket = null;
    const mount = this.#mount(ticket.mount);
    mount.underWay--;
    if (ticket.probe) mount.probing = false;
    if (entry.state === 'lost') {
      mount.lost--;
      this.#lost--;
    }
    return ticket;
  }

  #move(entry: LaneEntry<T>, to: LaneState): void {
    assert(moves[entry.state].includes(to), `a lane cannot go from ${entry.state} to ${to}`);
    entry.state = to;
  }

  #entry(lane: number): LaneEntry<T> {
    const entry = this.#lanes.get(lane);
    assert(entry !== undefined, `lane ${lane} is not known`);
    return entry;
  }

  #mount(id: number): Mount<T> {
    let mount = this.#mounts.get(id);
    if (mount === undefined) {
      mount = { queue: new FairQueue(), underWay: 0, lost: 0, probing: false };
      this.#mounts.set(id, mount);
      this.#mountList.push(mount);
    }
    return mount;
  }
}
