import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ArenaCalls, KeptArenas, keepMs, keptMax, lookMs } from '../../engine/coordinator/kept-arenas.ts';

const mib = 1 << 20;

/** Arenas and processes as the addon would have them: the first that is open is 1. */
class World implements ArenaCalls {
  readonly open = new Set([1, 2, 3, 4, 5, 6]);
  readonly busy = new Set<number>();
  readonly watches = new Map<number, { pid: number; gone: () => void }>();
  noWatch = false;
  #lastId = 100;

  arenaRenew(arena: number): number {
    if (!this.open.has(arena)) return -9;
    if (this.busy.has(arena)) return -16;
    this.open.delete(arena);
    this.open.add(++this.#lastId);
    return this.#lastId;
  }
  arenaClose(arena: number): number {
    return this.open.delete(arena) ? 0 : -9;
  }
  watchProcess(pid: number, gone: () => void): number {
    if (this.noWatch) return -24;
    this.watches.set(++this.#lastId, { pid, gone });
    return this.#lastId;
  }
  unwatchProcess(watch: number): number {
    return this.watches.delete(watch) ? 0 : -9;
  }
  dies(pid: number): void {
    for (const [id, watch] of this.watches) {
      if (watch.pid !== pid) continue;
      this.watches.delete(id);
      watch.gone();
    }
  }
}

const peer = (pid: number, uid = 1000, gid = 100) => ({ pid, uid, gid });

describe('kept arenas', () => {
  let world: World;
  let kept: KeptArenas;
  let isShort: boolean;
  beforeEach(() => {
    vi.useFakeTimers();
    world = new World();
    isShort = false;
    kept = new KeptArenas(
      world,
      () => Date.now(),
      () => isShort,
    );
  });
  afterEach(() => vi.useRealTimers());

  it('go to the same process, under another number', () => {
    kept.keep(1, mib, peer(7));
    expect(world.open.has(1)).toBe(false);
    expect(kept.bytes).toBe(mib);
    expect(kept.take(2 * mib, peer(7))).toBeNull();
    const id = kept.take(mib, peer(7)) as number;
    expect(world.open.has(id)).toBe(true);
    expect(kept.bytes).toBe(0);
    expect(world.watches.size).toBe(0);
    expect(kept.take(mib, peer(7))).toBeNull();
  });

  it('go to no other process while theirs lives, and to one of the same user and group when it is dead', () => {
    kept.keep(1, mib, peer(7));
    expect(kept.has(mib, peer(8))).toBe(false);
    expect(kept.take(mib, peer(8))).toBeNull();
    world.dies(7);
    expect(kept.take(mib, peer(8, 1001))).toBeNull();
    expect(kept.take(mib, peer(8, 0, 0))).toBeNull();
    expect(kept.take(mib, peer(8, 1000, 101))).toBeNull();
    expect(kept.has(mib, peer(8))).toBe(true);
    expect(kept.take(mib, peer(8))).toBeGreaterThan(0);
  });

  it('are no more than so many, or they would have every descriptor: the longest kept goes', () => {
    for (let arena = 1000; arena <= 1000 + keptMax; arena++) {
      world.open.add(arena);
      kept.keep(arena, mib, peer(arena));
    }
    expect([kept.arenas, world.watches.size]).toEqual([keptMax, keptMax]);
    expect(kept.has(mib, peer(1000))).toBe(false);
    expect(kept.has(mib, peer(1001))).toBe(true);
  });

  it('go to another user not even under the same pid', () => {
    kept.keep(1, mib, peer(7));
    expect(kept.take(mib, peer(7, 0))).toBeNull();
    expect(kept.take(mib, peer(7, 1000, 0))).toBeNull();
  });

  it('are closed where their process cannot be watched, or something still uses them', () => {
    kept.keep(1, mib, peer(0));
    world.busy.add(2);
    kept.keep(2, mib, peer(7));
    world.noWatch = true;
    kept.keep(3, mib, peer(7));
    expect(kept.bytes).toBe(0);
    expect([...world.open]).toEqual([4, 5, 6]);
  });

  it('are given up when memory is needed, the longest kept first', () => {
    for (const id of [1, 2, 3]) kept.keep(id, id * mib, peer(7));
    kept.trim(6 * mib);
    expect(kept.bytes).toBe(6 * mib);
    kept.trim(5 * mib);
    expect(kept.bytes).toBe(5 * mib);
    kept.trim(4 * mib);
    expect(kept.bytes).toBe(3 * mib);
    expect(world.watches.size).toBe(1);
    kept.trim(0);
    expect(kept.bytes).toBe(0);
    expect([...world.open]).toEqual([4, 5, 6]);
    expect(world.watches.size).toBe(0);
  });

  it('are given up when the system is short of memory, and kept again when it is not', () => {
    kept.keep(1, mib, peer(7));
    kept.keep(2, mib, peer(8));
    vi.advanceTimersByTime(lookMs);
    expect(kept.arenas).toBe(2);
    isShort = true;
    vi.advanceTimersByTime(lookMs);
    expect([kept.arenas, world.watches.size, vi.getTimerCount()]).toEqual([0, 0, 0]);
    expect([...world.open]).toEqual([3, 4, 5, 6]);
    isShort = false;
    kept.keep(3, mib, peer(7));
    vi.advanceTimersByTime(lookMs);
    expect(kept.arenas).toBe(1);
  });

  it('are given up after a time, each after its own', () => {
    kept.keep(1, mib, peer(7));
    vi.advanceTimersByTime(keepMs / 2);
    kept.keep(2, 2 * mib, peer(7));
    vi.advanceTimersByTime(keepMs / 2);
    expect(kept.bytes).toBe(2 * mib);
    vi.advanceTimersByTime(keepMs / 2);
    expect(kept.bytes).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    kept.keep(3, mib, peer(7));
    kept.close();
    expect(kept.bytes).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
