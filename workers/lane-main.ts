/**
 * Entry of a lane's thread: one long Piscina task. It returns after the stop word, when nothing is under way any more.
 */
import type { ServeTask } from '../engine/core/order.ts';
import { addon } from '../native/addon/index.ts';
import { FileStore } from './file/file-store.ts';
import { serveOrders } from './lane-loop.ts';
import { MemStore } from './mem/mem-store.ts';
import type { Store } from './store.ts';

export default function serve(task: ServeTask): void {
  if (task.niceness !== 0) addon.threadNice(task.niceness);
  const store = makeStore(task);
  try {
    serveOrders(task, store);
  } finally {
    // The addon's files are the process's, and outlive this thread.
    if (store instanceof FileStore) store.close();
  }
}

/** Only meta lanes have a store; payload needs none. */
function makeStore({ pool, storeKind }: ServeTask): Store | null {
  if (pool !== 'meta') return null;
  return storeKind === 'memory' ? new MemStore() : new FileStore();
}
