/**
 * CPU seconds of a sample by the kernel's own accounting.
 *
 *   host program   its own rusage where it tells it; else what ended children of this process used (/proc/self/stat)
 *   engine         its threads, ns each, by /proc/PID/task/<tid>/schedstat. A thread that ended meanwhile took its figure
 *                  with it: then /proc/PID/stat counts, which keeps ended threads but in steps of 10 ms
 *   rest           busy time of all processors (/proc/stat: user, nice, system, irq, softirq; steps of 10 ms) less the two
 *                  above: interrupts and softirqs that no process was charged for, kernel threads (writeback, rpciod,
 *                  kworkers of NFS and block layer), this bench program itself, and whatever else ran on the machine. What an
 *                  interrupt does while a process runs is that process's on kernels without IRQ_TIME_ACCOUNTING. In a
 *                  container /proc/stat is still the whole machine. Time stolen by a hypervisor is nobody's and is left out.
 *
 * The kernel brings a running thread's figure up to date at its next tick or switch: each is late by up to 4 ms.
 */
import { userHz } from '../../scripts/programs/user-hz.ts';
import type { Cpu } from '../result/schema.ts';
import { Files, numberOf } from './files.ts';

const threadsMax = 4096;

export interface ThreadTime {
  readonly name: string;
  readonly seconds: number;
}

interface Snapshot {
  readonly busy: number | null;
  readonly children: number | null;
  readonly engines: readonly EngineTimes[];
}

interface EngineTimes {
  /** By ticks, ended threads included. */
  readonly whole: number | null;
  readonly threads: ReadonlyMap<string, ThreadTime>;
}

/** Fields behind the name in brackets, which may hold blanks and brackets itself; [0] is the state, field 3 of proc(5). */
function statFields(files: Files, path: string): string[] {
  const text = files.text(path) ?? '';
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function ticks(fields: readonly string[], first: number): number | null {
  const [user, system] = [numberOf(fields[first]), numberOf(fields[first + 1])];
  return user === null || system === null ? null : (user + system) / userHz;
}

/** User and system seconds of a process and of its ended threads. */
export function processSeconds(files: Files, pid: number): number | null {
  return ticks(statFields(files, `proc/${pid}/stat`), 11);
}

/** Of children of this process that were waited for, and theirs. */
export function childrenSeconds(files: Files): number | null {
  return ticks(statFields(files, 'proc/self/stat'), 13);
}

export function threadTimes(files: Files, pid: number): Map<string, ThreadTime> {
  const times = new Map<string, ThreadTime>();
  for (const tid of files.names(`proc/${pid}/task`).slice(0, threadsMax)) {
    const ns = numberOf(files.line(`proc/${pid}/task/${tid}/schedstat`)?.split(' ')[0]);
    if (ns === null) continue;
    times.set(tid, { name: files.line(`proc/${pid}/task/${tid}/comm`) ?? tid, seconds: ns / 1e9 });
  }
  return times;
}

function cpuLine(files: Files): (number | null)[] {
  const line = files.lines('proc/stat')[0] ?? '';
  if (!line.startsWith('cpu ')) return [];
  return line.trim().split(/\s+/).slice(1).map(numberOf);
}

/** All processors': guest time is in user already, iowait is idle. */
export function busySeconds(files: Files): number | null {
  const [user, nice, system, , , irq, softirq] = cpuLine(files);
  const parts = [user, nice, system, irq, softirq];
  if (parts.some((part) => part === null || part === undefined)) return null;
  return parts.reduce<number>((sum, part) => sum + (part as number), 0) / userHz;
}

/** Parts of the processors' time that belong to no process, in seconds since boot: for a sample's counters. */
export function cpuCounters(files: Files): Record<string, number> {
  const [, , , , iowait, irq, softirq, steal] = cpuLine(files);
  const parts = { iowaitS: iowait, irqS: irq, softirqS: softirq, stealS: steal };
  const known = Object.entries(parts).filter((part): part is [string, number] => typeof part[1] === 'number');
  return Object.fromEntries(known.map(([name, value]) => [`cpu.${name}`, value / userHz]));
}

function threadDifferences(before: EngineTimes, after: EngineTimes): ThreadTime[] {
  return [...after.threads].map(([tid, { name, seconds }]) => ({
    name,
    // The number of a thread that ended may be another one's now: what is less than before began anew.
    seconds:
      seconds - (seconds < (before.threads.get(tid)?.seconds ?? 0) ? 0 : (before.threads.get(tid)?.seconds ?? 0)),
  }));
}

function engineDifference(before: EngineTimes, after: EngineTimes): number | null {
  const ended = [...before.threads.keys()].some((tid) => !after.threads.has(tid));
  if (!ended && after.threads.size > 0)
    return threadDifferences(before, after).reduce((sum, { seconds }) => sum + seconds, 0);
  if (before.whole === null || after.whole === null || after.whole < before.whole) return null;
  return after.whole - before.whole;
}

/** Begin before the sample, `end` right after it. The engines are those that run through it. */
export class Accounting {
  readonly #files: Files;
  readonly #engines: readonly number[];
  readonly #before: Snapshot;

  constructor(engines: readonly number[], files: Files = new Files()) {
    this.#files = files;
    this.#engines = engines;
    this.#before = this.#snapshot();
  }

  /**
   * `hostProgram`: seconds by the host program's own rusage; not given: those of children that ended meanwhile, among which
   * no engine may be.
   */
  end(hostProgram?: number): Cpu & { threads: ThreadTime[] } {
    const [before, after] = [this.#before, this.#snapshot()];
    const difference = (from: number | null, to: number | null): number | null =>
      from === null || to === null || to < from ? null : to - from;
    const children = hostProgram ?? difference(before.children, after.children);
    const engines = after.engines.map((engine, i) => engineDifference(before.engines[i], engine));
    const engine = engines.some((seconds) => seconds === null)
      ? null
      : engines.reduce<number>((sum, seconds) => sum + (seconds as number), 0);
    const busy = difference(before.busy, after.busy);
    const rest = busy === null || children === null || engine === null ? null : Math.max(0, busy - children - engine);
    return {
      hostProgram: children,
      engine: engines.length === 0 ? null : engine,
      rest,
      threads: after.engines
        .flatMap((times, i) => threadDifferences(before.engines[i], times))
        .sort((a, b) => b.seconds - a.seconds),
    };
  }

  #snapshot(): Snapshot {
    return {
      busy: busySeconds(this.#files),
      children: childrenSeconds(this.#files),
      engines: this.#engines.map((pid) => ({
        whole: processSeconds(this.#files, pid),
        threads: threadTimes(this.#files, pid),
      })),
    };
  }
}
