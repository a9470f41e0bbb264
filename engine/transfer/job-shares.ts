/** From the plug-in's account and the job's clock to parts of 1. */
import type { Shares } from '../core/shares.ts';
import { type ClockTimes, type Stage, stages } from './job-clock.ts';

/** As told with CLOSE; a client may tell anything. Milliseconds. */
export interface PluginTimes {
  readonly hostMs: number;
  readonly copyMs: number;
  /** In calls, for a slot or data. */
  readonly slotMs: number;
}

export interface SharedOut {
  readonly shares: Shares;
  readonly accounted: number;
  /** Of 1: the critical path in the queues of lanes that move bytes, and of digest lanes; both are `queue`. */
  readonly moveQueue: number;
  readonly digestQueue: number;
}

const digits = 1000;

/**
 * Calls are timed by the engine, waits for slots by the plug-in; what the engine saw of these says what they were for. More
 * than the engine saw went by on the way between the two: `ring`. Less: it counted time in which the client did not yet wait.
 */
export function sharesOf(
  wallMs: number,
  told: PluginTimes,
  times: Pick<ClockTimes, 'slot' | 'call'>,
  way: 'device' | 'network',
): SharedOut {
  const sound = (ms: number): number => (Number.isFinite(ms) ? Math.min(Math.max(0, ms), Math.max(0, wallMs)) : 0);
  const wall = Math.max(wallMs, 1e-6);
  const hostMs = sound(told.hostMs);
  const copyMs = sound(told.copyMs);
  const slotMs = sound(told.slotMs);
  const seenMs = stages.reduce((sum, stage) => sum + times.slot[stage], 0);
  const scale = seenMs > slotMs ? slotMs / seenMs : 1;
  const wait = { ...times.call };
  for (const stage of stages) wait[stage] += times.slot[stage] * scale;
  wait.ring += Math.max(0, slotMs - seenMs);
  const raw = {
    hostProgram: hostMs / wall,
    copy: copyMs / wall,
    memory: wait.memory / wall,
    queue: (wait.queue + wait.digestQueue) / wall,
    ring: wait.ring / wall,
    digest: wait.digest / wall,
    [way]: wait.device / wall,
    commit: wait.commit / wall,
  };
  const accounted = Object.values(raw).reduce((sum, part) => sum + part, 0);
  const fit = accounted > 1 ? 1 / accounted : 1;
  const parts = Object.fromEntries(Object.entries(raw).map(([name, part]) => [name, round(part * fit)]));
  const { hostProgram = 0, copy = 0, ...slotWait } = parts;
  const sum = Object.values(parts).reduce((total, part) => total + part, 0);
  const shares = { hostProgram, copy, slotWait, other: round(1 - sum) } as Shares;
  if (shares.other < 0) giveBack(shares, -shares.other);
  return {
    shares,
    accounted: round(accounted),
    moveQueue: (wait.queue / wall) * fit,
    digestQueue: (wait.digestQueue / wall) * fit,
  };
}

/**
 * Of a job that goes on: the plug-in tells its side at the end. Until then all that the engine is not waited for is the host
 * program's, its copies with it.
 */
export function sharesSoFar(
  wallMs: number,
  times: Pick<ClockTimes, 'slot' | 'call'>,
  way: 'device' | 'network',
): Shares {
  const sum = (of: Readonly<Record<Stage, number>>): number => stages.reduce((ms, stage) => ms + of[stage], 0);
  const slotMs = sum(times.slot);
  return sharesOf(wallMs, { hostMs: wallMs - slotMs - sum(times.call), copyMs: 0, slotMs }, times, way).shares;
}

function round(part: number): number {
  return Math.round(part * digits) / digits;
}

/** Rounding made the parts more than 1: the greatest gives back what is too much. */
function giveBack(shares: Shares, tooMuch: number): void {
  shares.other = 0;
  const { slotWait } = shares;
  const groups = [shares, slotWait] as unknown as Record<string, number>[];
  let most: { group: Record<string, number>; name: string } | null = null;
  for (const group of groups) {
    for (const [name, part] of Object.entries(group)) {
      if (typeof part === 'number' && (most === null || part > (most.group[most.name] ?? 0))) most = { group, name };
    }
  }
  if (most !== null) most.group[most.name] = round((most.group[most.name] ?? 0) - tooMuch);
}
