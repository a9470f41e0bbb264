/** A discarding engine in a process of its own, and what the kernel says that its threads cost. */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { mainThreadTimes } from '../conditions/thread-times.ts';
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

/** Seconds that the main thread was on a processor, in the scheduler's nanoseconds. */
export function coordinatorSeconds(pid: number): number {
  return mainThreadTimes(pid).ranNs / 1e9;
}

/** What the system has given the arenas that an engine holds, used and kept ones: pages that nobody touched are none. */
export function arenaBytes(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  let bytes = 0;
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    try {
      if (readlinkSync(path).startsWith('/memfd:vast-ost-arena')) bytes += statSync(path).blocks * 512;
    } catch (error) {
      // Closed since it was listed.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return bytes;
}
