/**
 * Images through a fresh engine in one phase or several, and what the engine itself says of each: the summary lines of its images.
 * From the second phase on it has memory at hand, and knows what its storage could do. The engine is stopped before its log
 * is read, so that nothing of it is missing.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runHost } from '../../scripts/programs/host-program.ts';
import { merged, type Sections } from '../../scripts/programs/ini-text.ts';
import { startDiscarding } from '../discard/engine.ts';
import { EngineProcess } from '../engine-process.ts';
import type { ModeName } from '../run-context.ts';
import { type BareServer, bucket, credentials } from '../s3/servers.ts';
import { type JobVerdict, jobVerdicts } from './verdict.ts';

export interface Trial {
  /** discard: an engine whose lanes touch no storage, as if that were faster than anything else. For backups. */
  readonly store: 'file' | 's3' | 'discard';
  readonly direction: 'backup' | 'restore';
  readonly mode: ModeName;
  readonly streams: number;
  /** block_size_mb and digest_lanes, where not as shipped. */
  readonly blockMib?: number;
  readonly digestLanes?: number;
  /** Over the settings as shipped. */
  readonly config?: Sections;
  /** More options of the host program. */
  readonly host?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface TrialPlace {
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Starts the null server of a trial in a bucket. */
  server(keep: boolean): Promise<BareServer>;
}

export interface TrialResult {
  /** B/s, from the first create to the last close. */
  readonly rate: number;
  readonly seconds: number;
  readonly jobs: readonly JobVerdict[];
}

/** What is done to a running engine, and undone. `rateBefore`: B/s of the phase before. */
export type Act = (engine: { pid: number; rateBefore: number }) => Promise<AsyncDisposable>;

export interface Phase {
  /** Of each stream. */
  readonly mib: number;
  readonly act: Act | null;
}

const mib = 1 << 20;

async function host(
  engine: RunningEngine,
  args: readonly (string | number)[],
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const all = [...args.map(String), '--config', engine.config];
  const { code, err, json } = await runHost(all, {}, '', signal);
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`vast-ost-host ${all.join(' ')}: ${json.text || err.trim()}`);
  return json;
}

function settingsOf({ digestLanes = 0, config = {} }: Trial, endpoint: string | null): Sections {
  const server: Sections = endpoint === null ? {} : { 'server:bucket': { store: 's3', bucket, endpoints: endpoint } };
  return merged({ engine: { digest_lanes: digestLanes }, logging: { log_level: 'DEBUG' } }, server, config);
}

interface RunningEngine extends AsyncDisposable {
  readonly pid: number;
  readonly config: string;
  readonly log: string;
  stop(): Promise<unknown>;
}

async function startEngine(directory: string, trial: Trial, endpoint: string | null): Promise<RunningEngine> {
  if (trial.store === 'discard') {
    const { mode, blockMib = 64, digestLanes = 0 } = trial;
    const engine = await startDiscarding({
      directory,
      mode,
      blockBytes: blockMib * mib,
      streams: trial.streams,
      digestLanes,
      logLevel: 'DEBUG',
    });
    const { pid, config, logFile: log } = engine;
    const stop = (): Promise<void> => engine.stop();
    return { pid, config, log, stop, [Symbol.asyncDispose]: stop };
  }
  const engine = await EngineProcess.start({
    directory,
    mode: trial.mode,
    blockBytes: (trial.blockMib ?? 64) * mib,
    streams: trial.streams,
    settings: settingsOf(trial, endpoint),
    env: { ...credentials, ...trial.env },
  });
  const { pid, config, logFile: log } = engine;
  return { pid, config, log, stop: () => engine.stop(), [Symbol.asyncDispose]: () => engine.kill() };
}

interface PhaseRun {
  readonly trial: Trial;
  readonly phase: Phase;
  readonly place: readonly string[];
  readonly date: number;
  readonly rateBefore: number;
}

/** Moves what a phase moves, and tells at what rate. A restore reads what a backup before it wrote; the plant acts on the restore alone. */
async function runPhase(
  engine: RunningEngine,
  { trial, phase, place, date, rateBefore }: PhaseRun,
  signal: AbortSignal,
): Promise<Pick<TrialResult, 'rate' | 'seconds'>> {
  const mover = [...place, '--image', 'l', '--date', date, '--streams', trial.streams, '--json'];
  const write = ['backup', ...mover, '--generate', phase.mib * mib];
  if (trial.direction === 'restore') await host(engine, write, signal);
  const command = trial.direction === 'backup' ? write : ['restore', ...mover, '--discard'];
  await using _planted = phase.act === null ? null : await phase.act({ pid: engine.pid, rateBefore });
  const { bytes, seconds } = await host(engine, [...command, ...(trial.host ?? [])], signal);
  if (typeof bytes !== 'number' || typeof seconds !== 'number') throw new Error('the host program told no rate');
  return { rate: bytes / seconds, seconds };
}

/** One result a phase. */
export async function runTrial(trial: Trial, phases: readonly Phase[], at: TrialPlace): Promise<TrialResult[]> {
  const { signal } = at;
  const directory = join(at.directory, 'engine');
  mkdirSync(directory, { recursive: true });
  const server = trial.store === 's3' ? await at.server(trial.direction === 'restore') : null;
  try {
    await using engine = await startEngine(directory, trial, server?.endpoint ?? null);
    const place = ['--lsu', 'limits', ...(server === null ? [] : ['--server', 'VastData:bucket'])];
    await host(engine, ['create-lsu', ...place], signal);
    const moved: Pick<TrialResult, 'rate' | 'seconds'>[] = [];
    for (const [i, phase] of phases.entries()) {
      const rateBefore = moved.at(-1)?.rate ?? Number.NaN;
      moved.push(await runPhase(engine, { trial, phase, place, date: i + 1, rateBefore }, signal));
    }
    await engine.stop();
    const log = readFileSync(engine.log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));
    const jobs = jobVerdicts(log, trial.direction);
    return moved.map((one, i) => ({ ...one, jobs: jobs.filter(({ image }) => image.endsWith(`~${i + 1}`)) }));
  } finally {
    server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
