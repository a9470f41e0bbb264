/**
 * What one reader's slots are filled with, and what its client is told.
 *
 *   free ──fill──► filling ─[came─► verifying]─filled──► full ──DATA──► sent ──SLOT_DONE──► free
 *                     └─ of an older generation: stale, free when the lane is done with it
 *
 * A generation is one stream of bytes from the offset of its first READ: DATA goes out in order and without a gap.
 * A random reader gets the chunks that its request touches, of an image without sums the grains; the second sequential
 * READ turns read-ahead on, and from then on every free slot is filled. Only verified bytes are sent. Damage, or a failed read, ends the stream in front of
 * it: the READ that gets there fails, and the next READ there tries anew.
 */
import { assert } from '../core/assert.ts';
import { type Status, status } from '../core/errors.ts';

export interface ReadFailure {
  readonly status: Status;
  readonly errno: number;
  readonly text: string;
}

export type ReadAction =
  /** Read and verify: slot memory from the slot's begin; offset on a chunk's or grain's border, whole ones or to the end. */
  | { kind: 'fill'; slot: number; offset: number; length: number }
  | { kind: 'data'; slot: number; slotOffset: number; offset: number; length: number; generation: number }
  /** `offset`: begin of the chunk or grain that could not be read, with a failure. */
  | { kind: 'reply'; callId: number; status: Status; errno: number; text: string; offset: number }
  /** The client broke the protocol. */
  | { kind: 'refuse'; text: string }
  /** A sequential reader: the read-ahead arena would help. */
  | { kind: 'grow' };

export interface ReadCall {
  callId: number;
  offset: number;
  length: number;
  generation: number;
}

export interface ReadPlanOptions {
  /** Bytes of the image. */
  size: number;
  slots: number;
  /** A multiple of chunkBytes. */
  slotBytes: number;
  chunkBytes?: number;
  /** What a random read is rounded to, where no chunk must be whole to be verified: a part of chunkBytes. */
  grainBytes?: number;
  /**
   * The client has a slot to copy from while the others are read, and the last bytes come in ever smaller pieces. Where more
   * requests at once only mix: each takes longer, and all together too. Never fewer than two at once. False: all slots.
   */
  spareOne?: boolean;
}

/** Pieces at an image's end are halved down to this: behind the last one the client copies, and no device works. */
export const tailChunks = 4;
/** Fewer reads at once would leave the storage idle between two. */
const readsMin = 2;

/** A slot that is being filled or was, in the order of its bytes. */
interface Piece {
  readonly slot: number;
  readonly offset: number;
  readonly length: number;
  /** Leading bytes that are verified; −1: still being filled. */
  good: number;
  failure: ReadFailure | null;
}

type SlotPhase = 'free' | 'filling' | 'verifying' | 'stale' | 'full' | 'sent';

const noFailure: ReadFailure = { status: status.OK, errno: 0, text: '' };

export class ReadPlan {
  readonly #size: number;
  readonly #chunkBytes: number;
  readonly #grainBytes: number;
  readonly #spareOne: boolean;
  #slotBytes: number;
  #phases: SlotPhase[];
  #hold: 'off' | 'on' | 'frozen' = 'off';
  #closed = false;

  // The stream of the current generation.
  #generation = -1;
  #base = 0;
  /** READs are rounded to it. */
  #unit: number;
  /** Bytes [base, position) were sent. */
  #position = 0;
  #nextFill = 0;
  /** End of what was asked for. */
  #requestEnd = 0;
  /** A READ from here on is sequential; Infinity: the next one is a first one. */
  #continuesAt = Infinity;
  #sequential = false;
  #pieces: Piece[] = [];
  #stop: (ReadFailure & { offset: number }) | null = null;
  #waiting: ReadCall | null = null;

  constructor(options: ReadPlanOptions) {
    this.#size = options.size;
    this.#chunkBytes = options.chunkBytes ?? 1024 * 1024;
    this.#grainBytes = options.grainBytes ?? this.#chunkBytes;
    this.#unit = this.#chunkBytes;
    this.#spareOne = options.spareOne ?? false;
    this.#slotBytes = options.slotBytes;
    assert(options.slots > 0, 'a reader has slots');
    assert(this.#chunkBytes % this.#grainBytes === 0, 'chunks hold whole grains');
    assert(options.slotBytes % this.#chunkBytes === 0, 'slots hold whole chunks');
    this.#phases = new Array<SlotPhase>(options.slots).fill('free');
  }

  /** Read-ahead is on. */
  get sequential(): boolean {
    return this.#sequential;
  }

  /** End of what was sent in this generation. */
  get position(): number {
    return this.#position;
  }

  /** Whose bytes are due next, while it is being filled; −1: none is. */
  get fillingFirst(): number {
    return this.#pieces[0]?.slot ?? -1;
  }

  /** Nobody holds a slot. */
  get canReplace(): boolean {
    return this.#phases.every((held) => held === 'free');
  }

  /** No lane works on a slot. */
  get idle(): boolean {
    return !this.#phases.some(isWithLane);
  }

  read(call: ReadCall): ReadAction[] {
    assert(!this.#closed, 'a closed reader is not read');
    if (this.#waiting !== null) return refuse('READ before the reply to the last one');
    if (!Number.isSafeInteger(call.offset) || call.offset < 0 || call.length <= 0) {
      return refuse(`READ of ${call.length} bytes at ${call.offset}`);
    }
    if (call.generation < this.#generation) return refuse(`READ goes back to generation ${call.generation}`);
    // Where nothing of a generation was sent (its READ failed), no DATA can be mistaken: it may begin elsewhere.
    const afresh = this.#position === this.#base && call.offset !== this.#base;
    if (call.generation > this.#generation || afresh) this.#jump(call);
    if (call.offset >= this.#size) return [reply(call.callId, noFailure, this.#size)];
    if (call.offset < this.#base || call.offset > this.#position) {
      return refuse(`READ at ${call.offset} leaves the stream ${this.#base}…${this.#position} of its generation`);
    }
    const actions: ReadAction[] = [];
    if (!this.#sequential && call.offset >= this.#continuesAt) {
      this.#sequential = true;
      if (this.#hold === 'off') actions.push({ kind: 'grow' });
    }
    this.#requestEnd = Math.max(this.#requestEnd, Math.min(this.#size, call.offset + call.length));
    this.#continuesAt = this.#requestEnd;
    this.#waiting = call;
    return this.#advance(actions);
  }

  /** A slot's bytes are here, and are verified next: the storage may be given something else meanwhile. */
  came(slot: number): ReadAction[] {
    if (this.#phases[slot] !== 'filling') return [];
    this.#phases[slot] = 'verifying';
    return this.#advance([]);
  }

  /**
   * A lane is done with a slot. `good`: leading bytes that were read and verified; fewer than asked without a failure
   * means that the rest is damaged.
   */
  filled(slot: number, good: number, failure?: ReadFailure): ReadAction[] {
    const held = this.#phases[slot];
    assert(held !== undefined && isWithLane(held), `slot ${slot} is ${held}, and was filled`);
    if (held === 'stale' || this.#closed) {
      this.#phases[slot] = 'free';
      return this.#advance([]);
    }
    const piece = this.#pieces.find((candidate) => candidate.slot === slot);
    assert(piece !== undefined, `slot ${slot} has no piece`);
    assert(good >= 0 && good <= piece.length, 'good bytes are some of those asked for');
    piece.good = good;
    piece.failure = failure ?? (good < piece.length ? this.#damaged(piece.offset + good) : null);
    this.#phases[slot] = 'full';
    return this.#advance([]);
  }

  slotDone(slot: number, generation: number): ReadAction[] {
    if (generation < this.#generation) return [];
    if (generation > this.#generation) return refuse(`SLOT_DONE names generation ${generation}`);
    if (this.#phases[slot] !== 'sent') return refuse(`SLOT_DONE of slot ${slot}, which the client does not hold`);
    this.#phases[slot] = 'free';
    return this.#advance([]);
  }

  /** Another arena is to come: nothing is filled but what a waiting READ cannot do without. */
  hold(on: boolean): ReadAction[] {
    assert(this.#hold !== 'frozen', 'the new arena is on its way');
    this.#hold = on ? 'on' : 'off';
    return this.#advance([]);
  }

  /** The new arena is on its way to the client: no slot of the old one is touched any more. */
  freeze(): void {
    assert(this.canReplace, 'an arena is replaced when all its slots are free');
    this.#hold = 'frozen';
  }

  /** The new arena stands. */
  replace(slots: number, slotBytes: number): ReadAction[] {
    assert(this.canReplace, 'an arena is replaced when all its slots are free');
    assert(slots > 0, 'a reader has slots');
    assert(slotBytes % this.#chunkBytes === 0, 'slots hold whole chunks');
    this.#slotBytes = slotBytes;
    this.#phases = new Array<SlotPhase>(slots).fill('free');
    this.#hold = 'off';
    return this.#advance([]);
  }

  /** Close: nothing is filled or told any more; slots come back from their lanes. */
  stop(): void {
    this.#closed = true;
    this.#drop();
    this.#waiting = null;
  }

  /** A new generation begins at the call's offset. The client holds no slot any more. */
  #jump(call: ReadCall): void {
    this.#drop();
    this.#generation = call.generation;
    this.#base = call.offset;
    this.#position = call.offset;
    // Whoever begins at the begin goes on, as a rule: a chunk saves the next calls their way.
    this.#unit = call.offset === 0 ? this.#chunkBytes : this.#grainBytes;
    this.#nextFill = Math.min(this.#size, this.#unitAt(call.offset));
    this.#requestEnd = this.#nextFill;
    this.#continuesAt = Infinity;
    this.#sequential = false;
    this.#stop = null;
  }

  #drop(): void {
    this.#pieces = [];
    this.#phases = this.#phases.map((held) => (isWithLane(held) ? 'stale' : 'free'));
  }

  #advance(actions: ReadAction[]): ReadAction[] {
    if (this.#closed) return [];
    this.#deliver(actions);
    this.#answer(actions);
    this.#fill(actions);
    return actions;
  }

  /** Sends what is verified, in order, up to the first byte that is not. */
  #deliver(actions: ReadAction[]): void {
    for (let piece = this.#pieces[0]; piece !== undefined && piece.good >= 0; piece = this.#pieces[0]) {
      const { slot } = piece;
      const slotOffset = Math.max(0, this.#position - piece.offset);
      const length = piece.good - slotOffset;
      this.#pieces.shift();
      this.#phases[slot] = length > 0 ? 'sent' : 'free';
      if (length > 0) {
        const generation = this.#generation;
        actions.push({ kind: 'data', slot, slotOffset, offset: this.#position, length, generation });
        this.#position += length;
      }
      if (piece.failure !== null) this.#end(piece.failure, piece.offset + piece.good);
    }
  }

  /** The stream ends at `offset`; what was read behind it is of no use. */
  #end(failure: ReadFailure, offset: number): void {
    this.#stop = { status: failure.status, errno: failure.errno, text: failure.text, offset: this.#unitAt(offset) };
    for (const { slot, good } of this.#pieces) this.#phases[slot] = good >= 0 ? 'free' : 'stale';
    this.#pieces = [];
    this.#nextFill = this.#unitAt(this.#position);
  }

  /** Replies when bytes at the call's offset were sent, or cannot be. */
  #answer(actions: ReadAction[]): void {
    if (this.#waiting === null) return;
    const { callId, offset } = this.#waiting;
    if (offset < this.#position) {
      actions.push(reply(callId, noFailure, offset));
      this.#waiting = null;
    } else if (this.#stop !== null) {
      actions.push(reply(callId, this.#stop, this.#stop.offset));
      this.#waiting = null;
      this.#stop = null;
      // Nothing is tried again unasked.
      this.#sequential = false;
      this.#requestEnd = this.#nextFill;
      this.#continuesAt = Infinity;
    }
  }

  #fill(actions: ReadAction[]): void {
    if (this.#stop !== null || this.#hold === 'frozen') return;
    const asked = Math.min(this.#size, Math.ceil(this.#requestEnd / this.#unit) * this.#unit);
    const end = this.#sequential && this.#hold === 'off' ? this.#size : asked;
    while (this.#nextFill < end) {
      if (this.#hold === 'on' && (this.#waiting === null || this.#pieces.length > 0)) return;
      const slot = this.#phases.indexOf('free');
      if (slot < 0 || !this.#mayRead) return;
      const length = this.#pieceLength(end);
      this.#phases[slot] = 'filling';
      this.#pieces.push({ slot, offset: this.#nextFill, length, good: -1, failure: null });
      actions.push({ kind: 'fill', slot, offset: this.#nextFill, length });
      this.#nextFill += length;
    }
  }

  /** What is being verified has come, and what is stale is nobody's: neither counts. */
  get #mayRead(): boolean {
    if (!this.#spareOne) return true;
    let reads = 0;
    for (const held of this.#phases) if (held === 'filling') reads++;
    return reads < Math.max(readsMin, this.#phases.length - 1);
  }

  #pieceLength(end: number): number {
    // Up to a chunk's border: what is read ahead lies as it was written.
    const most = this.#slotBytes - (this.#nextFill % this.#chunkBytes);
    const left = end - this.#nextFill;
    const isTail = this.#spareOne && end === this.#size && left > tailChunks * this.#chunkBytes && left <= most;
    if (!isTail) return Math.min(most, left);
    return Math.ceil((this.#nextFill + left / 2) / this.#chunkBytes) * this.#chunkBytes - this.#nextFill;
  }

  #unitAt(offset: number): number {
    return Math.floor(offset / this.#unit) * this.#unit;
  }

  #damaged(offset: number): ReadFailure {
    const text = `the chunk at offset ${this.#unitAt(offset)} is damaged: its bytes do not match their checksum`;
    return { status: status.EDAMAGED, errno: 0, text };
  }
}

function isWithLane(held: SlotPhase): boolean {
  return held === 'filling' || held === 'verifying' || held === 'stale';
}

function refuse(text: string): ReadAction[] {
  return [{ kind: 'refuse', text }];
}

function reply(callId: number, failure: ReadFailure, offset: number): ReadAction {
  return { kind: 'reply', callId, status: failure.status, errno: failure.errno, text: failure.text, offset };
}
