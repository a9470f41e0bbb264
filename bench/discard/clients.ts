/** Who gives the discarding engine its work: the submitter, which touches no payload, and the real plug-in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { hostProgram } from '../../scripts/programs/host-program.ts';
import { Accounting } from '../conditions/accounting.ts';
import type { EngineProcess } from '../engine-process.ts';
import type { Sample } from '../result/schema.ts';
import { arenaBytes, coordinatorSeconds } from './engine.ts';

const project = join(import.meta.dirname, '../..');
const submitterProgram = join(project, 'bench/native/build/submitter');

/** Counters of a sample: of the engine's threads over the sample, microseconds and blocks. */
export const counter = {
  blocks: 'engine.blocks',
  coordinator: 'coordinator.cpuUs',
  lanes: 'lanes.cpuUs',
  /** Processors that everything else on the machine took meanwhile: 1 is one of them. */
  others: 'machine.othersCores',
  /** Of arenas, whose pages were there when the sample ended and not before: making them is no term of the model. */
  made: 'arenas.madeBytes',
} as const;

/** What a program printed as its last line; throws with its standard error when it failed. */
export async function runJson(
  program: string,
  args: readonly (string | number)[],
  signal?: AbortSignal,
): Promise<Record<string, number>> {
  const child = spawn(program, args.map(String), {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${err || out || `ended with ${code}`}`);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Record<string, number>;
}

interface Submitted {
  engine: EngineProcess;
  streams: number;
  blocks: number;
  warm: number;
  date: number;
  /** Bytes of a block of images that are there: they are read. */
  readBlockBytes?: number;
  /** With each block as many bytes of its own are copied. */
  cold?: boolean;
  signal?: AbortSignal;
}

/** Blocks of each image; the first `warm` of them do not count. */
export async function submit(work: Submitted): Promise<Sample> {
  const { engine, streams, blocks, warm, date, readBlockBytes = 0, cold = false } = work;
  const args = [engine.socket, streams, blocks, warm, date, readBlockBytes, ...(cold ? ['cold'] : [])];
  const account = new Accounting([engine.pid]);
  const told = await runJson(submitterProgram, args, work.signal);
  const { rest } = account.end();
  const number = (name: string): number => told[name] ?? Number.NaN;
  const cpu = { hostProgram: number('cpu_s'), engine: number('coordinator_cpu_s') + number('lanes_cpu_s'), rest };
  const latency = {
    call: 'SUBMIT to SLOT_FREE',
    n: number('blocks'),
    p50Us: number('p50_us'),
    p90Us: number('p90_us'),
    p99Us: number('p99_us'),
    p999Us: number('p999_us'),
    maxUs: number('max_us'),
  };
  return {
    value: number('bytes') / number('seconds'),
    seconds: number('seconds'),
    bytes: number('bytes'),
    cpu,
    latency: readBlockBytes === 0 ? [latency] : [],
    series: [],
    shares: null,
    counters: {
      [counter.blocks]: number('blocks'),
      [counter.coordinator]: number('coordinator_cpu_s') * 1e6,
      [counter.lanes]: number('lanes_cpu_s') * 1e6,
    },
  };
}

interface Hosted {
  engine: EngineProcess;
  command: 'backup' | 'restore';
  image: string;
  streams: number;
  bytesPerStream: number;
  blockBytes: number;
  date: number;
  signal?: AbortSignal;
}

/** The real plug-in in the host program: its processes copy every byte. Seconds run from create to the end of close. */
export async function host(work: Hosted): Promise<Sample> {
  const { engine, command, streams, bytesPerStream, blockBytes, date } = work;
  const account = new Accounting([engine.pid]);
  const since = performance.now();
  const before = { coordinator: coordinatorSeconds(engine.pid), arenas: arenaBytes(engine.pid) };
  const payload = command === 'backup' ? ['--create-lsu', '--generate', bytesPerStream] : ['--discard'];
  const told = await runJson(
    hostProgram,
    [
      ...[command, '--config', engine.config, '--server', 'VastData:bench', '--lsu', 'bench', '--json'],
      ...['--image', work.image, '--date', date, '--streams', streams, ...payload],
    ],
    work.signal,
  );
  const after = coordinatorSeconds(engine.pid);
  const { rest, engine: all } = account.end();
  const accounted = (performance.now() - since) / 1000;
  const { bytes = 0, seconds = 0, cpu_user_s = 0, cpu_system_s = 0 } = told;
  const coordinator = after - before.coordinator;
  const lanes = Math.max(0, (all ?? Number.NaN) - coordinator);
  return {
    value: bytes / seconds,
    seconds,
    bytes,
    cpu: { hostProgram: cpu_user_s + cpu_system_s, engine: coordinator + lanes, rest },
    latency: [],
    series: [],
    shares: null,
    counters: {
      [counter.blocks]: bytes / blockBytes,
      [counter.coordinator]: coordinator * 1e6,
      [counter.lanes]: lanes * 1e6,
      [counter.others]: (rest ?? 0) / accounted,
      [counter.made]: Math.max(0, arenaBytes(engine.pid) - before.arenas),
    },
  };
}
