/**
 * CPU seconds of a sample by the kernel's own accounting.
 *
 *   host program   its own rusage where it tells it; else what ended children of this process used (/proc/self/stat)
 *   engine         the CPU clock of its process, in ns. It keeps what threads used that ended, also one that nobody saw: a
 *                  sum over /proc/PID/task has none of a thread that began and ended between two looks
 *   rest           busy time of all processors (/proc/stat: user, nice, system, irq, softirq; steps of 10 ms) less the two
 *                  above: interrupts and softirqs that no process was charged for, kernel threads (writeback, rpciod,
 *                  kworkers of NFS and block layer), this bench program itself, and whatever else ran on the machine. What an
 *                  interrupt does while a process runs is that process's on kernels without IRQ_TIME_ACCOUNTING. In a
 *                  container /proc/stat is still the whole machine. Time stolen by a hypervisor is nobody's and is left out.
 *
 * The kernel brings a running thread's figure up to date at its next tick or switch: each is late by up to 4 ms.
 */
import { addon } from '../../native/addon/index.ts';
import { userHz } from '../../scripts/programs/user-hz.ts';
import type { Cpu } from '../result/schema.ts';
import { Files, numberOf } from './files.ts';

interface Snapshot {
  readonly busy: number | null;
  readonly children: number | null;
  readonly engines: readonly (number | null)[];
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

/** Of a process and of its threads, ended ones included; null: it is not there. */
export function processSeconds(pid: number): number | null {
  const ns = addon.processCpuNs(pid);
  return ns < 0 ? null : ns / 1e9;
}

/** Of children of this process that were waited for, and theirs. */
export function childrenSeconds(files: Files): number | null {
  return ticks(statFields(files, 'proc/self/stat'), 13);
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

/** Null where one of the two is not known, or the later one is less: another process has that number now. */
function difference(from: number | null, to: number | null): number | null {
  return from === null || to === null || to < from ? null : to - from;
}

/** Begin before the sample, `end` right after it. The engines are those that run through it. */
export class Accounting {
  readonly #files: Files;
  readonly #engines: readonly number[];
  readonly #secondsOf: (pid: number) => number | null;
  readonly #before: Snapshot;

  constructor(engines: readonly number[], files: Files = new Files(), secondsOf = processSeconds) {
    this.#files = files;
    this.#engines = engines;
    this.#secondsOf = secondsOf;
    this.#before = this.#snapshot();
  }

  /**
   * `hostProgram`: seconds by the host program's own rusage; not given: those of children that ended meanwhile, among which
   * no engine may be.
   */
  end(hostProgram?: number): Cpu {
    const [before, after] = [this.#before, this.#snapshot()];
    const children = hostProgram ?? difference(before.children, after.children);
    const engines = after.engines.map((seconds, i) => difference(before.engines[i], seconds));
    const engine = engines.some((seconds) => seconds === null)
      ? null
      : engines.reduce<number>((sum, seconds) => sum + (seconds as number), 0);
    const busy = difference(before.busy, after.busy);
    const rest = busy === null || children === null || engine === null ? null : Math.max(0, busy - children - engine);
    return { hostProgram: children, engine: engines.length === 0 ? null : engine, rest };
  }

  #snapshot(): Snapshot {
    return {
      busy: busySeconds(this.#files),
      children: childrenSeconds(this.#files),
      engines: this.#engines.map((pid) => this.#secondsOf(pid)),
    };
  }
}
