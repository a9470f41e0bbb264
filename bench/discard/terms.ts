/**
 * The model's terms from the rows of one run: each is the median of a floor, or of what the engine's threads cost where nobody
 * copies into its slots. No row that is predicted takes part, and nothing is left to choose.
 */
import { availableParallelism } from 'node:os';
import type { Cost, Direction, Machine, Mode, Terms } from '../model/types.ts';
import type { Row, Sample } from '../result/schema.ts';
import { median } from '../result/stats.ts';
import { counter } from './clients.ts';
import { floorNames, pairCounter } from './floors.ts';
import { subjectName } from './rows.ts';

/** Of which load. */
export interface Shape {
  readonly direction: Direction;
  readonly mode: Mode;
  readonly streams: number;
  readonly blockBytes: number;
}

/** The measured rows of a run, found by what was measured. Throws where one is missing: a model with a guess in it is none. */
class Measured {
  readonly #rows: readonly Row[];

  constructor(rows: readonly Row[]) {
    this.#rows = rows;
  }

  /** What is not given is any. */
  samples(subject: string, workload: Row['workload'], of: { blockBytes?: number; streams?: number } = {}): Sample[] {
    const found = this.#rows.filter(
      (row) =>
        row.subject === subject &&
        row.workload === workload &&
        (of.blockBytes === undefined || row.blockBytes === of.blockBytes) &&
        (of.streams === undefined || row.streams === of.streams),
    );
    const samples = found.flatMap((row) => row.samples);
    if (samples.length > 0) return samples;
    const load = `${of.streams ?? 'any'} streams, blocks of ${of.blockBytes ?? 'any'} bytes`;
    throw new Error(`the model needs the row '${subject}', ${workload}, ${load}`);
  }

  /** The largest block that was measured: slots of it are in no cache. */
  get blockBytesMost(): number {
    return Math.max(...this.#rows.map(({ blockBytes }) => blockBytes));
  }
}

const each = (samples: readonly Sample[], read: (sample: Sample) => number): number => median(samples.map(read));
/** Seconds of a core for a byte, of a floor whose value is bytes by CPU seconds. */
const perByte = (samples: readonly Sample[]): number => each(samples, ({ value }) => 1 / value);
const counted = ({ counters }: Sample, name: string): number => counters[name] ?? Number.NaN;

/** Of two that ran beside each other: what each cost, and for what part of the time each of them ran. */
interface Pair {
  readonly copy: number;
  readonly copying: number;
  readonly digest: number;
  readonly digesting: number;
}

function pairOf(samples: readonly Sample[]): Pair {
  const digestS = (sample: Sample): number => counted(sample, pairCounter.digestUs) / 1e6;
  return {
    copy: perByte(samples),
    copying: each(samples, ({ cpu, seconds }) => (cpu?.hostProgram ?? Number.NaN) / seconds),
    digest: each(samples, (sample) => digestS(sample) / counted(sample, pairCounter.digestBytes)),
    digesting: each(samples, (sample) => digestS(sample) / sample.seconds),
  };
}

/**
 * What it costs when the other goes on all the time, from what it cost when that ran for a part of it: cost = alone + part ×
 * (beside − alone). What seemed cheaper beside the other is the machine's noise: drawn out further it would be below nothing.
 */
export function besideAllTheTime(alone: number, cost: number, part: number): number {
  if (cost <= alone) return cost;
  return alone + (cost - alone) / Math.min(1, part);
}

export function machineOf(rows: readonly Row[]): { machine: Machine; terms: (shape: Shape) => Terms } {
  const measured = new Measured(rows);
  const machine = {
    cores: availableParallelism(),
    nodes: 1,
    memoryRate: Number.POSITIVE_INFINITY,
    linkRate: Number.POSITIVE_INFINITY,
  };
  return { machine, terms: (shape) => possible(termsOf(measured, shape)) };
}

/** Work that takes less than nothing has no end. Throws. */
function possible(terms: Terms): Terms {
  const { copy, digest, ...seconds } = terms;
  for (const [name, cost] of [
    ...Object.entries({ ...copy }).map(([of, value]) => [`copy, ${of}`, value] as const),
    ...Object.entries({ ...digest }).map(([of, value]) => [`digest, ${of}`, value] as const),
  ])
    if (!(cost > 0 && Number.isFinite(cost))) throw new Error(`the model's term '${name}' is ${cost} s a byte`);
  for (const [name, value] of Object.entries(seconds))
    if (!(value >= 0 && Number.isFinite(value))) throw new Error(`the model's term '${name}' is ${value} s`);
  return terms;
}

/** Copies of one image alone, or of many beside each other. */
function copyCosts(measured: Measured, { direction, streams, blockBytes }: Shape, pair: Pair): Cost {
  const at = (bytes: number, count: number): number =>
    perByte(measured.samples(floorNames.copy[direction], 'orders', { blockBytes: bytes, streams: count }));
  const one = at(blockBytes, 1);
  const many = at(blockBytes, streams);
  // Slots of many images fit no cache: beside nobody their copy is what the largest slots of one image are, if that is less.
  const alone = streams === 1 ? one : Math.min(many, Math.max(one, at(measured.blockBytesMost, 1)));
  return { alone, besideCopies: many, besideDigests: besideAllTheTime(alone, pair.copy, pair.digesting) };
}

function termsOf(measured: Measured, shape: Shape): Terms {
  const { direction, mode, streams, blockBytes } = shape;
  const microseconds = (name: string): number => each(measured.samples(name, 'orders'), ({ value }) => value / 1e6 / 2);
  const pair = pairOf(measured.samples(floorNames.pair[direction], 'orders', { blockBytes, streams }));
  const copy = copyCosts(measured, shape, pair);
  const crcAlone = perByte(measured.samples(floorNames.crc, 'orders', { blockBytes, streams }));
  const crcBeside = besideAllTheTime(crcAlone, pair.digest, pair.copying);
  const crc = { alone: crcAlone, besideCopies: crcBeside, besideDigests: crcBeside };
  const cold = (of: Mode): readonly Sample[] => measured.samples(subjectName.cold(of), direction, { blockBytes });
  const blockS = (samples: readonly Sample[], name: string): number =>
    each(samples, (sample) => counted(sample, name) / 1e6 / counted(sample, counter.blocks));
  const bare = measured.samples(subjectName.submitter, 'orders', { blockBytes, streams });
  const common = {
    // SHA-256 adds no order to a block. At its pace a core sees 18 blocks a second, and what an engine does each second counts as theirs.
    coordinatorS: blockS(cold(mode === 'io-only' ? 'io-only' : 'sums'), counter.coordinator),
    laneS: blockS(cold('io-only'), counter.lanes),
    clientS: each(bare, (sample) => (sample.cpu?.hostProgram ?? Number.NaN) / counted(sample, counter.blocks)),
    processS: microseconds(floorNames.process),
    threadS: microseconds(floorNames.thread),
    imagesS: each(measured.samples(subjectName.tiny, direction, { streams }), ({ value }) => value),
  };
  if (mode === 'io-only') return { ...common, copy, digest: null };
  if (mode === 'sums' || direction === 'restore') return { ...common, copy, digest: crc };
  return { ...common, ...withSha(measured, copy) };
}

/** SHA-256 is a chain that takes next to nothing from memory: what both cost beside each other is measured as well. */
function withSha(measured: Measured, copy: Cost): { copy: Cost; digest: Cost } {
  const beside = pairOf(measured.samples(floorNames.besideSha, 'orders'));
  const alone = perByte(measured.samples(floorNames.sha, 'orders'));
  const slower =
    beside.copy /
    perByte(measured.samples(floorNames.copy.write, 'orders', { blockBytes: measured.blockBytesMost, streams: 1 }));
  return {
    copy: { ...copy, besideDigests: copy.alone * slower },
    digest: { alone, besideCopies: beside.digest, besideDigests: alone },
  };
}
