/** An engine of the demo's own: its configuration, start, processor time, and stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { keepRunning } from './running.ts';

const readyMs = 60_000;
const stopMs = 60_000;
/** Clock ticks of /proc/PID/stat a second: 100 on every Linux that we run on (USER_HZ). */
const ticksPerSecond = 100;

export interface EngineFiles {
  config: string;
  root: string;
  socket: string;
  log: string;
}

/** `more`: sections behind those of the demo's own storage root. */
export function writeConfig({ config, root, socket, log }: EngineFiles, more: string): void {
  const text = `# Written by the demo. A storage root on this disk: require_mount is off, on a media server it stays on.
[general]
nfs_mount_point = ${root}

[logging]
log_file = ${log}

[engine]
socket = ${socket}
max_memory_mb = 1024
require_mount = false
${more === '' ? '' : `\n${more}`}`;
  writeFileSync(config, text);
}

export class Engine {
  private readonly child: ChildProcess;
  private readonly exit: Promise<string>;
  private readonly said: string[] = [];
  private readonly forget: () => void;

  private constructor(main: string, config: string) {
    this.child = spawn(process.execPath, [main, '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
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
  static async start(main: string, config: string): Promise<Engine> {
    const engine = new Engine(main, config);
    const lines = createInterface({ input: engine.child.stdout as NodeJS.ReadableStream });
    const ready = (async () => {
      for await (const line of lines) if (line.startsWith('{') && line.includes('"ready":true')) return true;
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

  get pid(): number {
    return this.child.pid as number;
  }

  /** What it last said on standard error. */
  words(): string {
    return this.said.join('');
  }

  /** User and system time of all its threads, seconds. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third field on
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
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

/** True when the process ended with code 0; its words otherwise. */
export async function runOnce(command: string, args: string[]): Promise<{ ok: boolean; text: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = keepRunning(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  forget();
  return { ok: code === 0, text };
}
