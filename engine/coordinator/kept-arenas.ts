/**
 * Arenas of images that have ended, kept for the next ones: their pages are there already.
 *
 * The client before might still have an arena mapped, or its descriptor: it could read the next image's bytes, or write
 * into it. So an arena goes only to
 *   - the same process, which sees nothing that is not its own; or
 *   - when that process is dead, to one with the same user and group, which could have traced it anyway.
 * A pid that was given away again changes nothing: whoever has it now has it because the one before is dead.
 *
 * What is kept counts as memory, goes first when anybody needs some, and after `keepMs` without use. Others on this machine
 * cannot ask for it: it goes as well when the system has little left.
 */
import { freemem, totalmem } from 'node:os';
import type { Peer } from '../intake/link.ts';

/**
 * In a backup window the next job often comes minutes after the last one, and its memory cleared anew costs it a tenth of a
 * second and more; between the nights memory belongs to others.
 */
export const keepMs = 15 * 60_000;
/** How often the system's memory is looked at while something is kept. */
export const lookMs = 5000;
/** Memory that is there for programs without anything being swapped out: below this part of all of it nothing is kept. */
const leftMin = 1 / 16;

export const systemIsShort = (): boolean => freemem() < totalmem() * leftMin;

/** Each holds two descriptors and a watch, which links and files need too. */
export const keptMax = 256;

/** What is needed of the addon. */
export interface ArenaCalls {
  arenaRenew(arena: number): number;
  arenaClose(arena: number): number;
  watchProcess(pid: number, gone: () => void): number;
  unwatchProcess(watch: number): number;
}

interface Kept {
  readonly id: number;
  readonly bytes: number;
  readonly from: Peer;
  readonly since: number;
  /** 0: the process is dead. */
  watch: number;
}

export class KeptArenas {
  readonly #calls: ArenaCalls;
  readonly #now: () => number;
  readonly #isShort: () => boolean;
  /** The longest kept first. */
  #kept: Kept[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(calls: ArenaCalls, now: () => number, isShort = systemIsShort) {
    this.#calls = calls;
    this.#now = now;
    this.#isShort = isShort;
  }

  get arenas(): number {
    return this.#kept.length;
  }

  get bytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The arena is the caller's no more. It goes at once where it cannot be told when its process is dead. */
  keep(arena: number, bytes: number, from: Peer): void {
    // Under a new number: an order that is late finds nothing. Refused while anybody still uses the memory.
    const id = from.pid > 0 ? this.#calls.arenaRenew(arena) : -1;
    if (id < 0) {
      this.#calls.arenaClose(arena);
      return;
    }
    const watch = this.#calls.watchProcess(from.pid, () => {
      for (const kept of this.#kept) if (kept.id === id) kept.watch = 0;
    });
    if (watch <= 0) {
      this.#calls.arenaClose(id);
      return;
    }
    if (this.#kept.length >= keptMax) this.#drop(this.#kept[0] as Kept);
    this.#kept.push({ id, bytes, from, since: this.#now(), watch });
    this.#timer ??= this.#wait();
  }

  /** There is one for this client. */
  has(bytes: number, to: Peer): boolean {
    return this.#find(bytes, to) !== undefined;
  }

  /** Its id; null: there is none for this client. */
  take(bytes: number, to: Peer): number | null {
    const found = this.#find(bytes, to);
    if (found === undefined) return null;
    this.#forget(found);
    return found.id;
  }

  /** No more than `bytesMax` are kept from here on. */
  trim(bytesMax: number): void {
    for (let over = this.bytes - bytesMax; over > 0; ) {
      const first = this.#kept[0] as Kept;
      over -= first.bytes;
      this.#drop(first);
    }
  }

  close(): void {
    this.trim(0);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** The last one that came, as its pages may still be in a cache. */
  #find(bytes: number, to: Peer): Kept | undefined {
    return this.#kept.findLast(
      ({ bytes: has, from, watch }) =>
        has === bytes && from.uid === to.uid && from.gid === to.gid && (watch === 0 || from.pid === to.pid),
    );
  }

  #forget(kept: Kept): void {
    if (kept.watch !== 0) this.#calls.unwatchProcess(kept.watch);
    this.#kept = this.#kept.filter((one) => one !== kept);
  }

  #drop(kept: Kept): void {
    this.#forget(kept);
    this.#calls.arenaClose(kept.id);
  }

  #wait(): NodeJS.Timeout {
    return setTimeout(() => this.#look(), lookMs).unref();
  }

  #look(): void {
    const old = this.#now() - keepMs;
    for (const kept of this.#kept.filter(({ since }) => since <= old)) this.#drop(kept);
    if (this.#kept.length > 0 && this.#isShort()) this.trim(0);
    this.#timer = this.#kept.length === 0 ? null : this.#wait();
  }
}
