/** An engine that the bench measures: a process of its own with a store of its own, as shipped but for what is measured. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { askEngine } from '../cli/engine-call.ts';
import { configKeys } from '../engine/config-keys.ts';
import { chunkBytes } from '../engine/coordinator/context.ts';
import { firstBlockBytes } from '../engine/coordinator/writer-slots.ts';
import type { StatusReport } from '../engine/core/status-report.ts';
import { frame } from '../engine/core/wire.ts';
import { encodeMarker, markerName, newMarker } from '../engine/image/marker.ts';
import { tailChunks } from '../engine/transfer/read-plan.ts';
import { Engine } from '../scripts/programs/engine.ts';
import { HostScript } from '../scripts/programs/host-program.ts';
import { iniText, merged, type Sections } from '../scripts/programs/ini-text.ts';
import { programs } from '../scripts/programs/places.ts';
import type { ModeName } from './run-context.ts';

/** As bin/vast-ostd starts it. */
const engineFlags = ['--max-semi-space-size=2', '--optimize-for-size'];
const mib = 1 << 20;
/** What decides how much of an image is under way: the model of bench/discard computes with the same figures. */
export const benchSettings = { ioLanes: 16, readAheadMb: 128, writeSlots: 3 } as const;
/** As shipped, of one image that is written. */
export const blocksInFlight = Number(configKeys.find(({ key }) => key === 'blocks_in_flight')?.byDefault);
/** As files are cut. */
export const cuts = { firstBytes: firstBlockBytes, chunkBytes, tailBytes: tailChunks * chunkBytes } as const;
/** Slots of one image, where memory is not short. */
export function slotsOf(direction: 'write' | 'restore', blockBytes: number): number {
  const { writeSlots, readAheadMb } = benchSettings;
  return direction === 'write' ? writeSlots : Math.ceil((readAheadMb * mib) / blockBytes) + 1;
}

/** As many as an engine makes by itself: digest_lanes = 0. */
export function digestLanesOf(cores: number): number {
  return Math.min(16, Math.max(1, Math.floor(cores / 4)));
}

const socketPathMax = 100;

export const modeSettings: Readonly<Record<ModeName, Sections>> = {
  'io-only': { integrity: { sums: false, checksum: 'none' } },
  sums: { integrity: { sums: true, checksum: 'none' } },
  default: { integrity: { sums: true, checksum: 'sha256' } },
};

export interface EngineSettings {
  /** Of this engine alone: configuration, log, socket; and the storage root, where `store` is not given. */
  readonly directory: string;
  readonly mode: ModeName;
  readonly blockBytes?: number;
  /** As many images at once as memory is to suffice for. */
  readonly streams?: number;
  /** Another entry than the product's. */
  readonly main?: string;
  /** Storage root; made, and given its marker. */
  readonly store?: string;
  /** Over what is shipped, and over all else; null: the key is left out. */
  readonly settings?: Sections;
  readonly env?: NodeJS.ProcessEnv;
  /** Before node: ['taskset', '-c', '0'] … */
  readonly wrapper?: readonly string[];
}

/** Three slots of a writer, or what a reader reads ahead, and what a handle costs besides. */
function memoryMb({ blockBytes = 64 * mib, streams = 16 }: EngineSettings): number {
  const wanted = Math.ceil((streams * (benchSettings.writeSlots + 1) * blockBytes) / mib);
  return Math.max(512, Math.min(Math.max(4096, wanted), Math.floor(totalmem() / 2 / mib)));
}

const living = new Set<number>();
/** Outside of the run's own place: also who ends at once removes them. */
const socketDirectories = new Set<string>();

function makeSocketDirectory(): string {
  if (socketDirectories.size === 0) process.once('exit', removeSocketDirectories);
  const path = mkdtempSync(join(tmpdir(), 'vast-ost-bench-socket-'));
  socketDirectories.add(path);
  return path;
}

function removeSocketDirectories(): void {
  for (const path of socketDirectories) removeSocketDirectory(path);
}

function removeSocketDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true });
  socketDirectories.delete(path);
  if (socketDirectories.size === 0) process.off('exit', removeSocketDirectories);
}

/** For who has no time to stop them. */
export function liveEngines(): readonly number[] {
  return [...living];
}

export class EngineProcess {
  readonly config: string;
  readonly socket: string;
  readonly store: string;
  readonly logFile: string;
  readonly #settings: EngineSettings;
  #engine: Engine | null = null;
  #socketDirectory: string | null = null;

  private constructor(settings: EngineSettings) {
    const { directory } = settings;
    this.#settings = settings;
    this.config = join(directory, 'vast-ost.conf');
    this.logFile = join(directory, 'engine.log');
    this.store = settings.store ?? join(directory, 'store');
    // A socket's path is at most 107 bytes, and a network file system may keep none.
    const here = join(directory, 's');
    if (Buffer.byteLength(here) > socketPathMax) this.#socketDirectory = makeSocketDirectory();
    this.socket = this.#socketDirectory === null ? here : join(this.#socketDirectory, 's');
  }

  /** Returns when it serves; throws with its own words else. */
  static async start(settings: EngineSettings): Promise<EngineProcess> {
    const one = new EngineProcess(settings);
    mkdirSync(settings.directory, { recursive: true });
    mkdirSync(one.store, { recursive: true });
    // Another engine may work there already.
    const marker = join(one.store, markerName);
    if (!existsSync(marker)) writeFileSync(marker, encodeMarker(newMarker(new Date())));
    writeFileSync(one.config, iniText(one.#sections()));
    try {
      one.#engine = await Engine.start({
        main: settings.main ?? programs().engineMain,
        config: one.config,
        flags: engineFlags,
        ...(settings.env === undefined ? {} : { env: settings.env }),
        ...(settings.wrapper === undefined ? {} : { wrapper: settings.wrapper }),
      });
    } catch (error) {
      one.#forget();
      throw error;
    }
    living.add(one.pid);
    return one;
  }

  #sections(): Sections {
    const { mode, blockBytes = 64 * mib, settings = {} } = this.#settings;
    return merged(
      {
        general: { nfs_mount_point: this.store, block_size_mb: blockBytes / mib },
        performance: {
          thread_pool_size: benchSettings.ioLanes,
          read_ahead_mb: benchSettings.readAheadMb,
          write_buffer_count: benchSettings.writeSlots,
        },
        logging: { log_level: 'INFO', log_file: this.logFile },
        engine: { socket: this.socket, require_mount: false, max_memory_mb: memoryMb(this.#settings) },
      },
      modeSettings[mode],
      settings,
    );
  }

  get pid(): number {
    return this.#engine?.pid ?? 0;
  }

  async status(): Promise<StatusReport> {
    return JSON.parse((await askEngine(this.socket, frame.status)).toString('utf8')) as StatusReport;
  }

  /** A process with the real plug-in: session s and server v are open. */
  async script(server = 'bench'): Promise<HostScript> {
    const script = new HostScript();
    await script.ok(`init ${this.config}`);
    await script.ok('session s bench');
    await script.ok(`open_server s v VastData:${server}`);
    return script;
  }

  /** User and system seconds of all its threads. */
  cpuSeconds(): number {
    return this.#engine?.cpuSeconds() ?? Number.NaN;
  }

  /** As an operator would. Throws when it did not end well. */
  async stop(): Promise<void> {
    const how = await this.#engine?.stop();
    this.#forget();
    if (how !== undefined && how !== 'code 0') throw new Error(`the engine of ${this.config} ended with ${how}`);
  }

  async kill(): Promise<void> {
    await this.#engine?.kill();
    this.#forget();
  }

  #forget(): void {
    living.delete(this.pid);
    this.#engine = null;
    if (this.#socketDirectory !== null) removeSocketDirectory(this.#socketDirectory);
    this.#socketDirectory = null;
  }
}
