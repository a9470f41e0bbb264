/** What a storage server is made of, whatever keeps its bytes. */
import type { Config } from '../config.ts';
import type { BucketTold } from '../core/bucket-status.ts';
import type { S3Settings } from '../core/s3-settings.ts';
import type { Pool } from '../lanes/pool.ts';
import type { Context, Settings, Shared } from './context.ts';
import type { MountParts, StorageServer } from './servers.ts';
import type { StorageOptions, StoreLanes } from './storage.ts';

export interface Parts {
  readonly config: Config;
  readonly shared: Shared;
  readonly engineVersion: string;
  /** Moves the bytes of everything that is mounted. */
  readonly io: Pool;
  /** Lanes of one server's own for the steps of a store on files, or in memory. */
  metaPool(storeKind: 'file' | 'memory', label: string): Pool;
  /** Lanes of one bucket, for steps and bytes. An order may take `overdueMs`. */
  netPool(s3: S3Settings, overdueMs: number, label: string, onBucket: (told: BucketTold) => void): Pool;
}

/** What a storage server has besides its name. */
export interface Own {
  store: StorageServer['store'];
  bucket: StorageServer['bucket'];
  settings: Settings;
  /** At least one. */
  mounts: readonly OwnMount[];
}

/** A mount with its lanes; a bucket is one too. */
export interface OwnMount extends MountParts {
  io: Context['io'];
  storage: StorageOptions;
  steps: StoreLanes;
}

/** As [general], [performance], [engine] and [integrity] say. */
export function settingsOf({ config: { general, performance, engine, integrity }, engineVersion }: Parts): Settings {
  return {
    blockBytes: general.blockBytes,
    writeBufferCount: performance.writeBufferCount,
    readAheadBytes: performance.readAheadBytes,
    blocksInFlight: engine.blocksInFlight,
    sequential: false,
    sums: integrity.sums,
    checksum: integrity.checksum,
    engineVersion,
  };
}
