/** Handles that come, grow, shrink when they are asked to, wait and go, against the promises of the memory budget. */
import * as fc from 'fast-check';
import { check, type Decisions, decisions } from '../support/property.ts';
import { expectEqual, expectTrue } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';

const mib = 1024 * 1024;
const slotMin = 4 * mib;

type Kind = 'read' | 'write';
interface Shape {
  slots: number;
  slotBytes: number;
}
interface Handle {
  id: number;
  kind: Kind;
  want: Shape;
  shape: Shape | null;
  deadline: number;
}

const bytesOf = (shape: Shape): number => shape.slots * shape.slotBytes;

/** The budget, and a ledger of its own of who has what. */
export class BudgetWorld {
  readonly budget: InstanceType<TransferCode['Budget']>;
  readonly totalBytes: number;
  readonly handles = new Map<number, Handle>();
  /** Ids in the order in which they began to wait. */
  readonly lines: Record<Kind, number[]> = { read: [], write: [] };
  now = 0;
  #id = 0;

  constructor(code: TransferCode, totalBytes: number, waitMs = 1000) {
    this.totalBytes = totalBytes;
    this.budget = new code.Budget({ totalBytes, clock: () => this.now, waitMs });
  }

  used(kind?: Kind): number {
    let used = 0;
    for (const handle of this.handles.values()) {
      if (handle.shape !== null && (kind === undefined || handle.kind === kind)) used += bytesOf(handle.shape);
    }
    return used;
  }

  free(kind: Kind): number {
    const other = kind === 'read' ? 'write' : 'read';
    const ownQuarter = Math.ceil(this.totalBytes / 4);
    return this.totalBytes - Math.max(this.used(other), ownQuarter) - this.used(kind);
  }

  ask(kind: Kind, want: Shape): Handle {
    this.#id += 1;
    const handle: Handle = { id: this.#id, kind, want, shape: null, deadline: 0 };
    const before = this.free(kind);
    const waited = this.lines[kind].length > 0;
    const answer = this.budget.ask(handle.id, kind, want);
    this.handles.set(handle.id, handle);
    if (answer.kind === 'wait') {
      expectTrue(
        waited || before < Math.min(slotMin, want.slotBytes),
        'nobody waits while there is memory and no line',
      );
      handle.deadline = answer.deadline;
      this.lines[kind].push(handle.id);
    } else {
      expectTrue(!waited, 'nobody passes those who wait');
      this.#granted(handle, answer, before);
    }
    this.compare();
    return handle;
  }

  #granted(handle: Handle, shape: Shape, free: number): void {
    const { want } = handle;
    const least = Math.min(slotMin, want.slotBytes);
    handle.shape = { slots: shape.slots, slotBytes: shape.slotBytes };
    expectTrue(shape.slots >= 1 && shape.slots <= want.slots, 'a grant has no more slots than wanted');
    expectTrue(shape.slotBytes >= least && shape.slotBytes <= want.slotBytes, 'slots are not smaller than is of use');
    expectTrue(shape.slotBytes === want.slotBytes || shape.slotBytes % mib === 0, 'slots hold whole chunks');
    expectTrue(bytesOf(shape) <= Math.max(least, Math.floor(free / 4)), 'a grant leaves something for those behind');
    if (bytesOf(want) <= free / 4) expectEqual(handle.shape, want, 'with plenty everybody gets what is wanted');
    if (want.slots > 1 && shape.slots === 1) {
      expectTrue(
        2 * least > Math.max(least, Math.floor(free / 4)) || shape.slotBytes === least,
        'two slots where possible',
      );
    }
  }

  grow(handle: Handle, want: Shape): void {
    if (handle.shape === null) return;
    const before = bytesOf(handle.shape);
    const free = this.free(handle.kind);
    const shape = this.budget.grow(handle.id, want);
    if (shape !== null) {
      expectEqual(this.lines[handle.kind], [], 'nobody grows past those who wait');
      expectTrue(bytesOf(shape) > before, 'grown means bigger');
      expectTrue(bytesOf(shape) <= before + free / 4, 'growing leaves something, too');
      handle.shape = shape;
      handle.want = want;
    }
    this.compare();
  }

  /** Does what the budget asks of a holder, as far as `share` of them goes. */
  shrink(draw: (count: number) => number): boolean {
    const targets = this.budget.shrinkTargets();
    if (this.lines.read.length + this.lines.write.length === 0) expectEqual(targets, [], 'nobody shrinks for nobody');
    const target = targets[targets.length === 0 ? 0 : draw(targets.length)];
    if (target === undefined) {
      this.#checkShares();
      return false;
    }
    const handle = this.handles.get(target.id);
    expectTrue(handle !== undefined && handle.shape !== null, 'who shrinks holds memory');
    const shape = { slots: target.slots, slotBytes: target.slotBytes };
    expectTrue(bytesOf(shape) < bytesOf(handle.shape), 'a target is smaller');
    expectTrue(shape.slots >= 1 && shape.slotBytes >= Math.min(slotMin, handle.want.slotBytes), 'a target is of use');
    handle.shape = shape;
    this.budget.shrunk(handle.id, shape);
    this.serve();
    return true;
  }

  /** With nobody left to shrink, nobody in a class where others wait has more than its share, or its smallest slot. */
  #checkShares(): void {
    for (const kind of ['read', 'write'] as const) {
      if (this.lines[kind].length === 0) continue;
      const holders = [...this.handles.values()].filter((handle) => handle.kind === kind && handle.shape !== null);
      const share = (this.used(kind) + this.free(kind)) / (holders.length + this.lines[kind].length);
      for (const { shape, want } of holders) {
        const most = Math.max(share, Math.min(slotMin, want.slotBytes));
        expectTrue(shape === null || bytesOf(shape) <= most, 'a holder above the fair share is asked to shrink');
      }
    }
  }

  release(handle: Handle): void {
    this.handles.delete(handle.id);
    this.lines[handle.kind] = this.lines[handle.kind].filter((id) => id !== handle.id);
    this.budget.release(handle.id);
    this.serve();
  }

  serve(): void {
    for (const { id, grant } of this.budget.serve()) {
      const handle = this.handles.get(id);
      expectTrue(handle !== undefined, 'who is served waits');
      expectEqual(this.lines[handle.kind].shift(), id, 'they are served in order');
      this.#granted(handle, grant, this.free(handle.kind));
    }
    for (const kind of ['read', 'write'] as const) {
      const first = this.handles.get(this.lines[kind][0] ?? -1);
      if (first === undefined) continue;
      expectTrue(this.free(kind) < Math.min(slotMin, first.want.slotBytes), 'nobody waits beside free memory');
    }
    this.compare();
  }

  expire(): void {
    const late = [...this.lines.read, ...this.lines.write].filter(
      (id) => (this.handles.get(id)?.deadline ?? 0) <= this.now,
    );
    expectEqual(this.budget.expire().toSorted(), late.toSorted(), 'who waited too long');
    for (const id of late) this.handles.delete(id);
    for (const kind of ['read', 'write'] as const) {
      this.lines[kind] = this.lines[kind].filter((id) => !late.includes(id));
    }
    this.compare();
  }

  compare(): void {
    for (const kind of ['read', 'write'] as const) {
      expectEqual(this.budget.used(kind), this.used(kind), 'what is used');
      expectEqual(this.budget.free(kind), this.free(kind), 'what is free');
      expectTrue(this.used(kind) <= (this.totalBytes * 3) / 4, 'each class leaves the other its quarter');
    }
    expectTrue(this.used() <= this.totalBytes, 'all arenas together stay within max_memory');
    expectEqual(this.budget.waiting, this.lines.read.length + this.lines.write.length, 'who waits');
    const deadlines = [...this.lines.read, ...this.lines.write].map((id) => this.handles.get(id)?.deadline ?? 0);
    expectEqual(this.budget.nextDeadline(), deadlines.length === 0 ? null : Math.min(...deadlines), 'next deadline');
  }
}

function randomWant(draw: Decisions): Shape {
  return { slots: 1 + draw.below(6), slotBytes: mib * draw.pick([1, 4, 6, 16, 64, 100]) };
}

function run(code: TransferCode, draw: Decisions): void {
  const world = new BudgetWorld(code, mib * draw.pick([16, 100, 257, 1024]), 10);
  while (draw.left > 0) {
    const handles = [...world.handles.values()];
    const choice = draw.below(8);
    if (choice < 3 || handles.length === 0) world.ask(draw.pick(['read', 'write']), randomWant(draw));
    else if (choice < 5) world.release(draw.pick(handles));
    else if (choice === 5) world.grow(draw.pick(handles), randomWant(draw));
    else if (choice === 6) world.shrink((count) => draw.below(count));
    else {
      world.now += draw.below(6);
      world.expire();
    }
  }
}

export function checkBudget(code: TransferCode, runs: number): void {
  check(
    fc.property(decisions(200), (draw) => run(code, draw)),
    runs,
  );
}

/** 64 writers of 3 × 64 MiB within 2 GiB: arenas shrink until each has a slot; all at once, none waits for another's end. */
export function checkManyWriters(code: TransferCode): void {
  const world = new BudgetWorld(code, 2048 * mib);
  for (let writer = 0; writer < 64; writer += 1) world.ask('write', { slots: 3, slotBytes: 64 * mib });
  for (let left = 1000; world.lines.write.length > 0; left -= 1) {
    expectTrue(left > 0 && world.shrink(() => 0), 'somebody can still shrink');
  }
  for (const { shape } of world.handles.values()) expectTrue(shape !== null, 'every writer has memory');
  expectTrue(world.free('read') >= 512 * mib, 'readers still have their quarter');
}

/** As many duplications as there may be handles for: each holds a reader, waits for a writer, and goes when it has both. */
export function checkDuplications(code: TransferCode, runs: number): void {
  check(
    fc.property(decisions(400), fc.integer({ min: 8, max: 64 }), (draw, slotsInAll) => {
      const totalBytes = slotsInAll * slotMin;
      const count = Math.floor(slotsInAll / 2);
      expectTrue(code.Budget.handlesFit(totalBytes, 2 * count), 'so many handles are allowed');
      const world = new BudgetWorld(code, totalBytes);
      const readers: Handle[] = [];
      const pairs: { reader: Handle; writer: Handle }[] = [];
      let ended = 0;
      for (let left = 20_000; ended < count; left -= 1) {
        expectTrue(left > 0, 'every duplication ends');
        const ready = readers.filter(
          (reader) => reader.shape !== null && !pairs.some((pair) => pair.reader === reader),
        );
        const done = pairs.filter((pair) => pair.writer.shape !== null);
        const started = readers.length;
        const steps: (() => void)[] = [];
        if (started < count) steps.push(() => readers.push(world.ask('read', { slots: 1, slotBytes: slotMin })));
        for (const reader of ready) {
          steps.push(() => pairs.push({ reader, writer: world.ask('write', { slots: 3, slotBytes: 64 * mib }) }));
          if (draw.oneIn(4)) steps.push(() => world.grow(reader, { slots: 4, slotBytes: 64 * mib }));
        }
        // One ends only when nothing else can go on, so that all want both at once.
        if (steps.length === 0 && !world.shrink((among) => draw.below(among))) {
          const pair = done[draw.below(Math.max(1, done.length))];
          expectTrue(pair !== undefined, 'duplications block each other');
          pairs.splice(pairs.indexOf(pair), 1);
          world.release(pair.reader);
          world.release(pair.writer);
          readers.splice(readers.indexOf(pair.reader), 1, { ...pair.reader, shape: null });
          ended += 1;
        } else if (steps.length > 0) draw.pick(steps)();
      }
    }),
    runs,
  );
}

/** Readers that took the common half give it back when writers have nothing left to shrink. */
export function checkOtherClass(code: TransferCode): void {
  const world = new BudgetWorld(code, 64 * mib);
  const reader = world.ask('read', { slots: 1, slotBytes: slotMin });
  for (let slots = 2; slots <= 12; slots += 1) world.grow(reader, { slots, slotBytes: slotMin });
  while (world.lines.write.length === 0) world.ask('write', { slots: 1, slotBytes: slotMin });
  expectTrue(world.used('read') > slotMin, 'the reader has more than its smallest slot');
  expectEqual(
    world.budget.shrinkTargets().map(({ id }) => id),
    [reader.id],
    'who is asked to shrink',
  );
  expectTrue(
    world.shrink(() => 0),
    'the reader shrinks',
  );
  expectEqual(world.lines.write, [], 'nobody waits any more');
}
