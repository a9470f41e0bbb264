/**
 * A real engine in a process of its own, on a fresh directory with real direct I/O: for tests that go through plug-in,
 * socket, lanes and storage. Use with `await using`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { askEngine } from '../../cli/engine-call.ts';
import type { StatusReport } from '../../engine/core/status-report.ts';
import { frame } from '../../engine/core/wire.ts';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';
import { iniText, merged } from '../../scripts/programs/ini-text.ts';
import { HostScript } from './host-program.ts';

/** As bin/vast-ostd starts it. */
const engineFlags = ['--max-semi-space-size=2', '--optimize-for-size'];

const project = join(import.meta.dirname, '../..');
/** On a real file system: O_DIRECT on tmpfs is none. */
const testRoot = process.env.VAST_OST_TEST_DIR ?? join(project, 'build/test');

export function testDirectory(): string {
  mkdirSync(testRoot, { recursive: true });
  return mkdtempSync(join(testRoot, 'e-'));
}

export interface EngineOptions {
  /** Keys over the defaults of tests, by section; null: the key is left out. */
  config?: Record<string, Record<string, string | number | boolean | null>>;
  env?: NodeJS.ProcessEnv;
  /** LD_PRELOAD of the engine. */
  preload?: string;
  /** Before node: ['strace', …]. */
  wrapper?: string[];
  /** A directory that another engine of the test used. */
  directory?: string;
  /** Leave the store without its marker. */
  noStore?: boolean;
}

const testDefaults: Required<EngineOptions>['config'] = {
  general: { block_size_mb: 4 },
  performance: { thread_pool_size: 4, read_ahead_mb: 8 },
  logging: { log_level: 'DEBUG' },
  engine: { require_mount: false, max_memory_mb: 512, handles_max: 64, drain_s: 10, connect_wait_s: 5 },
};

/** Text of a vast-ost.conf. */
export function configText(directory: string, over: EngineOptions['config'] = {}): string {
  const own = {
    general: { nfs_mount_point: join(directory, 'store') },
    logging: { log_file: join(directory, 'engine.log') },
    engine: { socket: join(directory, 's') },
  };
  return iniText(merged(testDefaults, own, over));
}

export class TestEngine {
  readonly directory: string;
  readonly config: string;
  readonly socket: string;
  readonly store: string;
  child!: ChildProcess;
  /** Of the engine itself, also below a wrapper. */
  pid = 0;
  /** Standard error so far. */
  err = '';
  readonly #options: EngineOptions;
  #ended!: Promise<unknown[]>;
  #keep = false;

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.directory = options.directory ?? testDirectory();
    this.#keep = options.directory !== undefined;
    this.config = join(this.directory, 'vast-ost.conf');
    this.socket = join(this.directory, 's');
    this.store = join(this.directory, 'store');
  }

  /** Its directory, store and configuration, before any process: for who needs them to launch one. */
  static prepare(options: EngineOptions = {}): TestEngine {
    const engine = new TestEngine(options);
    mkdirSync(engine.store, { recursive: true });
    const marker = join(engine.store, '.vast-ost-store');
    if (!options.noStore && !existsSync(marker)) writeFileSync(marker, encodeMarker(newMarker(new Date(0))));
    writeFileSync(engine.config, configText(engine.directory, options.config));
    return engine;
  }

  /** Returns when the engine serves. Throws with its standard error when it does not come up. */
  static async start(options: EngineOptions = {}): Promise<TestEngine> {
    const engine = TestEngine.prepare(options);
    await engine.launch();
    return engine;
  }

  /** Starts a process, again after kill or stop. */
  async launch(over: Pick<EngineOptions, 'env' | 'preload'> = {}): Promise<void> {
    const { wrapper = [] } = this.#options;
    const preload = over.preload ?? this.#options.preload;
    const env = { ...process.env, ...this.#options.env, ...over.env, ...(preload ? { LD_PRELOAD: preload } : {}) };
    const argv = [
      ...wrapper,
      process.execPath,
      ...engineFlags,
      join(project, 'engine/main.ts'),
      '--config',
      this.config,
    ];
    const child = spawn(argv[0] as string, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    this.#ended = once(child, 'close');
    child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) {
      throw new Error(`the engine did not come up (${await this.ended()}): ${this.err}`);
    }
    this.pid = (JSON.parse(first.value) as { pid: number }).pid;
  }

  /** A process with the real plug-in: session s and server v are open. */
  async script(env: NodeJS.ProcessEnv = {}): Promise<HostScript> {
    const script = new HostScript(env);
    await script.ok(`init ${this.config}`);
    await script.ok('session s test');
    await script.ok('open_server s v VastData:test');
    return script;
  }

  async status(): Promise<StatusReport> {
    return JSON.parse((await askEngine(this.socket, frame.status)).toString('utf8')) as StatusReport;
  }

  log(): Record<string, unknown>[] {
    const lines = readFileSync(join(this.directory, 'engine.log'), 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Bugs that the engine met: every test ends with none. */
  bugs(): Record<string, unknown>[] {
    return this.log().filter((line) => line.msg === 'internal error' || line.level === 'FATAL');
  }

  /** Exit code or signal. */
  async ended(): Promise<number | NodeJS.Signals> {
    const [code, signal] = (await this.#ended) as [number | null, NodeJS.Signals | null];
    return code ?? (signal as NodeJS.Signals);
  }

  async stop(): Promise<number | NodeJS.Signals> {
    process.kill(this.pid, 'SIGTERM');
    return this.ended();
  }

  async kill(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill();
    if (process.env.VAST_OST_KEEP) process.stderr.write(`kept: ${this.directory}\n`);
    else if (!this.#keep) rmSync(this.directory, { recursive: true, force: true });
  }
}
