/** Entry of a net thread: one long Piscina task that serves lanes as they are started, until its port is closed. */
import type { MessagePort } from 'node:worker_threads';
import type { NetEnd, NetStart, NetTold, ServeNetTask } from '../engine/core/order.ts';
import { serveOrdersAsync } from './net-loop.ts';
import { openStore } from './s3/open-store.ts';
import { performNet } from './s3/perform.ts';
import type { S3Store } from './s3/s3-store.ts';
import { Told } from './s3/told.ts';

export default async function serve({ port, s3 }: ServeNetTask): Promise<void> {
  const store = openStore(s3, (level, text, more) => {
    port.postMessage({ note: { level, text, more } } satisfies NetTold);
  });
  const told = new Told(() => port.postMessage({ bucket: store.status() } satisfies NetTold));
  store.objects.bucket.changed = told.changed;
  try {
    await servePort(port, store);
  } finally {
    told.close();
    await store.close();
  }
}

function servePort(port: MessagePort, store: S3Store): Promise<void> {
  return new Promise((resolve) => {
    // The port also keeps the event loop alive, which a wait for a ring does not.
    port.on('close', () => resolve());
    port.on('message', ({ lane, task }: NetStart) => {
      const ended = (problem: string | null): void => port.postMessage({ lane, problem } satisfies NetEnd);
      serveOrdersAsync(task, (record, area) => performNet(record, area, store)).then(
        () => ended(null),
        (error) => ended(String(error)),
      );
    });
  });
}
