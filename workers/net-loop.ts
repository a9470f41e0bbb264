/** A lane of a thread that has many: it waits for orders and for the network by the event loop, never by blocking. */
import { RingReader, RingWriter } from 'sharedarraybuffer-ring';
import { assert } from '../engine/core/assert.ts';
import { op, orderWord, recordWords, type ServeTask } from '../engine/core/order.ts';
import { addon } from '../native/addon/index.ts';
import { sendersCpuNs } from './http/body-sender.ts';
import { answerRecord } from './lane-answer.ts';
import { LaneArea } from './lane-area.ts';

const nsPerMs = 1e6;

/** Carries out one order; never throws. Text and CRCs of the answer stand in `area`. */
export type Perform = (record: Int32Array, area: LaneArea) => Promise<number>;

/** CPU time of this thread, and of those that send for it, that a completion has told: its lanes share it, their sum is right. */
let toldNs = 0;

function cpuSinceTold(): number {
  const now = addon.threadCpuNs() + sendersCpuNs();
  const ns = now - toldNs;
  toldNs = now;
  return ns;
}

/** Returns behind the stop word. */
export async function serveOrdersAsync(task: ServeTask, perform: Perform): Promise<void> {
  const orders = new RingReader(task.orders);
  const completions = new RingWriter(task.completions);
  const area = new LaneArea(task.area);
  const record = new Int32Array(recordWords);
  for (;;) {
    if (!orders.tryRead(record)) {
      await orders.waitAsync();
      continue;
    }
    orders.release();
    if (record[orderWord.op] === op.stop) return;
    const start = performance.now();
    area.clear();
    const result = await perform(record, area);
    answerRecord(record, result, area, cpuSinceTold(), (performance.now() - start) * nsPerMs);
    assert(completions.tryWrite(record), 'the ring has room for the completion of the one order');
    completions.publish();
  }
}
