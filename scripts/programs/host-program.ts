/** Drives the host program (native/host): whole commands, and single calls of the API by its command `script`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { programs } from './places.ts';

/** VAST_OST_HOST (a sanitizer's build, say), else the plain build. */
export const hostProgram = process.env.VAST_OST_HOST ?? programs().hostProgram;

export interface HostRun {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: Buffer;
  /** Standard error as text. */
  err: string;
  /** The last line of standard output as JSON; empty when it is none. */
  json: Answer;
}

/** A JSON line of the host program. Which members it has depends on the command. */
export interface Answer {
  status: number;
  name: string;
  text: string;
  [member: string]: unknown;
}

function parseLast(out: Buffer): Answer {
  try {
    return JSON.parse(out.toString('utf8').trim().split('\n').at(-1) ?? '') as Answer;
  } catch {
    return { status: Number.NaN, name: 'no JSON', text: '' };
  }
}

export async function runHost(
  args: string[],
  env: NodeJS.ProcessEnv = {},
  input: Uint8Array | string = '',
  /** Kills it. */
  signal?: AbortSignal,
): Promise<HostRun> {
  const child = spawn(hostProgram, args, { env: { ...process.env, ...env } });
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  if (signal?.aborted) kill();
  const out: Buffer[] = [];
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.on('error', () => undefined); // a program that ends early does not read all of it
  child.stdin.end(input);
  const [code, killed] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  signal?.removeEventListener('abort', kill);
  const all = Buffer.concat(out);
  return { code, signal: killed, out: all, err, json: parseLast(all) };
}

/** `vast-ost-host script` in a process of its own: one call, one answer. */
export class HostScript {
  readonly child: ChildProcess;
  /** Standard error so far. */
  err = '';
  #answers: AsyncIterator<string>;
  #ended: Promise<unknown[]>;

  constructor(env: NodeJS.ProcessEnv = {}, args: string[] = []) {
    this.child = spawn(hostProgram, ['script', ...args], { env: { ...process.env, ...env } });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.child.stdin?.on('error', () => undefined); // written to after its death: the missing answer tells
    this.#ended = once(this.child, 'close');
    this.#answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  /** Sends a line and waits for its answer. Throws when the process ended instead. */
  async call(line: string): Promise<Answer> {
    this.child.stdin?.write(`${line}\n`);
    return await this.next();
  }

  /** The next answer, without a line: after end_fork the parent's `fork` answers too. */
  async next(): Promise<Answer> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the script's process ended (${await this.ended()}): ${this.err}`);
    return JSON.parse(value) as Answer;
  }

  /** Sends a line that must succeed. */
  async ok(line: string): Promise<Answer> {
    const answer = await this.call(line);
    if (answer.status !== 0) throw new Error(`${line}: ${answer.status} ${answer.name}: ${answer.text}`);
    return answer;
  }

  /** Exit code or signal, once the process is gone. */
  async ended(): Promise<number | NodeJS.Signals> {
    const [code, signal] = (await this.#ended) as [number | null, NodeJS.Signals | null];
    return code ?? signal!;
  }

  /** Ends its input and waits for its end. */
  async end(): Promise<number | NodeJS.Signals> {
    this.child.stdin?.end();
    return await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#ended;
  }
}
