/** What the kernel tells of a thread's time (Documentation/scheduler/sched-stats.rst): in ns, from the thread's begin on. */
import { readFileSync } from 'node:fs';

export interface ThreadTimes {
  /** On a processor. */
  readonly ranNs: number;
  /** Ready, and without a processor. */
  readonly waitedNs: number;
}

/** Of a process's first thread. Throws where there is none, or the kernel does not tell. */
export function mainThreadTimes(pid: number): ThreadTimes {
  const [ranNs = Number.NaN, waitedNs = Number.NaN] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1')
    .split(' ')
    .map(Number);
  return { ranNs, waitedNs };
}
