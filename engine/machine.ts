/** What the machine offers: read once at start, handed to the configuration. */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { parseCpus } from './config-forms.ts';

export interface MachineFacts {
  /** Cores that this process may use. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Their numbers, rising; not given: the kernel does not tell. */
  readonly allowedCpus?: readonly number[] | undefined;
  /** The tightest memory limit of the control groups that this process is in; Infinity: none. */
  readonly cgroupBytes: number;
}

export function machineFacts(): MachineFacts {
  return {
    cores: availableParallelism(),
    allowedCpus: allowedCpus(readText),
    memoryBytes: totalmem(),
    cgroupBytes: cgroupLimit(readText),
  };
}

/** Of this process, by the kernel. Undefined: it does not tell. */
export function allowedCpus(read: (path: string) => string | null): readonly number[] | undefined {
  const list = /^Cpus_allowed_list:[ \t]*(.*)$/m.exec(read('/proc/self/status') ?? '')?.[1];
  return (list === undefined ? null : parseCpus(list)) ?? undefined;
}

/**
 * Smallest limit on the way from this process's group up to the root; a group without a limit says "max" (version 2) or a
 * number beyond all memory (version 1). `read` gives null for what cannot be read.
 */
export function cgroupLimit(read: (path: string) => string | null): number {
  let limit = Infinity;
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, group] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (group === undefined || controllers === undefined) continue;
    const isVersion2 = controllers === '';
    if (!isVersion2 && !controllers.split(',').includes('memory')) continue;
    const root = isVersion2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    const file = isVersion2 ? 'memory.max' : 'memory.limit_in_bytes';
    const parts = group.split('/').filter((part) => part !== '');
    // Within a container the group's path may not be visible: then only the root's own file is there.
    for (let depth = parts.length; depth >= 0; depth--) {
      const text = read([root, ...parts.slice(0, depth), file].join('/'))?.trim() ?? '';
      if (/^[0-9]+$/.test(text)) limit = Math.min(limit, Number(text));
    }
  }
  return limit;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
