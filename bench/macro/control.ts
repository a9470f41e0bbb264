/**
 * Round trips that move no data, by the plug-in: `properties of an open image`, which the coordinator answers from memory, so
 * that the whole of it is the engine's own share; and `properties by name`, for which a lane reads the meta. Alone, and
 * while 16 streams write. The floor: bare hand-overs between two processes, and between two threads, there and back.
 *
 * While others write, most of a long call is a wait for a processor. How much of it stands beside it: the same streams delay
 * bare hand-overs too, and the kernel tells how long the coordinator's thread was ready and had none.
 */
import { alternate } from '../alternation.ts';
import { mainThreadTimes } from '../conditions/thread-times.ts';
import { EngineProcess, slotsOf } from '../engine-process.ts';
import { type HostScript, hostRun } from '../host-program.ts';
import type { Latency, Row } from '../result/schema.ts';
import type { Load, Run, Subject, Taken } from '../run-context.ts';
import { accounted, nativePath, runProgram } from '../subjects/programs.ts';
import { controlBytes, controlStreams as writingStreams } from './space.ts';
import { emptyTrash } from './trash.ts';

const callsFull = 5000;
const callsQuick = 2000;
/** Calls of 20 µs are over before their streams' next block: so many more are made of them. */
const ownPerCall = 10;
const blockBytes = 64 << 20;
const waitMs = 60_000;
const lookEveryMs = 20;

interface Times {
  readonly repeated: number;
  readonly total_us: number;
  readonly p50_us: number;
  readonly p90_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly max_us: number;
}

function latencyOf(call: string, told: Omit<Times, 'total_us'>): Latency {
  const { repeated, p50_us, p90_us, p99_us, p999_us, max_us } = told;
  return { call, n: repeated, p50Us: p50_us, p90Us: p90_us, p99Us: p99_us, p999Us: p999_us, maxUs: max_us };
}

async function laneUs(engine: EngineProcess): Promise<number> {
  const { pools } = await engine.status();
  return (pools.find(({ name }) => name === 'meta')?.laneSeconds ?? Number.NaN) * 1e6;
}

/** Of a process's first thread: µs on a processor, and µs ready without one. Null: this kernel does not tell. */
export function threadUs(pid: number): { ran: number; waited: number } | null {
  try {
    const { ranNs, waitedNs } = mainThreadTimes(pid);
    return ranNs === 0 ? null : { ran: ranNs / 1000, waited: waitedNs / 1000 };
  } catch {
    return null;
  }
}

function coordinatorPerCall(
  { pid }: EngineProcess,
  before: ReturnType<typeof threadUs>,
  calls: number,
): Record<string, number> {
  const after = threadUs(pid);
  if (before === null || after === null) return {};
  return {
    'control.coordinatorUsPerCall': (after.ran - before.ran) / calls,
    'control.coordinatorWaitUsPerCall': (after.waited - before.waited) / calls,
  };
}

/** Both kinds of calls, one after the other. The value is the p50 of the engine's own share. */
async function measure(engine: EngineProcess, host: HostScript, calls: number): Promise<Taken> {
  return accounted([engine.pid], async () => {
    const thread = threadUs(engine.pid);
    const ownCalls = ownPerCall * calls;
    const own = (await host.ok(`repeat ${ownCalls} prop i`)) as unknown as Times;
    const coordinator = coordinatorPerCall(engine, thread, ownCalls);
    const before = await laneUs(engine);
    const byName = (await host.ok(`repeat ${calls} prop_byname v bench i0 1`)) as unknown as Times;
    const lane = ((await laneUs(engine)) - before) / calls;
    return {
      value: own.p50_us,
      seconds: (own.total_us + byName.total_us) / 1e6,
      bytes: 0,
      latency: [latencyOf('properties of an open image', own), latencyOf('properties by name', byName)],
      // Of all that was done in that time; while others write it is more than these calls'.
      counters: { 'control.laneUsPerCall': lane, ...coordinator },
    };
  });
}

interface Handovers {
  readonly process_us: number;
  readonly thread_us: number;
  readonly process: Omit<Times, 'total_us'>;
}

async function handovers(run: Run, calls: number, more: readonly string[] = []): Promise<Handovers> {
  return JSON.parse(await runProgram(run.signal, nativePath('handover'), [calls, ...more])) as Handovers;
}

function floorSubject(run: Run, calls: number): Subject {
  return {
    name: 'floor, two hand-overs between processes',
    role: 'floor',
    mode: null,
    measures: [
      {
        workload: 'control',
        unit: 'us',
        take: () =>
          accounted([], async () => {
            const { process_us, thread_us } = await handovers(run, calls);
            const counters = { 'control.threadHandoversUs': thread_us };
            return { value: process_us, seconds: (process_us * calls) / 1e6, bytes: 0, counters };
          }),
      },
    ],
  };
}

function idleSubject(engine: EngineProcess, host: HostScript, calls: number): Subject {
  return {
    name: 'engine, alone',
    role: 'engine',
    mode: 'default',
    measures: [{ workload: 'control', unit: 'us', take: () => measure(engine, host, calls) }],
  };
}

/**
 * Each of the jobs that write has filled each of its slots once: the memory that they take at their begin has all been made.
 * `most`: so many were seen at once; one that has ended meanwhile is not waited for.
 */
export function areUnderWay(written: readonly number[], most: number): boolean {
  const begun = slotsOf('write', blockBytes) * blockBytes;
  return most === writingStreams && written.every((bytes) => bytes >= begun);
}

async function streamsUnderWay(engine: EngineProcess): Promise<void> {
  const until = Date.now() + waitMs;
  for (let most = 0; ; ) {
    const { jobs } = await engine.status();
    const written = jobs.filter(({ mode }) => mode === 'write').map(({ bytes }) => bytes);
    most = Math.max(most, written.length);
    if (areUnderWay(written, most)) return;
    if (Date.now() > until) {
      throw new Error(`${writingStreams} streams that write were not under way within ${waitMs / 1000} s`);
    }
    await new Promise((done) => setTimeout(done, lookEveryMs));
  }
}

/** The streams are stopped when the calls are done: what they wrote is nobody's. */
function busySubject(run: Run, engine: EngineProcess, host: HostScript, calls: number): Subject {
  let sample = 0;
  return {
    name: `engine, while ${writingStreams} streams write`,
    role: 'engine',
    mode: 'default',
    measures: [
      {
        workload: 'control',
        unit: 'us',
        take: async () => {
          const stop = new AbortController();
          const image = ['--lsu', 'bench', '--image', `w${++sample}`, '--date', 1, '--streams', writingStreams];
          const signal = AbortSignal.any([run.signal, stop.signal]);
          const writing = hostRun(engine, ['backup', ...image, '--generate', controlBytes(run.quick)], signal);
          const ended = writing.then(
            () => 'before the calls were done',
            (error: unknown) => (stop.signal.aborted ? 'stopped' : String(error)),
          );
          try {
            const early = await Promise.race([streamsUnderWay(engine), ended]);
            if (early !== undefined) throw new Error(`the streams that were to write meanwhile ended: ${early}`);
            const bare = await handovers(run, ownPerCall * calls, ['free']);
            const taken = await measure(engine, host, calls);
            // Streams that had ended would have left part of the calls alone.
            const { jobs } = await engine.status();
            const left = jobs.filter(({ mode }) => mode === 'write').length;
            const between = latencyOf('two bare hand-overs meanwhile', bare.process);
            const latency = [...(taken.latency ?? []), between];
            return { ...taken, latency, counters: { ...taken.counters, 'control.streamsAtEnd': left } };
          } finally {
            stop.abort();
            await ended;
          }
        },
      },
    ],
    clean: async () => {
      await idle(engine);
      for (let i = 1; i <= writingStreams; i++) await host.call(`delete v bench w${sample}_S${i} 1`);
      emptyTrash(`${engine.store}/bench/.trash`);
    },
  };
}

/** Until the engine has seen that the streams are gone. */
async function idle(engine: EngineProcess): Promise<void> {
  const until = Date.now() + waitMs;
  while ((await engine.status()).jobs.some(({ mode }) => mode === 'write')) {
    if (Date.now() > until) throw new Error(`streams that were stopped were jobs for ${waitMs / 1000} s more`);
    await new Promise((done) => setTimeout(done, lookEveryMs));
  }
}

export async function control(run: Run): Promise<Row[]> {
  const calls = run.quick ? callsQuick : callsFull;
  const streams = writingStreams;
  const engine = await EngineProcess.start({
    directory: run.place('control'),
    mode: 'default',
    streams,
    settings: run.settings,
  });
  const hosts: HostScript[] = [];
  try {
    const host = await engine.script();
    hosts.push(host);
    await host.ok('create_lsu v bench');
    await host.ok('images v bench i 0 1 4096 1');
    await host.ok('open_image v i bench i0 1 read');
    await host.ok(`repeat 500 prop i`);
    await host.ok(`repeat 500 prop_byname v bench i0 1`);
    const alone: Load = { streams: 1, blockBytes: 0, bytesPerStream: 0 };
    const rows = await alternate(run, [floorSubject(run, calls), idleSubject(engine, host, calls)], alone);
    const busy = [floorSubject(run, calls), busySubject(run, engine, host, calls)];
    return [...rows, ...(await alternate(run, busy, { ...alone, streams }))];
  } finally {
    for (const host of hosts) await host.end();
    await engine.stop();
  }
}
