/**
 * Backups and restores at the same time, half of the streams each: together, and each side beside the same side of the floor,
 * which does both too. The sides move the same number of bytes; the slower one is alone at the end, and `mixed.overlap`
 * says for which part of the time both ran.
 */
import { alternate } from '../alternation.ts';
import { EngineProcess } from '../engine-process.ts';
import { dataArguments, hostRun, sharesOf } from '../host-program.ts';
import type { Row, Sample } from '../result/schema.ts';
import type { Load, ModeName, Run, Subject, Taken } from '../run-context.ts';
import { accounted, bare, latencies, type Told } from '../subjects/programs.ts';
import { emptyTrash } from './trash.ts';

type Side = Pick<Told, 'bytes' | 'started_ns' | 'ended_ns'> & Partial<Pick<Told, 'latency' | 'cpu_s'>>;

interface Both {
  readonly write: Side;
  readonly restore: Side;
}

type SideName = keyof Both;
/** Of both sides: each one's jobs, all together by their length; null where the engine did not tell of all of them. */
type SideShares = Readonly<Record<SideName, Awaited<ReturnType<typeof sharesOf>>>>;

const shareCounter = (side: SideName): string => `mixed.${side}.share.`;

/** Where the time of both sides went; that of each stands beside it as counters. */
export function sharesTogether({
  write,
  restore,
}: SideShares): Pick<Taken, 'shares'> & { counters: Record<string, number> } {
  if (write === null || restore === null) return { shares: null, counters: {} };
  const shares: Record<string, number> = {};
  const counters: Record<string, number> = {};
  const whole = write.seconds + restore.seconds;
  for (const [side, told] of Object.entries({ write, restore }) as [SideName, typeof write][]) {
    for (const [name, part] of Object.entries(told.shares)) {
      counters[shareCounter(side) + name] = part;
      shares[name] = (shares[name] ?? 0) + (part * told.seconds) / whole;
    }
  }
  return { shares, counters };
}

/** Those of one side, out of the counters of both. */
function sharesOfSide(counters: Readonly<Record<string, number>>, side: SideName): Sample['shares'] {
  const prefix = shareCounter(side);
  const own = Object.entries(counters).filter(([name]) => name.startsWith(prefix));
  return own.length === 0 ? null : Object.fromEntries(own.map(([name, part]) => [name.slice(prefix.length), part]));
}

const seconds = ({ started_ns, ended_ns }: Side): number => (ended_ns - started_ns) / 1e9;

/** Both sides in one sample; seconds from the first that began to the last that ended. */
export function together({ write, restore }: Both): Omit<Taken, 'cpu'> {
  const began = Math.min(write.started_ns, restore.started_ns);
  const ended = Math.max(write.ended_ns, restore.ended_ns);
  const both = Math.min(write.ended_ns, restore.ended_ns) - Math.max(write.started_ns, restore.started_ns);
  const bytes = write.bytes + restore.bytes;
  const whole = (ended - began) / 1e9;
  const rates = {
    'mixed.writeBytesPerS': write.bytes / seconds(write),
    'mixed.restoreBytesPerS': restore.bytes / seconds(restore),
  };
  return {
    value: bytes / whole,
    seconds: whole,
    bytes,
    latency: [...latencies(write.latency), ...latencies(restore.latency)],
    counters: { ...rates, 'mixed.overlap': Math.max(0, both) / (ended - began) },
  };
}

const floorName = 'floor, 2 in flight';
const sideName = (subject: string, side: SideName): string => `${subject}: ${side} side`;

/** A row of one side, made of rows of both: its rate over its own time, without CPU, which both sides share. */
export function sideOf(row: Row, side: SideName): Row {
  const counter = side === 'write' ? 'mixed.writeBytesPerS' : 'mixed.restoreBytesPerS';
  const samples = row.samples.map((sample): Sample => {
    const value = sample.counters[counter] ?? Number.NaN;
    const bytes = sample.bytes / 2;
    const shares = sharesOfSide(sample.counters, side);
    return { ...sample, value, bytes, seconds: bytes / value, cpu: null, latency: [], shares, counters: {} };
  });
  // The best of both sides would be the other one's.
  const floor = row.role === 'floor' ? {} : { floor: sideName(floorName, side) };
  return { ...row, ...floor, subject: sideName(row.subject, side), streams: row.streams / 2, samples };
}

function floorSubject(run: Run, place: (name: string) => string): Subject {
  const [kept, written] = [place('mixed-floor-kept'), place('mixed-floor-written')];
  return {
    name: floorName,
    role: 'floor',
    mode: null,
    integrity: 'nothing; O_DIRECT; fsyncs of a complete image',
    measures: [
      {
        workload: 'mixed',
        unit: 'B/s',
        take: ({ streams, bytesPerStream }) =>
          accounted([], async () => {
            const [write, restore] = await Promise.all([
              bare(run, 'floor', ['write', written, streams / 2, bytesPerStream, 2]),
              bare(run, 'floor', ['read', kept, streams / 2, bytesPerStream, 2]),
            ]);
            return { ...together({ write, restore }), hostCpu: write.cpu_s + restore.cpu_s };
          }),
      },
    ],
    clean: async () => emptyTrash(written),
  };
}

const lsu = ['--lsu', 'bench'];

function engineSubject(run: Run, engine: EngineProcess, mode: ModeName): Subject {
  let date = 1;
  const half = async (args: readonly (string | number)[]): Promise<Side> =>
    (await hostRun(engine, [...args, '--json'], run.signal)) as unknown as Side;
  return {
    name: `engine, ${mode}`,
    role: 'engine',
    mode,
    measures: [
      {
        workload: 'mixed',
        unit: 'B/s',
        take: ({ streams, bytesPerStream }) =>
          accounted([engine.pid], async () => {
            date++;
            const backup = ['backup', ...lsu, '--image', 'w', '--date', date, '--generate', bytesPerStream];
            const restore = ['restore', ...lsu, '--image', 'kept', '--date', 1, '--discard'];
            const [written, restored] = await Promise.all([
              half([...backup, ...dataArguments(run.data), '--streams', streams / 2]),
              half([...restore, '--streams', streams / 2]),
            ]);
            const both = together({ write: written, restore: restored });
            const { shares, counters } = sharesTogether({
              write: await sharesOf(engine, 'backup', streams / 2),
              restore: await sharesOf(engine, 'restore', streams / 2),
            });
            return { ...both, shares, counters: { ...both.counters, ...counters } };
          }),
      },
    ],
    clean: async ({ streams }) => {
      for (let i = 1; i <= streams / 2; i++) {
        await hostRun(engine, ['delete', ...lsu, '--image', `w_S${i}`, '--date', date]);
      }
      emptyTrash(`${engine.store}/bench/.trash`);
    },
  };
}

export async function mixed(run: Run): Promise<Row[]> {
  const rows: Row[] = [];
  for (const most of run.streams) {
    // One stream each way is the least.
    const streams = Math.max(2, most - (most % 2));
    if (rows.some((row) => row.streams === streams)) continue;
    rows.push(...(await ofStreams(run, { streams, blockBytes: 0, bytesPerStream: run.bytesPerStream(streams) })));
  }
  return rows;
}

async function ofStreams(run: Run, load: Load): Promise<Row[]> {
  const engines: EngineProcess[] = [];
  const half = load.streams / 2;
  const place = (name: string): string => run.place(`${name}-${load.streams}`);
  try {
    run.progress({ what: 'mixed: writing what is restored' });
    const floor = floorSubject(run, place);
    await bare(run, 'floor', ['write', place('mixed-floor-kept'), half, load.bytesPerStream, 2]);
    const subjects = [floor];
    for (const mode of run.modes) {
      run.check();
      const engine = await EngineProcess.start({
        directory: place(`mixed-${mode}`),
        mode,
        streams: load.streams,
        settings: run.settings,
      });
      engines.push(engine);
      const kept = ['backup', ...lsu, '--image', 'kept', '--date', 1, '--create-lsu', '--streams', half];
      await hostRun(engine, [...kept, '--generate', load.bytesPerStream, ...dataArguments(run.data)], run.signal);
      subjects.push(engineSubject(run, engine, mode));
    }
    const rows = await alternate(run, subjects, load);
    const sides = rows.flatMap((row) => [sideOf(row, 'write'), sideOf(row, 'restore')]);
    run.keep(sides);
    return [...rows, ...sides];
  } finally {
    for (const engine of engines) await engine.stop();
    emptyTrash(place('mixed-floor-kept'));
  }
}
