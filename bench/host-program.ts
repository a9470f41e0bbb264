/** The host program as the bench runs it: killed when the run is over, its figures as a sample. */
import type { FinishedJob } from '../engine/core/shares.ts';
import { runHost } from '../scripts/programs/host-program.ts';
import { Accounting } from './conditions/accounting.ts';
import type { EngineProcess } from './engine-process.ts';
import type { Latency } from './result/schema.ts';
import type { DataOptions, Taken } from './run-context.ts';

export { HostScript, hostProgram } from '../scripts/programs/host-program.ts';

type LatencyTold = Record<'n' | 'p50_us' | 'p90_us' | 'p99_us' | 'p999_us' | 'max_us', number> & { call: string };

type Direction = 'backup' | 'restore';

/** What a command that moves data prints by --json, as far as it is used here. */
interface Told {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpu_user_s: number;
  readonly cpu_system_s: number;
  readonly streams?: readonly unknown[];
  readonly latency?: readonly LatencyTold[];
  readonly series?: readonly number[];
  readonly series_bin_s?: number;
}

function latencyOf(told: LatencyTold): Latency {
  const { call, n, p50_us: p50Us, p90_us: p90Us, p99_us: p99Us, p999_us: p999Us, max_us: maxUs } = told;
  return { call, n, p50Us, p90Us, p99Us, p999Us, maxUs };
}

/** Options of `backup`: what the data is like. */
export function dataArguments({ dedup, compress, seed }: DataOptions): string[] {
  const shaped = dedup > 0 || compress > 1;
  return [
    '--seed',
    String(seed),
    ...(shaped ? ['--dedup', String(Math.max(1, dedup)), '--compress', String(Math.max(1, compress))] : []),
  ];
}

/** A whole command; throws with the program's own words when it fails, and the signal's reason when that ended it. */
export async function hostRun(
  engine: EngineProcess,
  args: readonly (string | number)[],
  signal?: AbortSignal,
): Promise<Record<string, unknown>> {
  const all = [...args.map(String), '--config', engine.config];
  const { code, err, json } = await runHost(all, {}, '', signal);
  signal?.throwIfAborted();
  if (code !== 0) throw new Error(`vast-ost-host ${all.join(' ')}: ${json.text || err.trim()}`);
  return json;
}

const modes = { backup: 'write', restore: 'read' } as const;

/** The parts of a job by name, those of its waits as 'slotWait.device' and the like. */
function partsByName({ shares: { slotWait, ...others } }: FinishedJob): [string, number][] {
  const waits = Object.entries(slotWait).map(([name, part]): [string, number] => [`slotWait.${name}`, part ?? 0]);
  return [...Object.entries(others), ...waits];
}

/**
 * Where the last `jobs` jobs' time went by the engine's own account, each by its length; null: it does not tell of all of
 * them. With the seconds of all, by which accounts are put together.
 */
export async function sharesOf(
  engine: EngineProcess,
  direction: Direction,
  jobs: number,
): Promise<{ seconds: number; shares: Record<string, number> } | null> {
  const { finished } = await engine.status();
  const told = finished.filter(({ mode }) => mode === modes[direction]).slice(0, jobs);
  const seconds = told.reduce((sum, job) => sum + job.seconds, 0);
  if (told.length < jobs || seconds === 0) return null;
  const all: Record<string, number> = {};
  for (const job of told)
    for (const [name, part] of partsByName(job)) all[name] = (all[name] ?? 0) + (part * job.seconds) / seconds;
  return { seconds, shares: all };
}

/** `backup` or `restore`: its rate, with what host program, engine and the rest of the machine spent on it. */
export async function hostSample(
  engine: EngineProcess,
  args: readonly [Direction, ...(string | number)[]],
  signal?: AbortSignal,
): Promise<Taken> {
  const accounting = new Accounting([engine.pid]);
  const told = (await hostRun(engine, [...args, '--json'], signal)) as unknown as Told;
  const { hostProgram, engine: engineCpu, rest } = accounting.end(told.cpu_user_s + told.cpu_system_s);
  const rate = told.bytes / told.seconds;
  if (!Number.isFinite(rate)) throw new Error(`vast-ost-host ${args.join(' ')}: it told no bytes and seconds`);
  return {
    value: rate,
    seconds: told.seconds,
    bytes: told.bytes,
    cpu: { hostProgram, engine: engineCpu, rest },
    latency: (told.latency ?? []).map(latencyOf),
    shares: (await sharesOf(engine, args[0], told.streams?.length ?? 1))?.shares ?? null,
    series: told.series_bin_s === 1 ? [...(told.series ?? [])] : [],
  };
}
