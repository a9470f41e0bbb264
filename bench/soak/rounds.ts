/** Rounds of backup, verified restore and delete for hours, on one engine in the headline's mode. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineProcess } from '../engine-process.ts';
import { dataArguments, hostRun, hostSample } from '../host-program.ts';
import type { Row, Soak, SoakRound } from '../result/schema.ts';
import type { Run } from '../run-context.ts';
import { nullBuckets, ownBucket, startS3Engine } from '../s3/engine-subject.ts';
import { startNullServer } from '../s3/servers.ts';
import { modeWords } from '../subjects/engine.ts';
import { minutes } from '../workplace/progress.ts';
import { Rounds } from './trend.ts';

/** One after the other without a success: nothing will work any more. */
const failuresMax = 10;
const samplesKept = 2000;

interface Subject {
  readonly engine: EngineProcess;
  readonly server: string | null;
  stop(): Promise<void>;
}

async function start(run: Run): Promise<Subject> {
  const [mode = 'default'] = run.modes;
  const [blockBytes = 64 << 20] = run.blocks;
  const directory = run.place('soak');
  if (run.store === 'file') {
    const streams = Math.max(...run.streams);
    const engine = await EngineProcess.start({ directory, mode, blockBytes, streams, settings: run.settings });
    return { engine, server: null, stop: () => engine.stop() };
  }
  const stallFile = join(directory, 'stalls');
  if (run.bucket !== null) {
    const buckets = ownBucket(run.bucket);
    const engine = await startS3Engine(run, { directory, mode, blockBytes, buckets, stallFile });
    return { engine, server: buckets.servers.write, stop: () => engine.stop() };
  }
  const keeps = await startNullServer({ keep: true });
  try {
    const buckets = nullBuckets(keeps, keeps, false);
    const engine = await startS3Engine(run, { directory, mode, blockBytes, buckets, stallFile });
    const stop = async (): Promise<void> => {
      await engine.stop();
      keeps.stop();
    };
    return { engine, server: buckets.servers.restore, stop };
  } catch (error) {
    keeps.stop();
    throw error;
  }
}

/** Memory of its own, without what it shares: arenas come and go with jobs. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

async function remove(run: Run, { engine, server }: Subject, streams: number, number: number): Promise<void> {
  const place = ['--lsu', 'bench', ...(server === null ? [] : ['--server', `VastData:${server}`])];
  for (let i = 1; i <= streams; i++) {
    await hostRun(engine, ['delete', ...place, '--image', `soak_S${i}`, '--date', number], run.signal);
  }
  if (server === null) rmSync(join(engine.store, 'bench/.trash'), { recursive: true, force: true });
}

/** What a round that failed has left must not fill the target; what it never wrote cannot be removed. */
async function clearAway(run: Run, subject: Subject, number: number): Promise<void> {
  const streams = run.streams[number % run.streams.length] ?? 1;
  await remove(run, subject, streams, number).catch(() => undefined);
}

async function oneRound(run: Run, subject: Subject, number: number): Promise<SoakRound> {
  const { engine, server } = subject;
  const streams = run.streams[number % run.streams.length] ?? 1;
  const at = run.elapsed();
  const place = ['--lsu', 'bench', ...(server === null ? [] : ['--server', `VastData:${server}`])];
  const image = [...place, '--image', 'soak', '--date', number];
  const data = dataArguments({ ...run.data, seed: run.data.seed + number * 100 });
  const [, seed = '1', ...shape] = data;
  const bytes = run.bytesPerStream(streams);
  const { signal } = run;
  const backup = [...image, '--streams', streams, '--generate', bytes, ...data];
  const written = await hostSample(engine, ['backup', ...backup], signal);
  const verify = [...image, '--streams', streams, '--discard', '--verify-generated', seed, ...shape];
  const restored = await hostSample(engine, ['restore', ...verify], signal);
  await remove(run, subject, streams, number);
  const { handles } = await engine.status();
  return {
    at,
    streams,
    writeRate: written.value,
    restoreRate: restored.value,
    memoryBytes: memoryOf(engine.pid),
    files: readdirSync(`/proc/${engine.pid}/fd`).length,
    handles: handles.open,
  };
}

/** Rows of what was measured, for the report; a sample a round, thinned like the trend. */
function rowsOf(run: Run, { trend }: Soak): Row[] {
  const [mode = 'default'] = run.modes;
  const [blockBytes = 64 << 20] = run.blocks;
  const kept = trend.filter((_, i) => i % Math.ceil(trend.length / samplesKept) === 0);
  return [...new Set(trend.map(({ streams }) => streams))].flatMap((streams) => {
    const own = kept.filter((round) => round.streams === streams);
    const bytes = streams * run.bytesPerStream(streams);
    return (['write', 'restore'] as const).map((workload): Row => {
      const rate = (round: SoakRound): number => (workload === 'write' ? round.writeRate : round.restoreRate);
      const samples = own.map((round) => ({
        value: rate(round),
        seconds: bytes / rate(round),
        bytes,
        at: round.at,
        cpu: null,
        latency: [],
        series: [],
        shares: null,
        counters: {},
      }));
      const subject = `engine, ${modeWords[mode]}, soak`;
      const { store } = run;
      const bytesPerStream = run.bytesPerStream(streams);
      return {
        workload,
        subject,
        role: 'engine',
        mode,
        store,
        streams,
        blockBytes,
        bytesPerStream,
        unit: 'B/s',
        samples,
      };
    });
  });
}

/** Ends when the hours are over, the run is, or nothing works any more; the verdict is of what was until then. */
export async function soak(run: Run, hours: number): Promise<Soak> {
  const rounds = new Rounds();
  const subject = await start(run);
  const until = run.elapsed() + hours * 3600;
  try {
    const place = ['--lsu', 'bench', ...(subject.server === null ? [] : ['--server', `VastData:${subject.server}`])];
    await hostRun(subject.engine, ['create-lsu', ...place], run.signal);
    let failed = 0;
    for (let number = 1; run.elapsed() < until && failed < failuresMax && !run.signal.aborted; number++) {
      const what = `soak, ${minutes(until - run.elapsed())} to go`;
      const name = `round ${number}`;
      run.progress({ what, subject: name });
      try {
        const round = await oneRound(run, subject, number);
        rounds.add(round);
        failed = 0;
        const [write, restore] = [round.writeRate, round.restoreRate].map((rate) => (rate / 1e9).toFixed(2));
        run.progress({ what, subject: name, rate: `${write} and ${restore} GB/s` });
      } catch (error) {
        if (run.signal.aborted) break;
        failed++;
        rounds.failed(run.elapsed(), error instanceof Error ? error.message : String(error));
        await clearAway(run, subject, number);
        run.note(`round ${number} failed: ${error instanceof Error ? error.message.slice(0, 300) : error}`);
      }
    }
  } finally {
    // An engine that has crashed, or ends badly, is a verdict; the rounds until then are not lost with it.
    await subject.stop().catch((error: unknown) => {
      rounds.failed(run.elapsed(), error instanceof Error ? error.message : String(error));
    });
  }
  const done = rounds.soak(run.elapsed() / 3600);
  run.keep(rowsOf(run, done));
  return done;
}
