/** A discarding engine in a process of its own, and what the kernel says that its threads cost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const modes = ['io-only', 'sums', 'default'] as const;
export type Mode = (typeof modes)[number];

/** As bin/vast-ostd starts the engine. */
const engineFlags = ['--max-semi-space-size=2', '--optimize-for-size'];
const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const entry = join(import.meta.dirname, `engine-main.${ending}`);

export interface EngineOptions {
  /** Its own, made when it is not there. */
  readonly directory: string;
  readonly mode: Mode;
  readonly blockMib: number;
  readonly memoryMib: number;
  /** Not given: as many as the engine makes by itself. */
  readonly digestLanes?: number;
}

export interface ThreadSeconds {
  /** Of the main thread. */
  readonly coordinator: number;
  /** Of all others: lanes, and what V8 and libuv run beside them. */
  readonly lanes: number;
}

function configText({ directory, mode, blockMib, memoryMib, digestLanes = 0 }: EngineOptions): string {
  return `[general]
nfs_mount_point = ${directory}
block_size_mb = ${blockMib}
[logging]
log_level = INFO
log_file = ${join(directory, 'engine.log')}
[engine]
socket = ${join(directory, 's')}
store = memory
require_mount = false
max_memory_mb = ${memoryMib}
digest_lanes = ${digestLanes}
handles_max = ${Math.max(1, Math.min(128, Math.floor(memoryMib / 4)))}
[integrity]
sums = ${mode !== 'io-only'}
checksum = ${mode === 'default' ? 'sha256' : 'none'}
`;
}

export class DiscardEngine {
  readonly config: string;
  readonly log: string;
  readonly socket: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(directory: string, child: ChildProcess, ended: Promise<unknown>, pid: number) {
    this.config = join(directory, 'vast-ost.conf');
    this.log = join(directory, 'engine.log');
    this.socket = join(directory, 's');
    this.pid = pid;
    this.#child = child;
    this.#ended = ended;
  }

  /** Returns when it serves. Throws with what it said when it does not come up. */
  static async start(options: EngineOptions): Promise<DiscardEngine> {
    const { directory } = options;
    mkdirSync(directory, { recursive: true });
    const config = join(directory, 'vast-ost.conf');
    writeFileSync(config, configText(options));
    const child = spawn(process.execPath, [...engineFlags, entry, config], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'close');
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096);
    });
    const first = await createInterface({ input: child.stdout! })[Symbol.asyncIterator]().next();
    if (first.done) {
      await ended;
      throw new Error(`the discarding engine did not come up: ${said}`);
    }
    return new DiscardEngine(directory, child, ended, (JSON.parse(first.value) as { pid: number }).pid);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }

  threadSeconds(): ThreadSeconds {
    return threadSeconds(this.pid);
  }
}

/** Seconds on a processor, by the scheduler's own nanoseconds. */
export function threadSeconds(pid: number): ThreadSeconds {
  let coordinator = 0;
  let lanes = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1');
    } catch {
      continue; // it ended meanwhile
    }
    const seconds = Number(text.split(' ', 1)[0]) / 1e9;
    if (Number(thread) === pid) coordinator += seconds;
    else lanes += seconds;
  }
  return { coordinator, lanes };
}
