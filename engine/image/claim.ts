/**
 * claim.<n> in an image's directory: who has the right to write the image. One line of JSON.
 *
 * The name carries the claim's number; taking over n is making n+1. Whether an owner still lives is decided here, from
 * what the claim says and what the kernel says about processes of this boot and this pid namespace.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { mountText } from '../core/mount-text.ts';

export const claimFormat = 1;
/** A claim's text is never longer. */
export const claimBytesMax = 1024;

/** A process, so that it cannot be mistaken for another one: pids come again, start times of a pid do not. */
export interface ProcessIdentity {
  /** /etc/machine-id; empty where there is none: then no other claim is ever this machine's. */
  readonly machineId: string;
  /** /proc/sys/kernel/random/boot_id */
  readonly bootId: string;
  /** Inode of /proc/self/ns/pid. */
  readonly pidNamespace: number;
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/<pid>/stat. */
  readonly startTime: number;
}

export interface ClaimContent extends ProcessIdentity {
  /** Writer token, 32 hex digits. */
  readonly token: string;
  /** Path of the mount on which its writer works, where the storage server has several. */
  readonly mount?: string;
}

export type ClaimVerdict =
  /** This very process made it. */
  | 'ours'
  /** Its process is provably gone: the image may be taken over with the next number. */
  | 'dead'
  /** Its process lives, or nobody here can tell: another machine, another pid namespace, an unreadable claim. */
  | 'busy';

const fieldNames = ['format', 'token', 'machine_id', 'boot_id', 'pid_ns', 'pid', 'start_time', 'mount'];
const tokenForm = /^[0-9a-f]{32}$/;
const machineForm = /^[0-9a-f]{0,64}$/;
const mountForm = /^\/[^\0]*$/;
const bootForm = /^[0-9a-f-]{0,64}$/;

/** The same content gives the same text: a claim is recognised by comparing texts. */
export function encodeClaim(claim: ClaimContent): string {
  const fields = {
    format: claimFormat,
    token: claim.token,
    machine_id: claim.machineId,
    boot_id: claim.bootId,
    pid_ns: claim.pidNamespace,
    pid: claim.pid,
    start_time: claim.startTime,
  };
  const text = JSON.stringify(fields);
  const mount = claim.mount === undefined ? null : mountText(claim.mount);
  return mount === null ? `${text}\n` : `${text.slice(0, -1)},"mount":${mount}}\n`;
}

/** Null for anything that encodeClaim does not make: such a claim is busy, never dead. */
export function decodeClaim(text: string): ClaimContent | null {
  if (text.length > claimBytesMax) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const fields = value as Record<string, unknown>;
  if (Object.keys(fields).some((name) => !fieldNames.includes(name)) || fields.format !== claimFormat) return null;
  const token = textOf(fields.token, tokenForm);
  const machineId = textOf(fields.machine_id, machineForm);
  const bootId = textOf(fields.boot_id, bootForm);
  const pidNamespace = countOf(fields.pid_ns);
  const pid = countOf(fields.pid);
  const startTime = countOf(fields.start_time);
  if (token === null || machineId === null || bootId === null) return null;
  if (pidNamespace === null || pid === null || startTime === null) return null;
  const content = { token, machineId, bootId, pidNamespace, pid, startTime };
  if (fields.mount === undefined) return content;
  const mount = textOf(fields.mount, mountForm);
  return mount === null || mountText(mount) === null ? null : { ...content, mount };
}

/** Writes of this writer may be under way still, on this machine, whether it lives or not: nothing of before a boot can. */
export function maybeUnderWay(claim: ProcessIdentity, self: ProcessIdentity): boolean {
  return claim.bootId === self.bootId;
}

/**
 * `alive(pid, startTime)`: does a process of this pid namespace with that pid and that start time live?
 * Two machines with one machine id (cloned without a new one) would each hold the other's claims for dead after boot;
 * the operators' guide asks for unique ids.
 */
export function claimVerdict(
  claim: ProcessIdentity | null,
  self: ProcessIdentity,
  alive: (pid: number, startTime: number) => boolean,
): ClaimVerdict {
  if (claim === null || claim.machineId === '' || claim.machineId !== self.machineId) return 'busy';
  if (claim.bootId === '' || self.bootId === '') return 'busy';
  if (claim.bootId !== self.bootId) return 'dead';
  if (claim.pidNamespace !== self.pidNamespace) return 'busy';
  if (claim.pid === self.pid && claim.startTime === self.startTime) return 'ours';
  return alive(claim.pid, claim.startTime) ? 'busy' : 'dead';
}

/** Reads who this process is; called once at start. A file that cannot be read gives '' or 0: claims are then busy. */
export function readIdentity(): ProcessIdentity {
  const namespace = /\[([0-9]+)\]/.exec(quietly(() => readlinkSync('/proc/self/ns/pid')));
  return {
    machineId: textOf(quietly(() => readFileSync('/etc/machine-id', 'latin1')).trim(), machineForm) ?? '',
    bootId: textOf(quietly(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')).trim(), bootForm) ?? '',
    pidNamespace: Number(namespace?.[1] ?? 0),
    pid: process.pid,
    startTime: Number(processStartTime(process.pid) ?? 0),
  };
}

/** Start time of a process of this namespace; null when it is gone or hidden (hidepid), 'ended' for a zombie. */
export function processStartTime(pid: number): number | 'ended' | null {
  const stat = quietly(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  // The second field is the command in parentheses and may hold anything, blanks and parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 20) return null;
  // A main thread that ended while a lane hangs in a system call is a zombie with more threads: that process still writes.
  const threads = Number(fields[17]);
  if ((fields[0] === 'Z' || fields[0] === 'X') && threads <= 1) return 'ended';
  return Number(fields[19]);
}

/** Asks the kernel: for start and for lanes, not for the coordinator's thread while it runs. In doubt: alive. */
export function processAlive(pid: number, startTime: number): boolean {
  if (pid <= 0) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const found = processStartTime(pid);
  return found === null || found === startTime;
}

function textOf(value: unknown, form: RegExp): string | null {
  return typeof value === 'string' && form.test(value) ? value : null;
}

function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function quietly(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
