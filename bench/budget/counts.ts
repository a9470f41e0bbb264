/** Sums of one process as others see them: of the preloaded bench/native/call-counter.c, and of the kernel. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from '../../scripts/steps.ts';
import { processSeconds } from '../conditions/accounting.ts';
import { Files, numberOf } from '../conditions/files.ts';

export type Sums = Readonly<Record<string, number>>;

const namesBytes = 4096;
const sumBytes = 8;

/** Environment of a process that is to be counted; `module`: the library whose own calls are told apart. */
export function countingEnv(directory: string, module: string): NodeJS.ProcessEnv {
  return {
    LD_PRELOAD: join(top, 'bench/native/build/call-counter.so'),
    VAST_COUNT_DIR: directory,
    VAST_COUNT_MODULE: module,
  };
}

function countsIn(file: string): Sums {
  const bytes = readFileSync(file);
  const end = bytes.indexOf(0);
  const names = bytes.toString('latin1', 0, end).trim().split('\n');
  if (end < 0 || end > namesBytes || bytes.length < namesBytes + names.length * sumBytes) {
    throw new Error(`${file}: not what bench/native/call-counter.c writes`);
  }
  return Object.fromEntries(
    names.map((name, i) => [name, Number(bytes.readBigUInt64LE(namesBytes + i * sumBytes))] as const),
  );
}

/** Of a process that runs. */
export function countsOf(directory: string, pid: number): Sums {
  return countsIn(join(directory, String(pid)));
}

/** Of all that ran there and ended. */
export function countsOfAll(directory: string): Sums {
  const processes = readdirSync(directory).map((name) => countsIn(join(directory, name)));
  if (processes.length === 0)
    throw new Error(`${directory}: no process was counted: is its program linked statically?`);
  return processes.reduce((all, one) => combined(all, one, (a, b) => a + b));
}

function combined(a: Sums, b: Sums, how: (a: number, b: number) => number): Sums {
  return Object.fromEntries(Object.keys(b).map((name) => [name, how(a[name] ?? 0, b[name])] as const));
}

export function difference(before: Sums, after: Sums): Sums {
  return combined(before, after, (from, to) => to - from);
}

/** /proc/PID/io, CPU time and how often its threads gave way: the kernel's own sums. Empty where it tells nothing. */
export function kernelSums(pid: number): Sums {
  const files = new Files();
  const io = files.lines(`proc/${pid}/io`).map((line) => line.split(': '));
  const told = io.flatMap(([name, value]) => {
    const number = numberOf(value);
    return number === null || name === undefined ? [] : [[name, number] as const];
  });
  const tasks = files.names(`proc/${pid}/task`);
  const switches = tasks
    .flatMap((task) => files.lines(`proc/${pid}/task/${task}/status`))
    .filter((line) => line.startsWith('voluntary_ctxt_switches:'))
    .map((line) => numberOf(line.split(':')[1]?.trim()) ?? 0);
  return {
    ...Object.fromEntries(told),
    switches: switches.reduce((sum, count) => sum + count, 0),
    cpuSeconds: processSeconds(pid) ?? Number.NaN,
  };
}
