/**
 * What a workload is told and given: a module of bench/macro/ exports a function that takes a Run and returns rows.
 *
 *   export async function copies(run: Run): Promise<Row[]> {
 *     const engine = await EngineProcess.start({ directory: run.place('copies'), … });
 *     try { return await alternate(run, subjects, load); } finally { await engine.stop(); }
 *   }
 *
 * It writes below `run.place(name)` alone, ends soon after `run.signal` fires (alternate() throws then), and stops what it
 * has started in any case. Rows that are complete before it ends early are handed to `run.keep`.
 */
import type { Sections } from '../scripts/programs/ini-text.ts';
import type { Result, Row, Sample } from './result/schema.ts';
import type { PeerName } from './subjects/peer-names.ts';

export type Workload = Row['workload'];
export type Role = Row['role'];
export type ModeName = NonNullable<Row['mode']>;
export type StoreName = 'file' | 's3';

/** Data of images, as the host program's --dedup, --compress and --seed make it. */
export interface DataOptions {
  /** Ratio; 1: every MiB is new. 0: not set: 64 MiB that cannot be compressed serve all images, which costs nothing. */
  readonly dedup: number;
  /** Ratio; 1: cannot be compressed; 0: not set. */
  readonly compress: number;
  readonly seed: number;
}

/** A bucket of the user's own; null servers where there is none. Credentials stay in the environment. */
export interface BucketTarget {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Everything of this run lies below it; ends with a slash. */
  readonly prefix: string;
  readonly caFile: string | null;
}

export interface Run {
  /** 32 hex digits; the result's id. */
  readonly id: string;
  /** Of this run alone: engines, file stores, scratch. On the target where that is a directory. */
  readonly directory: string;
  /** A directory below it, made now. */
  place(name: string): string;
  readonly bucket: BucketTarget | null;
  /** Fires when the run is interrupted, or a limit of time or space is reached. */
  readonly signal: AbortSignal;
  /** What runs at this moment; `rate`: the last figure, as text. Cheap, may be called often. */
  progress(step: Step): void;
  /** Seconds since the result's startedAt. */
  elapsed(): number;
  /** A line for people, now: something was left out, and why. */
  note(text: string): void;
  /** Throws what `signal` fired with; also looks whether a limit is reached. Called before each sample. */
  check(): void;
  /** Rows that are to be in the result even when the run is cut short behind them. */
  keep(rows: readonly Row[]): void;
  /** Sums since boot whose differences go into each sample's `counters`. */
  counters(): Record<string, number>;
  readonly store: StoreName;
  /** In the order in which they are taken; the first mode is the headline of A/A. */
  readonly modes: readonly ModeName[];
  readonly blocks: readonly number[];
  readonly streams: readonly number[];
  /** Bytes of each image where so many are written at once. */
  bytesPerStream(streams: number): number;
  /** Of the user's own, over what the bench sets (--set): for each engine that is measured. */
  readonly settings: Sections;
  /** Rounds that count, behind those that only warm up. */
  readonly alternations: number;
  readonly warmUps: number;
  readonly data: DataOptions;
  /** A look, no claim: workloads make themselves short. */
  readonly quick: boolean;
  /** Other programs that are measured too, where they are installed. */
  readonly peers: readonly PeerName[];
  readonly workloads: readonly Workload[];
  /** How long event loops of S3 engines stood still: into the result. */
  keepStalls(stalls: Result['stalls']): void;
}

export interface Step {
  /** 'write, 4 streams, 64 MiB blocks'. */
  readonly what: string;
  readonly subject?: string;
  /** From 1; 0 and less: warming up. */
  readonly alternation?: number;
  readonly of?: number;
  /** '1.84 GB/s'. */
  readonly rate?: string;
}

/** What all subjects of one comparison do. */
export interface Load {
  readonly streams: number;
  readonly blockBytes: number;
  readonly bytesPerStream: number;
}

/** What a subject did, before the frame adds what it saw from outside. */
export type Taken = Pick<Sample, 'value' | 'seconds' | 'bytes' | 'cpu'> & Partial<Sample>;

/** A measured step of a subject; they run in the order given, each once an alternation. */
export interface Measure {
  readonly workload: Workload;
  readonly unit: Row['unit'];
  take(load: Load): Promise<Taken>;
}

export interface Subject {
  readonly name: string;
  readonly role: Role;
  readonly mode: ModeName | null;
  /** Where its bytes go, when that is not the run's store. */
  readonly store?: Row['store'];
  /** What guards its bytes on the way, for people. */
  readonly integrity?: string;
  /** Name of the floor that does the same, where there are several kinds of floors. */
  readonly floor?: string;
  /** A floor that also copies each byte once. */
  readonly copies?: boolean;
  readonly measures: readonly Measure[];
  /** Behind each alternation: removes what it wrote, so that one subject's bytes lie there at a time. */
  clean?(load: Load): Promise<void>;
}
