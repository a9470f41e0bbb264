/**
 * Drives the host program (native/host): whole commands, and single calls of the API by its command `script`.
 * Also its test data, computed here independently: see native/host/words.h and pattern.h for the definitions.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const hostDirectory = join(import.meta.dirname, '../../native/host');

/** The host program: VAST_OST_HOST (a sanitizer's build, say), else the plain build. */
export const hostProgram = process.env.VAST_OST_HOST ?? join(hostDirectory, 'build/vast-ost-host');

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
): Promise<HostRun> {
  const child = spawn(hostProgram, args, { env: { ...process.env, ...env } });
  const out: Buffer[] = [];
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.on('error', () => undefined); // a program that ends early does not read all of it
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const all = Buffer.concat(out);
  return { code, signal, out: all, err, json: parseLast(all) };
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

const mask = 0xffff_ffff_ffff_ffffn;
const golden = 0x9e37_79b9_7f4a_7c15n;

function mix(value: bigint): bigint {
  let z = value & mask;
  z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & mask;
  return z ^ (z >> 31n);
}

function word(seed: bigint, index: bigint): bigint {
  return mix(mix(seed + golden) + (index + 1n) * golden);
}

/** Bits 32 to 63 of the product of two words of 32 bits. */
function highOf(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + Math.floor((a0 * b0) / 65_536);
  const carry = (middle % 65_536) + a0 * b1;
  return a1 * b1 + Math.floor(middle / 65_536) + Math.floor(carry / 65_536);
}

/** gen(seed, offset …) of words.h, `length` bytes: mix() in halves of 32 bits, since BigInt is twenty times slower. */
export function gen(seed: number | bigint, offset: number, length: number): Buffer {
  const first = Math.floor(offset / 8);
  const words = Math.ceil((offset + length) / 8) - first;
  const halves = new Uint32Array(2 * words);
  const start = (mix(BigInt(seed) + golden) + BigInt(first) * golden) & mask;
  let high = Number(start >> 32n);
  let low = Number(start & 0xffff_ffffn);
  for (let i = 0; i < words; i++) {
    low += 0x7f4a_7c15;
    high = (high + 0x9e37_79b9 + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
    low >>>= 0;
    let h = high ^ (high >>> 30);
    let l = (low ^ ((low >>> 30) | (high << 2))) >>> 0;
    h = (highOf(l, 0x1ce4_e5b9) + Math.imul(l, 0xbf58_476d) + Math.imul(h, 0x1ce4_e5b9)) >>> 0;
    l = Math.imul(l, 0x1ce4_e5b9) >>> 0;
    l = (l ^ ((l >>> 27) | (h << 5))) >>> 0;
    h = h ^ (h >>> 27);
    h = (highOf(l, 0x1331_11eb) + Math.imul(l, 0x94d0_49bb) + Math.imul(h, 0x1331_11eb)) >>> 0;
    l = Math.imul(l, 0x1331_11eb) >>> 0;
    halves[2 * i] = l ^ ((l >>> 31) | (h << 1));
    halves[2 * i + 1] = h ^ (h >>> 31);
  }
  const bytes = Buffer.from(halves.buffer);
  return bytes.subarray(offset - first * 8, offset - first * 8 + length);
}

const mebi = 1 << 20;

/** The data of `backup --generate --seed` (pattern.h) in [offset, offset + length). */
export function pattern(seed: number, offset: number, length: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = offset; at < offset + length; ) {
    const unit = Math.floor(at / mebi);
    const inside = at % mebi;
    const start = Number(word(~BigInt(seed) & mask, BigInt(unit)) % 16384n) * 4096;
    const end = Math.min(offset + length, (unit + 1) * mebi);
    const from = (start + inside) % (64 * mebi);
    const first = Math.min(end - at, 64 * mebi - from);
    pieces.push(gen(seed, from, first), gen(seed, 0, end - at - first));
    at = end;
  }
  return Buffer.concat(pieces);
}

export const hex = (name: string | Uint8Array): string => `hex:${Buffer.from(name).toString('hex')}`;
