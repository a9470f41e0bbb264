/** Whose a working place is: kept in it, so that only what a bench has made is ever removed by one. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';

export const namePrefix = 'vast-ost-bench-';
export const markerFile = '.vast-ost-bench-run';

const markerSchema = z.object({
  run: z.string().regex(/^[0-9a-f]{32}$/),
  host: z.string().max(300),
  pid: z.number().int(),
  /** Ticks after boot at which the process began: a later one may have its number. */
  startTicks: z.number(),
  bootId: z.string().max(100),
  /** Machines may have the same host name. '': not known. */
  machineId: z.string().max(100).default(''),
  startedAt: z.string().max(40),
});

export type Marker = z.infer<typeof markerSchema>;

export function newRunId(): string {
  return randomBytes(16).toString('hex');
}

/** Short, as directories are seen by people; the marker has the whole id. */
export function placeName(run: string): string {
  return `${namePrefix}${run.slice(0, 12)}`;
}

export function isPlaceName(name: string): boolean {
  return /^vast-ost-bench-[0-9a-f]{12}$/.test(name);
}

function startTicks(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return null;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'latin1').trim();
  } catch {
    return '';
  }
}

export function newMarker(run: string): Marker {
  return {
    run,
    host: hostname(),
    pid: process.pid,
    startTicks: startTicks(process.pid) ?? 0,
    bootId: bootId(),
    machineId: machineId(),
    startedAt: new Date().toISOString(),
  };
}

export function encodeMarker(marker: Marker): string {
  return `${JSON.stringify(marker)}\n`;
}

/** Null: it is none of ours. */
export function parseMarker(text: string): Marker | null {
  try {
    return markerSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * 'elsewhere': another machine's, of which nothing can be told. Of the same boot it is this one; of another boot only where
 * the machine's id says so: its host name may be another's, too.
 */
export function ownerState(marker: Marker): 'lives' | 'dead' | 'elsewhere' {
  const { host, bootId: boot, machineId: machine, pid, startTicks: began } = marker;
  if (host !== hostname()) return 'elsewhere';
  if (boot === bootId()) return startTicks(pid) === began ? 'lives' : 'dead';
  return machine !== '' && machine === machineId() ? 'dead' : 'elsewhere';
}

/** Its process has ended since this machine began, and no other one has its number: what is named by that is its own. */
export function isNumberFree({ bootId: boot, pid }: Marker): boolean {
  return boot === bootId() && startTicks(pid) === null;
}
