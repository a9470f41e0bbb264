/** What every part of the coordinator works with. */
import type { Logger } from 'pino';
import type { ProcessIdentity } from '../image/claim.ts';
import type { PayloadLanes } from '../lanes/mount-lanes.ts';
import type { Load } from './account.ts';
import type { FinishedJobs } from './finished-jobs.ts';
import type { GiveWay } from './give-way.ts';
import type { ImageKey } from './image-info.ts';
import type { Memory } from './memory.ts';
import type { OpenImages } from './open-images.ts';
import type { Storage } from './storage.ts';
import type { WriterTokens } from './writer-tokens.ts';

export interface Settings {
  readonly blockBytes: number;
  readonly writeBufferCount: number;
  readonly readAheadBytes: number;
  readonly blocksInFlight: number;
  /** An image's bytes come in their order, without a gap: objects cannot be written otherwise. */
  readonly sequential: boolean;
  readonly sums: boolean;
  readonly checksum: 'sha256' | 'none';
  readonly engineVersion: string;
}

/** What all storage servers of the engine have in common. */
export interface Shared {
  readonly digest: PayloadLanes;
  readonly memory: Memory;
  readonly tokens: WriterTokens;
  readonly load: Load;
  readonly finished: FinishedJobs;
  readonly self: ProcessIdentity;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  now(): number;
  /** 16 random bytes as 32 hex digits. */
  newToken(): string;
  /** A bug was met in a job: logged loudly, the job ends, the engine goes on. */
  bug(where: string, error: unknown): void;
}

/** One storage server. */
export interface ServerContext extends Shared {
  /** Its number in this engine, from 0. */
  readonly server: number;
  readonly settings: Settings;
  readonly open: OpenImages;
  readonly mounts: MountChoice;
  /** Of all storage servers of the engine: two of them may show one store. Buckets are none. */
  readonly engineMounts: readonly Context[];
  readonly giveWay: GiveWay;
}

/** One mount of it: what is opened there stays there. A bucket is a storage server's only one. */
export interface Context extends ServerContext {
  readonly io: PayloadLanes;
  readonly storage: Storage;
  /** Where it is; null: it is no directory. */
  readonly mount: string | null;
  readonly fences: MountFences;
}

/** What a mount is brought to rest by: engine/coordinator/fence.ts. */
export interface MountFences {
  run(ctx: Context, key: ImageKey): Promise<void>;
}

/**
 * What may be done again on another mount where one fails. `untouched`: only a step that has changed nothing, since its
 * mount was not there. `always`: also after a failure on the way, because it changes nothing or may be done twice.
 */
export type Elsewhere = 'untouched' | 'always';

/** The mounts of one storage server: engine/coordinator/mounts.ts. */
export interface MountChoice {
  readonly all: readonly Context[];
  /** Where the thing of this name belongs now. */
  pick(name: string): Promise<Context>;
  /** Runs `work` there; on the next one where that fails as `elsewhere` says. Throws Failed. */
  run<T>(
    name: string,
    elsewhere: Elsewhere,
    work: (ctx: Context) => Promise<T>,
    without?: readonly Context[],
  ): Promise<T>;
  /** Looks again whether they are there; returns when one of them is, or none. */
  look(): Promise<void>;
}

/** The chunk over which one sum is made; one truth with image/sums.ts. */
export { sumsChunkBytes as chunkBytes } from '../image/sums.ts';
