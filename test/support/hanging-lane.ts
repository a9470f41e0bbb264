/** A meta lane's entry for tests: opening an image hangs until somebody opens the FIFO VAST_OST_TEST_HANGS, as on a mount that does not answer. */
import { closeSync, openSync } from 'node:fs';
import type { ServeTask } from '../../engine/core/order.ts';
import { FileStore } from '../../workers/file/file-store.ts';
import { serveOrders } from '../../workers/lane-loop.ts';

class HangingStore extends FileStore {
  override openImage(arg: Parameters<FileStore['openImage']>[0]): ReturnType<FileStore['openImage']> {
    closeSync(openSync(process.env.VAST_OST_TEST_HANGS ?? '', 'r'));
    return super.openImage(arg);
  }
}

export default function serve(task: ServeTask): void {
  const store = new HangingStore(true);
  try {
    serveOrders(task, store);
  } finally {
    store.close();
  }
}
