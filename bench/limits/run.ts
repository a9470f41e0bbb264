/**
 * `bench limits`. Does the engine name what limits a job? Bottlenecks are planted, and its own verdict is compared with what was planted;
 * in runs without a plant it may accuse nothing. That a plant is the bottleneck is measured: the same run without it, just
 * before, must be faster by `clearly`.
 */
import { BenchError } from '../bench-error.ts';
import { holdDisk, missingThrottle } from '../conditions/held-disk.ts';
import { writeWhole } from '../result/files.ts';
import { type BareServer, startBareServer } from '../s3/servers.ts';
import { Network } from './network.ts';
import { type Plant, plants, type Shape, type Unplanted, unplanted } from './plants.ts';
import { type Row, type RowOf, row, rowText, summaryText } from './table.ts';
import { type Act, runTrial, type Trial, type TrialResult } from './trial.ts';

export interface LimitsOptions {
  /** Part of a plant's name, or `unplanted`. */
  readonly only?: string;
  readonly rounds: number;
  /** Of this run alone, there: where the images lie. */
  readonly directory: string;
  /** Where the results go as JSON. */
  readonly json?: string;
}

export interface LimitsIo {
  readonly signal: AbortSignal;
  out(text: string): void;
  progress(text: string): void;
}

const mib = 1 << 20;
const calibrationMib = 1024;
/** Of a host program that works between its calls: as NetBackup's are. */
const hostBuffer = 256 << 10;
const secondsFree = 1.5;
const secondsPlanted = 3;
const secondsUnplanted = 2;
/** All streams together: short enough for a small disk, long enough that an image is many times its slots. */
const mibMin = 1536;
const mibMax = 8192;

type RateOf = (shape: Shape) => Promise<number>;

interface Bench {
  readonly directory: string;
  readonly io: LimitsIo;
  readonly network: Network | null;
  readonly rateOf: RateOf;
}

function sized(shape: Shape, rate: number, factor: number, seconds: number): Trial {
  const { pace, think, ...rest } = shape;
  const total = Math.min(mibMax, Math.max(mibMin, (rate * factor * seconds) / mib));
  const host: string[] = [];
  if (pace !== undefined) host.push('--rate', String(Math.floor((rate * pace) / shape.streams)));
  if (think !== undefined) {
    const us = (think * hostBuffer * 1e6) / (rate / shape.streams);
    host.push('--buffer', String(hostBuffer), '--think-us', String(Math.floor(us)));
  }
  return { ...rest, host, mib: Math.ceil(total / shape.streams) };
}

function run(
  { directory, io, network }: Bench,
  trial: Trial,
  act: Act | null,
  inNetwork: boolean,
): Promise<TrialResult> {
  const server = (keep: boolean): Promise<BareServer> =>
    inNetwork && network !== null ? network.server(keep) : startBareServer(keep);
  return runTrial(trial, { directory, signal: io.signal, server }, act);
}

/** What the storage takes here, each kind measured once. */
function calibration(directory: string, io: LimitsIo): RateOf {
  const known = new Map<string, Promise<number>>();
  return ({ store, direction }) => {
    const key = `${store} ${direction}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    io.progress(`what the storage takes: ${key}`);
    const trial: Trial = { store, direction, mode: 'io-only', streams: 1, mib: calibrationMib };
    const place = { directory, signal: io.signal, server: (keep: boolean) => startBareServer(keep) };
    const rate = runTrial(trial, place, null).then((result) => result.rate);
    known.set(key, rate);
    return rate;
  };
}

function actOf({ throttle }: Plant, { directory, network }: Bench, freeRate: number): Act | null {
  if (throttle === undefined) return null;
  const rate = freeRate * throttle.to;
  if (throttle.what === 'disk') return ({ pid }) => holdDisk(pid, directory, rate);
  return async () => {
    if (network === null) throw new Error('no network to make slow');
    return network.slow(rate);
  };
}

async function plantedRow(plant: Plant, bench: Bench): Promise<RowOf<'planted'>> {
  const rate = await bench.rateOf(plant.free);
  const inNetwork = plant.throttle?.what === 'network';
  const name = `${plant.name}, ${plant.strength}`;
  bench.io.progress(`${name}: without it`);
  const free = await run(bench, sized(plant.free, rate, 1, secondsFree), null, inNetwork);
  bench.io.progress(`${name}: with it`);
  const trial = sized(plant.planted, rate, plant.expected, secondsPlanted);
  const planted = await run(bench, trial, actOf(plant, bench, free.rate), inNetwork);
  return row.planted(plant, free, planted);
}

async function unplantedRow({ name, shape }: Unplanted, bench: Bench): Promise<RowOf<'unplanted'>> {
  const rate = await bench.rateOf(shape);
  bench.io.progress(`nothing planted: ${name}`);
  return row.unplanted(name, await run(bench, sized(shape, rate, 1, secondsUnplanted), null, false));
}

/** Why a plant cannot be set up here; null: it can. */
function missing({ throttle }: Plant, directory: string, network: Network | string): string | null {
  if (throttle?.what === 'disk') return missingThrottle(directory);
  return throttle?.what === 'network' && typeof network === 'string' ? network : null;
}

function openNetwork(): Network | string {
  try {
    return Network.open();
  } catch (error) {
    return `no network that may be made slow: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Exit code: 1 where a verdict was wrong, or a plant was none. */
export async function runLimits(options: LimitsOptions, io: LimitsIo): Promise<number> {
  const wanted = (name: string): boolean => options.only === undefined || name.includes(options.only);
  const { directory } = options;
  const chosen = plants.filter(({ name, strength }) => wanted(`${name}, ${strength}`));
  const quiet = unplanted.filter(({ name }) => wanted(`unplanted, ${name}`));
  if (chosen.length + quiet.length === 0) {
    const names = [...new Set(plants.map(({ name }) => name)), 'unplanted'];
    throw new BenchError(`--only ${options.only}: no run has that in its name; there are ${names.join(', ')}`, 2);
  }
  const network = chosen.some(({ throttle }) => throttle?.what === 'network') ? openNetwork() : 'not needed';
  const rows: Row[] = [];
  const note = (made: Row): void => {
    rows.push(made);
    io.out(`${rowText(made)}\n`);
  };
  try {
    const rateOf = calibration(directory, io);
    const bench = { directory, io, network: typeof network === 'string' ? null : network, rateOf };
    for (let round = 1; round <= options.rounds; round++) {
      for (const plant of chosen) {
        io.signal.throwIfAborted();
        const reason = missing(plant, directory, network);
        note(reason === null ? await plantedRow(plant, bench) : row.skipped(plant, reason));
      }
      for (const one of quiet) {
        io.signal.throwIfAborted();
        note(await unplantedRow(one, bench));
      }
    }
  } finally {
    if (typeof network !== 'string') network[Symbol.dispose]();
  }
  io.out(`${summaryText(rows)}\n`);
  if (options.json !== undefined)
    writeWhole(options.json, `${JSON.stringify({ schema: 'vast-ost-limits/1', rows }, null, 1)}\n`);
  return rows.some((one) => one.judgement !== 'right' && one.judgement !== 'skipped') ? 1 : 0;
}
