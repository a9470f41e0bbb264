/**
 * The slots of one writer: credits to the client, blocks in and out, and the arena below them, which is made ready in
 * the background and may be replaced by a smaller one when others wait for memory.
 */
import { addon } from '../../native/addon/index.ts';
import { op } from '../core/order.ts';
import { encodeFrame, type FrameOf, frame } from '../core/wire.ts';
import type { Link } from '../intake/link.ts';
import { Ledger } from '../transfer/ledger.ts';
import type { Context } from './context.ts';
import type { Arena, ArenaShape } from './memory.ts';

/**
 * Of the first block of an image in files, each next one twice as long: storage has something to do after a millisecond of
 * copying, and is never done before there is more.
 */
export const firstBlockBytes = 4 * 1024 * 1024;

/** Slots are made ready in steps, so that a lane that does it is soon free for payload again. */
const populateBytes = 16 * 1024 * 1024;

function ledgerOf(arena: Arena, sequence = 0): Ledger {
  return new Ledger({ arena: arena.id, slots: arena.slots, slotBytes: arena.slotBytes, sequence });
}

function bytesOf(shape: ArenaShape): number {
  return shape.slots * shape.slotBytes;
}

export class WriterSlots {
  readonly #ctx: Context;
  readonly #link: Link;
  #arena: Arena;
  #ledger: Ledger;
  /** On its way to the client, until that has let go of the one before. */
  #next: Arena | null = null;
  #shrinkTo: ArenaShape | null = null;
  #populating = false;
  /** Bytes from the arena's begin that are ready, the first slot by the client itself; and that should be. 0: nothing was asked. */
  #readyBytes: number;
  #targetBytes = 0;
  /** The first arena is with the client. */
  #begun = false;
  #closed = false;

  constructor(ctx: Context, link: Link, arena: Arena) {
    this.#ctx = ctx;
    this.#link = link;
    this.#arena = arena;
    this.#readyBytes = arena.slotBytes;
    this.#ledger = ledgerOf(arena);
  }

  get arena(): Arena {
    return this.#arena;
  }
  get replacing(): boolean {
    return this.#next !== null || this.#shrinkTo !== null;
  }
  /** The client can fill no slot now: it waits for a credit or an arena, or will with its next byte. */
  get clientHasNone(): boolean {
    return this.#ledger.counts().client === 0;
  }
  /** Of the last block that came. */
  get sequence(): number {
    return this.#ledger.sequence;
  }
  /** Slots that are not free, and all of them. */
  get use(): { held: number; of: number } {
    return { held: this.#arena.slots - this.#ledger.counts().free, of: this.#arena.slots };
  }

  /** Hands the arena and its credits to the client. */
  begin(): void {
    if (this.#link.ended) return;
    this.#begun = true;
    const smaller = this.#shrinkTo === null ? null : this.#open(this.#shrinkTo);
    this.#shrinkTo = null;
    if (smaller !== null) {
      // Asked for before the client has seen an arena: it never sees the bigger one.
      addon.arenaClose(this.#arena.id);
      this.#take(smaller);
    }
    // One write for all: the credits travel behind the arena that they are for.
    const frames = [this.#arenaFrame(this.#arena, this.#firstBytes)];
    for (let slot = this.#ledger.nextFree(); slot >= 0; slot = this.#ledger.nextFree()) {
      frames.push(this.#creditFrame(slot, 0));
    }
    this.#link.sendArena(Buffer.concat(frames), this.#arena.id);
  }

  /** False: the client broke the protocol, and its connection was ended. */
  submit(body: FrameOf<'submit'>): boolean {
    const refusal = this.#ledger.submit({
      arena: body.arena,
      slot: body.slot,
      slotOffset: body.slot_offset,
      length: body.length,
      offset: body.offset,
      sequence: body.sequence,
    });
    if (refusal !== null) this.#link.end(`the host program broke the protocol: ${refusal}`);
    else if (this.#targetBytes > 0) {
      this.#targetBytes += this.#arena.slotBytes;
      this.#makeReady();
    }
    return refusal === null;
  }

  /** One more order works on the slot, or is done with it. */
  begun(slot: number): void {
    this.#ledger.begin(slot);
  }
  ended(slot: number): void {
    this.#ledger.end(slot);
  }

  /** The slot's block is written and digested, or given up. */
  free(slot: number, sequence: number): void {
    this.#ledger.settle(slot);
    if (this.#closed || this.#link.ended) return;
    if (this.#shrinkTo !== null) this.#tryShrink();
    else this.#credit(slot, sequence);
  }

  /**
   * The client has filled half of its first slot: the next one is made ready now, and one more with every block that
   * comes. Never all at once, as most images end before they need the last slot; never the first one, in which the
   * client's own memcpy is at work.
   */
  populate(): void {
    if (this.#targetBytes > 0) return;
    this.#targetBytes = 2 * this.#arena.slotBytes;
    this.#makeReady();
  }

  /** Flush or close has come: what is not ready now is not needed soon. */
  stopPopulating(): void {
    this.#targetBytes = this.#readyBytes;
  }

  /** The budget wants memory back: when every slot is free the arena is replaced by a smaller one. */
  shrink(to: ArenaShape): void {
    // Told again while a smaller one is on its way, or of a share that has grown meanwhile: that is no wish any more.
    if (bytesOf(to) >= bytesOf(this.#next ?? this.#arena)) return;
    this.#shrinkTo = to;
    this.#tryShrink();
  }

  arenaDropped(id: number): void {
    if (this.#next === null || id !== this.#arena.id) {
      this.#link.end(`the host program broke the protocol: it dropped arena ${id} unasked`);
      return;
    }
    addon.arenaClose(this.#arena.id);
    const next = this.#next;
    this.#next = null;
    this.#take(next);
    this.#creditAll();
  }

  /** No credit goes out any more. */
  close(): void {
    this.#closed = true;
  }

  /** After everything has ended and with the link gone: nobody touches the arena any more. `mayKeep`: another image may have it. */
  drop(mayKeep: boolean): void {
    this.#ctx.memory.giveBack(this.#arena, mayKeep ? this.#link.peer : null);
    if (this.#next !== null) addon.arenaClose(this.#next.id);
  }

  #open(shape: ArenaShape): Arena | null {
    return this.#ctx.memory.tryOpen(shape, this.#link.peer);
  }

  #take(arena: Arena): void {
    this.#arena = arena;
    this.#readyBytes = arena.slotBytes;
    this.#ledger = ledgerOf(arena, this.#ledger.sequence);
    this.#ctx.memory.shrunk(this.#link.id, arena);
  }

  #creditFrame(slot: number, sequence: number): Buffer {
    this.#ledger.credit(slot);
    return encodeFrame('slotFree', frame.slotFree, 0, { arena: this.#arena.id, slot, sequence });
  }

  #credit(slot: number, sequence: number): void {
    this.#link.send(this.#creditFrame(slot, sequence));
  }

  #creditAll(): void {
    this.#link.batch(() => {
      for (let slot = this.#ledger.nextFree(); slot >= 0; slot = this.#ledger.nextFree()) this.#credit(slot, 0);
    });
  }

  /** In a bucket blocks are what parts are made of: whole from the first one. */
  get #firstBytes(): number {
    return this.#ctx.settings.sequential || this.#arena.slotBytes <= firstBlockBytes ? 0 : firstBlockBytes;
  }

  #arenaFrame({ id, slots, slotBytes }: Arena, firstBytes = 0): Buffer {
    return encodeFrame('arena', frame.arena, 0, { arena: id, slots, slot_bytes: slotBytes, first_bytes: firstBytes });
  }

  #pass(arena: Arena): void {
    this.#link.sendArena(this.#arenaFrame(arena), arena.id);
  }

  #tryShrink(): void {
    const to = this.#shrinkTo;
    if (to === null || this.#next !== null || !this.#begun || this.#closed || !this.#ledger.allFree) return;
    this.#shrinkTo = null;
    this.#next = this.#open(to);
    // Without memory for the smaller one the old one goes on.
    if (this.#next === null) this.#creditAll();
    else this.#pass(this.#next);
  }

  #makeReady(): void {
    if (this.#populating) return;
    this.#populating = true;
    // No flush or close waits for it: an arena that is closed meanwhile is kept by the call that uses it.
    this.#populateSlots()
      .catch((error) => this.#ctx.bug('populate', error))
      .finally(() => {
        this.#populating = false;
      });
  }

  async #populateSlots(): Promise<void> {
    const arena = this.#arena;
    for (;;) {
      const at = this.#readyBytes;
      if (this.#closed || this.#arena !== arena || this.#link.ended) return;
      const end = Math.min(this.#targetBytes, arena.slots * arena.slotBytes);
      if (at >= end) return;
      const length = Math.min(populateBytes, end - at);
      // A kernel that cannot is no failure: the pages come when they are touched.
      await this.#ctx.io.run({ op: op.populate, arena: arena.id, memoryOffset: at, length }, this.#link.id);
      this.#readyBytes = at + length;
    }
  }
}
