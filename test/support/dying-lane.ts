/**
 * A lane's entry for tests: as workers/lane-main.ts, but populate orders with an arena below 0 end the thread: with −1
 * always, with −2 unless the file VAST_OST_TEST_DIED is there, which is made then.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { RingReader, RingWriter } from 'sharedarraybuffer-ring';
import { op, orderWord, recordWords, type ServeTask } from '../../engine/core/order.ts';

export default function serve(task: ServeTask): void {
  const orders = new RingReader(task.orders);
  const completions = new RingWriter(task.completions);
  const record = new Int32Array(recordWords);
  for (;;) {
    orders.wait();
    orders.tryRead(record);
    orders.release();
    if (record[orderWord.op] === op.stop) return;
    const arena = record[orderWord.arena];
    const mark = process.env.VAST_OST_TEST_DIED ?? '';
    if (arena === -1 || (arena === -2 && !existsSync(mark))) {
      if (arena === -2) writeFileSync(mark, '');
      // −3 would be an exception, which the task's promise carries; this is a thread that ends under way.
      process.exit(1);
    }
    if (arena === -3) throw new Error('a lane fails');
    record.fill(0, 2);
    completions.tryWrite(record);
    completions.publish();
  }
}
