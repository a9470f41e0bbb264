/** A discarding engine in a process of its own, and what the kernel says that its threads cost. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processSeconds } from '../conditions/accounting.ts';
import { Files } from '../conditions/files.ts';
import { EngineProcess, type EngineSettings } from '../engine-process.ts';

export const modes = ['io-only', 'sums', 'default'] as const;
export type Mode = (typeof modes)[number];

const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

export interface DiscardSettings extends Pick<EngineSettings, 'directory' | 'mode' | 'blockBytes' | 'streams'> {
  /** Not given: as many as the engine makes by itself. */
  readonly digestLanes?: number;
  readonly logLevel?: 'INFO' | 'DEBUG';
}

export function startDiscarding({
  digestLanes = 0,
  logLevel = 'INFO',
  ...settings
}: DiscardSettings): Promise<EngineProcess> {
  return EngineProcess.start({
    ...settings,
    main: join(import.meta.dirname, `engine-main.${ending}`),
    settings: { engine: { store: 'memory', digest_lanes: digestLanes }, logging: { log_level: logLevel } },
  });
}

export interface ThreadSeconds {
  /** Of the main thread. */
  readonly coordinator: number;
  /** Of all others, ended ones included: lanes, and what V8, libuv and the addon run beside them. */
  readonly lanes: number;
}

const files = new Files();

/** Seconds on a processor: the main thread's in the scheduler's nanoseconds, all together in steps of 10 ms. */
export function threadSeconds(pid: number): ThreadSeconds {
  const coordinator = Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ', 1)[0]) / 1e9;
  return { coordinator, lanes: (processSeconds(files, pid) ?? Number.NaN) - coordinator };
}
