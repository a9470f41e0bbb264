/**
 * Images on their way through host program, coordinator and lanes, block by block, as the engine does it:
 *
 *   write     copy into a slot ─► coordinator ─┬─► io lane      ─┬─► coordinator ─► the slot is free again
 *                                              └─► digest lane  ─┘
 *   restore   coordinator ─► io lane ─► digest lane ─► coordinator ─► copy out, in order ─► the slot is free again
 */
import { Cores, type Limits, type Thread } from './cores.ts';
import type { Load, Terms, Way } from './types.ts';

/** Of a thread of nice value 0, and of a digest lane's, which the engine makes nice by 5 (sched_prio_to_weight). */
const weight = 1024;
const digestWeight = 335;

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

  constructor(limits: Limits, terms: Terms, way: Way, load: Load) {
    this.cores = new Cores(limits);
    this.#terms = terms;
    this.#way = way;
    this.#load = load;
    this.#io = new Pool(threadNames.io, load.ioLanes, weight);
    this.#digest = new Pool(threadNames.digest, load.digestLanes, digestWeight);
    for (let i = 0; i < load.streams; i++) {
      const host = { name: `${threadNames.host} ${i}`, weight };
      this.cores.after(((load.beginS ?? 0) * i) / load.streams, () =>
        load.direction === 'write' ? this.#write(host) : this.#restore(host),
      );
    }
  }

  #write(host: Thread): void {
    const { blocksPerStream, slots, blocksInFlight, blockBytes } = this.#load;
    const { processS, clientS, digest } = this.#terms;
    // One digest of an image at a time, and so many writes.
    const writes = new Turns(blocksInFlight);
    const digests = new Turns(1);
    let [free, begun, copying] = [slots, 0, false];
    const next = (): void => {
      if (copying || free === 0 || begun === blocksPerStream) return;
      free--;
      begun++;
      copying = true;
      this.cores.run(host, 'copy', blockBytes, () =>
        this.cores.run(host, 'time', clientS, () => {
          copying = false;
          this.cores.after(processS, submitted);
          next();
        }),
      );
    };
    const submitted = (): void =>
      this.#coordinate(() => {
        let parts = digest === null ? 1 : 2;
        const ended = (): void => {
          if (--parts > 0) return;
          this.#coordinate(() =>
            this.cores.after(processS, () => {
              free++;
              next();
            }),
          );
        };
        writes.take((over) => this.#move(() => (over(), ended())));
        if (digest !== null) digests.take((over) => this.#digested(() => (over(), ended())));
      });
    next();
  }

  #restore(host: Thread): void {
    const { blocksPerStream, slots, blockBytes } = this.#load;
    const { processS, clientS, digest } = this.#terms;
    let [begun, copied, copying] = [0, 0, false];
    const there = new Set<number>();
    const fill = (): void => {
      if (begun === blocksPerStream) return;
      const block = begun++;
      const sent = (): void =>
        this.#coordinate(() =>
          this.cores.after(processS, () => {
            there.add(block);
            next();
          }),
        );
      this.#coordinate(() => this.#move(() => (digest === null ? sent() : this.#digested(sent))));
    };
    const next = (): void => {
      if (copying || !there.delete(copied)) return;
      copying = true;
      this.cores.run(host, 'copy', blockBytes, () =>
        this.cores.run(host, 'time', clientS, () => {
          copying = false;
          copied++;
          this.cores.after(processS, fill);
          next();
        }),
      );
    };
    for (let i = 0; i < slots; i++) fill();
  }

  #coordinate(then: () => void): void {
    this.#coordinator.take((thread, free) =>
      this.cores.run(thread, 'time', this.#terms.coordinatorS / 2, () => (free(), then())),
    );
  }

  /** Between the slot and the storage. */
  #move(then: () => void): void {
    const { blockBytes } = this.#load;
    const { rate, laneRate, cpuPerByte } = this.#way;
    const { laneS, threadS } = this.#terms;
    this.#io.take((thread, free) => {
      const moved = (): void => this.cores.after(threadS, () => (free(), then()));
      const isInstant = rate === Number.POSITIVE_INFINITY && laneRate === Number.POSITIVE_INFINITY;
      this.cores.after(threadS, () =>
        this.cores.run(thread, 'time', laneS + cpuPerByte * blockBytes, () =>
          isInstant ? moved() : this.cores.run(thread, 'transfer', blockBytes, moved),
        ),
      );
    });
  }

  #digested(then: () => void): void {
    const { laneS, threadS } = this.#terms;
    this.#digest.take((thread, free) =>
      this.cores.after(threadS, () =>
        this.cores.run(thread, 'digest', this.#load.blockBytes, () =>
          this.cores.run(thread, 'time', laneS, () => this.cores.after(threadS, () => (free(), then()))),
        ),
      ),
    );
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
