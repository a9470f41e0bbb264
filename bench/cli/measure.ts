/** One run of the bench, from its checks to its result; whatever happens, what it started and made goes again. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programs } from '../../scripts/programs/places.ts';
import { stopAll } from '../../scripts/programs/running.ts';
import { top } from '../../scripts/steps.ts';
import { type Alone, ratesAlone } from '../alone.ts';
import { BenchError, CutShort } from '../bench-error.ts';
import { holdDisk, leftOfDisk, missingThrottle } from '../conditions/held-disk.ts';
import { conditions } from '../conditions/machine.ts';
import { toolVersions } from '../conditions/tools.ts';
import { LiveRun } from '../live-run.ts';
import type { Part } from '../macro/index.ts';
import { spaceOf } from '../macro/space.ts';
import { noisyReasons } from '../result/noisy.ts';
import { type Conditions, type Micro, type Result, resultSchema, type Soak, schemaName } from '../result/schema.ts';
import type { BucketTarget } from '../run-context.ts';
import { BucketPlace } from '../workplace/bucket.ts';
import { DirectoryPlace, leftOvers, requireDirectory } from '../workplace/directory.ts';
import { Interruption } from '../workplace/interruption.ts';
import { checkAgainst, checkMemory, checkSpace, type SpaceNeed } from '../workplace/limits.ts';
import { newRunId, placeName } from '../workplace/marker.ts';
import { minutes, type Progress } from '../workplace/progress.ts';
import { bytesPerStream, type RunOptions } from './options.ts';
import { targetText } from './target.ts';

export interface Measured {
  readonly result: Result;
  /** Of the process. */
  readonly code: number;
  /** What ended it before it was complete, other than a limit or a signal. */
  readonly failure: Error | null;
}

/** What is measured within the run. */
export interface Work {
  readonly parts: readonly Part[];
  soak?(run: LiveRun): Promise<Soak>;
  micro?(run: LiveRun): Promise<Micro[]>;
}

/** Images that the null server keeps at a time, of floors and engines; and a file of a peer's with its copy. */
const keptAtOnce = 10;

/** The native programs of the bench; a package has them built. */
export function buildNative(): void {
  if (programs().packageTop !== null) return;
  for (const directory of ['bench/native', 'bench/s3']) {
    const { status } = spawnSync('make', ['-s', '-C', join(top, directory)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (status !== 0) throw new BenchError(`${directory} was not built: the lines of make stand above`);
  }
}

export function version(): string {
  return (JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string }).version;
}

/** Of the workloads in their order; rounds of a soak are backups. */
function needOf(options: RunOptions, parts: readonly Part[]): SpaceNeed {
  const workloads = parts.map((part) => part.workloads[0]).filter((workload) => workload !== undefined);
  const sizes = { ...options, bytesPerStream: (streams: number) => bytesPerStream(options, streams) };
  return spaceOf(workloads.length === 0 ? ['write'] : workloads, sizes);
}

/** Where the target is not the user's own: the checkout's directory for what is built, or one for temporary things. */
export async function ownDirectory(): Promise<string> {
  const path = programs().packageTop === null ? join(top, 'build') : process.cwd();
  await mkdir(path, { recursive: true });
  return path;
}

interface Place {
  /** Where engines and files lie. */
  readonly directory: string;
  /** What limits of space look at; null: a bucket. */
  readonly limited: string | null;
  readonly bucket: BucketTarget | null;
  readonly text: string;
  remove(): Promise<void>;
  left(): string | null;
}

async function place(
  options: RunOptions,
  parts: readonly Part[],
  id: string,
  tell: (line: string) => void,
): Promise<Place> {
  const { target, store, maxBytes } = options;
  const need = needOf(options, parts);
  if (target?.kind === 's3') {
    checkAgainst(need, maxBytes);
    const bucket = await BucketPlace.create(target, id);
    const directory = await mkdtemp(join(tmpdir(), `${placeName(id)}-`));
    const remove = async (): Promise<void> => {
      try {
        await bucket.remove();
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    };
    try {
      for (const line of await bucket.leftOvers()) tell(`left-over ${line}`);
      const of = { ...target, prefix: await bucket.initStore('store') };
      return { directory, limited: null, bucket: of, text: targetText(target), remove, left: () => bucket.left() };
    } catch (error) {
      await remove();
      throw error;
    }
  }
  const base = target?.path ?? (await ownDirectory());
  requireDirectory(base);
  for (const line of leftOvers(base)) tell(line);
  if (options.macro && store === 's3') checkMemory({ ...need, bytes: need.bytes * keptAtOnce }, totalmem());
  else if (options.macro) await checkSpace(base, need, maxBytes);
  const own = DirectoryPlace.create(base, id);
  return {
    directory: own.path,
    limited: own.path,
    bucket: null,
    text: store === 's3' ? 'null servers on loopback' : base,
    remove: () => own.remove(),
    left: () => own.left(),
  };
}

async function waitUntil(at: Date | null, signal: AbortSignal, progress: Progress): Promise<void> {
  if (at === null) return;
  progress.step({ what: `waiting until ${at.toISOString()}` });
  await sleep(Math.max(0, at.getTime() - Date.now()), undefined, { signal });
}

/** What takes each machine its own time, and then the wait for the others: at `startAt` all begin with the same sample. */
async function beforehand(
  options: RunOptions,
  work: Work,
  signal: AbortSignal,
  progress: Progress,
): Promise<Alone | null> {
  try {
    if (work.parts.length > 0) progress.step({ what: 'what one core does alone' });
    const alone = work.parts.length > 0 ? await ratesAlone(signal, options.quick) : null;
    await waitUntil(options.startAt, signal, progress);
    return alone;
  } catch (error) {
    // Waits and programs end by an error of their own.
    signal.throwIfAborted();
    throw error;
  }
}

async function conditionsOf(options: RunOptions, text: string): Promise<Conditions> {
  const { data, diskRate, warmUps, alternations } = options;
  const tools = await toolVersions();
  return conditions({ target: text, engine: version(), tools, data, diskRate, warmUps, alternations });
}

/** `given`: the command line, for the result; it has no secrets, which are in the environment alone. */
export async function measure(
  options: RunOptions,
  work: Work,
  progress: Progress,
  given: readonly string[],
): Promise<Measured> {
  const id = newRunId();
  const made: Place[] = [];
  const left = (): string[] => [...made.map((one) => one.left()), leftOfDisk()].filter((line) => line !== null);
  using interruption = new Interruption(left, (line) => progress.note(line));
  let measured: Measured | null = null;
  try {
    buildNative();
    const at = await place(options, work.parts, id, (line) => progress.note(line));
    made.push(at);
    const asked = await conditionsOf(options, at.text);
    const alone = await beforehand(options, work, interruption.signal, progress);
    const startedAt = new Date();
    const run = new LiveRun({
      id,
      options,
      workloads: options.workloads ?? [...new Set(work.parts.flatMap(({ workloads }) => workloads))],
      directory: at.directory,
      bucket: at.bucket,
      signal: interruption.signal,
      cut: (reason) => interruption.cut(reason),
      progress,
      limits: { maxSeconds: options.maxSeconds, maxBytes: options.maxBytes, directory: at.limited },
    });
    const done = await takeHeld(options.diskRate, at.directory, () => takeAll(run, work, progress, options.maxSeconds));
    const { rows, stalls } = run;
    const partial = { rows, conditions: asked, cut: done.cut };
    const result = resultSchema.parse({
      schema: schemaName,
      id,
      startedAt: startedAt.toISOString(),
      seconds: run.elapsed(),
      arguments: given,
      ...partial,
      noisy: [
        ...noisyReasons(partial),
        ...(options.quick
          ? ['--quick: images and rounds are short, for a look and not for a claim. Leave it out']
          : []),
      ],
      memcpyRate: alone?.memcpyRate ?? null,
      crcRate: alone?.crcRate ?? null,
      digestRate: alone?.digestRate ?? null,
      micro: done.micro,
      soak: done.soak,
      stalls,
      model: [],
    });
    measured = { result, code: done.code, failure: done.failure };
  } finally {
    progress.clear();
    await stopAll();
    const failure = await removeAll(made);
    // What was measured, for days perhaps, is not lost because a file cannot be removed.
    if (failure !== null && measured === null) progress.note(failure.message);
    else if (failure !== null && measured !== null)
      measured = { ...measured, code: measured.code || 1, failure: measured.failure ?? failure };
  }
  return measured;
}

async function removeAll(made: readonly Place[]): Promise<Error | null> {
  let failure: Error | null = null;
  for (const one of made) {
    try {
      await one.remove();
    } catch (error) {
      failure ??= error as Error;
    }
  }
  return failure;
}

/** Nothing is taken where the disk cannot be held as asked: the figures would be another disk's. */
async function takeHeld(rate: number | null, directory: string, take: () => Promise<Done>): Promise<Done> {
  if (rate === null) return take();
  const why = missingThrottle(directory);
  if (why !== null) throw new BenchError(`--disk-rate: ${why}; leave it out`);
  await using _held = await holdDisk(process.pid, directory, rate);
  return await take();
}

interface Done {
  readonly micro: Micro[];
  readonly soak: Soak | null;
  readonly cut: string | null;
  readonly code: number;
  readonly failure: Error | null;
}

/** Ends early by a limit, a signal or a failure: rows that were taken until then stay in the run. */
async function takeAll(
  run: LiveRun,
  { parts, micro, soak }: Work,
  progress: Progress,
  maxSeconds: number | null,
): Promise<Done> {
  let measured: Micro[] = [];
  let soaked: Soak | null = null;
  try {
    if (micro !== undefined) {
      progress.step({ what: 'parts alone' });
      measured = await micro(run);
    }
    const points = parts.reduce((sum, part) => sum + part.points(run), 0);
    progress.expect(points, maxSeconds === null ? null : maxSeconds - run.elapsed());
    for (const part of parts) {
      run.check();
      await part.rows(run);
    }
    if (soak !== undefined) soaked = await soak(run);
    run.check();
    return { micro: measured, soak: soaked, cut: null, code: 0, failure: null };
  } catch (error) {
    const reason: unknown = run.signal.aborted ? run.signal.reason : error;
    const why = reason instanceof Error ? reason : new Error(String(reason));
    const code = why instanceof CutShort ? why.code : 1;
    const failure = why instanceof CutShort ? null : why;
    const cut = failure === null ? why.message : `failed after ${minutes(run.elapsed())}: ${why.message.slice(0, 500)}`;
    return { micro: measured, soak: soaked, cut, code, failure };
  } finally {
    run.end();
  }
}
