/**
 * One lane as the coordinator holds it: a ring each way, the area, and at most one order. The thread behind it is
 * started by `start`, which runs the lane's one long task.
 */
import { createRing, RingReader, RingWriter } from 'sharedarraybuffer-ring';
import { assert } from '../core/assert.ts';
import { completionWord, op, recordWords, type ServeTask } from '../core/order.ts';
import { lookMs, Patience } from '../core/patience.ts';
import { Area, decodeResult, encodeOrder, type LaneOrder, type LaneResult } from './lane-order.ts';

/** One order and one stop word: a lane has never more to read. */
const ringRecords = 2;
/** What is left to do behind an answer takes less than to start another lane; what takes longer waits for storage. */
const behindMs = 20;

export interface LaneEvents {
  /** The order is done; the lane may get the next one from within. */
  completed(lane: Lane, result: LaneResult): void;
  /** The task ended: `error` null after a stop word. An order that had been completed was told before. */
  ended(lane: Lane, error: Error | null): void;
}

export class Lane {
  readonly number: number;
  /** Which opening of the storage root its store knows; for the meta pool. */
  rootGeneration = 0;
  /** The opening that the order under way tells it of. */
  rootGiven = 0;
  /** By the pool's clock. */
  answeredAt = 0;
  readonly #events: LaneEvents;
  readonly #orderMemory = createRing(ringRecords);
  readonly #completionMemory = createRing(ringRecords);
  readonly #orders = new RingWriter(this.#orderMemory);
  readonly #completions = new RingReader(this.#completionMemory);
  readonly #area = new Area();
  readonly #behind = new Int32Array(new SharedArrayBuffer(4));
  readonly #record = new Int32Array(recordWords);
  #orderId = 0;
  /** Of the order under way. */
  #into: BigUint64Array | null = null;
  #busy = false;
  #stopping = false;
  #ended = false;
  #listening = false;
  readonly #patience = new Patience();

  constructor(
    number: number,
    task: Omit<ServeTask, 'orders' | 'completions' | 'area' | 'behind'>,
    start: (task: ServeTask) => Promise<unknown>,
    events: LaneEvents,
  ) {
    this.number = number;
    this.#events = events;
    start({
      ...task,
      orders: this.#orderMemory,
      completions: this.#completionMemory,
      area: this.#area.memory,
      behind: this.#behind.buffer,
    }).then(
      () => this.#end(null),
      (error: unknown) => this.#end(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** It has answered, and is not done: what it is given now waits for that. */
  isHeldUp(now: number): boolean {
    return Atomics.load(this.#behind, 0) !== 0 && now - this.answeredAt >= behindMs;
  }

  give(order: LaneOrder): void {
    assert(!this.#busy, 'a lane has one order at a time');
    assert(!this.#stopping, 'a lane that was stopped gets no order');
    this.#orderId = (this.#orderId + 1) | 0;
    encodeOrder(this.#record, this.#area, this.#orderId, order);
    assert(this.#orders.tryWrite(this.#record), 'the ring of a free lane has room');
    this.#into = order.into ?? null;
    this.#busy = true;
    this.#orders.publish();
    if (order.op === op.store && this.#patience.worthALook) this.#look(performance.now() + lookMs);
    else void this.#listen();
  }

  /** The lane ends behind what it works on. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#record.fill(0);
    this.#record[0] = op.stop;
    assert(this.#orders.tryWrite(this.#record), 'the ring has room for one order and one stop word');
    this.#orders.publish();
  }

  async #listen(): Promise<void> {
    if (this.#listening) return;
    this.#listening = true;
    while (!this.#ended && this.#busy) {
      await this.#completions.waitAsync();
      this.#drain();
    }
    this.#listening = false;
  }

  /** Short steps are seen sooner by looking, between other events, than by being woken. */
  #look(until: number): void {
    const order = this.#orderId;
    setImmediate(() => {
      if (this.#ended || !this.#busy || order !== this.#orderId) return;
      const found = this.#drain();
      if (!found && performance.now() < until) {
        this.#look(until);
        return;
      }
      this.#patience.looked(found);
      if (!found) void this.#listen();
    });
  }

  /** True when there was a completion. */
  #drain(): boolean {
    let found = false;
    while (!this.#ended && this.#completions.tryRead(this.#record)) {
      found = true;
      this.#completions.release();
      assert(this.#busy, 'a completion answers an order');
      assert(this.#record[completionWord.id] === this.#orderId, 'a completion names the order under way');
      const result = decodeResult(this.#record, this.#area, this.#into);
      this.#busy = false;
      this.#events.completed(this, result);
    }
    return found;
  }

  #end(error: Error | null): void {
    // What the thread had published before it ended counts, and comes first.
    this.#drain();
    this.#ended = true;
    // The writing end is nobody's any more: one record from here lets #listen see the end instead of waiting for ever.
    const bell = new RingWriter(this.#completionMemory);
    this.#record.fill(0);
    bell.tryWrite(this.#record);
    bell.publish();
    this.#events.ended(this, error);
  }
}
