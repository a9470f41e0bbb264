/**
 * fio at its best: every engine and depth is tried once over less data, the best two alternate with the others. What was
 * tried, and how fast, is told.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Load, Run, Subject, Taken } from '../run-context.ts';
import { accounted, runProgram } from './programs.ts';

const blockBytes = 64 << 20;
const chosen = 2;
/** A trial is as long as a few blocks of each stream. */
const trialBlocks = 6;
const trialBlocksQuick = 2;

export interface FioKind {
  readonly engine: 'psync' | 'libaio' | 'io_uring';
  readonly depth: number;
}

/** psync has one in flight whatever depth it is told. */
export const fioKinds: readonly FioKind[] = [
  { engine: 'psync', depth: 1 },
  ...(['libaio', 'io_uring'] as const).flatMap((engine) => [1, 2, 3].map((depth) => ({ engine, depth }))),
];

interface FioSide {
  readonly io_bytes: number;
  /** Milliseconds of this job, its fsync included. */
  readonly runtime: number;
}

interface FioOutput {
  readonly jobs: readonly { readonly read: FioSide; readonly write: FioSide }[];
}

type Direction = 'write' | 'read';

const logName = 'latencies';
/** fio counts jobs from 1. */
const logOf = (directory: string, job: number): string => join(directory, `${logName}_lat.${job}.log`);

/** Looked so often, every 20 ms: then they begin one after the other, and that is measured. */
const looksMax = 3000;

/**
 * What each job does between filling its buffers and starting its clock: it waits for all others. With 64 MiB a block that
 * takes up to seconds, and whoever is ready first would have the storage for itself. In the working directory.
 */
function together(rw: Direction, streams: number): string {
  const arrived = `"$(ls ready-${rw}.* | wc -l)"`;
  return `: > ready-${rw}.$$; i=0; until [ ${arrived} -ge ${streams} ] || [ $i -ge ${looksMax} ]; do i=$((i+1)); sleep 0.02; done`;
}

/**
 * A job with a file of its own for each stream. Without the names fio looks for a file that is called like the job, and all
 * jobs would share it.
 */
export function fioArguments(
  kind: FioKind,
  directory: string,
  rw: Direction,
  { streams, bytesPerStream }: Load,
): string[] {
  const jobs = Array.from({ length: streams }, (_, i) => [`--name=stream${i}`, `--filename=stream${i}.data`]);
  return [
    '--name=global',
    // A colon would begin another directory.
    `--directory=${directory.replaceAll(':', '\\:')}`,
    `--rw=${rw}`,
    `--bs=${Math.min(blockBytes, bytesPerStream)}`,
    `--size=${bytesPerStream}`,
    '--direct=1',
    `--ioengine=${kind.engine}`,
    `--iodepth=${kind.depth}`,
    '--output-format=json',
    `--write_lat_log=${join(directory, logName)}`,
    '--log_unix_epoch=1',
    `--exec_prerun=${together(rw, streams)}`,
    '--fallocate=none',
    // One buffer for the whole job: filling it again and again would be measured too.
    '--refill_buffers=0',
    ...(rw === 'write' ? ['--end_fsync=1'] : []),
    ...jobs.flat(),
  ];
}

/**
 * fio's buffers are malloc's: of huge pages where the kernel gives them to whoever asks, as those of floors and engine are.
 * On pages of 4 KiB fio moves a half to a third of it.
 */
function hugeBuffers(): NodeJS.ProcessEnv {
  const own = process.env.GLIBC_TUNABLES;
  return { GLIBC_TUNABLES: `${own === undefined || own === '' ? '' : `${own}:`}glibc.malloc.hugetlb=1` };
}

/** Milliseconds since 1970 at which a job made its first request: by its log of latencies, whose lines are of their ends. */
function beginOf(log: string): number {
  const requests = log.split('\n').flatMap((line) => {
    const [endMs, latencyNs] = line.split(',').map(Number);
    return endMs !== undefined && latencyNs !== undefined ? [endMs - latencyNs / 1e6] : [];
  });
  return Math.min(...requests);
}

/**
 * Bytes and seconds of a run: from the first request of the first job to the end of the last one, its fsync included. Each
 * job has a clock of its own, and the longest one is not the run. `logs`: of latencies, one a job.
 */
export function fioFigures(text: string, rw: Direction, logs: readonly string[]): { bytes: number; seconds: number } {
  // Some versions say a line before the report.
  const { jobs } = JSON.parse(text.slice(text.indexOf('{'))) as FioOutput;
  const sides = jobs.flatMap((job) => job[rw] ?? []);
  const begins = logs.map(beginOf);
  const ends = sides.map(({ runtime }, i) => (begins[i] ?? Number.NaN) + runtime);
  const ms = Math.max(...ends) - Math.min(...begins);
  if (!(ms > 0 && Number.isFinite(ms))) throw new Error('fio told no runtime: images are too short for it');
  return { bytes: sides.reduce((sum, { io_bytes }) => sum + io_bytes, 0), seconds: ms / 1000 };
}

function take(run: Run, kind: FioKind, directory: string, rw: Direction, load: Load): Promise<Taken> {
  return accounted([], async () => {
    mkdirSync(directory, { recursive: true });
    const args = fioArguments(kind, directory, rw, load);
    const text = await runProgram(run.signal, 'fio', args, hugeBuffers(), directory);
    const logs = Array.from({ length: load.streams }, (_, i) => readFileSync(logOf(directory, i + 1), 'latin1'));
    const { bytes, seconds } = fioFigures(text, rw, logs);
    return { value: bytes / seconds, seconds, bytes };
  });
}

function subject(run: Run, kind: FioKind, directory: string, tried: string): Subject {
  return {
    name: `fio ${kind.engine} ${kind.depth}`,
    role: 'peer',
    mode: null,
    integrity: `nothing; O_DIRECT, 64 MiB on huge pages, one fsync at the end. ${tried}`,
    measures: [
      { workload: 'write', unit: 'B/s', take: (load) => take(run, kind, directory, 'write', load) },
      { workload: 'restore', unit: 'B/s', take: (load) => take(run, kind, directory, 'read', load) },
    ],
    clean: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

export interface Trial {
  readonly kind: FioKind;
  /** B/s; null: this kernel or fio has no such engine. */
  readonly write: number | null;
  readonly read: number | null;
}

/** The best two: first by writes, then by reads, so that neither direction's best is missed. */
export function bestOf(trials: readonly Trial[]): FioKind[] {
  const by = (rate: (trial: Trial) => number | null): FioKind[] =>
    trials
      .filter((trial) => rate(trial) !== null)
      .toSorted((a, b) => (rate(b) as number) - (rate(a) as number))
      .map(({ kind }) => kind);
  const [writes, reads] = [by(({ write }) => write), by(({ read }) => read)];
  const order = writes.flatMap((kind, i) => [kind, reads[i] ?? kind]);
  return [...new Set(order)].slice(0, chosen);
}

export function triedText(trials: readonly Trial[]): string {
  const gb = (rate: number | null): string => (rate === null ? '-' : (rate / 1e9).toFixed(2));
  const each = trials.map(({ kind, write, read }) => `${kind.engine} ${kind.depth} ${gb(write)}/${gb(read)}`);
  return `Tried once each (write/read GB/s): ${each.join(', ')}`;
}

/** The choice for this load, and subjects of the best two. Throws where fio is not installed. */
export async function fioSubjects(run: Run, place: (name: string) => string, load: Load): Promise<Subject[]> {
  const blocks = run.quick ? trialBlocksQuick : trialBlocks;
  const short = { ...load, bytesPerStream: Math.min(load.bytesPerStream, blocks * blockBytes) };
  const trials: Trial[] = [];
  for (const kind of fioKinds) {
    run.check();
    run.progress({ what: 'choosing how fio is fastest', subject: `fio ${kind.engine} ${kind.depth}` });
    const directory = place(`fio-trial-${kind.engine}-${kind.depth}`);
    try {
      const write = (await take(run, kind, directory, 'write', short)).value;
      trials.push({ kind, write, read: (await take(run, kind, directory, 'read', short)).value });
    } catch (error) {
      if (run.signal.aborted) throw error;
      trials.push({ kind, write: null, read: null });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  const best = bestOf(trials);
  if (best.length === 0) throw new Error('fio is installed, but no engine of psync, libaio and io_uring works');
  return best.map((kind) => subject(run, kind, place(`fio-${kind.engine}-${kind.depth}`), triedText(trials)));
}
