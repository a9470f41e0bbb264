/** What every part of the coordinator works with. */
import type { Logger } from 'pino';
import type { ProcessIdentity } from '../image/claim.ts';
import type { PayloadLanes } from '../lanes/mount-lanes.ts';
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
export interface Context extends Shared {
  /** Its number in this engine, from 0. */
  readonly server: number;
  readonly settings: Settings;
  readonly io: PayloadLanes;
  readonly storage: Storage;
  readonly open: OpenImages;
}

/** The chunk over which one sum is made; one truth with image/sums.ts. */
export { sumsChunkBytes as chunkBytes } from '../image/sums.ts';
