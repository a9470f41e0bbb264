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
import { type Act, type Phase, runTrial, type Trial, type TrialResult } from './trial.ts';

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

/** A shape as a trial, and the bytes of a phase that is to take so long: `rate` is the storage's, `factor` what is left of it. */
function sized(shape: Shape, rate: number, of: { factor: number; seconds: number; phases: number }): [Trial, number] {
  const { pace, think, ...rest } = shape;
  const total = Math.min(mibMax / of.phases, Math.max(mibMin, (rate * of.factor * of.seconds) / mib));
  const host: string[] = [];
  if (pace !== undefined) host.push('--rate', String(Math.floor((rate * pace) / shape.streams)));
  if (think !== undefined) {
    const us = (think * hostBuffer * 1e6) / (rate / shape.streams);
    host.push('--buffer', String(hostBuffer), '--think-us', String(Math.floor(us)));
  }
  return [{ ...rest, host }, Math.ceil(total / shape.streams)];
}

function run(
  { directory, io, network }: Bench,
  trial: Trial,
  phases: readonly Phase[],
  inNetwork: boolean,
): Promise<TrialResult[]> {
  const server = (keep: boolean): Promise<BareServer> =>
    inNetwork && network !== null ? network.server(keep) : startBareServer(keep);
  return runTrial(trial, phases, { directory, signal: io.signal, server });
}

/** What the storage takes here, each kind measured once. */
function calibration(directory: string, io: LimitsIo): RateOf {
  const known = new Map<string, Promise<number>>();
  return ({ store, direction }) => {
    const key = `${store} ${direction}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    io.progress(`what the storage takes: ${key}`);
    const trial: Trial = { store, direction, mode: 'io-only', streams: 1 };
    const place = { directory, signal: io.signal, server: (keep: boolean) => startBareServer(keep) };
    const rate = runTrial(trial, [{ mib: calibrationMib, act: null }], place).then(([result]) => result!.rate);
    known.set(key, rate);
    return rate;
  };
}

/** To so many times the rate of the phase before. */
function actOf({ what, to }: NonNullable<Plant['throttle']>, { directory, network }: Bench): Act {
  if (what === 'disk') return ({ pid, rateBefore }) => holdDisk(pid, directory, rateBefore * to);
  return async ({ rateBefore }) => {
    if (network === null) throw new Error('no network to make slow');
    return network.slow(rateBefore * to);
  };
}

async function plantedRow(plant: Plant, bench: Bench): Promise<RowOf<'planted'>> {
  const { throttle } = plant;
  const rate = await bench.rateOf(plant.free);
  const inNetwork = throttle?.what === 'network';
  const phases = throttle === undefined ? 1 : 2;
  bench.io.progress(`${plant.name}, ${plant.strength}`);
  const [freely, freeMib] = sized(plant.free, rate, { factor: 1, seconds: secondsFree, phases });
  const [trial, mib] = sized(plant.planted, rate, { factor: plant.expected, seconds: secondsPlanted, phases });
  const free = { mib: freeMib, act: null };
  // What becomes slow is the storage that this engine knows; a setting or a host program is another one from the start.
  const results =
    throttle === undefined
      ? [
          ...(await run(bench, freely, [free], inNetwork)),
          ...(await run(bench, trial, [{ mib, act: null }], inNetwork)),
        ]
      : await run(bench, trial, [free, { mib, act: actOf(throttle, bench) }], inNetwork);
  return row.planted(plant, results[0]!, results[1]!);
}

/** Twice: by an engine that has only begun, and by one that has its memory and knows its storage. */
async function unplantedRow({ name, shape }: Unplanted, bench: Bench): Promise<RowOf<'unplanted'>> {
  const rate = await bench.rateOf(shape);
  bench.io.progress(`nothing planted: ${name}`);
  const [trial, mib] = sized(shape, rate, { factor: 1, seconds: secondsUnplanted, phases: 2 });
  const phase = { mib, act: null };
  return row.unplanted(name, await run(bench, trial, [phase, phase], false));
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
