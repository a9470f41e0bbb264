/** A lane's entry for tests: what populate orders with an arena below 0 leave to do hangs until somebody opens the FIFO VAST_OST_TEST_BEHIND. */
import { closeSync, openSync } from 'node:fs';
import { op, orderWord, type ServeTask } from '../../engine/core/order.ts';
import { type LaneStore, serveOrders } from '../../workers/lane-loop.ts';

export default function serve(task: ServeTask): void {
  let hangs = false;
  const behind = (): void => {
    if (hangs) closeSync(openSync(process.env.VAST_OST_TEST_BEHIND ?? '', 'r'));
    hangs = false;
  };
  serveOrders(task, { behind } as LaneStore, (record) => {
    hangs = record[orderWord.op] === op.populate && record[orderWord.arena] < 0;
    return 0;
  });
}
