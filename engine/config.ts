/**
 * The configuration: vast-ost.conf read, checked and frozen. Everything that is wrong in it is told at once, each with
 * its line and a remedy.
 */
import { readFileSync } from 'node:fs';
import { readEntry, remedyAmong } from './config-entry.ts';
import { cpusText, tidyPath } from './config-forms.ts';
import { configKeys, configSections } from './config-keys.ts';
import { serverKeys } from './config-server-keys.ts';
import { isServerSection, readServers, type ServerConfig } from './config-servers.ts';
import { type IniProblem, parseIni } from './ini.ts';
import { type MachineFacts, machineFacts } from './machine.ts';

export const defaultConfigPath = '/usr/openv/lib/ost-plugins/vast-ost.conf';
/** Least memory that an open image needs: one slot of this size. */
export const slotBytesMin = 4 * 1_048_576;
/** Slots of one arena, as native/wire/wire.h bounds them. */
const slotsMax = 64;
const mib = 1_048_576;

export type LogLevel = 'ERROR' | 'WARN' | 'INFO' | 'DEBUG' | 'TRACE';

/** Sizes are bytes, times are seconds where the name says so. Values of 0 for "automatic" are resolved. */
export interface Config {
  /** The file that was read; null: there was none, all is default. */
  readonly source: string | null;
  readonly general: {
    /** Root of the default server, which every name without a section of its own has; null: there is none. */
    readonly nfsMountPoint: string | null;
    readonly useDirectIo: boolean;
    readonly blockBytes: number;
    readonly metadataFormat: 'json';
  };
  readonly performance: {
    readonly writeBufferCount: number;
    readonly readAheadBytes: number;
    readonly threadPoolSize: number;
  };
  readonly logging: {
    readonly level: LogLevel;
    /** '-' = standard error. */
    readonly file: string;
  };
  readonly engine: {
    readonly socket: string;
    readonly socketMode: number;
    readonly connectWaitS: number;
    readonly maxMemoryBytes: number;
    readonly arenaWaitS: number;
    readonly blocksInFlight: number;
    readonly handlesMax: number;
    readonly metaLanes: number;
    readonly digestLanes: number;
    /** The processors that the engine runs on, rising; null: any. */
    readonly cpus: readonly number[] | null;
    readonly ioLanesPerMount: number;
    readonly requireMount: boolean;
    readonly drainS: number;
    readonly laneOverdueS: number;
    readonly store: 'file' | 'memory';
  };
  readonly integrity: {
    readonly sums: boolean;
    readonly checksum: 'sha256' | 'none';
  };
  /** The sections [server:NAME], in the file's order; no name twice. */
  readonly servers: readonly ServerConfig[];
}

/** Of line 0: the file as a whole. */
export type ConfigProblem = IniProblem;

export class ConfigError extends Error {
  readonly path: string;
  /** By line. */
  readonly problems: readonly ConfigProblem[];

  constructor(path: string, problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => describeProblem(path, problem)).join('\n'));
    this.name = 'ConfigError';
    this.path = path;
    this.problems = problems;
  }
}

/** "vast-ost.conf:7: block_size_mb = 63 … : write a multiple of 4 …" */
export function describeProblem(path: string, { line, text, remedy }: ConfigProblem): string {
  return `${path}${line > 0 ? `:${line}` : ''}: ${text}; ${remedy}`;
}

/**
 * `path`, else $VAST_OST_CONF, else the default place; only there may the file be missing (all defaults).
 * Throws ConfigError. Reads files: for start only.
 */
export function loadConfig(
  path: string | null,
  env: Readonly<Record<string, string | undefined>>,
  machine: MachineFacts = machineFacts(),
): Config {
  const chosen = path ?? (env.VAST_OST_CONF || null);
  const place = chosen ?? defaultConfigPath;
  let bytes: Buffer;
  try {
    bytes = readFileSync(place);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (chosen === null && code === 'ENOENT') return parseConfig('', null, machine);
    const remedy = code === 'ENOENT' ? 'give the path of the file, or make it' : 'make it readable for the engine';
    throw new ConfigError(place, [{ line: 0, text: `cannot be read (${code})`, remedy }]);
  }
  return parseConfig(bytes, place, machine);
}

/** The same for the content of a file. `source` null: there is none. */
export function parseConfig(content: string | Uint8Array, source: string | null, machine: MachineFacts): Config {
  const ini = parseIni(Buffer.from(content as string).toString('latin1'));
  const problems: ConfigProblem[] = [...ini.problems];
  const lines = new Map<string, number>();
  const values = new Map<string, unknown>();
  for (const { section, key, byDefault, schema } of configKeys)
    values.set(`${section}.${key}`, schema.parse(byDefault));

  const servers = ini.sections.filter(({ name }) => isServerSection(name));
  for (const section of ini.sections) {
    if (servers.includes(section)) continue;
    if (!configSections.includes(section.name)) {
      const remedy = `sections are ${configSections.map((name) => `[${name}]`).join(' ')} [server:NAME]`;
      problems.push({ line: section.line, text: `[${section.name}] is unknown`, remedy });
      continue;
    }
    for (const entry of section.entries) {
      const { key, line } = entry;
      const known = configKeys.find((one) => one.section === section.name && one.key === key);
      if (!known) {
        problems.push({ line, text: `${key} is no key of [${section.name}]`, remedy: remedyForKey(section.name, key) });
        continue;
      }
      const read = readEntry(known, entry);
      if (!read.ok) problems.push(read.problem);
      else {
        values.set(`${section.name}.${key}`, read.value);
        lines.set(`${section.name}.${key}`, line);
      }
    }
  }
  // Who names storage servers, and no root of [general], has no default server: backups to a name that was misspelt
  // must not end on a mount that nobody wrote down.
  const noDefault =
    servers.length > 0 && !lines.has('general.nfs_mount_point') && values.get('engine.store') === 'file';
  if (noDefault) values.set('general.nfs_mount_point', null);
  const alone = build(source, values, lines, machine);
  const { general, performance, engine } = alone;
  const facts = {
    blockBytes: general.blockBytes,
    maxMemoryBytes: engine.maxMemoryBytes,
    readAheadBytes: performance.readAheadBytes,
    defaultRoot: general.nfsMountPoint,
    slotsMax,
  };
  const read = readServers(servers, facts, problems);
  const ioLanesPerMount =
    values.get('engine.io_lanes_per_mount') === 0 && read.some(hasSeveralMounts)
      ? Math.max(1, Math.floor(performance.threadPoolSize * severalMountsShare))
      : engine.ioLanesPerMount;
  const config = freeze({ ...alone, engine: { ...engine, ioLanesPerMount }, servers: read });
  problems.push(...impossibleTotals(config, lines, machine));
  if (problems.length > 0) {
    throw new ConfigError(
      source ?? defaultConfigPath,
      problems.toSorted((a, b) => a.line - b.line),
    );
  }
  return config;
}

type Lines = ReadonlyMap<string, number>;

/** Of the io lanes: a mount that hangs leaves some to those that take its jobs over. */
const severalMountsShare = 3 / 4;

function hasSeveralMounts(server: ServerConfig): boolean {
  return server.store === 'nfs' && server.mountPoints.length > 1;
}

function build(
  source: string | null,
  values: ReadonlyMap<string, unknown>,
  lines: Lines,
  machine: MachineFacts,
): Omit<Config, 'servers'> {
  const value = <T>(name: string) => values.get(name) as T;
  const number = (name: string) => value<number>(name);
  const root = value<string | null>('general.nfs_mount_point');
  const memoryBytes = number('engine.max_memory_mb') * mib || automaticMemory(machine);
  // A default must never make a small machine impossible; a number in the file is taken at its word.
  const handlesFit = Math.max(1, Math.floor(memoryBytes / slotBytesMin));
  const handles = number('engine.handles_max');
  const cpus = value<readonly number[] | null>('engine.cpus');
  const cores = cpus?.length ?? machine.cores;
  return {
    source,
    general: {
      nfsMountPoint: root === null ? null : tidyPath(root),
      useDirectIo: value<boolean>('general.use_direct_io'),
      blockBytes: number('general.block_size_mb') * mib,
      metadataFormat: value<'json'>('general.metadata_format'),
    },
    performance: {
      writeBufferCount: number('performance.write_buffer_count'),
      readAheadBytes: number('performance.read_ahead_mb') * mib,
      threadPoolSize: number('performance.thread_pool_size'),
    },
    logging: { level: value<LogLevel>('logging.log_level'), file: value<string>('logging.log_file') },
    engine: {
      socket: value<string>('engine.socket'),
      socketMode: number('engine.socket_mode'),
      connectWaitS: number('engine.connect_wait_s'),
      maxMemoryBytes: memoryBytes,
      arenaWaitS: number('engine.arena_wait_s'),
      blocksInFlight: number('engine.blocks_in_flight'),
      handlesMax: lines.has('engine.handles_max') ? handles : Math.min(handles, handlesFit),
      metaLanes: number('engine.meta_lanes'),
      digestLanes: number('engine.digest_lanes') || Math.min(16, Math.max(1, Math.floor(cores / 4))),
      cpus,
      ioLanesPerMount: number('engine.io_lanes_per_mount') || number('performance.thread_pool_size'),
      requireMount: value<boolean>('engine.require_mount'),
      drainS: number('engine.drain_s'),
      laneOverdueS: number('engine.lane_overdue_s'),
      store: value<'file' | 'memory'>('engine.store'),
    },
    integrity: { sums: value<boolean>('integrity.sums'), checksum: value<'sha256' | 'none'>('integrity.checksum') },
  };
}

/** A quarter of what there is, at most 4 GiB, in whole MiB. */
function automaticMemory({ memoryBytes, cgroupBytes }: MachineFacts): number {
  const quarter = Math.floor(Math.min(memoryBytes, cgroupBytes) / 4 / mib) * mib;
  return Math.min(quarter, 4096 * mib);
}

/** What each key allows by itself and all together do not. Told at the first line that takes part, else at line 0. */
function impossibleTotals(config: Config, lines: Lines, machine: MachineFacts): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { general, performance, engine } = config;
  const told = (names: string[], text: string, remedy: string) => {
    const line = names.map((name) => lines.get(name)).find((found) => found !== undefined) ?? 0;
    problems.push({ line, text, remedy });
  };
  const memoryMb = engine.maxMemoryBytes / mib;
  const { allowedCpus } = machine;
  const missing = allowedCpus === undefined ? [] : (engine.cpus ?? []).filter((cpu) => !allowedCpus.includes(cpu));
  if (missing.length > 0 && allowedCpus !== undefined) {
    told(
      ['engine.cpus'],
      `cpus names ${cpusText(missing)}, but this process may run on ${cpusText(allowedCpus)}`,
      'name some of these, write all, or allow more where the engine is started (CPUAffinity= or AllowedCPUs= of its unit)',
    );
  }
  const thereMb = Math.floor(Math.min(machine.memoryBytes, machine.cgroupBytes) / mib);
  if (memoryMb > thereMb) {
    const of = machine.cgroupBytes < machine.memoryBytes ? 'the control group allows' : 'the machine has';
    told(['engine.max_memory_mb'], `max_memory_mb = ${memoryMb}, but ${of} ${thereMb} MiB`, 'lower it, or write 0');
  }
  if (engine.handlesMax * slotBytesMin > engine.maxMemoryBytes) {
    told(
      ['engine.handles_max', 'engine.max_memory_mb'],
      `handles_max = ${engine.handlesMax} needs ${(engine.handlesMax * slotBytesMin) / mib} MiB, max_memory_mb is ${memoryMb}`,
      `write handles_max = ${Math.max(1, Math.floor(engine.maxMemoryBytes / slotBytesMin))} or raise max_memory_mb`,
    );
  }
  if (general.blockBytes > engine.maxMemoryBytes / 2) {
    told(
      ['general.block_size_mb', 'engine.max_memory_mb'],
      `block_size_mb = ${general.blockBytes / mib} is more than half of max_memory_mb = ${memoryMb}`,
      'lower block_size_mb or raise max_memory_mb',
    );
  }
  if (Math.ceil(performance.readAheadBytes / general.blockBytes) + 1 > slotsMax) {
    told(
      ['performance.read_ahead_mb', 'general.block_size_mb'],
      `read_ahead_mb = ${performance.readAheadBytes / mib} is more than ${slotsMax - 1} blocks`,
      `write at most ${((slotsMax - 1) * general.blockBytes) / mib}`,
    );
  }
  if (engine.ioLanesPerMount > performance.threadPoolSize) {
    told(
      ['engine.io_lanes_per_mount', 'performance.thread_pool_size'],
      `io_lanes_per_mount = ${engine.ioLanesPerMount} is more than thread_pool_size = ${performance.threadPoolSize}`,
      'lower it, or write 0 for all of them',
    );
  }
  return problems;
}

function remedyForKey(section: string, key: string): string {
  const elsewhere = configKeys.find((one) => one.key === key);
  if (elsewhere) return `it belongs into [${elsewhere.section}]`;
  if (serverKeys.some((one) => one.key === key)) return 'it belongs into [server:NAME]';
  return remedyAmong(
    key,
    configKeys.filter((one) => one.section === section).map((one) => one.key),
  );
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) freeze(inner);
  return Object.freeze(value);
}
