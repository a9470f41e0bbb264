/**
 * Which image may give the next order to a pool. Images take turns; a mount never has more orders under way in a pool
 * than its bound, so that a dead mount cannot hold every lane. The scheduler only names the source; the source then
 * answers with its next piece, or with none and is asked again after a `wake`.
 */
import { assert } from '../core/assert.ts';

interface Line<S> {
  readonly mount: string;
  bound: number;
  inFlight: number;
  /** Sources that may have work, with the turn from which they wait. */
  readonly sources: Map<S, number>;
}

export class Scheduler<S> {
  readonly #pools = new Map<string, Map<string, Line<S>>>();
  #turn = 0;

  /** Orders of one mount in one pool at once; may change at any time. 1: a mount with a lost lane is being probed. */
  bound(pool: string, mount: string, ordersMax: number): void {
    assert(ordersMax >= 0, 'a bound is a count');
    let lines = this.#pools.get(pool);
    if (lines === undefined) {
      lines = new Map();
      this.#pools.set(pool, lines);
    }
    const line = lines.get(mount);
    if (line === undefined) lines.set(mount, { mount, bound: ordersMax, inFlight: 0, sources: new Map() });
    else line.bound = ordersMax;
  }

  /** The source may have work. It joins the end of the line, unless it waits there. */
  wake(pool: string, mount: string, source: S): void {
    const { sources } = this.#line(pool, mount);
    if (!sources.has(source)) sources.set(source, this.#nextTurn());
  }

  /**
   * The source whose turn it is, among mounts below their bounds; null: none. It has left the line: `started` puts it
   * back at the end, and one that had nothing stays out until it wakes.
   */
  nextSource(pool: string): { source: S; mount: string } | null {
    let best: { line: Line<S>; source: S; turn: number } | null = null;
    for (const line of this.#pools.get(pool)?.values() ?? []) {
      if (line.inFlight >= line.bound) continue;
      // Turns only grow and a map keeps the order of insertion, so the first one has waited longest.
      for (const [source, turn] of line.sources) {
        if (best === null || turn < best.turn) best = { line, source, turn };
        break;
      }
    }
    if (best === null) return null;
    best.line.sources.delete(best.source);
    return { source: best.source, mount: best.line.mount };
  }

  /** An order of this source went to a lane. */
  started(pool: string, mount: string, source: S): void {
    const line = this.#line(pool, mount);
    assert(line.inFlight < line.bound, 'a mount stays within its bound');
    line.inFlight += 1;
    this.wake(pool, mount, source);
  }

  /** An order of this mount came back. */
  ended(pool: string, mount: string): void {
    const line = this.#line(pool, mount);
    assert(line.inFlight > 0, 'what ends had started');
    line.inFlight -= 1;
  }

  /** The source is gone from every line. */
  remove(source: S): void {
    for (const lines of this.#pools.values()) {
      for (const line of lines.values()) line.sources.delete(source);
    }
  }

  inFlight(pool: string, mount: string): number {
    return this.#pools.get(pool)?.get(mount)?.inFlight ?? 0;
  }

  /** Sources that may have work. */
  waiting(pool: string): number {
    let waiting = 0;
    for (const line of this.#pools.get(pool)?.values() ?? []) waiting += line.sources.size;
    return waiting;
  }

  #nextTurn(): number {
    this.#turn += 1;
    return this.#turn;
  }

  #line(pool: string, mount: string): Line<S> {
    const line = this.#pools.get(pool)?.get(mount);
    assert(line !== undefined, `pool ${pool} has no bound for mount ${mount}`);
    return line;
  }
}
