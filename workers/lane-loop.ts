/**
 * A lane's life: take the order, perform it, answer; sleep when there is none. Nothing else runs in this thread, so it
 * may block in every system call and in every wait.
 */
import { RingReader, RingWriter } from 'sharedarraybuffer-ring';
import { assert } from '../engine/core/assert.ts';
import { op, orderWord, recordWords, type ServeTask } from '../engine/core/order.ts';
import { lookMs, Patience } from '../engine/core/patience.ts';
import { addon } from '../native/addon/index.ts';
import { answerRecord } from './lane-answer.ts';
import { LaneArea } from './lane-area.ts';
import { perform } from './perform.ts';
import type { Store } from './store.ts';

const nsPerMs = 1e6;
const looksPerClock = 32;

/** `behind`: what a call has left to be done when its answer is out. */
export type LaneStore = Store & { behind?(): void };

/** `performOrder`: the bench measures lanes that touch no storage. */
export function serveOrders(
  task: Pick<ServeTask, 'orders' | 'completions' | 'area' | 'behind'>,
  store: LaneStore | null,
  performOrder: typeof perform = perform,
): void {
  const orders = new RingReader(task.orders);
  const completions = new RingWriter(task.completions);
  const area = new LaneArea(task.area);
  const behind = new Int32Array(task.behind);
  const record = new Int32Array(recordWords);
  const patience = new Patience();
  for (;;) {
    if (!orders.tryRead(record) && !(patience.worthALook && looked(patience, orders, record))) {
      orders.wait();
      continue;
    }
    orders.release();
    if (record[orderWord.op] === op.stop) return;
    const cpuStart = addon.threadCpuNs();
    const start = performance.now();
    area.clear();
    const result = performOrder(record, area, store);
    answerRecord(record, result, area, addon.threadCpuNs() - cpuStart, (performance.now() - start) * nsPerMs);
    assert(completions.tryWrite(record), 'the ring has room for the completion of the one order');
    if (store?.behind === undefined) {
      completions.publish();
      continue;
    }
    // The coordinator has others for the next order when this takes long.
    Atomics.store(behind, 0, 1);
    completions.publish();
    store.behind();
    Atomics.store(behind, 0, 0);
  }
}

/** Looks for the next order a moment long: of a client that asks one thing after another it comes at once. */
function looked(patience: Patience, orders: RingReader, record: Int32Array): boolean {
  const until = performance.now() + lookMs;
  let found = false;
  do {
    for (let i = 0; i < looksPerClock && !found; i++) found = orders.tryRead(record);
  } while (!found && performance.now() < until);
  patience.looked(found);
  return found;
}
