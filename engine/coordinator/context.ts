/** What every part of the coordinator works with. */
import type { Logger } from 'pino';
import type { ProcessIdentity } from '../image/claim.ts';
import type { Pool } from '../lanes/pool.ts';
import type { Memory } from './memory.ts';
import type { OpenImages } from './open-images.ts';
import type { Storage } from './storage.ts';

export interface Settings {
  readonly blockBytes: number;
  readonly writeBufferCount: number;
  readonly readAheadBytes: number;
  readonly blocksInFlight: number;
  readonly sums: boolean;
  readonly checksum: 'sha256' | 'none';
  readonly engineVersion: string;
}

export interface Context {
  readonly settings: Settings;
  readonly io: Pool;
  readonly digest: Pool;
  readonly storage: Storage;
  readonly memory: Memory;
  readonly open: OpenImages;
  readonly self: ProcessIdentity;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  now(): number;
  /** 16 random bytes as 32 hex digits. */
  newToken(): string;
  /** A bug was met in a job: logged loudly, the job ends, the engine goes on. */
  bug(where: string, error: unknown): void;
}

/** The chunk over which one sum is made; one truth with image/sums.ts. */
export { sumsChunkBytes as chunkBytes } from '../image/sums.ts';
