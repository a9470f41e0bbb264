/** Programs that the bench runs beside the engine: its own bare ones (bench/native), and whatever is installed. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Accounting } from '../conditions/accounting.ts';
import type { Latency } from '../result/schema.ts';
import type { Run, Taken } from '../run-context.ts';
import { killTree } from './kill-tree.ts';

const outputMax = 1 << 26;
const wordsMax = 400;
const native = join(import.meta.dirname, '../native/build');

export function nativePath(name: string): string {
  return join(native, name);
}

/** Standard output. Killed with its children when the run is over; throws with the program's own last words. */
export function runProgram(
  signal: AbortSignal,
  program: string,
  args: readonly (string | number)[],
  env: NodeJS.ProcessEnv = {},
  /** Its working directory, for what writes there; else this process's. */
  cwd?: string,
): Promise<string> {
  return new Promise((done, fail) => {
    if (signal.aborted) return fail(signal.reason);
    const child = spawn(program, args.map(String), {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      cwd,
    });
    const kill = (): void => killTree(child);
    signal.addEventListener('abort', kill, { once: true });
    const out: Buffer[] = [];
    let bytes = 0;
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > outputMax) kill();
      else out.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err = (err + chunk.toString()).slice(-wordsMax);
    });
    let failed: Error | null = null;
    child.once('error', (error) => {
      failed = error;
    });
    child.once('close', (code, killed) => {
      signal.removeEventListener('abort', kill);
      const text = Buffer.concat(out).toString('utf8');
      if (signal.aborted) return fail(signal.reason);
      if (failed === null && code === 0 && bytes <= outputMax) return done(text);
      const words = (err.trim() || text.trim()).slice(-wordsMax);
      const why = failed?.message ?? (words || (killed === null ? `ended with code ${code}` : `ended by ${killed}`));
      fail(new Error(`${program} ${args.join(' ')}: ${why}`));
    });
  });
}

interface RawLatency {
  readonly call: string;
  readonly n: number;
  readonly p50_us: number;
  readonly p90_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly max_us: number;
}

/** What a bare program prints; which members depends on what it was asked for. */
export interface Told {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpu_s: number;
  readonly count: number;
  readonly first_s: number;
  readonly method: string;
  readonly started_ns: number;
  readonly ended_ns: number;
  readonly latency: readonly RawLatency[];
}

export function latencies(told: readonly RawLatency[] = []): Latency[] {
  return told.map(({ call, n, p50_us, p90_us, p99_us, p999_us, max_us }) => {
    return { call, n, p50Us: p50_us, p90Us: p90_us, p99Us: p99_us, p999Us: p999_us, maxUs: max_us };
  });
}

export async function bare(
  run: Pick<Run, 'signal'>,
  program: 'floor' | 'macro',
  args: readonly (string | number)[],
  env: NodeJS.ProcessEnv = {},
): Promise<Told> {
  return JSON.parse(await runProgram(run.signal, nativePath(program), args, env)) as Told;
}

/** Takes what happens between begin and end of `work` off the kernel's accounts; `hostProgram`: seconds that it told itself. */
export async function accounted(
  engines: readonly number[],
  work: () => Promise<Omit<Taken, 'cpu'> & { hostCpu?: number }>,
): Promise<Taken> {
  const accounting = new Accounting(engines);
  const { hostCpu, ...taken } = await work();
  const { hostProgram, engine, rest } = accounting.end(hostCpu);
  return { ...taken, cpu: { hostProgram, engine, rest } };
}

/** A bare program as a sample of bytes per second. */
export function bareSample(
  run: Run,
  program: 'floor' | 'macro',
  args: readonly (string | number)[],
  env: NodeJS.ProcessEnv = {},
): Promise<Taken> {
  return accounted([], async () => {
    const { bytes, seconds, cpu_s, latency } = await bare(run, program, args, env);
    return { value: bytes / seconds, seconds, bytes, latency: latencies(latency), hostCpu: cpu_s };
  });
}

/** Files that are durable leave the page cache: what reads them next reads storage. Needs no rights. */
export async function forgetFiles(run: Run, files: readonly string[]): Promise<void> {
  if (files.length > 0) await runProgram(run.signal, nativePath('macro'), ['forget', ...files]);
}
