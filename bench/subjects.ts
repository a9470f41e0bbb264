/** The programs that are measured: floors, the plain plug-in, and the main path in its three modes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TestEngine } from '../test/support/engine.ts';
import { hostProgram, runHost } from '../test/support/host-program.ts';

export interface Sample {
  rate: number;
  hostCpuPerGb: number | null;
  engineCpuPerGb: number | null;
}

/** What is alternated: a write, a restore of what it wrote, and its removal, so that one subject's bytes lie there. */
export interface Subject {
  readonly name: string;
  /** What guards its bytes on the way. */
  readonly integrity?: string;
  write(streams: number, bytes: number): Promise<Sample>;
  restore(streams: number, bytes: number): Promise<Sample>;
  clean(streams: number): Promise<void>;
}

async function emptied(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
}

const floorProgram = join(import.meta.dirname, 'native/build/floor');

export function floor(args: (string | number)[]): Record<'bytes' | 'seconds' | 'cpu_s' | 'count' | 'p50_us', number> {
  return JSON.parse(execFileSync(floorProgram, args.map(String), { encoding: 'utf8' }));
}

/** Of a program that prints what it moved, how long it took and what it cost. */
export function asSample({ bytes, seconds, cpu_s }: { bytes: number; seconds: number; cpu_s: number }): Sample {
  return { rate: bytes / seconds, hostCpuPerGb: cpu_s / (bytes / 1e9), engineCpuPerGb: null };
}

export function floorSubject(directory: string, depth: number): Subject {
  return {
    name: `floor, ${depth} in flight`,
    write: async (streams, bytes) => {
      mkdirSync(directory, { recursive: true });
      return asSample(floor(['write', directory, streams, bytes, depth]));
    },
    restore: async (streams, bytes) => asSample(floor(['read', directory, streams, bytes, depth])),
    clean: () => emptied(directory),
  };
}

export function plainSubject(directory: string): Subject {
  return {
    name: 'plain plug-in',
    write: async (streams, bytes) => {
      mkdirSync(directory, { recursive: true });
      return asSample(floor(['plain-write', directory, streams, bytes]));
    },
    restore: async (streams, bytes) => asSample(floor(['plain-read', directory, streams, bytes])),
    clean: () => emptied(directory),
  };
}

/** fio's best engines at 64 MiB, same size and one final fsync; null where it is not installed. */
export function fioSubject(directory: string, engine: 'psync' | 'libaio' | 'io_uring', depth: number): Subject | null {
  if (spawnSync('fio', ['--version']).status !== 0) return null;
  const run = (streams: number, bytes: number, rw: 'write' | 'read'): Sample => {
    mkdirSync(directory, { recursive: true });
    const args = [
      '--name=f',
      `--directory=${directory}`,
      `--rw=${rw}`,
      '--bs=64m',
      `--size=${bytes}`,
      '--direct=1',
      `--ioengine=${engine}`,
      `--iodepth=${depth}`,
      `--numjobs=${streams}`,
      '--group_reporting',
      '--output-format=json',
      '--fallocate=none',
      '--refill_buffers=0',
      ...(rw === 'write' ? ['--end_fsync=1'] : []),
    ];
    const out = JSON.parse(execFileSync('fio', args, { encoding: 'utf8', maxBuffer: 1 << 26 }));
    const job = out.jobs[0];
    const side = job[rw];
    // With several jobs of one group fio's runtime is the longest one's: first begin to last end.
    const cpuPercent = job.usr_cpu + job.sys_cpu;
    const seconds = side.runtime / 1000;
    return {
      rate: side.io_bytes / seconds,
      hostCpuPerGb: ((cpuPercent / 100) * (job.job_runtime / 1000)) / (side.io_bytes / 1e9),
      engineCpuPerGb: null,
    };
  };
  return {
    name: `fio ${engine} ${depth}`,
    write: async (streams, bytes) => run(streams, bytes, 'write'),
    restore: async (streams, bytes) => run(streams, bytes, 'read'),
    clean: () => emptied(directory),
  };
}

export interface Mode {
  readonly name: string;
  readonly config: Record<string, Record<string, string | number | boolean>>;
}
export const modes: readonly Mode[] = [
  { name: 'I/O only', config: { integrity: { sums: false, checksum: 'none' } } },
  { name: 'with sums', config: { integrity: { sums: true, checksum: 'none' } } },
  { name: 'default', config: { integrity: { sums: true, checksum: 'sha256' } } },
];

/** An engine with the specification's settings; block size, slots, lanes and memory as shipped. */
export function startEngine(directory: string, mode: Mode): Promise<TestEngine> {
  mkdirSync(directory, { recursive: true });
  return TestEngine.start({
    directory,
    config: {
      general: { block_size_mb: 64 },
      performance: { thread_pool_size: 16, read_ahead_mb: 128, write_buffer_count: 3 },
      logging: { log_level: 'INFO' },
      engine: { max_memory_mb: 4096 },
      ...mode.config,
    },
  });
}

const ticksPerSecond = 100;

/** User and system seconds of a process, from the kernel. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** A whole command of the host program, with what host program and engine spent on it. */
export async function hostSample(engine: TestEngine, args: string[]): Promise<Sample> {
  const before = cpuSeconds(engine.pid);
  const { code, err, json } = await runHost([...args, '--json', '--config', engine.config]);
  if (code !== 0) throw new Error(`${hostProgram} ${args.join(' ')}: ${json.text || err}`);
  const { bytes = 0, seconds = 0, cpu_user_s = 0, cpu_system_s = 0 } = json as unknown as Record<string, number>;
  const gb = bytes / 1e9;
  return {
    rate: bytes / seconds,
    hostCpuPerGb: (cpu_user_s + cpu_system_s) / gb,
    engineCpuPerGb: (cpuSeconds(engine.pid) - before) / gb,
  };
}

export class EngineSubject implements Subject {
  readonly name: string;
  readonly engine: TestEngine;
  #images = 0;

  constructor(name: string, engine: TestEngine) {
    this.name = name;
    this.engine = engine;
  }

  async write(streams: number, bytes: number): Promise<Sample> {
    if (this.#images === 0) await runHost(['create-lsu', '--lsu', 'bench', '--config', this.engine.config]);
    this.#images++;
    return hostSample(this.engine, [
      'backup',
      '--lsu',
      'bench',
      '--image',
      'b',
      '--date',
      String(this.#images),
      '--generate',
      String(bytes),
      '--streams',
      String(streams),
    ]);
  }

  restore(streams: number, _bytes: number): Promise<Sample> {
    return hostSample(this.engine, [
      'restore',
      '--lsu',
      'bench',
      '--image',
      'b',
      '--date',
      String(this.#images),
      '--discard',
      '--streams',
      String(streams),
    ]);
  }

  /** Space comes back before the next run measures: the trash is emptied here, not by the hourly janitor. */
  async clean(streams: number): Promise<void> {
    for (let i = 1; i <= streams; i++) {
      const { code, err } = await runHost([
        'delete',
        '--lsu',
        'bench',
        '--image',
        `b_S${i}`,
        '--date',
        String(this.#images),
        '--config',
        this.engine.config,
      ]);
      if (code !== 0) throw new Error(`delete of stream ${i}: ${err}`);
    }
    rmSync(join(this.engine.store, 'bench/.trash'), { recursive: true, force: true });
  }
}
