/**
 * One run of a few images through a fresh engine, and what the engine itself says of it: the summary line of each image.
 * The engine is stopped before its log is read, so that nothing of it is missing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TestEngine } from '../../test/support/engine.ts';
import { hostProgram } from '../../test/support/host-program.ts';
import { DiscardEngine } from '../discard/engine.ts';
import { type BareServer, bucket, credentials } from '../s3/servers.ts';
import { type JobVerdict, jobVerdicts } from './verdict.ts';

export interface Trial {
  /** discard: an engine whose lanes touch no storage, as if that were faster than anything else. For backups. */
  readonly store: 'file' | 's3' | 'discard';
  readonly direction: 'backup' | 'restore';
  readonly mode: 'io-only' | 'sums' | 'default';
  readonly streams: number;
  /** Of each stream. */
  readonly mib: number;
  /** block_size_mb and digest_lanes, where not as shipped. */
  readonly blockMib?: number;
  readonly digestLanes?: number;
  /** Over the settings as shipped. */
  readonly config?: Record<string, Record<string, string | number>>;
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

const modeConfig = {
  'io-only': { sums: 'false', checksum: 'none' },
  sums: { sums: 'true', checksum: 'none' },
  default: { sums: 'true', checksum: 'sha256' },
} as const;

export async function host(signal: AbortSignal, args: readonly (string | number)[]): Promise<Record<string, unknown>> {
  const child = spawn(hostProgram, args.map(String), { signal, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${hostProgram} ${args.join(' ')}: ${err || out}`);
  const line = out.trim().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : {};
}

function configOf(trial: Trial, endpoint: string | null): Record<string, Record<string, string | number>> {
  const all: Record<string, Record<string, string | number>> = {
    general: { block_size_mb: trial.blockMib ?? 64 },
    performance: { thread_pool_size: 16, read_ahead_mb: 128, write_buffer_count: 3 },
    logging: { log_level: 'INFO' },
    engine: { max_memory_mb: 4096, handles_max: 256, digest_lanes: trial.digestLanes ?? 0 },
    integrity: modeConfig[trial.mode],
  };
  if (endpoint !== null) all['server:bucket'] = { store: 's3', bucket, endpoints: endpoint };
  for (const [section, keys] of Object.entries(trial.config ?? {})) all[section] = { ...all[section], ...keys };
  return all;
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
    const engine = await DiscardEngine.start({ directory, mode, blockMib, digestLanes, memoryMib: 2048 });
    const { pid, config, log } = engine;
    const stop = (): Promise<void> => engine.stop();
    return { pid, config, log, stop, [Symbol.asyncDispose]: stop };
  }
  const engine = await TestEngine.start({
    directory,
    config: configOf(trial, endpoint),
    env: { ...credentials, ...trial.env },
  });
  return Object.assign(engine, { log: join(directory, 'engine.log') });
}

/** A restore reads what a backup before it wrote in the same engine; the plant acts on the restore alone. */
export async function runTrial(trial: Trial, place: TrialPlace, act: Act | null): Promise<TrialResult> {
  const directory = join(place.directory, 'engine');
  mkdirSync(directory, { recursive: true });
  const server = trial.store === 's3' ? await place.server(trial.direction === 'restore') : null;
  try {
    await using engine = await startEngine(directory, trial, server?.endpoint ?? null);
    const common = ['--lsu', 'limits', '--config', engine.config];
    if (trial.store === 's3') common.push('--server', 'VastData:bucket');
    const mover = [...common, '--image', 'l', '--date', 1, '--streams', trial.streams, '--json'];
    const write = ['backup', ...mover, '--generate', trial.mib * mib];
    await host(place.signal, ['create-lsu', ...common]);
    if (trial.direction === 'restore') await host(place.signal, write);
    const command = trial.direction === 'backup' ? write : ['restore', ...mover, '--discard'];
    let moved: Record<string, unknown>;
    {
      await using _planted = act === null ? null : await act(engine);
      moved = await host(place.signal, [...command, ...(trial.host ?? [])]);
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
