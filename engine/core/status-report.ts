/** What the engine answers to a STATUS frame, as JSON: the coordinator fills it, `vast-ost status` shows it. */
import type { EndpointStatus } from './bucket-status.ts';
import type { Integrity } from './passport.ts';
import type { FinishedJob, Shares } from './shares.ts';

export interface StatusReport {
  engine: {
    version: string;
    pid: number;
    /** 32 hex digits; differs after each start. */
    instance: string;
    /** ISO 8601, UTC. */
    startedAt: string;
    draining: boolean;
  };
  memory: { budgetBytes: number; usedBytes: number; keptArenas: number; keptBytes: number; waiting: number };
  handles: { open: number; max: number };
  jobs: StatusJob[];
  /** The last jobs that have ended, the last one first: some tens at most. */
  finished: FinishedJob[];
  servers: StatusServer[];
  /** Of the storage servers that are mounted ones. */
  mounts: StatusMount[];
  pools: StatusPool[];
  log: { dropped: number; failure: string | null };
}

export interface StatusJob {
  /** The host program's name of it; '' = none given. */
  job: string;
  /** Name of its storage server, as in `servers`. */
  server: string;
  /** For people: LSU and image, printable. */
  lsu: string;
  image: string;
  mode: 'write' | 'read' | 'copy';
  /** Since the handle was opened. */
  seconds: number;
  bytes: number;
  /** Mean since the handle was opened. */
  bytesPerSecond: number;
  slots: { held: number; of: number };
  /** What it waits for now. */
  waitsFor: 'host program' | 'memory' | 'slot' | 'digest' | 'device' | 'commit' | null;
  /** Seconds without a byte moved while it waits for the engine or the storage; 0: not stalled. */
  stalledSeconds: number;
  /** Where its time went until now; the host program's part has its copies, which are told apart at the end. */
  shares: Shares;
}

export interface StatusServer {
  /** 'VastData:NAME'; '[general]': the default server, which every name without a section has. */
  name: string;
  store: 'nfs' | 's3' | 'memory';
  /** The mounted directory, the first of several, or the bucket's address. */
  root: string;
  /** Mounted, or at least one of its mounts is, or its bucket answers. */
  ready: boolean;
  /** Why it is not ready; '' while it is, or while nobody has looked yet. */
  problem: string;
  storeId: string | null;
  /** 0: it is none of mounts. New work goes to the healthy ones. */
  mountPoints: number;
  healthyMounts: number;
  /** Of S3: all of them, as of a moment ago. */
  endpoints: EndpointStatus[];
  /** Of S3: requests that were sent again since the start. */
  retries: number;
  /** Of S3: how bytes are protected on their way; null: not known yet. */
  integrity: Integrity | null;
  /** Of S3: conditional puts keep writers apart; false: only one engine may write there. Null: not known yet. */
  conditionalPuts: boolean | null;
  /** False: certificates are not checked, by the configuration. */
  tlsVerify: boolean;
}

export interface StatusMount {
  /** Name of its storage server. */
  server: string;
  root: string;
  mounted: boolean;
  /** New work goes there; of several mounts only to those. */
  state: 'healthy' | 'not mounted' | 'lanes lost' | 'silent';
  storeId: string | null;
  fsType: string | null;
  warnings: string[];
  lanesBusy: number;
  lanesLost: number;
  /** Seconds that the longest system call on it has taken so far; 0: nothing hangs. */
  stalledSeconds: number;
}

export interface StatusPool {
  name: 'io' | 'meta' | 'digest' | 'net';
  running: number;
  busy: number;
  lost: number;
  max: number;
  queued: number;
  /** Orders since the start, and what they took: CPU time of their lanes, and time in them. */
  completed: number;
  cpuSeconds: number;
  laneSeconds: number;
}
