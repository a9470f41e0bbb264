/** Arenas under the budget: waits in order, gives up with a text that names the setting, asks big holders to shrink. */
import { addon } from '../../native/addon/index.ts';
import { Failed, status } from '../core/errors.ts';
import type { Peer } from '../intake/link.ts';
import type { Budget } from '../transfer/budget.ts';
import { KeptArenas } from './kept-arenas.ts';

export type MemoryKind = 'read' | 'write';

export interface ArenaShape {
  slots: number;
  slotBytes: number;
}

export interface Arena extends ArenaShape {
  /** Id of the addon; the client knows the arena by the same number. */
  readonly id: number;
}

interface Waiter {
  resolve(shape: ArenaShape): void;
  reject(error: Failed): void;
}

/** The smallest slot that the budget hands out. */
export const slotBytesMin = 4 * 1024 * 1024;

export class Memory {
  readonly #budget: Budget;
  readonly #waitSeconds: number;
  readonly #now: () => number;
  readonly #waiters = new Map<number, Waiter>();
  readonly #holders = new Map<number, (target: ArenaShape) => void>();
  readonly #kept: KeptArenas;
  #timer: NodeJS.Timeout | null = null;

  constructor(budget: Budget, waitSeconds: number, now: () => number) {
    this.#budget = budget;
    this.#waitSeconds = waitSeconds;
    this.#now = now;
    this.#kept = new KeptArenas(addon, now);
  }

  get waiting(): number {
    return this.#waiters.size;
  }
  usedBytes(kind: MemoryKind): number {
    return this.#budget.used(kind);
  }

  /** Of images that have ended: it belongs to nobody, and goes first. */
  get kept(): { arenas: number; bytes: number } {
    const { arenas, bytes } = this.#kept;
    return { arenas, bytes };
  }

  /** What was granted, as memory for this client. Throws Failed when the system has none. */
  open(shape: ArenaShape, peer: Peer): Arena {
    const { slots, slotBytes } = shape;
    const id = this.#open(slots * slotBytes, peer);
    if (id < 0) throw new Failed(status.ENOMEM, `no memory for ${slots} slots of ${slotBytes} bytes: errno ${-id}`, id);
    return { id, slots, slotBytes };
  }

  /** Where it can be done without: null when the system has none. */
  tryOpen(shape: ArenaShape, peer: Peer): Arena | null {
    const { slots, slotBytes } = shape;
    const id = this.#open(slots * slotBytes, peer);
    return id < 0 ? null : { id, slots, slotBytes };
  }

  /** An arena of this shape is ready for the client. */
  isReady(shape: ArenaShape, peer: Peer): boolean {
    return this.#kept.has(shape.slots * shape.slotBytes, peer);
  }

  /** The image has ended. `from`: its client, where its memory may be handed on; null: it is given back to the system. */
  giveBack({ id, slots, slotBytes }: Arena, from: Peer | null): void {
    if (from === null) addon.arenaClose(id);
    else this.#kept.keep(id, slots * slotBytes, from);
  }

  /** The engine stops. */
  close(): void {
    this.#kept.close();
  }

  #open(bytes: number, peer: Peer): number {
    const kept = this.#kept.take(bytes, peer);
    this.#trim();
    if (kept !== null) return kept;
    const id = addon.arenaOpen(bytes);
    if (id >= 0 || this.#kept.arenas === 0) return id;
    // Out of memory or descriptors: what is kept goes before anybody is refused.
    this.#kept.trim(0);
    return addon.arenaOpen(bytes);
  }

  /** What is held and what is kept stay within max_memory together. */
  #trim(): void {
    this.#kept.trim(Math.max(0, this.#budget.totalBytes - this.#budget.used('read') - this.#budget.used('write')));
  }

  /** Waits for memory in order. Throws Failed (busy) after arena_wait_s. `shrink` may be called later, any time. */
  claim(id: number, kind: MemoryKind, want: ArenaShape, shrink: (target: ArenaShape) => void): Promise<ArenaShape> {
    this.#holders.set(id, shrink);
    const answer = this.#budget.ask(id, kind, want);
    if (answer.kind === 'grant') return Promise.resolve({ slots: answer.slots, slotBytes: answer.slotBytes });
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      this.#askForRoom();
      this.#arm();
    });
  }

  /** More for a holder, at once or not at all: one that holds memory never waits for more. */
  grow(id: number, want: ArenaShape): ArenaShape | null {
    return this.#budget.grow(id, want);
  }

  /** The smaller arena stands and the client has let go of the old one. */
  shrunk(id: number, shape: ArenaShape): void {
    this.#budget.shrunk(id, shape);
    this.#serve();
  }

  /** The handle's client is gone: it waits no more. What it holds stays with it until release. */
  giveUp(id: number): void {
    if (this.#waiters.has(id)) this.release(id);
  }

  /** Holder or waiter gone: nobody touches its memory any more. */
  release(id: number): void {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    this.#holders.delete(id);
    this.#budget.release(id);
    this.#trim();
    waiter?.reject(new Failed(status.EABORT, 'given up while waiting for memory'));
    this.#serve();
  }

  #serve(): void {
    for (const { id, grant } of this.#budget.serve()) {
      const waiter = this.#waiters.get(id);
      this.#waiters.delete(id);
      waiter?.resolve(grant);
    }
    if (this.#waiters.size > 0) this.#askForRoom();
    this.#arm();
  }

  #askForRoom(): void {
    for (const { id, slots, slotBytes } of this.#budget.shrinkTargets()) this.#holders.get(id)?.({ slots, slotBytes });
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const deadline = this.#budget.nextDeadline();
    if (deadline === null) return;
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, deadline - this.#now()));
    this.#timer.unref();
  }

  #expire(): void {
    for (const id of this.#budget.expire()) {
      const waiter = this.#waiters.get(id);
      this.#waiters.delete(id);
      this.#holders.delete(id);
      waiter?.reject(
        new Failed(
          status.EBUSY,
          `no memory for this image after ${this.#waitSeconds} s: raise [engine] max_memory_mb, ` +
            'or run fewer jobs at once, or wait longer with [engine] arena_wait_s',
        ),
      );
    }
    this.#arm();
  }
}
