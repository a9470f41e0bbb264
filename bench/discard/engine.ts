/** A discarding engine in a process of its own, and what the kernel says that its threads cost. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processSeconds } from '../conditions/accounting.ts';
import { EngineProcess, type EngineSettings, slotsOf } from '../engine-process.ts';
import type { Mode } from '../model/types.ts';

export type { Mode } from '../model/types.ts';

export const modes: readonly Mode[] = ['io-only', 'sums', 'default'];

const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

export interface DiscardSettings extends Pick<EngineSettings, 'directory' | 'mode' | 'blockBytes' | 'streams'> {
  /** Not given: as many as the engine makes by itself. */
  readonly digestLanes?: number;
  readonly logLevel?: 'INFO' | 'DEBUG';
}

/** So much that each of so many images has all slots that it wants: who asks gets a quarter of what is left of three quarters. */
function memoryMb({ blockBytes = 0, streams = 1 }: Pick<EngineSettings, 'blockBytes' | 'streams'>): number {
  const arena = Math.max(slotsOf('write', blockBytes), slotsOf('restore', blockBytes)) * blockBytes;
  return Math.max(512, Math.ceil(((streams + 3) * arena * 4) / 3 / (1 << 20)));
}

export function startDiscarding({
  digestLanes = 0,
  logLevel = 'INFO',
  ...settings
}: DiscardSettings): Promise<EngineProcess> {
  return EngineProcess.start({
    ...settings,
    main: join(import.meta.dirname, `engine-main.${ending}`),
    settings: {
      engine: { store: 'memory', digest_lanes: digestLanes, max_memory_mb: memoryMb(settings) },
      logging: { log_level: logLevel },
    },
  });
}

export interface ThreadSeconds {
  /** Of the main thread. */
  readonly coordinator: number;
  /** Of all others, ended ones included: lanes, and what V8, libuv and the addon run beside them. */
  readonly lanes: number;
}

/** Seconds on a processor, by the scheduler's nanoseconds. */
export function threadSeconds(pid: number): ThreadSeconds {
  const coordinator = Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ', 1)[0]) / 1e9;
  return { coordinator, lanes: (processSeconds(pid) ?? Number.NaN) - coordinator };
}
