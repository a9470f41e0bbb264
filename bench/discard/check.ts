/** The model held against what was measured: its parameters from floors and bare orders, then every row predicted. */
import { availableParallelism } from 'node:os';
import { Files } from '../conditions/files.ts';
import { benchSettings, blocksInFlight } from '../engine-process.ts';
import { type EngineCosts, type Load, type Machine, type Mode, type Prediction, predict, type Way } from '../model.ts';
import type { Row } from '../result/schema.ts';
import { median } from '../result/stats.ts';
import { counter } from './clients.ts';
import { floorNames } from './floors.ts';

const mib = 1024 * 1024;
const { ioLanes, writeSlots } = benchSettings;
const readAheadBytes = benchSettings.readAheadMb * mib;
/** An order is costed where enough images submit that no one waits for another thread. */
const costedStreams = 4;
const quietShare = 0.1;

export interface Parameters {
  readonly machine: Machine;
  readonly costs: EngineCosts;
}

export interface Checked {
  readonly row: Row;
  readonly measured: number;
  readonly prediction: Prediction;
  /** predicted / measured − 1 */
  readonly error: number;
  /** There is a sample beside which nothing else took more than a tenth of the processors. */
  readonly quiet: boolean;
}

type Sample = Row['samples'][number];

/** Beside nothing else that took more than a tenth of the processors, by the kernel's own accounting. */
function isQuiet({ cpu, seconds }: Sample): boolean {
  return (cpu?.rest ?? 0) / (seconds * availableParallelism()) <= quietShare;
}

/** Samples with company are left out as long as there are others. */
function middle(rows: readonly Row[], value: (sample: Sample) => number): number {
  const samples = rows.flatMap((row) => row.samples);
  const quiet = samples.filter(isQuiet);
  return median((quiet.length > 0 ? quiet : samples).map(value));
}

/** Of the processors' last level of cache; 0 where the kernel does not tell. */
function lastLevelBytes(): number {
  const text = new Files().line('sys/devices/system/cpu/cpu0/cache/index3/size') ?? '';
  const [, digits, unit] = /^([0-9]+)([KM])/.exec(text) ?? [];
  return digits === undefined ? 0 : Number(digits) * (unit === 'M' ? mib : 1024);
}

/** Throws where a floor is missing: a model with a guess in it is none. */
function floorValue(rows: readonly Row[], name: string): number {
  const found = rows.filter(({ subject }) => subject === name);
  const values = found.flatMap(({ samples }) => samples.map(({ value }) => value));
  if (values.length === 0) throw new Error(`the model needs the row '${name}'`);
  // Of a machine's own ability the best is the nearest: what else runs only ever takes some of it.
  return found[0]?.unit === 'us' ? Math.min(...values) : Math.max(...values);
}

function isBare({ workload, mode, store }: Row, wanted: Mode): boolean {
  return workload === 'orders' && mode === wanted && store === 'discard';
}

/** CPU and wall time of one order, from the submitter's rows at one block size. */
function orderCosts(rows: readonly Row[]) {
  const each = (read: (sample: Sample) => number): number =>
    middle(rows, (sample) => read(sample) / (sample.counters[counter.blocks] ?? Number.NaN));
  return {
    wall: each(({ seconds }) => seconds),
    coordinator: each(({ counters }) => (counters[counter.coordinator] ?? Number.NaN) / 1e6),
    lane: each(({ counters }) => (counters[counter.lanes] ?? Number.NaN) / 1e6),
    submit: each(({ cpu }) => cpu?.hostProgram ?? Number.NaN),
  };
}

/** Of one of a block's two orders where the digest takes the payload through the caches; between two block sizes a line. */
function coldCosts(rows: readonly Row[], small: number, large: number): EngineCosts['cold'] {
  const crcRate = floorValue(rows, floorNames.crc);
  const at = (blockBytes: number): { coordinatorS: number; laneS: number } => {
    const digested = rows.filter(
      (row) => isBare(row, 'sums') && row.blockBytes === blockBytes && row.streams <= costedStreams,
    );
    if (digested.length === 0) throw new Error(`the model needs the submitter's rows with sums at ${blockBytes} bytes`);
    const { coordinator, lane } = orderCosts(digested);
    return { coordinatorS: coordinator / 2, laneS: Math.max(0, lane - blockBytes / crcRate) / 2 };
  };
  const [first, last] = [at(small), at(large)];
  return (blockBytes) => {
    const part = large === small ? 0 : (blockBytes - small) / (large - small);
    const line = (from: number, to: number): number => Math.max(0, from + (to - from) * part);
    return {
      coordinatorS: line(first.coordinatorS, last.coordinatorS),
      laneS: line(first.laneS, last.laneS),
    };
  };
}

/** `memory` of the machine: from its data sheet; null: twice the copies of all its cores, which it certainly has. */
export function parametersFrom(rows: readonly Row[], memoryRate: number | null = null): Parameters {
  const bare = rows.filter((row) => isBare(row, 'io-only'));
  const sizes = bare.map(({ blockBytes }) => blockBytes);
  const streams = bare.map((row) => row.streams).filter((count) => count <= costedStreams);
  const at = (blockBytes: number) =>
    bare.filter((row) => row.blockBytes === blockBytes && row.streams === Math.max(...streams));
  const [small, large] = [Math.min(...sizes), Math.max(...sizes)];
  const [first, last] = [orderCosts(at(small)), orderCosts(at(large))];
  // Where one image submits each order is a wake of its own: between that and many a line over 1 / images.
  const most = Math.max(2, ...streams);
  const single = bare.filter((row) => row.blockBytes === small && row.streams === 1);
  const alone = single.length === 0 || Math.max(...streams) < 2 ? first : orderCosts(single);
  const perMib = large === small ? 0 : Math.max(0, (last.wall - first.wall) / ((large - small) / mib));
  const base = (value: number): number => Math.max(0, value - (perMib * small) / mib);
  const cores = availableParallelism();
  const cold = coldCosts(rows, small, large);
  const microseconds = (name: string): number => floorValue(rows, name) / 1e6 / 2;
  return {
    machine: {
      cores,
      nodes: 1,
      memoryRate: memoryRate ?? 3 * floorValue(rows, floorNames.copyAll),
      linkRate: Number.POSITIVE_INFINITY,
      copyRate: floorValue(rows, floorNames.copy),
      copyBusyRate: floorValue(rows, floorNames.copyAll) / cores,
      copyCachedRate: floorValue(rows, floorNames.copyCached),
      cacheBytes: lastLevelBytes(),
      copyOutRate: floorValue(rows, floorNames.copyOut),
      copyOutBusyRate: floorValue(rows, floorNames.copyOutAll) / cores,
      crcRate: floorValue(rows, floorNames.crc),
      shaRate: floorValue(rows, floorNames.sha),
      zeroRate: floorValue(rows, floorNames.zero),
      zeroBusyRate: floorValue(rows, floorNames.zeroAll) / cores,
      touchRate: floorValue(rows, floorNames.touch),
      touchBusyRate: floorValue(rows, floorNames.touchAll) / cores,
      freeRate: floorValue(rows, floorNames.free),
    },
    costs: {
      coordinatorS: base(first.coordinator),
      coordinatorMibS: perMib,
      cold,
      orderS: (count) => base(alone.wall + ((first.wall - alone.wall) * (1 - 1 / count)) / (1 - 1 / most)),
      laneS: first.lane,
      submitS: first.submit,
      processS: microseconds(floorNames.process),
      threadS: microseconds(floorNames.thread),
      imageS: 0,
    },
  };
}

export const nothing: Way = {
  name: 'discarding store',
  rate: Number.POSITIVE_INFINITY,
  laneRate: Number.POSITIVE_INFINITY,
  cpuPerByte: 0,
  traffic: 0,
  touches: true,
};

/** The file store's device as the best bare program of the same run had it; null: there was none. */
function deviceOf(rows: readonly Row[], row: Row): Way | null {
  const bare = rows.filter(
    ({ role, workload, streams, store }) =>
      (role === 'floor' || role === 'peer') &&
      workload === row.workload &&
      streams === row.streams &&
      store === row.store,
  );
  if (bare.length === 0) return null;
  const rates = bare.map((one) => middle([one], (sample) => sample.value));
  const alone = rows.filter(
    ({ subject, workload, streams }) => subject === 'floor, 1 in flight' && workload === row.workload && streams === 1,
  );
  const cpu = bare.map((one) => middle([one], ({ cpu: used, bytes }) => (used?.hostProgram ?? Number.NaN) / bytes));
  const known = cpu.filter(Number.isFinite);
  return {
    name: 'device',
    rate: Math.max(...rates),
    laneRate: alone.length === 0 ? Math.max(...rates) : middle(alone, (sample) => sample.value),
    cpuPerByte: known.length === 0 ? 0 : Math.min(...known),
    traffic: 1,
    touches: true,
  };
}

function loadOf(row: Row): Load {
  const { streams, blockBytes } = row;
  const direction = row.workload === 'restore' ? 'restore' : 'write';
  const copies = row.workload !== 'orders';
  const bytes = middle([row], (sample) => sample.bytes);
  return {
    direction,
    mode: (row.mode ?? 'io-only') as Mode,
    streams,
    blockBytes,
    bytesPerStream: bytes / streams,
    slots: direction === 'write' ? writeSlots : Math.ceil(readAheadBytes / blockBytes) + 1,
    blocksInFlight: direction === 'write' ? blocksInFlight : Math.ceil(readAheadBytes / blockBytes),
    ioLanes,
    digestLanes: Math.min(16, Math.max(1, Math.floor(availableParallelism() / 4))),
    copies,
    // The submitter's warm-up has used every slot before the clock runs.
    freshArenas: copies,
    pinned: true,
  };
}

/** Every row of an engine that moves bytes, of the discarding store and of the file store. */
export function checkRows(rows: readonly Row[], parameters: Parameters): Checked[] {
  return rows.flatMap((row): Checked[] => {
    const moves =
      row.unit === 'B/s' && (row.workload === 'orders' || row.workload === 'write' || row.workload === 'restore');
    if (row.role !== 'engine' || !moves || row.samples.length === 0) return [];
    const way = row.store === 'discard' ? nothing : row.store === 'file' ? deviceOf(rows, row) : null;
    if (way === null) return [];
    const prediction = predict(parameters.machine, parameters.costs, way, loadOf(row));
    const measured = middle([row], (sample) => sample.value);
    return [{ row, measured, prediction, error: prediction.rate / measured - 1, quiet: row.samples.some(isQuiet) }];
  });
}
