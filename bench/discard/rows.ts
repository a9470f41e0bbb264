/**
 * The engine without a device: orders by the submitter (no payload is copied), and images through the real plug-in in all modes,
 * both ways, one to many at once; beside each of them the floors of its own shape, in the same rounds.
 */
import { join } from 'node:path';
import { alternate } from '../alternation.ts';
import { type EngineProcess, slotsOf } from '../engine-process.ts';
import type { Row } from '../result/schema.ts';
import type { Load, Run, Subject, Taken } from '../run-context.ts';
import { counter, host, submit } from './clients.ts';
import { type Mode, modes, startDiscarding } from './engine.ts';
import { bareFloors, copyFloors, digestFloors } from './floors.ts';

const mib = 1 << 20;
const mainBlock = 64 * mib;
/** Of all images of a load together. */
const payloadBytes: Record<Mode, number> = { 'io-only': 4e9, sums: 4e9, default: 1.5e9 };
/** An image that fits its slots shows little of what goes on in longer ones. */
const blocksLeast = 4;
/** Long enough that lanes and compiler are warm for most of it. */
const orders = { full: 6000, quick: 3000 };
/** Of payload that is copied beside them. */
const coldBytes = 3e9;
const coldBlocksMax = 400;
/** Every slot has been used once by then, so that no page is made while the clock runs. */
const warmShare = 1 / 6;
/** So little that nothing of it counts: the host program's buffer. */
const tinyBytes = 256 << 10;

/** Of one sample: until one makes no memory. */
const takesMost = 3;

const modeNames: Record<Mode, string> = { 'io-only': 'I/O only', sums: 'with sums', default: 'default' };
export const subjectName = {
  submitter: 'submitter',
  cold: (mode: Mode) => `submitter behind payload, ${modeNames[mode]}`,
  tiny: 'plug-in, images of 256 KiB',
  plugIn: (mode: Mode) => `plug-in, ${modeNames[mode]}`,
} as const;

/** Images of one run have dates of their own: nothing is made twice. */
let dateNext = 1;

function engineSubject(name: string, mode: Mode, measures: Subject['measures']): Subject {
  return { name, role: 'engine', mode, store: 'discard', measures };
}

/** Orders alone, as fast as they go. */
function submitter(engine: EngineProcess, run: Run): Subject {
  const take = ({ streams }: Load): Promise<Taken> => {
    const blocks = Math.ceil((run.quick ? orders.quick : orders.full) / streams);
    const warm = slotsOf('write', 1) + Math.ceil(blocks * warmShare);
    return submit({ engine, streams, blocks: blocks + warm, warm, date: dateNext++, signal: run.signal });
  };
  return engineSubject(subjectName.submitter, 'io-only', [{ workload: 'orders', unit: 'B/s', take }]);
}

/** The same where payload goes through the caches and sets the pace, in both directions; what it measures is CPU a block. */
function coldOrders({ writes, reads }: Engines, mode: Mode, run: Run): Subject {
  const of = (blockBytes: number): { blocks: number; warm: number } => {
    const blocks = Math.min(coldBlocksMax, Math.ceil(coldBytes / blockBytes));
    return { blocks: blocks + Math.ceil(blocks * warmShare), warm: Math.ceil(blocks * warmShare) };
  };
  const { signal } = run;
  const write = ({ blockBytes }: Load): Promise<Taken> =>
    submit({ engine: writes, streams: 1, ...of(blockBytes), date: dateNext++, cold: true, signal });
  const dates = new Map<number, number>();
  const restore = async ({ blockBytes }: Load): Promise<Taken> => {
    const date = dates.get(blockBytes) ?? dateNext++;
    const there = { engine: reads, streams: 1, ...of(blockBytes), date, signal };
    if (!dates.has(blockBytes)) await submit({ ...there, warm: 0 });
    dates.set(blockBytes, date);
    return submit({ ...there, readBlockBytes: blockBytes, cold: true });
  };
  return engineSubject(subjectName.cold(mode), mode, [
    { workload: 'write', unit: 'B/s', take: write },
    { workload: 'restore', unit: 'B/s', take: restore },
  ]);
}

/** Images with next to nothing in them: what all of a load cost beside their bytes. */
function tiny(engine: EngineProcess, run: Run): Subject {
  let date = 0;
  const command = (name: 'backup' | 'restore') => (load: Load) => {
    if (name === 'backup') date = dateNext++;
    return host({ engine, command: name, image: 'tiny', ...load, bytesPerStream: tinyBytes, date, signal: run.signal });
  };
  return engineSubject(subjectName.tiny, 'io-only', [
    { workload: 'write', unit: 's', take: async (load) => inSeconds(await command('backup')(load)) },
    { workload: 'restore', unit: 's', take: async (load) => inSeconds(await command('restore')(load)) },
  ]);
}

function inSeconds(taken: Taken): Taken {
  return { ...taken, value: taken.seconds };
}

/**
 * Images whose bytes are copied, and others whose slots nobody wrote, which are zeros like all memory of their engine: so their
 * sums agree where nothing is kept, and they are verified and copied out.
 */
function plugIn({ writes, reads }: Engines, mode: Mode, run: Run): Subject {
  const { signal } = run;
  const sizeOf = ({ streams, blockBytes }: Load): number =>
    Math.max(blocksLeast, Math.round(payloadBytes[mode] / streams / blockBytes));
  const write = (load: Load): Promise<Taken> => {
    const bytesPerStream = sizeOf(load) * load.blockBytes;
    return host({
      engine: writes,
      command: 'backup',
      image: 'copied',
      ...load,
      bytesPerStream,
      date: dateNext++,
      signal,
    });
  };
  const dates = new Map<string, number>();
  const read = async (load: Load): Promise<Taken> => {
    const { streams, blockBytes } = load;
    const key = `${streams} ${blockBytes}`;
    const date = dates.get(key) ?? dateNext++;
    if (!dates.has(key)) await submit({ engine: reads, streams, blocks: sizeOf(load), warm: 0, date, signal });
    dates.set(key, date);
    return host({ engine: reads, command: 'restore', image: 'submitted', ...load, date, signal });
  };
  return engineSubject(subjectName.plugIn(mode), mode, [
    { workload: 'write', unit: 'B/s', take: settled(write) },
    { workload: 'restore', unit: 'B/s', take: settled(read) },
  ]);
}

/** An image for which arenas had to be made, or more pages in those that are kept, is taken again. */
function settled(take: (load: Load) => Promise<Taken>): (load: Load) => Promise<Taken> {
  return async (load) => {
    let taken = await take(load);
    for (let i = 1; i < takesMost && taken.counters?.[counter.made] !== 0; i++) taken = await take(load);
    return taken;
  };
}

interface Engines {
  /** Its memory is full of what was written. */
  readonly writes: EngineProcess;
  /** Nobody ever wrote into its memory. */
  readonly reads: EngineProcess;
}

/** Of one mode and block size: gone before the next ones come, for each of them holds gigabytes. */
async function withEngines<T>(
  directory: string,
  mode: Mode,
  blockBytes: number,
  streams: number,
  use: (engines: Engines) => Promise<T>,
): Promise<T> {
  const started: EngineProcess[] = [];
  const start = async (name: string): Promise<EngineProcess> => {
    const engine = await startDiscarding({ directory: join(directory, name), mode, blockBytes, streams });
    started.push(engine);
    return engine;
  };
  try {
    const label = `${mode}-${blockBytes / mib}`;
    return await use({ writes: await start(`${label}-w`), reads: await start(`${label}-r`) });
  } finally {
    await Promise.all(started.map((engine) => engine.stop()));
  }
}

/** Each floor stands in the rounds of the mode that needs it most. */
function subjectsOf(engines: Engines, mode: Mode, run: Run, load: Load): Subject[] {
  const { signal } = run;
  const plug = plugIn(engines, mode, run);
  if (mode === 'default') return [plug];
  const cold = load.streams === 1 ? [coldOrders(engines, mode, run)] : [];
  if (mode === 'sums') return [...cold, ...digestFloors(signal), plug];
  const main = load.blockBytes === mainBlock ? [tiny(engines.writes, run)] : [];
  return [submitter(engines.writes, run), ...cold, ...main, ...copyFloors(signal), plug];
}

export async function discardRows(run: Run): Promise<Row[]> {
  const directory = run.place('discard');
  const rows: Row[] = [];
  // The model is made of what one image costs alone.
  const counts = [...new Set([1, ...run.streams])];
  const most = Math.max(...counts);
  const bare = { streams: 1, blockBytes: 0, bytesPerStream: 0 };
  rows.push(...(await alternate(run, bareFloors(run.signal), bare)));
  for (const blockBytes of [...new Set([...run.blocks, mainBlock])]) {
    for (const mode of modes) {
      await withEngines(directory, mode, blockBytes, most, async (engines) => {
        for (const streams of counts) {
          const load = { streams, blockBytes, bytesPerStream: 0 };
          rows.push(...(await alternate(run, subjectsOf(engines, mode, run, load), load)));
        }
      });
    }
  }
  return rows;
}
