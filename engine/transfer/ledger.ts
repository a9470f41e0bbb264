/**
 * Who holds which slot of a writer's arena.
 *
 *   free ──credit──► client ──submit──► queued ──begin──► working ──settle──► free
 *                      └──clientGone──► free      └──settle (given up)──► free
 *
 * A slot works while parts of its block are under way in lanes (write pieces, the digest); it is settled when the block
 * is written and digested, or given up with no part under way. What a client sends is judged here and answered with a
 * text; a wrong step of our own is a BugError.
 */
import { assert } from '../core/assert.ts';

export const phase = { free: 'free', client: 'client', queued: 'queued', working: 'working' } as const;
export type Phase = (typeof phase)[keyof typeof phase];

const legalMoves: Readonly<Record<Phase, readonly Phase[]>> = {
  free: ['client'],
  client: ['queued', 'free'],
  queued: ['working', 'free'],
  working: ['free'],
};

/** Multiple of which offsets and lengths of writes are (WIRE_BLOCK_BYTES). */
const unitBytes = 512;
/** Image offset and slot offset of a block are equal modulo this (WIRE_SLOT_ALIGN). */
const slotAlign = 4096;
/** No image grows beyond 1 PiB: sums and offsets stay far inside what a number holds. */
export const imageBytesMax = 2 ** 50;

/** A SUBMIT frame, decoded; all in bytes but the numbers of arena, slot and sequence. */
export interface Submit {
  arena: number;
  slot: number;
  slotOffset: number;
  length: number;
  offset: number;
  sequence: number;
}

export interface LedgerOptions {
  arena: number;
  slots: number;
  slotBytes: number;
  /** Of the last SUBMIT that was taken, when this arena replaces another. */
  sequence?: number;
}

export class Ledger {
  readonly arena: number;
  readonly slots: number;
  readonly slotBytes: number;
  readonly #phases: Phase[];
  readonly #parts: Uint32Array;
  #sequence: number;

  constructor(options: LedgerOptions) {
    assert(options.slots > 0, 'an arena has slots');
    assert(options.slotBytes % slotAlign === 0, 'slots are aligned');
    this.arena = options.arena;
    this.slots = options.slots;
    this.slotBytes = options.slotBytes;
    this.#phases = new Array<Phase>(options.slots).fill(phase.free);
    this.#parts = new Uint32Array(options.slots);
    this.#sequence = options.sequence ?? 0;
  }

  /** Of the last SUBMIT that was taken. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Nobody holds a slot: the arena may be replaced or closed. */
  get allFree(): boolean {
    return this.#phases.every((held) => held === phase.free);
  }

  phaseOf(slot: number): Phase {
    const held = this.#phases[slot];
    assert(held !== undefined, `slot ${slot} is none of ${this.slots}`);
    return held;
  }

  /** Parts of the slot's block that are under way. */
  parts(slot: number): number {
    return this.#parts[slot] ?? 0;
  }

  counts(): Record<Phase, number> {
    const counts = { free: 0, client: 0, queued: 0, working: 0 };
    for (const held of this.#phases) counts[held] += 1;
    return counts;
  }

  /** The first free slot, or −1. */
  nextFree(): number {
    return this.#phases.indexOf(phase.free);
  }

  /** The client may fill this slot: to be told with SLOT_FREE. */
  credit(slot: number): void {
    this.#move(slot, phase.client);
  }

  /** Takes a SUBMIT. Returns the text of its refusal, then nothing has changed; or null: the slot is queued. */
  submit(submit: Submit): string | null {
    const refusal = this.#judge(submit);
    if (refusal !== null) return refusal;
    this.#move(submit.slot, phase.queued);
    this.#sequence = submit.sequence;
    return null;
  }

  /** One more part of the slot's block is under way. */
  begin(slot: number): void {
    if (this.phaseOf(slot) === phase.queued) this.#move(slot, phase.working);
    this.assertPhase(slot, phase.working);
    this.#parts[slot] = this.parts(slot) + 1;
  }

  /** A part came back, good or bad. */
  end(slot: number): void {
    this.assertPhase(slot, phase.working);
    assert(this.parts(slot) > 0, `slot ${slot} has no part under way`);
    this.#parts[slot] = this.parts(slot) - 1;
  }

  /** The block is written and digested, or given up. */
  settle(slot: number): void {
    const held = this.phaseOf(slot);
    assert(held === phase.queued || held === phase.working, `slot ${slot} is ${held}, and is to be settled`);
    assert(this.parts(slot) === 0, `slot ${slot} is to be settled with ${this.parts(slot)} parts under way`);
    this.#move(slot, phase.free);
  }

  /** The client's process is gone: what it held is free. */
  clientGone(): void {
    for (let slot = 0; slot < this.slots; slot += 1) {
      if (this.phaseOf(slot) === phase.client) this.#move(slot, phase.free);
    }
  }

  assertPhase(slot: number, expected: Phase): void {
    const held = this.phaseOf(slot);
    assert(held === expected, `slot ${slot} is ${held}, not ${expected}`);
  }

  #move(slot: number, to: Phase): void {
    const from = this.phaseOf(slot);
    assert(legalMoves[from].includes(to), `slot ${slot} cannot go from ${from} to ${to}`);
    assert(this.parts(slot) === 0, `slot ${slot} moves to ${to} with parts under way`);
    this.#phases[slot] = to;
  }

  #judge(submit: Submit): string | null {
    const { arena, slot, slotOffset, length, offset, sequence } = submit;
    if (arena !== this.arena) return `SUBMIT names arena ${arena}, not ${this.arena}`;
    const held = this.#phases[slot];
    if (held === undefined) return `SUBMIT names slot ${slot} of ${this.slots}`;
    if (held !== phase.client) return `SUBMIT of slot ${slot}, which the client does not hold`;
    if (sequence !== this.#sequence + 1) return `SUBMIT has sequence ${sequence}, not ${this.#sequence + 1}`;
    if (!isPlaced(length) || length === 0 || length % unitBytes !== 0) {
      return `SUBMIT has length ${length}, which is no multiple of ${unitBytes} above 0`;
    }
    if (!isPlaced(offset) || offset % unitBytes !== 0) {
      return `SUBMIT has offset ${offset}, which is no multiple of ${unitBytes}`;
    }
    if (offset + length > imageBytesMax) return `SUBMIT ends at ${offset + length}, beyond ${imageBytesMax}`;
    if (!isPlaced(slotOffset) || slotOffset + length > this.slotBytes) {
      return `SUBMIT of ${length} bytes at ${slotOffset} leaves its slot of ${this.slotBytes}`;
    }
    if (slotOffset % slotAlign !== offset % slotAlign) {
      return `SUBMIT has slot offset ${slotOffset} for offset ${offset}: unequal modulo ${slotAlign}`;
    }
    return null;
  }
}

function isPlaced(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
