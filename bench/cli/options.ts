/** Options of `run`: from texts to what they mean. */
import { z } from 'zod';
import type { Sections } from '../../scripts/programs/ini-text.ts';
import { BenchError } from '../bench-error.ts';
import { workloads } from '../result/schema.ts';
import type { DataOptions, ModeName, StoreName, Workload } from '../run-context.ts';
import { type PeerName, peerNames, peersOf } from '../subjects/peer-names.ts';
import { parseTarget, type Target } from './target.ts';

const mib = 1 << 20;
const gb = 1e9;

function list<T>(name: string, each: (part: string) => T | null, hint: string) {
  return z.string().transform((text): T[] => {
    const parts = text.split(',').map((part) => part.trim());
    const found = parts.map(each);
    const wrong = parts.find((_, i) => found[i] === null);
    if (wrong !== undefined || found.length === 0 || found.length > 32) {
      throw new BenchError(`--${name} ${text.slice(0, 80)}: ${hint}`, 2);
    }
    return [...new Set(found as T[])];
  });
}

function within(least: number, most: number, whole: boolean): (text: string) => number | null {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most && (!whole || Number.isInteger(value)) ? value : null;
  };
}

function number(name: string, least: number, most: number, what: string, whole = true) {
  const each = within(least, most, whole);
  return z.string().transform((text): number => {
    const value = each(text);
    if (value === null) {
      throw new BenchError(`--${name} ${text.slice(0, 40)}: ${what}, from ${least} to ${most}`, 2);
    }
    return value;
  });
}

function oneOf<T extends string>(values: readonly T[]): (text: string) => T | null {
  return (text) => values.find((value) => value === text) ?? null;
}

const modeNames: readonly ModeName[] = ['default', 'io-only', 'sums'];

/** Orders are what `discard` measures. */
const ofRuns = workloads.filter((workload) => workload !== 'orders');

/** ISO 8601, or +SECONDS from now. */
function startTime(text: string): Date {
  const seconds = /^\+(\d{1,6})$/.exec(text)?.[1];
  const at = seconds === undefined ? new Date(text) : new Date(Date.now() + Number(seconds) * 1000);
  const ahead = at.getTime() - Date.now();
  if (Number.isNaN(ahead) || (seconds === undefined && !/^\d{4}-\d\d-\d\dT/.test(text))) {
    throw new BenchError(`--start-at ${text.slice(0, 40)}: write 2026-12-01T20:00:00Z, or +90 for in 90 seconds`, 2);
  }
  if (ahead < -1000)
    throw new BenchError(`--start-at ${text}: that is over; this machine's clock says ${new Date().toISOString()}`, 2);
  if (ahead > 7 * 86_400_000) throw new BenchError(`--start-at ${text}: that is more than a week ahead`, 2);
  return at;
}

function settings(texts: readonly string[]): Sections {
  const sections: Record<string, Record<string, string>> = {};
  for (const text of texts) {
    const [, section = '', key = '', value = ''] = /^([a-z]+)\.([a-z_0-9]+)=([\x20-\x7e]{0,200})$/.exec(text) ?? [];
    if (section === '') {
      throw new BenchError(
        `--set ${text.slice(0, 80)}: write section.key=value, such as performance.thread_pool_size=32`,
        2,
      );
    }
    sections[section] = { ...sections[section], [key]: value };
  }
  return sections;
}

/** As commander hands them over. */
export const rawOptions = z.object({
  target: z.string().transform(parseTarget).optional(),
  store: z
    .string()
    .transform((text): StoreName => {
      if (text === 'file' || text === 's3') return text;
      throw new BenchError(`--store ${text.slice(0, 40)}: file or s3`, 2);
    })
    .optional(),
  block: list('block', within(1, 1024, true), 'sizes in MiB from 1 to 1024, such as 16,64').optional(),
  streams: list('streams', within(1, 64, true), 'numbers from 1 to 64, such as 1,4,16').optional(),
  size: number('size', 1, 1 << 24, 'MiB of each image').optional(),
  mode: list('mode', oneOf(modeNames), 'one or more of io-only, sums, default, with commas between them').optional(),
  workloads: list(
    'workloads',
    oneOf(ofRuns),
    `one or more of ${ofRuns.join(', ')}, with commas between them`,
  ).optional(),
  alternations: number('alternations', 1, 1000, 'rounds that count').optional(),
  warmUps: number('warm-ups', 0, 100, 'rounds that do not count').optional(),
  quick: z.boolean().default(false),
  dedup: number('dedup', 1, 1000, 'a ratio; 1: every MiB is new', false).optional(),
  compress: number('compress', 1, 512, 'a ratio; 1: cannot be compressed', false).optional(),
  seed: number('seed', 0, 2 ** 32 - 1, 'a number').default(1),
  maxMinutes: number('max-minutes', 1, 60 * 24 * 30, 'minutes').optional(),
  maxGb: number('max-gb', 0.1, 1e6, 'GB (10^9 bytes) that may lie on the target at a time', false).optional(),
  diskRate: number('disk-rate', 0.01, 100, 'GB/s', false).optional(),
  out: z.string().min(1).optional(),
  startAt: z.string().transform(startTime).optional(),
  soak: number('soak', 0.001, 24 * 60, 'hours', false).optional(),
  /** Commander hands over false for --no-peers. */
  peers: z
    .union([
      z.boolean(),
      list('peers', oneOf(peerNames), `one or more of ${peerNames.join(', ')}, with commas between them`),
    ])
    .default(true),
  macroOnly: z.boolean().default(false),
  microOnly: z.boolean().default(false),
  set: z.array(z.string()).default([]).transform(settings),
});

export interface RunOptions {
  /** Null: the checkout's own directory for what is built, or null servers. */
  readonly target: Target | null;
  readonly store: StoreName;
  readonly blocks: readonly number[];
  readonly streams: readonly number[];
  readonly sizeBytes: number | null;
  /** The first is the headline, and has a twin. */
  readonly modes: readonly ModeName[];
  /** Null: all that there are for the store. */
  readonly workloads: readonly Workload[] | null;
  readonly alternations: number;
  readonly warmUps: number;
  readonly quick: boolean;
  readonly data: DataOptions;
  readonly maxSeconds: number | null;
  readonly maxBytes: number | null;
  /** B/s to which the disk is held for whole jobs; null: it is not. */
  readonly diskRate: number | null;
  readonly out: string | null;
  readonly startAt: Date | null;
  readonly soakHours: number | null;
  /** None: without other programs. */
  readonly peers: readonly PeerName[];
  readonly macro: boolean;
  readonly micro: boolean;
  readonly settings: Sections;
}

/** Those that are named must be able to run here: a run without them would be taken for one that has compared. */
function peersFor(
  asked: boolean | readonly PeerName[],
  store: StoreName,
  target: Target | undefined,
): readonly PeerName[] {
  const there: readonly PeerName[] = peersOf[store];
  if (typeof asked === 'boolean') return asked ? there : [];
  if (target?.kind === 's3')
    throw new BenchError(`--peers ${asked.join(',')}: in a bucket of yours no other program is run; leave it out`, 2);
  const wrong = asked.filter((name) => !there.includes(name));
  if (wrong.length > 0) {
    const named = wrong.join(',');
    throw new BenchError(`--peers ${named}: not measured on --store ${store}, where there are ${there.join(', ')}`, 2);
  }
  return asked;
}

/** Throws BenchError with code 2, which names the option and what it can be. */
export function runOptions(raw: unknown): RunOptions {
  const parsed = rawOptions.safeParse(raw);
  if (!parsed.success) {
    const first = parsed.error.issues[0];
    throw new BenchError(`option ${first?.path.join('.')}: ${first?.message}`, 2);
  }
  const read = parsed.data;
  const store = read.store ?? (read.target?.kind === 's3' ? 's3' : 'file');
  if (read.target?.kind === 's3' && store === 'file')
    throw new BenchError('--store file: the target is a bucket; leave --store out', 2);
  if (read.macroOnly && read.microOnly)
    throw new BenchError('--macro-only and --micro-only leave nothing; give one of them', 2);
  if (read.microOnly && read.soak !== undefined)
    throw new BenchError('--soak runs whole jobs: leave --micro-only out', 2);
  if (store === 's3' && read.diskRate !== undefined)
    throw new BenchError('--disk-rate holds a disk: it goes with file stores', 2);
  return {
    target: read.target ?? null,
    store,
    blocks: (read.block ?? [64]).map((size) => size * mib),
    streams: read.streams ?? (store === 's3' ? [1, 4] : [1, 4, 16]),
    sizeBytes: read.size === undefined ? null : read.size * mib,
    modes: read.mode ?? modeNames,
    workloads: read.workloads ?? null,
    alternations: read.alternations ?? (read.quick ? 2 : 7),
    warmUps: read.warmUps ?? 1,
    quick: read.quick,
    data: { dedup: read.dedup ?? 0, compress: read.compress ?? 0, seed: read.seed },
    maxSeconds: read.maxMinutes === undefined ? null : read.maxMinutes * 60,
    maxBytes: read.maxGb === undefined ? null : read.maxGb * gb,
    diskRate: read.diskRate === undefined ? null : read.diskRate * gb,
    out: read.out ?? null,
    startAt: read.startAt ?? null,
    soakHours: read.soak ?? null,
    peers: peersFor(read.peers, store, read.target),
    macro: !read.microOnly,
    micro: !read.macroOnly && read.soak === undefined,
    settings: read.set,
  };
}

/** Bytes of an image where so many are written at once: long enough that its ends are a small part of it. */
export function bytesPerStream({ sizeBytes, store, quick }: RunOptions, streams: number): number {
  if (sizeBytes !== null) return sizeBytes;
  if (store === 's3') return Math.max(1, Math.floor((quick ? 512 : 2048) / streams)) * mib;
  if (quick) return Math.max(128 * mib, Math.floor(512 / streams) * mib);
  return (streams === 1 ? 6144 : streams <= 4 ? 2048 : 512) * mib;
}
