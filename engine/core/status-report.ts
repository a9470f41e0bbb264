/** What the engine answers to a STATUS frame, as JSON: the coordinator fills it, `vast-ost status` shows it. */
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
  memory: { budgetBytes: number; usedBytes: number; waiting: number };
  handles: { open: number; max: number };
  jobs: StatusJob[];
  mounts: StatusMount[];
  pools: StatusPool[];
  log: { dropped: number; failure: string | null };
}

export interface StatusJob {
  /** The host program's name of it; '' = none given. */
  job: string;
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
}

export interface StatusMount {
  root: string;
  mounted: boolean;
  storeId: string | null;
  fsType: string | null;
  warnings: string[];
  lanesBusy: number;
  lanesLost: number;
  /** Seconds that the longest system call on it has taken so far; 0: nothing hangs. */
  stalledSeconds: number;
}

export interface StatusPool {
  name: 'io' | 'meta' | 'digest';
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
