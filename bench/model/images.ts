/**
 * Images on their way through host program, coordinator and lanes, block by block, as the engine does it:
 *
 *   write     copy into a slot ─► coordinator ─┬─► io lane     ─► coordinator ─┬─► the slot is free again
 *                                              └─► digest lane ─► coordinator ─┘
 *   restore   coordinator ─► io lane ─► coordinator ─► digest lane ─► coordinator ─► copy out, in order ─► the slot is free
 *
 * A lane gets its next order, and an image its next digest, when the coordinator has seen the end of the last one.
 */
import { blocksOf } from './blocks.ts';
import { Cores, type Limits, type Thread } from './cores.ts';
import { digestWeight, weight } from './kernel.ts';
import type { Load, Terms, Way } from './types.ts';

/** What else ran has got what it took. */
const otherWeight = 100 * weight;
const otherTurnS = 0.02;
/** Of one image at once, where it has slots. */
const readsLeast = 2;

/** Threads of one kind, and who waits for one of them. */
class Pool {
  readonly #idle: Thread[];
  readonly #queue: ((thread: Thread, free: () => void) => void)[] = [];

  constructor(name: string, count: number, of: number) {
    this.#idle = Array.from({ length: count }, (_, i) => ({ name: `${name} ${i}`, weight: of }));
  }

  take(work: (thread: Thread, free: () => void) => void): void {
    this.#queue.push(work);
    this.#serve();
  }

  #serve(): void {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const thread = this.#idle.shift() as Thread;
      const work = this.#queue.shift() as (thread: Thread, free: () => void) => void;
      work(thread, () => {
        this.#idle.push(thread);
        this.#serve();
      });
    }
  }
}

export const threadNames = { host: 'host program', coordinator: 'coordinator', io: 'io lane', digest: 'digest lane' };

export class Images {
  readonly cores: Cores;
  readonly #terms: Terms;
  readonly #way: Way;
  readonly #load: Load;
  readonly #coordinator = new Pool(threadNames.coordinator, 1, weight);
  readonly #io: Pool;
  readonly #digest: Pool;
  /** Images that have not moved. */
  #left: number;

  constructor(limits: Limits, terms: Terms, way: Way, load: Load) {
    this.cores = new Cores(limits);
    this.#terms = terms;
    this.#way = way;
    this.#load = load;
    this.#left = load.streams;
    this.#io = new Pool(threadNames.io, load.ioLanes, weight);
    this.#digest = new Pool(threadNames.digest, load.digestLanes, digestWeight);
    for (let i = 0; i < load.streams; i++) {
      const host = { name: `${threadNames.host} ${i}`, weight };
      this.cores.after(((load.beginS ?? 0) * i) / load.streams, () =>
        load.direction === 'write' ? this.#write(host) : this.#restore(host),
      );
    }
    for (let left = Math.min(load.othersCores ?? 0, limits.cores), i = 0; left > 0; left--, i++)
      this.#other({ name: `other ${i}`, weight: otherWeight }, Math.min(1, left));
  }

  /** Until all images have moved. Throws where they never do. */
  go(): void {
    this.cores.go(() => this.#left === 0);
    const { streams } = this.#load;
    if (this.#left > 0) throw new Error(`the model's images do not move: ${this.#left} of ${streams} are left`);
  }

  /** What else runs takes its part of a core, for a while and then not. */
  #other(thread: Thread, part: number): void {
    const begin = (): void =>
      this.cores.run(thread, 'time', otherTurnS * part, () => this.cores.after(otherTurnS * (1 - part), begin));
    begin();
  }

  #wake(seconds: number, then: () => void): void {
    this.cores.after(this.cores.hasIdle ? seconds : 0, then);
  }

  #write(host: Thread): void {
    const { slots, blocksInFlight } = this.#load;
    const { processS, digest } = this.#terms;
    const all = blocksOf(this.#load);
    const blocks = all.values();
    // One digest of an image at a time, and so many writes.
    const writes = new Turns(blocksInFlight);
    const digests = new Turns(1);
    let [free, copying, written] = [slots, false, 0];
    const next = (): void => {
      if (copying || free === 0) return;
      const { done, value: bytes } = blocks.next();
      if (done === true) return;
      free--;
      copying = true;
      this.#copied(host, bytes, () => {
        copying = false;
        this.#wake(processS, () => this.#coordinate(() => submitted(bytes)));
        next();
      });
    };
    const submitted = (bytes: number): void => {
      let parts = digest === null ? 1 : 2;
      const ended = (over: () => void) => () => {
        over();
        if (--parts > 0) return;
        this.#wake(processS, () => {
          free++;
          if (++written === all.length) this.#left--;
          next();
        });
      };
      writes.take((over) => this.#move(bytes, ended(over)));
      if (digest !== null) digests.take((over) => this.#digested(bytes, ended(over)));
    };
    next();
  }

  #restore(host: Thread): void {
    const { slots } = this.#load;
    const { processS, digest } = this.#terms;
    const blocks = blocksOf(this.#load);
    // The client has a slot to copy from while the others are read; what is being verified is not being read.
    const readsMost = Math.max(readsLeast, slots - 1);
    let [free, begun, reads, copied, copying] = [slots, 0, 0, 0, false];
    const there = new Set<number>();
    const fill = (): void => {
      while (free > 0 && reads < readsMost && begun < blocks.length) {
        const block = begun++;
        const bytes = blocks[block] as number;
        free--;
        reads++;
        this.#move(bytes, () => {
          reads--;
          if (digest === null) sent(block);
          else this.#digested(bytes, () => sent(block));
          fill();
        });
      }
    };
    const sent = (block: number): void =>
      this.#wake(processS, () => {
        there.add(block);
        next();
      });
    const next = (): void => {
      if (copying || !there.delete(copied)) return;
      copying = true;
      this.#copied(host, blocks[copied] as number, () => {
        copying = false;
        if (++copied === blocks.length) this.#left--;
        this.#wake(processS, () =>
          this.#coordinate(() => {
            free++;
            fill();
          }),
        );
        next();
      });
    };
    this.#wake(processS, () => this.#coordinate(fill));
  }

  #copied(host: Thread, bytes: number, then: () => void): void {
    this.cores.run(host, 'copy', bytes, () => this.cores.run(host, 'time', this.#terms.clientS, then));
  }

  /** Its part of a block: when it comes, and when an order of it ends. */
  #coordinate(then: () => void): void {
    const { coordinatorS, digest } = this.#terms;
    const part = coordinatorS / (digest === null ? 2 : 3);
    this.#coordinator.take((thread, free) => this.cores.run(thread, 'time', part, () => (free(), then())));
  }

  /** An order on a lane: `work` is done there, and `then` when the coordinator has seen its end. */
  #order(pool: Pool, work: (lane: Thread, done: () => void) => void, then: () => void): void {
    const { threadS } = this.#terms;
    pool.take((lane, free) =>
      this.#wake(threadS, () => work(lane, () => this.#wake(threadS, () => this.#coordinate(() => (free(), then()))))),
    );
  }

  /** Between the slot and the storage. */
  #move(bytes: number, then: () => void): void {
    const { rate, laneRate, cpuPerByte } = this.#way;
    const isInstant = rate === Number.POSITIVE_INFINITY && laneRate === Number.POSITIVE_INFINITY;
    const work = (lane: Thread, done: () => void): void =>
      this.cores.run(lane, 'time', this.#terms.laneS + cpuPerByte * bytes, () =>
        isInstant ? done() : this.cores.run(lane, 'transfer', bytes, done),
      );
    this.#order(this.#io, work, then);
  }

  #digested(bytes: number, then: () => void): void {
    const work = (lane: Thread, done: () => void): void =>
      this.cores.run(lane, 'digest', bytes, () => this.cores.run(lane, 'time', this.#terms.laneS, done));
    this.#order(this.#digest, work, then);
  }
}

/** At most so many at a time, in order. */
class Turns {
  #left: number;
  readonly #queue: (() => void)[] = [];

  constructor(count: number) {
    this.#left = count;
  }

  take(work: (over: () => void) => void): void {
    const begin = (): void => {
      this.#left--;
      work(() => {
        this.#left++;
        this.#queue.shift()?.();
      });
    };
    if (this.#left > 0) begin();
    else this.#queue.push(begin);
  }
}
