/**
 * One image's life before our server, and a kill -9 in it: while one request of the life is held at a point that the seed
 * chooses, engine or host program dies. Then the image is judged, gone on with, read, deleted, and the bucket must be as
 * it was before.
 */
import { runVastOst } from '../../support/cli.ts';
import type { TestEngine } from '../../support/engine.ts';
import { until } from '../../support/engine-state.ts';
import type { HostScript } from '../../support/host-program.ts';
import { s3Script, startS3Engine } from '../engine-kit.ts';
import type { FaultData, Point } from '../server/fault-data.ts';
import { points } from '../server/fault-data.ts';
import { S3Server } from '../server/server.ts';

export const steps = ['upload', 'commit', 'delete', 'restore'] as const;
export type Step = (typeof steps)[number];
export type Victim = 'engine' | 'host program';

const mib = 1 << 20;
const partMib = 8;
const partsInFlight = 2;
const slotBytes = (partsInFlight + 2) * partMib * mib;
/** Bytes that a step counts as parts although they are none: tails, sums and metas of one image. */
const smallBytes = 2 * partMib * mib;
const sizes = [3 * mib + 512, 8 * mib, 21 * mib + 1536, 44 * mib + 512];
/** Requests of a step are about so many: a number beyond them hits nothing, and that round kills behind the step. */
const nthMax: Readonly<Record<Step, number>> = { upload: 14, commit: 16, delete: 8, restore: 10 };
const dataSeed = 5;

type Random = () => number;

export interface RoundResult {
  /** What is wrong; empty: nothing. */
  problems: string[];
  /** The request that was held when the victim died; null: the step was over. */
  killedAt: string | null;
}

export class KillRounds {
  readonly #server: S3Server;
  readonly #engine: TestEngine;
  #round = 0;

  private constructor(server: S3Server, engine: TestEngine) {
    this.#server = server;
    this.#engine = engine;
  }

  /** `partsMax`: of one object; images that are longer go on in the next. */
  static async start(partsMax: number): Promise<KillRounds> {
    const server = await S3Server.start({ limits: { partsMax } });
    process.env.AWS_ACCESS_KEY_ID = server.credentials.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = server.credentials.secretAccessKey;
    const engine = await startS3Engine({
      server,
      endpoints: server.url,
      keys: { part_size_mb: partMib, parts_in_flight: partsInFlight },
      config: { engine: { connect_wait_s: 1 } },
    });
    await using host = await s3Script(engine);
    await host.ok('create_lsu v lsu');
    return new KillRounds(server, engine);
  }

  /** Throws where the judge itself cannot go on. */
  async round(step: Step, victim: Victim, next: Random): Promise<RoundResult> {
    const server = this.#server;
    const name = `image${++this.#round}`;
    const size = pick(sizes, next);
    const before = server.keys();
    server.clearLog();
    let host = await s3Script(this.#engine);
    const problems: string[] = [];
    const promised = { durable: 0, complete: false };
    await this.#prepare(host, step, name, size, promised);
    const fault = server.faults.add(faultOf(step, next));
    const done = this.#life(host, step, name, size, promised).catch(() => 'cut off');
    const held = await Promise.race([fault.stalled().then(() => true), done.then(() => false)]);
    const killedAt = held ? JSON.stringify(fault.data) : null;
    await this.#kill(victim, host);
    server.faults.clear();
    await done;
    await host[Symbol.asyncDispose]();
    if (victim === 'engine') await this.#engine.launch();
    else await this.#idle();
    // The engine goes on with what a dead host program asked for.
    if (step === 'delete' && victim === 'host program') await until(() => server.keys(`lsu/${name}~7/`).length === 0);
    host = await s3Script(this.#engine);
    problems.push(...(await this.#judge(host, step, name, size, promised)));
    await host[Symbol.asyncDispose]();
    await this.#idle();
    problems.push(...(await this.#clean(before)));
    problems.push(...this.#engine.bugs().map((bug) => JSON.stringify(bug)));
    return { problems, killedAt };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  /** What comes before the step in which the victim dies. */
  async #prepare(host: HostScript, step: Step, name: string, size: number, promised: Promised): Promise<void> {
    if (step === 'upload') return;
    await host.ok(`create_image v i lsu ${name} 7`);
    await host.ok(`write i 0 ${size} ${dataSeed}`);
    if (step === 'commit') return;
    await host.ok('close i 1');
    promised.complete = true;
  }

  async #life(host: HostScript, step: Step, name: string, size: number, promised: Promised): Promise<void> {
    switch (step) {
      case 'upload': {
        await host.ok(`create_image v i lsu ${name} 7`);
        const half = Math.floor(size / 1024) * 512;
        await host.ok(`write i 0 ${half} ${dataSeed}`);
        await host.ok('flush i');
        promised.durable = half;
        await host.ok(`write i ${half} ${size - half} ${dataSeed}`);
        await host.ok('flush i');
        promised.durable = size;
        return;
      }
      case 'commit':
        await host.ok('close i 1');
        promised.complete = true;
        return;
      case 'delete':
        promised.complete = false;
        await host.ok(`delete v lsu ${name} 7`);
        return;
      case 'restore':
        await host.ok(`open_image v r lsu ${name} 7 1`);
        await host.ok(`read r 0 ${size} expect=${dataSeed}`);
        await host.ok('close r 0');
    }
  }

  async #kill(victim: Victim, host: HostScript): Promise<void> {
    if (victim === 'engine') await this.#engine.kill();
    else {
      host.child.kill('SIGKILL');
      await host.ended();
    }
  }

  /** The engine holds nothing of the dead host program any more. */
  async #idle(): Promise<void> {
    await until(async () => {
      const { handles, memory } = await this.#engine.status();
      return handles.open === 0 && memory.usedBytes === 0;
    });
  }

  async #judge(host: HostScript, step: Step, name: string, size: number, promised: Promised): Promise<string[]> {
    const found = await host.call(`prop_byname v lsu ${name} 7`);
    if (found.status !== 0) {
      const mayBeGone = step === 'delete' || (step === 'upload' && promised.durable === 0);
      return mayBeGone ? [] : [`the image is gone: ${found.name} ${found.text}`];
    }
    const problems: string[] = [];
    if (found.state === 'complete') {
      if (step === 'upload') problems.push('a false complete');
      if (found.size !== size) problems.push(`complete with ${found.size} bytes instead of ${size}`);
    } else {
      if (promised.complete) problems.push(`it was complete and is ${found.state}`);
      // A delete that was cut short may leave it as it was, complete, and no other way.
      if (step === 'delete' || step === 'restore') problems.push(`${step} left it ${found.state}`);
      problems.push(...(await this.#goOn(host, name, size, promised.durable)));
    }
    const opened = await host.call(`open_image v r lsu ${name} 7 1`);
    // The engine goes on with the delete of a host program that died meanwhile.
    if (step === 'delete' && opened.name === 'STS_ENOENT') return problems;
    if (opened.status !== 0) return [...problems, `not opened: ${opened.name} ${opened.text}`];
    const read = await host.call(`read r 0 ${size + mib} expect=${dataSeed}`);
    await host.ok('close r 0');
    if (read.status !== 0 || read.got !== size) {
      // The next engine goes on with the delete of one that died: it may take the image away from its reader.
      const isGone =
        step === 'delete' &&
        read.status !== 0 &&
        (await host.call(`prop_byname v lsu ${name} 7`)).name === 'STS_ENOENT';
      if (!isGone) problems.push(`read back: ${JSON.stringify(read)}`);
    }
    const removed = await host.call(`delete v lsu ${name} 7`);
    if (removed.status !== 0 && step !== 'delete') problems.push(`not deleted: ${removed.name} ${removed.text}`);
    return problems;
  }

  /** The pending image is resumed where it is durable, and completed; returns what is wrong with that. */
  async #goOn(host: HostScript, name: string, size: number, promised: number): Promise<string[]> {
    const problems: string[] = [];
    const opened = await host.call(`open_image v i lsu ${name} 7 2`);
    if (opened.status !== 0) return [`not resumed: ${opened.name} ${opened.text}`];
    const { durable } = (await host.ok('prop i')) as unknown as { durable: number };
    if (durable < promised) problems.push(`durable ${durable}, promised ${promised}`);
    if (durable < size) await host.ok(`write i ${durable} ${size - durable} ${dataSeed}`);
    await host.ok('close i 1');
    const sent = this.#server.requests
      .filter(({ op }) => op === 'UploadPart' || op === 'PutObject')
      .reduce((sum, { bytesIn }) => sum + bytesIn, 0);
    if (sent > size + slotBytes + smallBytes) problems.push(`${sent} bytes were sent for an image of ${size}`);
    return problems;
  }

  /** Nothing of the image is left: neither by itself nor for gc. */
  async #clean(before: string[]): Promise<string[]> {
    const { code, errors } = await runVastOst('gc', 's3', '--config', this.#engine.config, '--older-than', '0s');
    const problems = code === 0 ? [] : [`gc: ${errors}`];
    const left = this.#server.keys().filter((key) => !before.includes(key));
    if (left.length > 0) problems.push(`left behind: ${left.join(' ')}`);
    const uploads = this.#server.uploads();
    if (uploads.length > 0) problems.push(`uploads left behind: ${uploads.map(({ key }) => key).join(' ')}`);
    return problems;
  }
}

interface Promised {
  /** Bytes of which a flush said so. */
  durable: number;
  complete: boolean;
}

function faultOf(step: Step, next: Random): FaultData {
  const at: Point = pick(points, next);
  const nth = 1 + Math.floor(next() * nthMax[step]);
  const bytes = at === 'in' ? Math.floor(next() * 200) : 0;
  return { match: { key: 'lsu/*', nth }, action: { do: 'stall', at, bytes } };
}

function pick<T>(from: readonly T[], next: Random): T {
  return from[Math.floor(next() * from.length)] as T;
}
