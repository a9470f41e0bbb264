/**
 * Real jobs through the real plug-in and engine, in processes of their own, counted from outside: one of a few blocks and
 * one of many more. What the second costs above the first is divided by the blocks (or images) between them, so what a job
 * costs once, and a start, are in no figure.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runHost } from '../../scripts/programs/host-program.ts';
import { top } from '../../scripts/steps.ts';
import { EngineProcess } from '../engine-process.ts';
import type { ModeName } from '../run-context.ts';
import { countingEnv, countsOf, countsOfAll, difference, kernelSums, type Sums } from './counts.ts';

/** The plug-in's own objects with a seam between them: bench/native/copy-seam.c. */
const countedPlugin = join(top, 'bench/native/build/libstspiVastData-counted.so');
const mib = 1 << 20;
export const blockBytes = 4 * mib;
/** One call of the plug-in. */
const bufferBytes = mib;
const fewBlocks = 8;
const manyBlocks = 40;
const fewImages = 8;
const manyImages = 24;
const smallBytes = 64 * 1024;
const heapWaitMs = 10_000;
const heapLookMs = 2;

/** A job is counted anew when something came in between: a thread that starts reads its modules, and copies them. */
const attemptsMax = 3;

export type Job = 'backup' | 'restore' | 'small image';

/** What one job moved the sums by, in all three views. */
interface Views {
  readonly host: Sums;
  readonly engine: Sums;
  readonly kernel: Sums;
  readonly heapBytes: number;
}

/** Per block or image: the job of many less the job of few. */
export interface PerUnit extends Views {
  /** Payload bytes of a unit. */
  readonly bytes: number;
}

/** More work for fewer blocks: something else was at work as well, and would hide as much. */
function isOdd(few: Views, many: Views): boolean {
  const calls = ['copies', 'pwrites', 'preads', 'sends', 'syncs', 'module_allocations'];
  return calls.some((name) => few.engine[name] > many.engine[name] + 1 || few.host[name] > many.host[name] + 1);
}

export class CountedEngine {
  readonly #engine: EngineProcess;
  readonly #directory: string;
  /** Image by its blocks. */
  readonly #written = new Map<number, string>();
  #jobs = 0;
  #heaps = 0;

  private constructor(engine: EngineProcess, directory: string) {
    this.#engine = engine;
    this.#directory = directory;
  }

  static async start(directory: string, mode: ModeName): Promise<CountedEngine> {
    mkdirSync(join(directory, 'counts'), { recursive: true });
    const probe = join(top, 'bench/budget/heap-probe.ts');
    const engine = await EngineProcess.start({
      directory,
      mode,
      blockBytes,
      streams: 1,
      env: {
        ...countingEnv(join(directory, 'counts'), 'vast_ost_addon.node'),
        NODE_OPTIONS: `--import=${probe}`,
        VAST_HEAP_DIR: directory,
      },
    });
    return new CountedEngine(engine, directory);
  }

  /** A job that nobody counts: lanes are started, code is compiled. */
  async warmUp(): Promise<void> {
    await this.#host(['backup', '--image', 'warm', '--date', 1, '--create-lsu', '--generate', manyBlocks * blockBytes]);
    await this.#host(['restore', '--image', 'warm', '--date', 1, '--discard']);
    await this.#script([`images v default warm 0 ${manyImages} ${smallBytes} 1`]);
  }

  /** A restore is of what the backup before it wrote, or of one that nobody counts. */
  async count(job: Job): Promise<PerUnit> {
    if (job === 'backup') return await this.#backup();
    if (job === 'small image') return await this.#smallImages();
    if (this.#written.size === 0) await this.#backup();
    return await this.#restore();
  }

  async #backup(): Promise<PerUnit> {
    const job = (blocks: number) => () => {
      const image = `b${this.#jobs}`;
      this.#written.set(blocks, image);
      return this.#host(['backup', '--image', image, '--date', 1, '--generate', blocks * blockBytes]);
    };
    return await this.#perUnit(job(fewBlocks), job(manyBlocks), manyBlocks - fewBlocks, blockBytes);
  }

  async #restore(): Promise<PerUnit> {
    const job = (blocks: number) => () =>
      this.#host(['restore', '--image', this.#written.get(blocks) ?? '', '--date', 1, '--discard']);
    return await this.#perUnit(job(fewBlocks), job(manyBlocks), manyBlocks - fewBlocks, blockBytes);
  }

  async #smallImages(): Promise<PerUnit> {
    const job = (images: number) => () =>
      this.#script([`images v default s${this.#jobs}- 0 ${images} ${smallBytes} 1`]);
    return await this.#perUnit(job(fewImages), job(manyImages), manyImages - fewImages, smallBytes);
  }

  async stop(): Promise<void> {
    await this.#engine.stop();
  }

  /** For who has no time to stop it well. */
  async kill(): Promise<void> {
    await this.#engine.kill();
  }

  async #perUnit(
    few: () => Promise<string>,
    many: () => Promise<string>,
    units: number,
    bytes: number,
  ): Promise<PerUnit> {
    let small = await this.#counted(few);
    let large = await this.#counted(many);
    for (let again = 1; again < attemptsMax && isOdd(small, large); again++) {
      small = await this.#counted(few);
      large = await this.#counted(many);
    }
    const each = (from: Sums, to: Sums): Sums =>
      Object.fromEntries(Object.entries(difference(from, to)).map(([name, value]) => [name, value / units] as const));
    return {
      host: each(small.host, large.host),
      engine: each(small.engine, large.engine),
      kernel: each(small.kernel, large.kernel),
      heapBytes: (large.heapBytes - small.heapBytes) / units,
      bytes,
    };
  }

  async #counted(job: () => Promise<string>): Promise<Views> {
    const before = await this.#look();
    const directory = await job();
    const after = await this.#look();
    return {
      host: countsOfAll(directory),
      engine: difference(before.engine, after.engine),
      kernel: difference(before.kernel, after.kernel),
      heapBytes: after.heap - before.heap,
    };
  }

  /** Behind an answer of the engine: what it had to do for the job before is done, or as good as that. */
  async #look(): Promise<{ engine: Sums; kernel: Sums; heap: number }> {
    await this.#engine.status();
    const heap = await this.#heap();
    return {
      engine: countsOf(join(this.#directory, 'counts'), this.#engine.pid),
      kernel: kernelSums(this.#engine.pid),
      heap,
    };
  }

  async #heap(): Promise<number> {
    const file = join(this.#directory, `heap.${++this.#heaps}`);
    process.kill(this.#engine.pid, 'SIGUSR2');
    for (let waited = 0; !existsSync(file); waited += heapLookMs) {
      if (waited > heapWaitMs) throw new Error('the engine does not tell what its heap has allocated');
      await sleep(heapLookMs);
    }
    return Number(readFileSync(file, 'utf8'));
  }

  #jobEnv(): { env: NodeJS.ProcessEnv; directory: string } {
    const directory = join(this.#directory, `job${++this.#jobs}`);
    mkdirSync(directory);
    const env = { ...countingEnv(directory, 'libstspiVastData'), VAST_OST_PLUGIN: countedPlugin };
    return { env, directory };
  }

  /** Returns the directory of its sums. */
  async #host(args: readonly (string | number)[]): Promise<string> {
    const { env, directory } = this.#jobEnv();
    const all = [...args.map(String), '--buffer', String(bufferBytes), '--config', this.#engine.config];
    const { code, err, json } = await runHost(all, env);
    if (code !== 0) throw new Error(`vast-ost-host ${all.join(' ')}: ${json.text || err.trim()}`);
    return directory;
  }

  async #script(lines: readonly string[]): Promise<string> {
    const { env, directory } = this.#jobEnv();
    const all = [`init ${this.#engine.config}`, 'session s bench', 'open_server s v VastData:bench', ...lines];
    const { out, code, err } = await runHost(['script'], env, `${all.join('\n')}\n`);
    const failed = out
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { status: number; text: string })
      .find(({ status }) => status !== 0);
    if (code !== 0 || failed !== undefined) throw new Error(`vast-ost-host script: ${failed?.text ?? err.trim()}`);
    return directory;
  }
}
