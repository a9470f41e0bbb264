/**
 * One run of a few images through a fresh engine, and what the engine itself says of it: the summary line of each image.
 * The engine is stopped before its log is read, so that nothing of it is missing.
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
  /** Of each stream. */
  readonly mib: number;
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

/** What is done to a running engine, and undone. */
export type Act = (engine: { pid: number }) => Promise<AsyncDisposable>;

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

/** A restore reads what a backup before it wrote in the same engine; the plant acts on the restore alone. */
export async function runTrial(trial: Trial, at: TrialPlace, act: Act | null): Promise<TrialResult> {
  const { signal } = at;
  const directory = join(at.directory, 'engine');
  mkdirSync(directory, { recursive: true });
  const server = trial.store === 's3' ? await at.server(trial.direction === 'restore') : null;
  try {
    await using engine = await startEngine(directory, trial, server?.endpoint ?? null);
    const place = ['--lsu', 'limits', ...(server === null ? [] : ['--server', 'VastData:bucket'])];
    const mover = [...place, '--image', 'l', '--date', 1, '--streams', trial.streams, '--json'];
    const write = ['backup', ...mover, '--generate', trial.mib * mib];
    await host(engine, ['create-lsu', ...place], signal);
    if (trial.direction === 'restore') await host(engine, write, signal);
    const command = trial.direction === 'backup' ? write : ['restore', ...mover, '--discard'];
    let moved: Record<string, unknown>;
    {
      await using _planted = act === null ? null : await act(engine);
      moved = await host(engine, [...command, ...(trial.host ?? [])], signal);
    }
    await engine.stop();
    const log = readFileSync(engine.log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));
    const { bytes, seconds } = moved;
    if (typeof bytes !== 'number' || typeof seconds !== 'number') throw new Error('the host program told no rate');
    return { rate: bytes / seconds, seconds, jobs: jobVerdicts(log, trial.direction) };
  } finally {
    server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
