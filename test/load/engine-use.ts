/** What an engine under load uses, sampled from outside while it works. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { StatusReport } from '../../engine/core/status-report.ts';
import type { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';

/** Heaps, stacks and buffers: what is neither a file's nor an arena's. Bytes. */
export function rssAnon(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status tells no RssAnon`);
  return Number(kib) * 1024;
}

/** Memory that all arenas really have, by the kernel's count, whoever touched it. Bytes. */
export function arenaBytes(pid: number): number {
  let bytes = 0;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const path = `/proc/${pid}/fd/${fd}`;
    try {
      if (readlinkSync(path).startsWith('/memfd:')) bytes += statSync(path).blocks * 512;
    } catch {
      // closed meanwhile
    }
  }
  return bytes;
}

export function lanesOf({ pools }: StatusReport): number {
  return pools.reduce((sum, { running }) => sum + running, 0);
}

/** What RssAnon may be with so many lanes. */
export function rssAnonMax(lanes: number): number {
  return 60e6 + 10e6 * lanes;
}

/** The highest of everything that was sampled. */
export class Peaks {
  usedBytes = 0;
  budgetBytes = 0;
  arenaBytes = 0;
  waiting = 0;
  rssAnon = 0;
  lanes = 0;
  samples = 0;
  /** Samples above a bound, in words; what is wrong in thousands is shown by a few. */
  readonly wrong: string[] = [];

  /** Takes samples until one is what is looked for. */
  async until(engine: TestEngine, found: (status: StatusReport) => boolean): Promise<void> {
    await until(async () => found(await this.sample(engine)));
  }

  async sample(engine: TestEngine): Promise<StatusReport> {
    // Before the status: a lane that starts between the two counts, and its memory does not.
    const anon = rssAnon(engine.pid);
    const arenas = arenaBytes(engine.pid);
    const status = await engine.status();
    const { budgetBytes, usedBytes, waiting } = status.memory;
    const lanes = lanesOf(status);
    this.samples++;
    this.usedBytes = Math.max(this.usedBytes, usedBytes);
    this.budgetBytes = budgetBytes;
    this.arenaBytes = Math.max(this.arenaBytes, arenas);
    this.waiting = Math.max(this.waiting, waiting);
    this.rssAnon = Math.max(this.rssAnon, anon);
    this.lanes = Math.max(this.lanes, lanes);
    if (usedBytes > budgetBytes) this.#note(`${usedBytes} bytes used of ${budgetBytes}`);
    if (arenas > budgetBytes) this.#note(`arenas of ${arenas} bytes in a budget of ${budgetBytes}`);
    if (anon > rssAnonMax(lanes)) this.#note(`RssAnon ${anon} with ${lanes} lanes`);
    return status;
  }

  #note(text: string): void {
    if (this.wrong.length < 10) this.wrong.push(text);
  }

  toString(): string {
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    return (
      `peaks of ${this.samples} samples: budget ${mb(this.usedBytes)}, in arenas ${mb(this.arenaBytes)}, ` +
      `${this.waiting} waiting, RssAnon ${mb(this.rssAnon)} of ${mb(rssAnonMax(this.lanes))} with ${this.lanes} lanes`
    );
  }
}
