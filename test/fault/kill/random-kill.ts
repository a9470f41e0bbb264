/** Four streams at work; at a random moment the engine or one host program is killed; then everything is judged. */
import { random } from '../../model/random-program.ts';
import { TestEngine } from '../../support/engine.ts';
import { until } from '../../support/engine-state.ts';
import type { HostScript } from '../../support/host-program.ts';
import { judge, judgeImages } from './judge.ts';
import { type Random, stream } from './load.ts';

const lsu = 'load';
const streams = 4;
/** The kill comes after so many answers, and then within a few milliseconds: in the middle of whatever is under way. */
const answersMax = 60;
const delayMsMax = 25;

export class RandomKills {
  readonly engine: TestEngine;
  #rounds = 0;

  private constructor(engine: TestEngine) {
    this.engine = engine;
  }

  static async start(): Promise<RandomKills> {
    // Streams that look for the dead engine do not wait long for it.
    const engine = await TestEngine.start({ config: { engine: { connect_wait_s: 1 } } });
    await using host = await engine.script();
    await host.ok(`create_lsu v ${lsu}`);
    return new RandomKills(engine);
  }

  /** What is wrong after one kill. */
  async round(victim: 'engine' | 'host program', next: Random): Promise<string[]> {
    const { engine } = this;
    const hosts: HostScript[] = [];
    for (let i = 0; i < streams; i++) hosts.push(await engine.script());
    let left = 1 + Math.floor(next() * answersMax);
    const delayMs = next() * delayMsMax;
    const chosen = hosts[Math.floor(next() * streams)] as HostScript;
    let stopped = false;
    const strike = (): void => {
      stopped = victim === 'host program';
      if (victim === 'engine') process.kill(engine.pid, 'SIGKILL');
      else chosen.child.kill('SIGKILL');
    };
    const answered = (): void => {
      if (--left === 0) setTimeout(strike, delayMs);
    };
    const tag = `r${this.#rounds++}`;
    // The streams draw from generators of their own: how their answers interleave does not change what each one does.
    const seeds = hosts.map(() => Math.floor(next() * 2 ** 32));
    const ends = await Promise.all(
      hosts.map((host, i) =>
        stream(host, lsu, `${tag}-${i}`, [{ at: 0, seed: 5 + i }], random(seeds[i] ?? 0), () => stopped, answered),
      ),
    );
    const problems = ends.flatMap((end) => end.problems);
    for (const host of hosts) await host[Symbol.asyncDispose]();
    if (victim === 'engine') {
      await engine.ended();
      await engine.launch();
    } else {
      await until(async () => {
        const { handles, memory } = await engine.status();
        return handles.open === 0 && memory.usedBytes === 0;
      });
    }
    await using host = await engine.script();
    const images = ends.flatMap((end) => end.images);
    const judged = victim === 'engine' ? judge(engine, host, images) : judgeImages(engine, host, images);
    return [...problems, ...(await judged)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }
}
