/** The storage server of one bucket: its settings and its lanes. */
import type { S3ServerConfig } from '../config-servers.ts';
import { op } from '../core/order.ts';
import type { LaneOrder, LaneResult } from '../lanes/lane-order.ts';
import { MountLanes, type PayloadLanes } from '../lanes/mount-lanes.ts';
import { s3SettingsOf } from '../s3-settings-of.ts';
import { BucketWatch, type Note } from './bucket-watch.ts';
import { type Own, type Parts, settingsOf } from './server-parts.ts';

/** Slots that are filled while `parts_in_flight` others are sent. */
const slotsBeside = 2;
/** An order is not overdue before its requests have given up, twice over. */
const overdueFactor = 2;
const overdueSlackMs = 60_000;

export function s3Parts(parts: Parts, server: S3ServerConfig, number: number, label: string, note: Note): Own {
  const { endpoints, bucket, prefix } = server;
  const s3 = s3SettingsOf(server);
  const watch = new BucketWatch(s3, note, parts.shared.now);
  const overdueMs = s3.retryMs * overdueFactor + overdueSlackMs;
  const net = parts.netPool(s3, overdueMs, label, (told) => watch.take(told));
  return {
    store: 's3',
    bucket: watch,
    settings: {
      ...settingsOf(parts),
      blockBytes: server.partBytes,
      writeBufferCount: server.partsInFlight + slotsBeside,
      blocksInFlight: server.partsInFlight,
      sequential: true,
    },
    mounts: [
      {
        path: null,
        pool: net,
        number,
        steps: net,
        io: new NetLanes(new MountLanes(net, 0), new MountLanes(parts.io, number)),
        storage: {
          root: `${endpoints[0]?.url}/${bucket}/${prefix}`,
          requireMount: false,
          direct: false,
          kind: 's3',
          remedy: `prepare it with: vast-ost init-store --server ${server.name}`,
        },
      },
    ],
  };
}

/** What only touches memory does not belong into an event loop. */
class NetLanes implements PayloadLanes {
  readonly #net: PayloadLanes;
  readonly #blocking: PayloadLanes;

  constructor(net: PayloadLanes, blocking: PayloadLanes) {
    this.#net = net;
    this.#blocking = blocking;
  }

  run(order: LaneOrder, key: number): Promise<LaneResult> {
    return order.op === op.populate ? this.#blocking.run(order, key) : this.#net.run(order, key);
  }
}
