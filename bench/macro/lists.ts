/**
 * All images of an LSU listed through the plug-in, names alone and with the properties of each, by an engine that has listed them
 * before and by one that has just started; beside bare calls that read the same files one after the other: getdents64; and open,
 * read, close of each meta; and stat of the data. The same once more on storage whose every call takes 300 µs longer.
 * Directories and metas are in the kernel's caches for all of them.
 */
import { readFileSync } from 'node:fs';
import { alternate } from '../alternation.ts';
import { EngineProcess } from '../engine-process.ts';
import { hostRun } from '../host-program.ts';
import { firstEntry, rssAnon } from '../result/listing.ts';
import type { Latency, Row } from '../result/schema.ts';
import type { Load, Run, Subject, Taken } from '../run-context.ts';
import { accounted, bare, nativePath } from '../subjects/programs.ts';
import { fewer } from './fewer.ts';
import { makeListed } from './listed-store.ts';
import { listedImages } from './space.ts';

export const slowUs = 300;
const lookEveryMs = 20;
const lsu = 'listed';
/** Each takes long, and varies little. */
const listAlternations = 3;

interface Listed {
  readonly count: number;
  readonly first_s: number;
  readonly seconds: number;
}

/** The time of one event, in the shape of latencies. */
function once(call: string, seconds: number): Latency {
  const us = seconds * 1e6;
  return { call, n: 1, p50Us: us, p90Us: us, p99Us: us, p999Us: us, maxUs: us };
}

function takenOf({ seconds, first_s }: Listed): Omit<Taken, 'cpu'> {
  return { value: seconds, seconds, bytes: 0, latency: [once(firstEntry, first_s)] };
}

/** Memory of the process that is its own: RssAnon, which arenas (shared) are not in. */
export function rssAnonBytes(pid: number): number {
  const [, kb] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kb) * 1024;
}

/** Runs it, and looks meanwhile how much memory the engine has at most. */
async function watched<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ result: T; counters: Record<string, number> }> {
  const before = rssAnonBytes(pid);
  let most = before;
  const look = (): void => {
    most = Math.max(most, rssAnonBytes(pid));
  };
  const timer = setInterval(look, lookEveryMs);
  try {
    const result = await work();
    look();
    return { result, counters: { [rssAnon.before]: before, [rssAnon.most]: most } };
  } finally {
    clearInterval(timer);
  }
}

function check({ count }: Listed, wanted: number): void {
  if (count !== wanted) throw new Error(`a listing told ${count} images of ${wanted}`);
}

interface Place {
  readonly directory: string;
  readonly count: number;
  readonly slow: boolean;
}

const suffix = (slow: boolean): string => (slow ? `, +${slowUs} µs a call` : '');
const slowEnv = (slow: boolean): NodeJS.ProcessEnv =>
  slow ? { LD_PRELOAD: nativePath('slow-calls.so'), VAST_BENCH_SLOW_US: String(slowUs) } : {};

const calls = { names: 'getdents64', metas: 'getdents64 + metas', details: 'getdents64 + metas + stat' };
const floorName = (what: keyof typeof calls, slow: boolean): string => `floor, ${calls[what]}${suffix(slow)}`;

function floorSubject(run: Run, what: keyof typeof calls, { directory, count, slow }: Place): Subject {
  return {
    name: floorName(what, slow),
    role: 'floor',
    mode: null,
    integrity: 'nothing; one call after the other',
    measures: [
      {
        workload: 'list',
        unit: 's',
        take: () =>
          accounted([], async () => {
            const told = await bare(run, 'macro', ['list', directory, what], slowEnv(slow));
            check(told, count);
            return { ...takenOf(told), hostCpu: told.cpu_s };
          }),
      },
    ],
  };
}

async function listOnce(run: Run, engine: EngineProcess, details: boolean, count: number): Promise<Omit<Taken, 'cpu'>> {
  const args = ['list', '--lsu', lsu, '--count', '--json', ...(details ? ['--details'] : [])];
  const { result, counters } = await watched(engine.pid, () => hostRun(engine, args, run.signal));
  const told = result as unknown as Listed;
  check(told, count);
  return { ...takenOf(told), counters };
}

/** The first list of an engine's life, as soon as it answers. */
function newEngineSubject(run: Run, start: () => Promise<EngineProcess>, { count, slow }: Place): Subject {
  return {
    name: `new engine, names${suffix(slow)}`,
    role: 'engine',
    mode: 'default',
    integrity: 'CRC-64 of each meta',
    floor: floorName('metas', slow),
    measures: [
      {
        workload: 'list',
        unit: 's',
        take: async () => {
          const engine = await start();
          try {
            return await accounted([engine.pid], () => listOnce(run, engine, false, count));
          } finally {
            await engine.stop();
          }
        },
      },
    ],
  };
}

function engineSubject(run: Run, engine: EngineProcess, details: boolean, { count, slow }: Place): Subject {
  return {
    name: `engine, ${details ? 'names and properties' : 'names'}${suffix(slow)}`,
    role: 'engine',
    mode: 'default',
    integrity: 'CRC-64 of each meta',
    // The state of an image is in its meta: names alone are not enough for a list either.
    floor: floorName(details ? 'details' : 'metas', slow),
    measures: [
      {
        workload: 'list',
        unit: 's',
        take: () => accounted([engine.pid], () => listOnce(run, engine, details, count)),
      },
    ],
  };
}

export async function lists(run: Run): Promise<Row[]> {
  const few = fewer(run, listAlternations);
  const count = listedImages(run.quick);
  const load: Load = { streams: 1, blockBytes: 0, bytesPerStream: count };
  const store = run.place('listed-store');
  const engines: EngineProcess[] = [];
  const rows: Row[] = [];
  try {
    const start = async (slow: boolean): Promise<EngineProcess> => {
      const directory = run.place(`list-${engines.length}`);
      const engine = await EngineProcess.start({
        directory,
        store,
        mode: 'default',
        env: slowEnv(slow),
        settings: run.settings,
      });
      engines.push(engine);
      return engine;
    };
    // In a checkout the first engine compiles TypeScript, with a compiler in each of its threads; what is installed does not.
    await (await start(false)).stop();
    const quick = await start(false);
    const directory = await makeListed(run, store, lsu, count);
    const place: Place = { directory, count, slow: false };
    const subjects = [
      ...(['names', 'metas', 'details'] as const).map((what) => floorSubject(few, what, place)),
      engineSubject(few, quick, false, place),
      engineSubject(few, quick, true, place),
      newEngineSubject(few, () => start(false), place),
    ];
    rows.push(...(await alternate(few, subjects, load)));
    const slow: Place = { ...place, slow: true };
    const behind = [
      floorSubject(few, 'names', slow),
      engineSubject(few, await start(true), false, slow),
      newEngineSubject(few, () => start(true), slow),
    ];
    rows.push(...(await alternate(fewer(few, 1), behind, load)));
  } finally {
    for (const engine of engines) await engine.stop();
  }
  return rows;
}
