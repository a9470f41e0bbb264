/**
 * The test's end of the storage shim (shim.h): makes the control file, arms rules while the engine runs, reads counters
 * and the log. All numbers in the control file are 64-bit little-endian words.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LogLine, parseLog } from './log.ts';

export const shimAction = {
  killBefore: 1,
  killAfter: 2,
  fail: 3,
  short: 4,
  hang: 5,
  hangAfter: 6,
  drop: 7,
} as const;
export type ShimAction = keyof typeof shimAction;

export interface Rule {
  action: ShimAction;
  /** First match acted on, from 1, counted from arming. Default 1. */
  from?: number;
  /** How many matches are acted on; 0: all. Default 1. */
  count?: number;
  /** fail: errno, positive. short: bytes. hang: errno after release, 0 to go on. */
  argument?: number;
  /** Names of calls or kinds: open mkdir rename link unlink rmdir write copy clone truncate fsync fdatasync writeback chmod lock
   * read stat statfs list close; @change = names, data and syncs; @name, @sync, @read. Default: all that are counted. */
  names?: string[];
  /** fnmatch pattern on the path below the root (`*` matches `/` too). Default: all. */
  path?: string;
}

export interface RuleCounts {
  matched: number;
  acted: number;
  /** Threads held now. */
  holding: number;
}

const magic = 'VASTSHM1';
const rulesMax = 16;
const ruleBytes = 512;
const rulesAt = 512;
const controlBytes = rulesAt + rulesMax * ruleBytes;
const field = { pid: 8, calls: 16, dataEnd: 24, killed: 32 } as const;
const ruleField = {
  armed: 0,
  action: 8,
  from: 16,
  count: 24,
  argument: 32,
  matched: 40,
  acted: 48,
  holding: 56,
  release: 64,
  names: 128,
  path: 256,
} as const;
const namesBytes = 128;
const pathBytes = 256;

const here = fileURLToPath(new URL('.', import.meta.url));

/** Builds the shim where it is not up to date; returns its path. */
export function buildShim(): string {
  execFileSync('make', ['-s', '-C', here], { stdio: ['ignore', 'ignore', 'inherit'] });
  return join(here, 'build/libvast_shim.so');
}

/** One run of one engine. A second engine needs a Shim of its own. */
export class Shim {
  readonly library: string;
  readonly control: string;
  readonly log: string;
  readonly data: string;
  readonly #fd: number;
  readonly #logs: 'none' | 'calls' | 'data';

  /**
   * @param dir an existing directory outside the storage root, for control file, log and data
   * @param logs 'calls': a log; 'data': also every byte written, and changes of names one at a time
   */
  constructor(dir: string, logs: 'none' | 'calls' | 'data' = 'none') {
    this.library = buildShim();
    this.control = join(dir, 'shim.control');
    this.log = join(dir, 'shim.log');
    this.data = join(dir, 'shim.data');
    this.#logs = logs;
    const memory = Buffer.alloc(controlBytes);
    memory.write(magic, 'latin1');
    for (const path of logs === 'data' ? [this.log, this.data] : logs === 'calls' ? [this.log] : []) {
      writeFileSync(path, '');
    }
    writeFileSync(this.control, memory);
    this.#fd = openSync(this.control, 'r+');
  }

  /**
   * Environment of the engine. `argv`: only a process with this text in its command line takes the shim. `aliases`: links
   * beside the root that lead to it; a path reached through link a is `a:path` to rules and in the log.
   */
  env(root: string, argv = '', aliases: readonly string[] = []): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = {
      LD_PRELOAD: this.library,
      VAST_SHIM_ROOT: root,
      VAST_SHIM_CONTROL: this.control,
      VAST_SHIM_ARGV: argv,
      VAST_SHIM_ALIASES: aliases.join(':'),
    };
    if (this.#logs !== 'none') env.VAST_SHIM_LOG = this.log;
    if (this.#logs === 'data') env.VAST_SHIM_DATA = this.data;
    return env;
  }

  /** Sets a rule with fresh counters; from the return on it is in force. */
  arm(slot: number, rule: Rule): void {
    const at = this.#at(slot);
    this.disarm(slot);
    const memory = Buffer.alloc(ruleBytes);
    const words: [number, number][] = [
      [ruleField.action, shimAction[rule.action]],
      [ruleField.from, rule.from ?? 1],
      [ruleField.count, rule.count ?? 1],
      [ruleField.argument, rule.argument ?? 0],
    ];
    for (const [where, value] of words) memory.writeBigUInt64LE(BigInt(value), where);
    for (const [where, max, text] of [
      [ruleField.names, namesBytes, (rule.names ?? []).join(',')],
      [ruleField.path, pathBytes, rule.path ?? ''],
    ] as const) {
      if (Buffer.byteLength(text) >= max) throw new RangeError(`longer than ${max - 1} bytes: ${text}`);
      memory.write(text, where);
    }
    writeSync(this.#fd, memory, 0, ruleBytes, at);
    this.#write(at + ruleField.armed, 1);
  }

  /** Takes a rule away; threads that it holds go on. */
  disarm(slot: number): void {
    this.#write(this.#at(slot) + ruleField.armed, 0);
  }

  /** Lets the held threads of a hang go on; later matches are not held. */
  release(slot: number): void {
    this.#write(this.#at(slot) + ruleField.release, 1);
  }

  counts(slot: number): RuleCounts {
    const at = this.#at(slot);
    return {
      matched: this.#read(at + ruleField.matched),
      acted: this.#read(at + ruleField.acted),
      holding: this.#read(at + ruleField.holding),
    };
  }

  /** Calls counted since the engine started; close is none. */
  get calls(): number {
    return this.#read(field.calls);
  }

  /** The engine's, or 0 while none has started. */
  get pid(): number {
    return this.#read(field.pid);
  }

  /** Number of the call at which a kill rule struck, or 0. */
  get killedAt(): number {
    return this.#read(field.killed);
  }

  /** Puts a line of the test's own into the log: "this was acknowledged before anything that follows". */
  mark(text: string): void {
    appendFileSync(this.log, `M\t${encodeURIComponent(text)}\n`);
  }

  readLog(): LogLine[] {
    return parseLog(readFileSync(this.log, 'latin1'));
  }

  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #at(slot: number): number {
    if (!Number.isInteger(slot) || slot < 0 || slot >= rulesMax) throw new RangeError(`no rule ${slot}`);
    return rulesAt + slot * ruleBytes;
  }

  #read(at: number): number {
    const word = Buffer.alloc(8);
    readSync(this.#fd, word, 0, 8, at);
    return Number(word.readBigUInt64LE());
  }

  #write(at: number, value: number): void {
    const word = Buffer.alloc(8);
    word.writeBigUInt64LE(BigInt(value));
    writeSync(this.#fd, word, 0, 8, at);
  }
}
