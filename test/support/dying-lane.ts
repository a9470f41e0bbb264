/**
 * A lane's entry for tests: as workers/lane-main.ts, but populate orders with an arena below 0 end the thread: with −1
 * always, with −2 unless the file VAST_OST_TEST_DIED is there, which is made then; with −3 by an exception; with −4
 * behind a completion that rings no bell.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { type AtomicsLike, RingReader, RingWriter } from 'sharedarraybuffer-ring';
import { op, orderWord, recordWords, type ServeTask } from '../../engine/core/order.ts';

const silentAtomics: AtomicsLike = {
  load: (words, index) => Atomics.load(words, index),
  store: (words, index, value) => Atomics.store(words, index, value),
  wait: (words, index, value, timeoutMs) => Atomics.wait(words, index, value, timeoutMs),
  waitAsync: () => ({ async: false, value: 'not-equal' }),
  notify: () => 0,
};

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
      // Unlike the exception of −3, which the task's promise carries, this ends the thread under way.
      process.exit(1);
    }
    if (arena === -3) throw new Error('a lane fails');
    record.fill(0, 2);
    if (arena === -4) {
      const silent = new RingWriter(task.completions, silentAtomics);
      silent.tryWrite(record);
      silent.publish();
      process.exit(1);
    }
    completions.tryWrite(record);
    completions.publish();
  }
}
