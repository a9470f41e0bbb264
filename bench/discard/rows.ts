/**
 * The engine without a device: rows of the discarding engine at several block sizes and numbers of streams, by the
 * submitter (no payload is copied) and by the real plug-in, in all modes, beside their floors.
 */
import { join } from 'node:path';
import { alternate } from '../alternation.ts';
import type { EngineProcess } from '../engine-process.ts';
import type { Row } from '../result/schema.ts';
import type { Load, Run, Subject, Taken } from '../run-context.ts';
import { host, submit } from './clients.ts';
import { type Mode, modes, startDiscarding } from './engine.ts';
import { floors } from './floors.ts';

const mib = 1 << 20;
const mainBlock = 64 * mib;
/** What all subjects of one load move: long enough that lanes and compiler are warm for most of it. */
const orders = { full: 24_000, quick: 4000 };
const payloadBytes: Record<Mode, number> = { 'io-only': 4e9, sums: 4e9, default: 1.5e9 };
/** Every slot has been used once by then, so that no page is made while the clock runs. */
const warmShare = 1 / 6;
const slots = 3;
/** An image that fits its slots shows little of what goes on in longer ones. */
const blocksMin = 5;

export const subjectName = {
  submitter: (mode: Mode) => `submitter, ${modeNames[mode]}`,
  plugIn: (mode: Mode) => `plug-in, ${modeNames[mode]}`,
} as const;
const modeNames: Record<Mode, string> = { 'io-only': 'I/O only', sums: 'with sums', default: 'default' };

/** Images of one run have dates of their own: nothing is made twice. */
let dateNext = 1;

function blocksOf(mode: Mode, { streams, blockBytes }: Load, run: Run): { blocks: number; warm: number } {
  const all = mode === 'io-only' ? (run.quick ? orders.quick : orders.full) : payloadBytes[mode] / blockBytes;
  const blocks = Math.max(2, Math.ceil(all / streams));
  return { blocks: blocks + slots + Math.ceil(blocks * warmShare), warm: slots + Math.ceil(blocks * warmShare) };
}

function submitter(engine: EngineProcess, mode: Mode, run: Run): Subject {
  const take = (load: Load): Promise<Taken> =>
    submit({ engine, streams: load.streams, ...blocksOf(mode, load, run), date: dateNext++, signal: run.signal });
  const measures = [{ workload: 'orders' as const, unit: 'B/s' as const, take }];
  return { name: subjectName.submitter(mode), role: 'engine', mode, store: 'discard', measures };
}

/** Blocks of each image that the plug-in writes. */
function blocksEach(mode: Mode, { streams, blockBytes }: Load): number {
  return Math.max(blocksMin, Math.round(payloadBytes[mode] / streams / blockBytes));
}

/** Reads back what it wrote, where sums do not get in the way: the slots hold other bytes by then. */
function plugIn(engine: EngineProcess, mode: Mode, run: Run): Subject {
  let date = 0;
  const command = (name: 'backup' | 'restore') => (load: Load) => {
    if (name === 'backup') date = dateNext++;
    const bytesPerStream =
      Math.max(2, Math.round(payloadBytes[mode] / load.streams / load.blockBytes)) * load.blockBytes;
    const { signal } = run;
    return host({ engine, command: name, image: 'copied', ...load, bytesPerStream, date, signal });
  };
  const unit = 'B/s' as const;
  const restore = { workload: 'restore' as const, unit, take: command('restore') };
  const measures = [
    { workload: 'write' as const, unit, take: command('backup') },
    ...(mode === 'io-only' ? [restore] : []),
  ];
  return { name: subjectName.plugIn(mode), role: 'engine', mode, store: 'discard', measures };
}

/** An image whose slots nobody wrote is zeros, and so is what a fresh arena holds: its sums agree. */
function verifiedRestore(engine: EngineProcess, run: Run): Subject {
  const take = async (load: Load): Promise<Taken> => {
    const date = dateNext++;
    const { streams } = load;
    const { signal } = run;
    const blocks = blocksEach('sums', load);
    await submit({ engine, streams, blocks, warm: 0, date, signal });
    return host({ engine, command: 'restore', image: 'submitted', ...load, date, signal });
  };
  const measures = [{ workload: 'restore' as const, unit: 'B/s' as const, take }];
  return { name: subjectName.plugIn('sums'), role: 'engine', mode: 'sums', store: 'discard', measures };
}

export async function discardRows(run: Run): Promise<Row[]> {
  const directory = run.place('discard');
  const engines: EngineProcess[] = [];
  const start = async (name: string, mode: Mode, blockBytes: number): Promise<EngineProcess> => {
    const streams = Math.max(...run.streams);
    const engine = await startDiscarding({ directory: join(directory, name), mode, blockBytes, streams });
    engines.push(engine);
    return engine;
  };
  const rows: Row[] = [];
  try {
    rows.push(...(await alternate(run, floors(run.signal), { streams: 1, blockBytes: 0, bytesPerStream: 0 })));
    for (const blockBytes of [...new Set([mainBlock, ...run.blocks])]) {
      const label = `${blockBytes / mib}`;
      const subjects: Subject[] = [];
      const isMain = blockBytes === mainBlock;
      for (const mode of isMain ? modes : (['io-only', 'sums'] as const)) {
        const engine = await start(`${mode}-${label}`, mode, blockBytes);
        subjects.push(submitter(engine, mode, run));
        if (isMain || mode === 'io-only') subjects.push(plugIn(engine, mode, run));
      }
      if (isMain) subjects.push(verifiedRestore(await start('verify', 'sums', blockBytes), run));
      for (const streams of run.streams) rows.push(...(await alternate(run, subjects, loadOf(streams, blockBytes))));
    }
  } finally {
    await Promise.all(engines.map((engine) => engine.stop()));
  }
  return rows;
}

/** Bytes differ between the subjects, and stand in the samples. */
function loadOf(streams: number, blockBytes: number): Load {
  return { streams, blockBytes, bytesPerStream: 0 };
}
