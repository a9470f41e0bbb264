/** The programs that a script starts: the engine in a process of its own, from its start to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { keepRunning } from '../programs/running.ts';
import { userHz } from './user-hz.ts';

const readyMs = 60_000;
const stopMs = 60_000;

export interface EngineStart {
  /** engine/main.ts, or what is compiled from it. */
  readonly main: string;
  readonly config: string;
  /** Over this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Of node. */
  readonly flags?: readonly string[];
  /** Before node: ['taskset', '-c', '0'] … */
  readonly wrapper?: readonly string[];
}

export class Engine {
  private readonly child: ChildProcess;
  private readonly exit: Promise<string>;
  private readonly said: string[] = [];
  private readonly forget: () => void;
  #pid = 0;

  private constructor({ main, config, env, flags = [], wrapper = [] }: EngineStart) {
    const [command = '', ...args] = [...wrapper, process.execPath, ...flags, main, '--config', config];
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.forget = keepRunning(() => this.stop());
    this.exit = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('exit', (code, signal) => resolve(signal === null ? `code ${code}` : `signal ${signal}`));
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.said.push(chunk.toString());
      if (this.said.length > 100) this.said.shift();
    });
  }

  /** Resolves when the engine says that it is ready; rejects with its own words when it ends or says nothing. */
  static async start(options: EngineStart): Promise<Engine> {
    const engine = new Engine(options);
    const lines = createInterface({ input: engine.child.stdout as NodeJS.ReadableStream });
    const ready = (async () => {
      for await (const line of lines) {
        if (!line.startsWith('{') || !line.includes('"ready":true')) continue;
        engine.#pid = (JSON.parse(line) as { pid: number }).pid;
        return true;
      }
      return false;
    })();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), readyMs);
    });
    const well = await Promise.race([ready, late, engine.exit.then(() => false)]);
    clearTimeout(timer);
    if (well) return engine;
    throw new Error(`the engine did not start (${await engine.kill()}):\n${engine.words()}`);
  }

  /** Of the engine itself, also below a wrapper. */
  get pid(): number {
    return this.#pid;
  }

  /** What it last said on standard error. */
  words(): string {
    return this.said.join('');
  }

  /** User and system time of all its threads, seconds. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third field on
    return (Number(fields[11]) + Number(fields[12])) / userHz;
  }

  /** Ends it as an operator would; returns how it ended. */
  async stop(): Promise<string> {
    this.forget();
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), stopMs);
    const how = await this.exit;
    clearTimeout(timer);
    return how;
  }

  /** kill -9. */
  kill(): Promise<string> {
    this.forget();
    this.child.kill('SIGKILL');
    return this.exit;
  }
}
