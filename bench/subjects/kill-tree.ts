/** Ends a program and all that it started. */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Two looks are enough unless somebody starts processes at this moment, or has no processor to stop on. */
const looksMs = 5000;
const betweenMs = 2;

const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

/** All processes of this moment. */
function processes(): Seen[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // Behind the name, which may have blanks and brackets.
        const [state = '', parent] = readFileSync(`/proc/${name}/stat`, 'latin1')
          .replace(/^.*\) /s, '')
          .split(' ');
        return [{ pid: Number(name), parent: Number(parent), state }];
      } catch {
        // It has just ended.
        return [];
      }
    });
}

/** The process, what it started, and what that started. */
function treeOf(pid: number): Seen[] {
  const all = processes();
  const found = all.filter((one) => one.pid === pid);
  for (let i = 0; i < found.length; i++) found.push(...all.filter(({ parent }) => parent === found[i]?.pid));
  return found;
}

function signalled(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

/**
 * fio and shells do their work in children, which their own death leaves running, and fio's jobs have sessions of their own,
 * which a signal to its group does not reach. All are stopped until none is found that may start another one, then killed: who
 * was started after the last look would be nobody's child. `child` leads a group of its own.
 */
export function killTree(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  const stopped = new Set<number>();
  // Of one that has ended the children are the kernel's, and its number may be another one's by now.
  const look = (): Seen[] => (child.exitCode === null && child.signalCode === null ? treeOf(pid) : []);
  let found = look();
  // A signal takes its time: who still runs or sleeps may be in the middle of a fork.
  const mayFork = ({ pid, state }: Seen): boolean => !stopped.has(pid) || /[RS]/.test(state);
  const end = performance.now() + looksMs;
  while (found.some(mayFork) && performance.now() < end) {
    for (const one of found) {
      signalled(one.pid, 'SIGSTOP');
      stopped.add(one.pid);
    }
    // Whoever is to stop may need this processor for it.
    Atomics.wait(nobodyWakes, 0, 0, betweenMs);
    found = look();
  }
  for (const one of [-pid, ...found.map((seen) => seen.pid)]) signalled(one, 'SIGKILL');
}
