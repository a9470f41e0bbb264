/**
 * One reader in a made-up world: a client as the plug-in is, frames that cross on their way, lanes that finish in any
 * order, storage with damaged chunks and reads that fail now and then, and arenas that are replaced under way. What
 * must hold:
 *
 * - the client gets the bytes it asked for, each one verified, up to the end or up to damage, and never one beyond it;
 * - a lane never fills a slot that the client or another lane holds;
 * - every READ is answered, after DATA that covers its offset; random readers are read no more than they touch: chunks,
 *   of an image without sums grains;
 * - what fails names the chunk that is damaged, and READs around it go on working.
 */
import * as fc from 'fast-check';
import { check, type Decisions, decisions } from '../support/property.ts';
import { expectEqual, expectTrue } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';

const chunkBytes = 64;
const grainBytes = 8;
const damagedStatus = 207;
const systemStatus = 17;

type Plan = InstanceType<TransferCode['ReadPlan']>;
type Action = ReturnType<Plan['read']>[number];
type Data = Extract<Action, { kind: 'data' }> & { arena: number };
type Reply = Extract<Action, { kind: 'reply' }>;
type Fill = Extract<Action, { kind: 'fill' }>;
type ToEngine =
  | { kind: 'read'; callId: number; offset: number; length: number; generation: number }
  | { kind: 'slotDone'; arena: number; slot: number; generation: number }
  | { kind: 'dropped' };
type ToClient = Data | Reply | { kind: 'arena'; arena: number; slots: number };

interface Held {
  slot: number;
  slotOffset: number;
  offset: number;
  end: number;
}

class World {
  readonly #draw: Decisions;
  readonly #size: number;
  readonly #damaged: Set<number>;
  /** What fills are made of. */
  readonly #unit: number;
  readonly #plan: Plan;
  #arena = 1;
  #slotBytes: number;
  #next: { slots: number; slotBytes: number; sent: boolean } | null = null;
  /** What each slot of the current arena holds: image offset of its first byte; −1: unknown. */
  #memory: number[];
  #fills: { action: Fill; arena: number }[] = [];
  #toEngine: ToEngine[] = [];
  #toClient: ToClient[] = [];

  // The client.
  #held: Held[] = [];
  #clientArena = 1;
  #generation = 0;
  /** End of what it has copied; −1 in #expected: no DATA of this generation came yet. */
  #delivered = 0;
  #expected = -1;
  #call: { callId: number; offset: number } | null = null;
  #callId = 0;
  #want: { offset: number; end: number } | null = null;
  #position = 0;

  constructor(code: TransferCode, draw: Decisions) {
    this.#draw = draw;
    this.#size = draw.oneIn(8) ? 0 : 1 + draw.below(40 * chunkBytes);
    this.#unit = draw.oneIn(3) ? grainBytes : chunkBytes;
    // Without sums nothing is found to be damaged.
    const damaged = this.#unit === chunkBytes ? draw.below(4) : 0;
    this.#damaged = new Set(Array.from({ length: damaged }, () => draw.below(40)));
    const slots = 1 + draw.below(3);
    const slotBytes = chunkBytes * (1 + draw.below(4));
    this.#slotBytes = slotBytes;
    this.#memory = new Array<number>(slots).fill(-1);
    const spareOne = draw.oneIn(2);
    this.#plan = new code.ReadPlan({
      size: this.#size,
      slots,
      slotBytes,
      chunkBytes,
      grainBytes: this.#unit,
      spareOne,
    });
  }

  run(): void {
    for (let left = 20_000; this.#draw.left > 0 || !this.#settled; left -= 1) {
      expectTrue(left > 0, 'every READ is answered in the end');
      this.#step();
    }
    expectTrue(this.#plan.canReplace || this.#held.length > 0 || this.#toClient.length > 0, 'slots are free or held');
    this.#plan.stop();
    while (this.#fills.length > 0) this.#finishFill();
    expectTrue(this.#plan.idle, 'a closed plan is idle when its lanes are');
  }

  get #settled(): boolean {
    return (
      this.#want === null && this.#fills.length === 0 && this.#toEngine.length === 0 && this.#toClient.length === 0
    );
  }

  /** One event; with decisions used up, whatever there is to do goes on in a fixed order. */
  #step(): void {
    const events: (() => void)[] = [];
    if (this.#toEngine.length > 0) events.push(() => this.#engineTakes());
    if (this.#toClient.length > 0) events.push(() => this.#clientTakes());
    if (this.#fills.length > 0) events.push(() => this.#finishFill());
    if (this.#fills.length > 0 && this.#draw.left > 0) events.push(() => this.#came());
    if (this.#call === null && this.#want !== null) events.push(() => this.#clientGoesOn());
    if (this.#draw.left > 0 && this.#want === null) events.push(() => this.#clientWants());
    if (this.#draw.left > 0 && this.#next === null && this.#draw.oneIn(6)) events.push(() => this.#resize());
    expectTrue(events.length > 0 || this.#draw.left > 0, 'a READ is waiting for nothing');
    if (events.length > 0) this.#draw.pick(events)();
  }

  // --- engine -----------------------------------------------------------------------------------------------------

  #engineTakes(): void {
    const frame = this.#toEngine.shift();
    if (frame === undefined) return;
    if (frame.kind === 'read') this.#do(this.#plan.read(frame));
    else if (frame.kind === 'dropped') this.#replaced();
    else if (frame.arena === this.#arena) this.#do(this.#plan.slotDone(frame.slot, frame.generation));
  }

  #do(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.kind === 'refuse') throw new Error(`an honest client is refused: ${action.text}`);
      if (action.kind === 'fill') this.#startFill(action);
      else if (action.kind === 'data') this.#toClient.push({ ...action, arena: this.#arena });
      else if (action.kind === 'reply') this.#toClient.push(action);
    }
    if (this.#next === null || this.#next.sent || !this.#plan.canReplace) return;
    this.#next.sent = true;
    this.#plan.freeze();
    this.#toClient.push({ kind: 'arena', arena: this.#arena + 1, slots: this.#next.slots });
  }

  #startFill(fill: Fill): void {
    expectTrue(this.#next?.sent !== true, 'nothing is filled while the new arena is on its way');
    expectTrue(!this.#fills.some((other) => other.action.slot === fill.slot), 'a lane holds the slot already');
    expectEqual(fill.offset % this.#unit, 0, 'a fill begins on a border');
    expectTrue(fill.length <= this.#slotBytes, 'a fill fits into its slot');
    const end = fill.offset + fill.length;
    expectTrue(fill.length > 0 && end <= this.#size, 'a fill lies in the image');
    expectTrue(end % this.#unit === 0 || end === this.#size, 'a fill ends with a chunk, a grain or the image');
    this.#memory[fill.slot] = -1;
    this.#fills.push({ action: fill, arena: this.#arena });
  }

  /** Told again and again for some. */
  #came(): void {
    const fill = this.#draw.pick(this.#fills);
    this.#do(this.#plan.came(fill.action.slot));
  }

  #finishFill(): void {
    const index = this.#draw.below(this.#fills.length);
    const fill = this.#fills.splice(index, 1)[0];
    if (fill === undefined) return;
    const { slot, offset, length } = fill.action;
    this.#memory[slot] = offset;
    let good = 0;
    while (good < length && !this.#damaged.has((offset + good) / chunkBytes)) good += chunkBytes;
    good = Math.min(good, length);
    if (this.#draw.oneIn(12)) {
      const read = this.#draw.below(2) * Math.min(good, chunkBytes);
      const failure = { status: systemStatus, errno: 5, text: 'input/output error' } as const;
      this.#do(this.#plan.filled(slot, read < length ? read : 0, failure));
    } else this.#do(this.#plan.filled(slot, good));
  }

  #resize(): void {
    this.#next = { slots: 1 + this.#draw.below(4), slotBytes: chunkBytes * (1 + this.#draw.below(5)), sent: false };
    this.#do(this.#plan.hold(true));
  }

  #replaced(): void {
    const next = this.#next;
    if (next === null) return;
    this.#next = null;
    this.#arena += 1;
    this.#slotBytes = next.slotBytes;
    this.#memory = new Array<number>(next.slots).fill(-1);
    this.#do(this.#plan.replace(next.slots, next.slotBytes));
  }

  // --- client -----------------------------------------------------------------------------------------------------

  #clientWants(): void {
    if (this.#draw.oneIn(3)) this.#position = this.#draw.below(this.#size + 2 * chunkBytes);
    const length = 1 + this.#draw.below(this.#draw.oneIn(3) ? 20 * chunkBytes : chunkBytes);
    this.#want = { offset: this.#position, end: this.#position + length };
  }

  /** Takes what it holds; else asks: on in the same generation, or with a jump in a new one. */
  #clientGoesOn(): void {
    const want = this.#want;
    if (want === null) return;
    const held = this.#held.find((slot) => slot.offset <= want.offset && want.offset < slot.end);
    if (held !== undefined) {
      this.#copy(held, want);
      return;
    }
    // Slots that are still held lie ahead and are of no use: given up with their generation.
    if (want.offset !== this.#delivered || this.#held.length > 0) {
      this.#generation += 1;
      this.#held = [];
      this.#expected = -1;
    }
    this.#callId += 1;
    const { offset } = want;
    const callId = this.#callId;
    this.#call = { callId, offset };
    expectTrue(this.#expected < 0 || this.#expected === offset, 'within a generation READs go on');
    this.#toEngine.push({ kind: 'read', callId, offset, length: want.end - want.offset, generation: this.#generation });
  }

  #copy(held: Held, want: { offset: number; end: number }): void {
    expectEqual(
      (this.#memory[held.slot] ?? -1) + held.slotOffset,
      held.offset,
      'a slot that the client holds keeps its bytes',
    );
    const to = Math.min(held.end, want.end);
    for (let at = want.offset; at < to; at += 1) {
      if (this.#damaged.has(Math.floor(at / chunkBytes))) throw new Error(`damaged byte ${at} was sent`);
    }
    want.offset = to;
    this.#position = to;
    this.#delivered = to;
    for (const { slot } of this.#held.filter((passed) => passed.end <= to)) {
      this.#toEngine.push({ kind: 'slotDone', arena: this.#clientArena, slot, generation: this.#generation });
    }
    this.#held = this.#held.filter((left) => left.end > to);
    if (want.offset === want.end) this.#want = null;
  }

  #clientTakes(): void {
    const frame = this.#toClient.shift();
    if (frame === undefined) return;
    if (frame.kind === 'arena') {
      expectEqual(this.#held, [], 'an arena is replaced when the client holds no slot of it');
      this.#clientArena = frame.arena;
      this.#toEngine.push({ kind: 'dropped' });
    } else if (frame.kind === 'data') this.#takeData(frame);
    else this.#takeReply(frame);
  }

  #takeData(data: Data): void {
    if (data.generation !== this.#generation) return;
    expectEqual(data.arena, this.#clientArena, 'DATA lies in the arena that the client has');
    expectEqual(data.offset, this.#expected < 0 ? this.#call?.offset : this.#expected, 'DATA comes without a gap');
    expectTrue(data.length > 0, 'DATA has bytes');
    const { slot, slotOffset, offset } = data;
    expectTrue(!this.#held.some((held) => held.slot === slot), 'DATA names a slot that the client does not hold');
    this.#held.push({ slot, slotOffset, offset, end: offset + data.length });
    this.#expected = offset + data.length;
  }

  #takeReply(reply: Reply): void {
    const call = this.#call;
    expectEqual(reply.callId, call?.callId, 'a reply answers the call that waits');
    if (call === null) return;
    this.#call = null;
    if (reply.status === 0 && call.offset >= this.#size) {
      expectTrue(this.#held.length === 0, 'behind the end there is no DATA');
      this.#want = null;
      return;
    }
    if (reply.status === 0) {
      expectTrue(this.#expected > call.offset, 'a reply comes after DATA for its offset');
      return;
    }
    const chunk = Math.floor(call.offset / chunkBytes);
    expectTrue(this.#expected < 0 || this.#expected === call.offset, 'a READ that fails had no DATA at its offset');
    if (reply.status === damagedStatus) {
      expectEqual(reply.offset, chunk * chunkBytes, 'a failure names its chunk');
      expectTrue(this.#damaged.has(chunk), `chunk ${chunk} is damaged`);
    } else expectEqual([reply.status, reply.errno], [systemStatus, 5], 'a failed read tells its failure');
    // Gives up, or goes on behind; or tries the same once more in the same generation.
    if (this.#draw.oneIn(3)) return;
    this.#want = null;
    this.#position = (chunk + 1) * chunkBytes;
  }
}

export function checkReadWorld(code: TransferCode, runs: number): void {
  check(
    fc.property(decisions(500), (draw) => new World(code, draw).run()),
    runs,
  );
}

/**
 * A reader that jumps each time is read no more than the chunks that it touches, of an image without sums no more than the
 * grains, but for its begin; and it stays without read-ahead.
 */
export function checkRandomReader(code: TransferCode, runs: number): void {
  for (const unit of [chunkBytes, grainBytes]) checkJumps(code, runs, unit);
}

function checkJumps(code: TransferCode, runs: number, grain: number): void {
  const jumps = fc.array(fc.tuple(fc.nat({ max: 9999 }), fc.integer({ min: 1, max: 300 })), { maxLength: 20 });
  check(
    fc.property(jumps, (reads) => {
      const size = 10_000;
      const plan = new code.ReadPlan({ size, slots: 2, slotBytes: 4 * chunkBytes, chunkBytes, grainBytes: grain });
      for (const [index, [offset, length]] of reads.entries()) {
        let filled = 0;
        let replied = false;
        let actions = plan.read({ callId: index, offset, length, generation: index });
        for (let left = 100; actions.length > 0 && left > 0; left -= 1) {
          const next: Action[] = [];
          for (const action of actions) {
            expectTrue(action.kind !== 'grow' && action.kind !== 'refuse', 'a random reader stays small');
            if (action.kind === 'fill') {
              filled += action.length;
              next.push(...plan.filled(action.slot, action.length));
            } else if (action.kind === 'data') next.push(...plan.slotDone(action.slot, index));
            else if (action.kind === 'reply') replied = true;
          }
          actions = next;
        }
        const unit = offset === 0 ? chunkBytes : grain;
        const end = Math.min(size, Math.ceil((offset + length) / unit) * unit);
        expectEqual(filled, end - Math.floor(offset / unit) * unit, 'what is read for a random reader');
        expectTrue(replied, 'it is answered');
        expectTrue(!plan.sequential, 'it is not sequential');
      }
    }),
    runs,
  );
}

/** A lane that hangs pins its slot, and so the arena; a READ elsewhere still gets the slot that is free. */
export function checkHungLane(code: TransferCode): void {
  for (const spareOne of [false, true]) checkHung(code, spareOne);
}

function checkHung(code: TransferCode, spareOne: boolean): void {
  const plan = new code.ReadPlan({ size: 10_000, slots: 2, slotBytes: 4 * chunkBytes, chunkBytes, spareOne });
  const kinds = (actions: readonly Action[]): string[] => actions.map((action) => action.kind);
  const first = plan.read({ callId: 1, offset: 0, length: 8 * chunkBytes, generation: 1 });
  expectEqual(kinds(first), ['fill', 'fill'], 'two fills, of which the second one hangs');
  expectEqual(kinds(plan.filled(0, 4 * chunkBytes)), ['data', 'reply'], 'the first READ is answered');
  expectEqual(plan.hold(true), [], 'held');
  const actions = plan.read({ callId: 2, offset: 20 * chunkBytes, length: 1, generation: 2 });
  expectEqual(plan.canReplace, false, 'the arena cannot be replaced');
  expectEqual(
    actions,
    [{ kind: 'fill', slot: 0, offset: 20 * chunkBytes, length: chunkBytes }],
    'the other slot is filled',
  );
  expectEqual(kinds(plan.filled(0, chunkBytes)), ['data', 'reply'], 'the READ is answered');
}
