/**
 * fio at its best: every engine and depth is tried once over less data, the best two alternate with the others. What was
 * tried, and how fast, is told.
 */
import { mkdirSync, rmSync } from 'node:fs';
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
  /** Milliseconds; of a group the longest job's. */
  readonly runtime: number;
}

interface FioOutput {
  readonly jobs: readonly { readonly read: FioSide; readonly write: FioSide }[];
}

type Direction = 'write' | 'read';

export function fioArguments(
  kind: FioKind,
  directory: string,
  rw: Direction,
  { streams, bytesPerStream }: Load,
): string[] {
  return [
    '--name=f',
    `--directory=${directory}`,
    `--rw=${rw}`,
    `--bs=${Math.min(blockBytes, bytesPerStream)}`,
    `--size=${bytesPerStream}`,
    '--direct=1',
    `--ioengine=${kind.engine}`,
    `--iodepth=${kind.depth}`,
    `--numjobs=${streams}`,
    '--group_reporting',
    '--output-format=json',
    '--fallocate=none',
    // One buffer for the whole job: filling it again and again would be measured too.
    '--refill_buffers=0',
    ...(rw === 'write' ? ['--end_fsync=1'] : []),
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

/** Bytes and seconds of a run, from fio's own report: begin of the first job to the end of the last. */
export function fioFigures(text: string, rw: Direction): { bytes: number; seconds: number } {
  // Some versions say a line before the report.
  const { jobs } = JSON.parse(text.slice(text.indexOf('{'))) as FioOutput;
  const side = jobs[0]?.[rw];
  if (side === undefined || side.runtime <= 0) throw new Error('fio told no runtime: images are too short for it');
  return { bytes: side.io_bytes, seconds: side.runtime / 1000 };
}

function take(run: Run, kind: FioKind, directory: string, rw: Direction, load: Load): Promise<Taken> {
  return accounted([], async () => {
    mkdirSync(directory, { recursive: true });
    const text = await runProgram(run.signal, 'fio', fioArguments(kind, directory, rw, load), hugeBuffers());
    const { bytes, seconds } = fioFigures(text, rw);
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
