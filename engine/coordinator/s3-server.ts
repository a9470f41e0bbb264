/** The storage server of one bucket: its settings and its lanes. */
import type { S3ServerConfig } from '../config-servers.ts';
import { errno } from '../core/errors.ts';
import { StoreError, storeErrno } from '../core/store.ts';
import { failedResult } from '../lanes/lane-order.ts';
import { type Own, type Parts, settingsOf } from './server-parts.ts';

/** Slots that are filled while `parts_in_flight` others are sent. */
const slotsBeside = 2;

export function s3Parts(parts: Parts, server: S3ServerConfig): Own {
  const { endpoints, bucket, prefix } = server;
  return {
    store: 's3',
    pools: [],
    mount: null,
    settings: {
      ...settingsOf(parts),
      blockBytes: server.partBytes,
      writeBufferCount: server.partsInFlight + slotsBeside,
      blocksInFlight: server.partsInFlight,
    },
    ...noLanes,
    storage: {
      root: `${endpoints[0]?.url}/${bucket}/${prefix}`,
      requireMount: false,
      direct: false,
      kind: 's3',
      remedy: `check endpoints, bucket and credentials of [server:${server.name}]`,
    },
  };
}

const text = 'this release has no lanes that speak S3';
/** Until there are lanes that speak S3: every step answers that the storage is not there, every order that it failed. */
const noLanes: Pick<Own, 'steps' | 'io'> = {
  steps: { call: () => Promise.reject(new StoreError({ errno: storeErrno.notMounted, step: 'marker', path: text })) },
  io: { run: () => Promise.resolve(failedResult(-errno.EIO, text)) },
};
