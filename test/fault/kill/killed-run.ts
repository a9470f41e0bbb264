/**
 * Engines that die at a chosen call on storage, one behind the other on one store: each new one first judges what the
 * last one left, then is killed in turn.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TestEngine } from '../../support/engine.ts';
import type { HostScript } from '../../support/host-program.ts';
import { Shim, type ShimAction } from '../shim/shim.ts';
import { judge, judgeImages } from './judge.ts';
import { lsu, type Operation } from './operations.ts';
import { take } from './steps.ts';

/** Above every count: a rule that only counts. */
const never = 1_000_000_000;
const rule = 0;

export type KillAction = Extract<ShimAction, 'killBefore' | 'killAfter'>;

export interface KillPoint {
  operation: Operation;
  action: KillAction;
  /** Number of the call on storage, from 1, counted from the operation's begin. */
  call: number;
}

export const pointName = ({ operation, action, call }: KillPoint): string => `${operation.name}, ${action} ${call}`;

export class KilledRun {
  readonly engine: TestEngine;
  #shim: Shim | null = null;
  #host: HostScript | null = null;
  #rounds = 0;
  #starts = 0;

  private constructor(engine: TestEngine) {
    this.engine = engine;
  }

  /** `directory`: a test's own, for a store that lies elsewhere; else a new one. */
  static async start(directory?: string): Promise<KilledRun> {
    const run = new KilledRun(TestEngine.prepare({ directory }));
    await run.#launch();
    await run.#open.ok(`create_lsu v ${lsu}`);
    return run;
  }

  /** Runs it once without a kill. Returns how many calls on storage it took. */
  async count(operation: Operation): Promise<number> {
    const { images, prepare, run } = operation.round(`n${this.#rounds++}`);
    this.#must(await take(this.#open, prepare));
    this.#control.arm(rule, { action: 'killBefore', from: never });
    this.#must(await take(this.#open, run));
    const { matched } = this.#control.counts(rule);
    this.#control.disarm(rule);
    await this.#open.call('close i 0');
    this.#must((await judgeImages(this.engine, this.#open, images)).join('\n') || null);
    return matched;
  }

  /** Runs it up to the kill, starts a new engine, and judges. Returns what is wrong. */
  async kill({ operation, action, call }: KillPoint): Promise<string[]> {
    const { images, prepare, run } = operation.round(`n${this.#rounds++}`);
    this.#must(await take(this.#open, prepare));
    this.#control.arm(rule, { action, from: call });
    const refused = await take(this.#open, run);
    // The last calls (drop of a claim, closing) may follow the answer.
    if (refused === null) await this.#open.call('close i 0');
    const { acted } = this.#control.counts(rule);
    const problems: string[] = [];
    if (acted > 0) {
      const signal = await this.engine.ended();
      if (signal !== 'SIGKILL') problems.push(`the engine ended with ${signal}: ${this.engine.err}`);
      if (refused !== null && !refused.startsWith('STS_ESOCKET')) problems.push(`answered ${refused}`);
    } else {
      // Calls of different lanes do not always come in the same number: the last one may not come at all.
      this.#must(refused);
      await this.engine.kill();
    }
    await this.#launch();
    return [...problems, ...(await judge(this.engine, this.#open, images))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host?.[Symbol.asyncDispose]();
    this.#shim?.close();
    await this.engine[Symbol.asyncDispose]();
  }

  get #open(): HostScript {
    if (this.#host === null) throw new Error('no host program');
    return this.#host;
  }

  get #control(): Shim {
    if (this.#shim === null) throw new Error('no shim');
    return this.#shim;
  }

  #must(problem: string | null): void {
    if (problem !== null) throw new Error(problem);
  }

  async #launch(): Promise<void> {
    await this.#host?.[Symbol.asyncDispose]();
    this.#shim?.close();
    const own = join(this.engine.directory, `shim-${this.#starts++}`);
    mkdirSync(own);
    this.#shim = new Shim(own);
    await this.engine.launch({ env: this.#shim.env(this.engine.store, 'engine/main.ts') });
    this.#host = await this.engine.script();
  }
}
