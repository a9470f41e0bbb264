/** Several host programs at once, one process per image as bptm is one process per job, with live progress. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { keepRunning } from '../programs/running.ts';
import { Progress } from './table.ts';

export interface Job {
  name: string;
  bytes: number;
  /** Arguments of vast-ost-host; --json is added. */
  args: string[];
  /** File for the program's standard input; null: none. */
  input: string | null;
}

/** What `vast-ost-host … --json` prints; see docs/developers/host-program.md. */
export interface JobResult {
  ok: boolean;
  text: string;
  bytes: number;
  size: number;
  seconds: number;
  gb_per_s: number;
  cpu_s_per_gb: number;
}

const pollMs = 200;

/** Bytes that a process has read (or written) so far; 0 once it is gone or where /proc does not tell. */
function movedBytes(pid: number, field: 'rchar' | 'wchar'): number {
  try {
    return Number(new RegExp(`^${field}: (\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

interface Running {
  job: Job;
  pid: number;
  done: boolean;
}

async function runJob(program: string, running: Running, env: NodeJS.ProcessEnv): Promise<JobResult> {
  const { job } = running;
  const input = job.input === null ? null : openSync(job.input, 'r');
  const child = spawn(program, [...job.args, '--json'], { stdio: [input ?? 'ignore', 'pipe', 'pipe'], env });
  const forget = keepRunning(() => child.kill('SIGKILL'));
  if (input !== null) closeSync(input);
  running.pid = child.pid ?? 0;
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | string | null>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (status, signal) => resolve(status ?? signal));
  });
  forget();
  running.done = code === 0;
  if (code !== 0) throw new Error(`${job.name}: ${program} ${job.args[0]} ended with ${code}: ${err || out}`);
  return JSON.parse(out.trim().split('\n').at(-1) as string) as JobResult;
}

/** Starts all jobs at once; results in their order. Rejects when any fails, after all have ended. */
export async function runJobs(
  label: string,
  program: string,
  jobs: Job[],
  field: 'rchar' | 'wchar',
  env: NodeJS.ProcessEnv,
): Promise<JobResult[]> {
  const running = jobs.map((job) => ({ job, pid: 0, done: false }));
  const progress = new Progress(label);
  const total = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  const began = performance.now();
  const show = (): void => {
    const moved = running.map(({ job, pid, done }) => (done ? job.bytes : Math.min(job.bytes, movedBytes(pid, field))));
    const each = running.map(({ job }, i) => `${job.name} ${Math.round((moved[i] / job.bytes) * 100)}%`).join('  ');
    progress.show(
      moved.reduce((a, b) => a + b, 0),
      total,
      (performance.now() - began) / 1000,
      each,
    );
  };
  const timer = setInterval(show, pollMs);
  const settled = await Promise.allSettled(running.map((one) => runJob(program, one, env)));
  clearInterval(timer);
  show();
  progress.end();
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
