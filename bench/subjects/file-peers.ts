/**
 * What people would use instead on a file system: dd, rclone, restic. Each copies a file in memory to the target and back, a
 * process a stream. Rate and CPU are those of whole processes, their start included: that is what a script that calls
 * them gets. What one writes is durable at the end, by itself or by a sync of its file behind it; what one reads was taken
 * out of the page cache before.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Load, Run, Subject, Taken } from '../run-context.ts';
import type { PeerName } from './peer-names.ts';
import { accounted, forgetFiles, runProgram } from './programs.ts';
import { Source } from './source.ts';

interface Command {
  readonly argv: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

interface Tool {
  /** Of a row; `peer`: as --peers names it. */
  readonly name: string;
  readonly peer: PeerName;
  /** Exits with 0 where it is installed. */
  readonly probe: readonly string[];
  readonly integrity: string;
  /** Before a write, outside the measured time. */
  before?(place: string): Command;
  write(source: string, place: string): Command;
  /** Into `target`, which is in memory. */
  restore(place: string, target: string): Command;
}

const synced = (file: string, command: readonly string[]): string[] => [
  'sh',
  '-c',
  'file=$1; shift; "$@" && sync "$file"',
  'sh',
  file,
  ...command,
];

const dd: Tool = {
  name: 'dd',
  peer: 'dd',
  probe: ['dd', '--version'],
  integrity: 'nothing; O_DIRECT, 64 MiB, one fsync; restores to /dev/null',
  write: (source, place) => ({
    argv: ['dd', `if=${source}`, `of=${place}/data`, 'bs=64M', 'oflag=direct', 'conv=fsync', 'status=none'],
  }),
  restore: (place) => ({ argv: ['dd', `if=${place}/data`, 'of=/dev/null', 'bs=64M', 'iflag=direct', 'status=none'] }),
};

/** Local to local: through the page cache, for it has no O_DIRECT, and without an fsync of its own. */
function rclone(name: string, guard: string, options: readonly string[]): Tool {
  // A CA bundle of the environment makes rclone refuse to start.
  const env = { RCLONE_CONFIG: '/dev/null', AWS_CA_BUNDLE: undefined };
  return {
    name,
    peer: 'rclone',
    probe: ['rclone', 'version'],
    integrity: `${guard}; page cache, sync behind it; restores into memory`,
    write: (source, place) => ({
      argv: synced(`${place}/data`, ['rclone', ...options, 'copyto', source, `${place}/data`]),
      env,
    }),
    restore: (place, target) => ({ argv: ['rclone', ...options, 'copyto', `${place}/data`, target], env }),
  };
}

/** A repository for each stream, new each time: what it has already, it would not write again. */
function restic(name: string, guard: string, options: readonly string[]): Tool {
  const env = { RESTIC_PASSWORD: 'bench', RESTIC_PROGRESS_FPS: '0.01' };
  const base = (place: string): string[] => ['restic', '--repo', join(place, 'repository'), '--no-cache', '--quiet'];
  return {
    name,
    peer: 'restic',
    probe: ['restic', 'version'],
    integrity: `${guard}; page cache, fsync of each pack; restores into memory`,
    before: (place) => ({ argv: [...base(place), 'init'], env }),
    write: (source, place) => ({ argv: [...base(place), ...options, 'backup', source], env }),
    restore: (place, target) => ({ argv: [...base(place), 'restore', 'latest', '--target', target], env }),
  };
}

const tools: readonly Tool[] = [
  dd,
  rclone('rclone', 'its hashes of both sides, for which it reads the source twice', []),
  rclone('rclone, cheapest', 'size', ['--ignore-checksum']),
  restic('restic', 'SHA-256 of chunks, AES-256 with Poly1305, compression', []),
  restic('restic, cheapest', 'SHA-256 of chunks, AES-256 with Poly1305', ['--compression=off']),
];

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

class ToolRuns {
  readonly #run: Run;
  readonly #tool: Tool;
  readonly #directory: string;
  readonly #source: Source;

  constructor(run: Run, tool: Tool, directory: string, source: Source) {
    this.#run = run;
    this.#tool = tool;
    this.#directory = directory;
    this.#source = source;
  }

  subject(): Subject {
    return {
      name: this.#tool.name,
      role: 'peer',
      mode: null,
      integrity: this.#tool.integrity,
      measures: [
        { workload: 'write', unit: 'B/s', take: (load) => this.#write(load) },
        { workload: 'restore', unit: 'B/s', take: (load) => this.#restore(load) },
      ],
      clean: async ({ streams }) => {
        rmSync(this.#directory, { recursive: true, force: true });
        this.#source.forgetRestored(streams);
      },
    };
  }

  #place(stream: number): string {
    return join(this.#directory, String(stream));
  }

  async #all(streams: number, command: (stream: number) => Command): Promise<void> {
    const commands = Array.from({ length: streams }, (_, i) => command(i));
    await Promise.all(
      commands.map(({ argv: [program = '', ...args], env }) => runProgram(this.#run.signal, program, args, env)),
    );
  }

  #timed(load: Load, command: (stream: number) => Command): Promise<Taken> {
    return accounted([], async () => {
      const began = process.hrtime.bigint();
      await this.#all(load.streams, command);
      const seconds = Number(process.hrtime.bigint() - began) / 1e9;
      const bytes = load.streams * load.bytesPerStream;
      return { value: bytes / seconds, seconds, bytes };
    });
  }

  async #write(load: Load): Promise<Taken> {
    const { before } = this.#tool;
    const refusal = this.#source.refusal(load.streams, load.bytesPerStream);
    if (refusal !== null) throw new Error(`${this.#tool.name}: ${refusal}`);
    this.#source.fill(load.bytesPerStream);
    for (let i = 0; i < load.streams; i++) mkdirSync(this.#place(i), { recursive: true });
    if (before !== undefined) await this.#all(load.streams, (i) => before(this.#place(i)));
    return this.#timed(load, (i) => this.#tool.write(this.#source.file, this.#place(i)));
  }

  async #restore(load: Load): Promise<Taken> {
    await forgetFiles(this.#run, filesBelow(this.#directory));
    return this.#timed(load, (i) => this.#tool.restore(this.#place(i), this.#source.restored(i)));
  }
}

export interface Peers {
  readonly subjects: readonly Subject[];
  /** By name, with the reason. */
  readonly skipped: readonly string[];
  /** Removes what is in memory. */
  remove(): void;
}

/** Of those that the run wants: what is installed and for which this load fits into memory. */
export function filePeers(run: Run, place: (name: string) => string, load: Load): Peers {
  const source = new Source(run.data);
  const refusal = source.refusal(load.streams, load.bytesPerStream);
  const subjects: Subject[] = [];
  const skipped: string[] = [];
  for (const tool of tools.filter(({ peer }) => run.peers.includes(peer))) {
    const [program = '', ...args] = tool.probe;
    if (spawnSync(program, args, { stdio: 'ignore' }).status !== 0) {
      skipped.push(`${tool.name} (not installed)`);
    } else if (refusal !== null) {
      skipped.push(`${tool.name} (${refusal})`);
    } else {
      const directory = place(`peer-${tool.name.replaceAll(/[^a-z]+/g, '-')}`);
      subjects.push(new ToolRuns(run, tool, directory, source).subject());
    }
  }
  return { subjects, skipped, remove: () => source.remove() };
}
