/**
 * max_memory: which image handle may have an arena of which shape.
 *
 *   total ├── writers' own quarter ──┼── whoever comes ──┼── readers' own quarter ──┤
 *
 * Writers and readers wait in lines of their own, so a duplication that holds a reader while it waits for a writer
 * cannot block itself. A handle takes at most a quarter of what its class has left, so that many handles leave a tail
 * for those behind; when memory is short first slots become fewer, then smaller. Whoever finds nothing waits in order,
 * while arenas above the fair share are named to be shrunk. Who holds memory and asks for more never waits.
 */
import { assert } from '../core/assert.ts';

export type BudgetKind = 'read' | 'write';

export interface Shape {
  slots: number;
  slotBytes: number;
}

export interface Want extends Shape {
  /** Smallest slot that is of use: 4 MiB, or slotBytes where that is less. */
  minBytes?: number;
}

export type Answer = ({ kind: 'grant' } & Shape) | { kind: 'wait'; deadline: number };

/** Smallest slot of an image whose blocks are not smaller themselves. */
export const slotBytesMin = 4 * 1024 * 1024;
const shapeUnit = 1024 * 1024;
/** One slot alone is filled and written by turns; two overlap. */
const slotsWanted = 2;

interface Holder {
  kind: BudgetKind;
  want: Required<Want>;
  shape: Shape;
}

interface Waiter {
  id: number;
  want: Required<Want>;
  deadline: number;
}

export interface BudgetOptions {
  totalBytes: number;
  /** Milliseconds, never going back. */
  clock: () => number;
  /** How long an `ask` waits at most, milliseconds. */
  waitMs: number;
}

export class Budget {
  readonly #options: BudgetOptions;
  readonly #classMax: number;
  readonly #holders = new Map<number, Holder>();
  readonly #waiters: Record<BudgetKind, Waiter[]> = { read: [], write: [] };
  readonly #used: Record<BudgetKind, number> = { read: 0, write: 0 };

  /** Every handle there may be gets its smallest slot, each class for itself and both together. */
  static handlesFit(totalBytes: number, handlesMax: number): boolean {
    return handlesMax * slotBytesMin <= totalBytes;
  }

  constructor(options: BudgetOptions) {
    assert(options.totalBytes >= 4 * slotBytesMin, 'each quarter holds a slot');
    this.#options = { ...options };
    this.#classMax = options.totalBytes - Math.ceil(options.totalBytes / 4);
  }

  get totalBytes(): number {
    return this.#options.totalBytes;
  }

  used(kind: BudgetKind): number {
    return this.#used[kind];
  }

  /** What the class may still take. */
  free(kind: BudgetKind): number {
    const left = this.#options.totalBytes - this.#used.read - this.#used.write;
    return Math.min(left, this.#classMax - this.#used[kind]);
  }

  get waiting(): number {
    return this.#waiters.read.length + this.#waiters.write.length;
  }

  /** Memory for a handle that has none. */
  ask(id: number, kind: BudgetKind, want: Want): Answer {
    assert(!this.#holders.has(id), `handle ${id} holds memory already`);
    assert(!this.#isWaiting(id), `handle ${id} waits already`);
    const full = complete(want);
    const shape = this.#waiters[kind].length > 0 ? null : this.#shapeFor(kind, full, 4);
    if (shape !== null) return { kind: 'grant', ...this.#hold(id, kind, full, shape) };
    const deadline = this.#options.clock() + this.#options.waitMs;
    this.#waiters[kind].push({ id, want: full, deadline });
    return { kind: 'wait', deadline };
  }

  /** More for a holder: a bigger shape, charged at once, or null: it stays as it is. Never while others wait. */
  grow(id: number, want: Want): Shape | null {
    const holder = this.#holderOf(id);
    if (this.#waiters[holder.kind].length > 0) return null;
    const full = complete(want);
    const old = bytesOf(holder.shape);
    const shape = shapeWithin(old + Math.floor(this.free(holder.kind) / 4), full);
    if (shape === null || bytesOf(shape) <= old) return null;
    holder.want = full;
    this.#charge(holder, shape);
    return { ...shape };
  }

  /** A smaller arena stands in the place of the holder's, whose memory is gone. */
  shrunk(id: number, shape: Shape): void {
    const holder = this.#holderOf(id);
    assert(bytesOf(shape) <= bytesOf(holder.shape), 'shrunk means smaller');
    this.#charge(holder, shape);
  }

  /** Holder or waiter is gone; what is unknown was gone already. */
  release(id: number): void {
    const holder = this.#holders.get(id);
    if (holder !== undefined) {
      this.#used[holder.kind] -= bytesOf(holder.shape);
      this.#holders.delete(id);
    }
    for (const kind of ['read', 'write'] as const) {
      this.#waiters[kind] = this.#waiters[kind].filter((waiter) => waiter.id !== id);
    }
  }

  /** Who waited and holds memory now. To be called after release and shrunk. */
  serve(): { id: number; grant: Shape }[] {
    const served: { id: number; grant: Shape }[] = [];
    for (const kind of ['read', 'write'] as const) {
      const line = this.#waiters[kind];
      for (let first = line[0]; first !== undefined; first = line[0]) {
        const shape = this.#shapeFor(kind, first.want, Math.max(4, line.length));
        if (shape === null) break;
        line.shift();
        served.push({ id: first.id, grant: this.#hold(first.id, kind, first.want, shape) });
      }
    }
    return served;
  }

  /** Those who waited too long; they wait no more. */
  expire(): number[] {
    const now = this.#options.clock();
    const expired: number[] = [];
    for (const kind of ['read', 'write'] as const) {
      for (const waiter of this.#waiters[kind]) if (waiter.deadline <= now) expired.push(waiter.id);
      this.#waiters[kind] = this.#waiters[kind].filter((waiter) => waiter.deadline > now);
    }
    return expired;
  }

  nextDeadline(): number | null {
    const deadlines = [...this.#waiters.read, ...this.#waiters.write].map((waiter) => waiter.deadline);
    return deadlines.length === 0 ? null : Math.min(...deadlines);
  }

  /**
   * While somebody waits: arenas above the fair share and the shape they should have, largest first, no more than what
   * those who wait need. The same answer until something changes.
   */
  shrinkTargets(): ({ id: number } & Shape)[] {
    const targets = new Map<number, Shape>();
    for (const kind of ['read', 'write'] as const) {
      const line = this.#waiters[kind];
      if (line.length === 0) continue;
      const other = kind === 'read' ? 'write' : 'read';
      const heads = this.#count(kind) + line.length;
      const share = Math.floor((this.#used[kind] + Math.max(0, this.free(kind))) / heads);
      let need = -this.free(kind);
      for (const { want } of line) need += Math.max(want.minBytes, Math.min(want.slots * want.slotBytes, share));
      need -= this.#nameAbove(targets, kind, share, need);
      // The other class took from the common half what this one cannot do without.
      const ours = Math.min(this.#classMax, heads * slotBytesMin);
      if (need > 0) this.#nameAbove(targets, other, (this.#options.totalBytes - ours) / this.#count(other), need);
    }
    return [...targets].map(([id, shape]) => ({ id, ...shape }));
  }

  /** Names holders of the class above `share` until `need` bytes come free. Returns how many will. */
  #nameAbove(targets: Map<number, Shape>, kind: BudgetKind, share: number, need: number): number {
    const above = [...this.#holders].filter(([, held]) => held.kind === kind && bytesOf(held.shape) > share);
    above.sort(([, left], [, right]) => bytesOf(right.shape) - bytesOf(left.shape));
    let freed = 0;
    for (const [id, { shape, want }] of above) {
      if (freed >= need) break;
      const target = shapeWithin(Math.max(share, want.minBytes), want);
      if (target === null || bytesOf(target) >= bytesOf(shape)) continue;
      targets.set(id, target);
      freed += bytesOf(shape) - bytesOf(target);
    }
    return freed;
  }

  /** A shape for one who has none: at most one of `among` parts of what is free, if that is enough for a slot. */
  #shapeFor(kind: BudgetKind, want: Required<Want>, among: number): Shape | null {
    const free = this.free(kind);
    if (free < want.minBytes) return null;
    return shapeWithin(Math.max(want.minBytes, Math.floor(free / among)), want);
  }

  #hold(id: number, kind: BudgetKind, want: Required<Want>, shape: Shape): Shape {
    const holder: Holder = { kind, want, shape: { slots: 0, slotBytes: 0 } };
    this.#holders.set(id, holder);
    this.#charge(holder, shape);
    return { ...shape };
  }

  #charge(holder: Holder, shape: Shape): void {
    this.#used[holder.kind] += bytesOf(shape) - bytesOf(holder.shape);
    holder.shape = { slots: shape.slots, slotBytes: shape.slotBytes };
    assert(this.#used.read + this.#used.write <= this.#options.totalBytes, 'arenas stay within max_memory');
    assert(this.#used[holder.kind] <= this.#classMax, 'a class leaves the other its quarter');
  }

  #count(kind: BudgetKind): number {
    let count = 0;
    for (const holder of this.#holders.values()) if (holder.kind === kind) count += 1;
    return count;
  }

  #isWaiting(id: number): boolean {
    return [...this.#waiters.read, ...this.#waiters.write].some((waiter) => waiter.id === id);
  }

  #holderOf(id: number): Holder {
    const holder = this.#holders.get(id);
    assert(holder !== undefined, `handle ${id} holds no memory`);
    return holder;
  }
}

function bytesOf(shape: Shape): number {
  return shape.slots * shape.slotBytes;
}

function complete(want: Want): Required<Want> {
  assert(want.slots > 0, 'an arena has slots');
  return { ...want, minBytes: Math.min(want.minBytes ?? slotBytesMin, want.slotBytes) };
}

/** The best shape of at most `bytesMax`: fewer slots first, but two where two were wanted; then smaller ones. */
function shapeWithin(bytesMax: number, want: Required<Want>): Shape | null {
  const enough = Math.min(slotsWanted, want.slots);
  for (let slotBytes = want.slotBytes; ; ) {
    const slots = Math.min(want.slots, Math.floor(bytesMax / slotBytes));
    const smallest = slotBytes <= want.minBytes;
    if (slots >= enough || (smallest && slots > 0)) return { slots, slotBytes };
    if (smallest) return null;
    slotBytes = Math.max(want.minBytes, Math.floor(slotBytes / 2 / shapeUnit) * shapeUnit);
  }
}
