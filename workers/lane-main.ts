/**
 * Entry of a lane's thread: one long Piscina task. It returns after the stop word, when nothing is under way any more.
 */
import type { ServeTask } from '../engine/core/order.ts';
import { addon } from '../native/addon/index.ts';
import { type LaneStore, serveOrders } from './lane-loop.ts';

export default async function serve(task: ServeTask): Promise<void> {
  if (task.niceness !== 0) addon.threadNice(task.niceness);
  const store = await makeStore(task);
  try {
    serveOrders(task, store);
  } finally {
    // The addon's files are the process's, and outlive this thread.
    store?.close?.();
  }
}

/** Only meta lanes have a store; payload needs none, and its many lanes do not load one: memory is counted per lane. */
async function makeStore({ pool, storeKind }: ServeTask): Promise<(LaneStore & { close?(): void }) | null> {
  if (pool !== 'meta') return null;
  if (storeKind === 'memory') return new (await import('./mem/mem-store.ts')).MemStore();
  return new (await import('./file/file-store.ts')).FileStore(true);
}
