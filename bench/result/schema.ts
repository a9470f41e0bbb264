/**
 * What a run of the bench writes, schema vast-ost-bench/2: read by the report, by compare and merge, and by whoever plots.
 * docs/bench-result.md has the fields in words, docs/bench-result.schema.json the JSON Schema made from here.
 *
 * Rates are bytes per second, times seconds unless a name says otherwise, GB are 10^9 bytes.
 */
import { z } from 'zod';

export const schemaName = 'vast-ost-bench/2';

/** CPU seconds by the kernel's accounting; null: was not accounted. */
const cpuSchema = z.object({
  /** User and system time of the processes that load the plug-in, or of a floor's or peer's process. */
  hostProgram: z.number().nullable(),
  engine: z.number().nullable(),
  /** All processors' busy time less what the processes above had: interrupts, kernel threads, and whatever else ran. */
  rest: z.number().nullable(),
});

/** One call's times over all its occurrences in one sample. */
const latencySchema = z.object({
  call: z.string(),
  n: z.number().int(),
  p50Us: z.number(),
  p90Us: z.number(),
  p99Us: z.number(),
  p999Us: z.number(),
  maxUs: z.number(),
});

/** Where the wall time of the measured jobs went: parts of 1 that add up to 1 (engine/core/shares.ts). */
const sharesSchema = z.record(z.string(), z.number());

export const sampleSchema = z.object({
  /** In the row's unit. */
  value: z.number(),
  seconds: z.number(),
  bytes: z.number(),
  /** Seconds from the result's startedAt to where the sample began, so that merge finds what ran at the same time. */
  at: z.number().optional(),
  cpu: cpuSchema.nullable(),
  latency: z.array(latencySchema).default([]),
  /** Bytes moved in each second of the sample, from its first. */
  series: z.array(z.number()).default([]),
  shares: sharesSchema.nullable().default(null),
  /** Differences over the sample: of mountstats, TCP, network interfaces ('nfs.write.rttMs', 'tcp.retransSegs', 'eth0.txBytes'). */
  counters: z.record(z.string(), z.number()).default({}),
});

export const roles = ['floor', 'peer', 'plain', 'engine', 'twin'] as const;
export const workloads = [
  'write',
  'restore',
  'mixed',
  'small-images',
  'random-read',
  'copy',
  'list',
  'control',
  'orders',
] as const;

export const rowSchema = z.object({
  workload: z.enum(workloads),
  /** 'floor, 2 in flight', 'fio libaio 2', 'plain plug-in', 'engine, default' … */
  subject: z.string(),
  /** A floor is the bare program; a twin is the engine once more, whose difference is the error of the method (A/A). */
  role: z.enum(roles),
  /** Of engines. */
  mode: z.enum(['io-only', 'sums', 'default']).nullable(),
  store: z.enum(['file', 's3', 'discard', 'none']),
  streams: z.number().int(),
  /** 0: the workload has none. */
  blockBytes: z.number(),
  /** Of `list`: how many images are listed. */
  bytesPerStream: z.number(),
  /** 'B/s' and 'per s': more is better; 's' and 'us': less is. */
  unit: z.enum(['B/s', 'per s', 's', 'us']),
  /** What guards the bytes on the way, for people. */
  integrity: z.string().optional(),
  /** Subject of the floor that does the same; else the best of the same load is its floor. */
  floor: z.string().optional(),
  /** Of a floor that also copies each byte once, as a plug-in has to: it is no other row's floor, but stands beside the engine's. */
  copies: z.boolean().optional(),
  /** In the order in which they were taken; warm-up rounds are not among them. One sample an alternation. */
  samples: z.array(sampleSchema),
});

export const microSchema = z.object({
  name: z.string(),
  /** Mean and percentiles of one operation, ns; `rme`: relative margin of the mean's error at 95 %, in per cent. */
  meanNs: z.number(),
  p50Ns: z.number(),
  p99Ns: z.number(),
  rme: z.number(),
  n: z.number(),
  /** Bytes per operation; 0: none. */
  bytes: z.number(),
  /** Part of 1 of what the name says, where that is no time: then the times are 0. */
  share: z.number().optional(),
});

export const conditionsSchema = z.object({
  host: z.string(),
  cpu: z.string(),
  cores: z.number().int(),
  numaNodes: z.number().int(),
  /** Of each processor's frequency governor; [] where the kernel has none (virtual machines). */
  governors: z.array(z.string()),
  memoryBytes: z.number(),
  kernel: z.string(),
  node: z.string(),
  engine: z.string(),
  /** 'kvm', 'none' …; null: not known. */
  virtualization: z.string().nullable(),
  target: z.object({
    /** Directory, one in the checkout from its top; or s3:// address, without credentials. */
    place: z.string(),
    fsType: z.string(),
    mountPoint: z.string(),
    options: z.string(),
  }),
  interfaces: z.array(
    z.object({ name: z.string(), mbitPerS: z.number().nullable(), mtu: z.number(), driver: z.string() }),
  ),
  loadBefore: z.number(),
  /** Versions of what took part, or null: not installed ('fio', 'rclone', 'mc' …). */
  tools: z.record(z.string(), z.string().nullable()),
  /** Data: fresh and incompressible unless set on purpose. */
  data: z.object({ dedup: z.number(), compress: z.number(), seed: z.number() }),
  /** B/s to which the kernel held the target's disk for all of them; null: it did not. */
  diskRate: z.number().nullable().default(null),
  warmUps: z.number().int(),
  alternations: z.number().int(),
});

/** Rounds of backup, verified restore and delete for hours (--soak). */
const soakSchema = z.object({
  hours: z.number(),
  rounds: z.number().int(),
  failed: z.number().int(),
  /** The first of them. */
  errors: z.array(z.string()),
  /** What was not as it should be: errors, drift of rates, leaks; []: steady. */
  verdict: z.array(z.string()),
  /** A point a round, thinned evenly; the engine is looked at between rounds, when nothing is open. */
  trend: z.array(
    z.object({
      at: z.number(),
      streams: z.number().int(),
      writeRate: z.number(),
      restoreRate: z.number(),
      memoryBytes: z.number(),
      files: z.number().int(),
      handles: z.number().int(),
    }),
  ),
});

/** A point of the model (bench/model): what it predicts from terms of the same run, and what was measured. Rates are B/s. */
const modelPointSchema = z.object({
  workload: z.enum(['write', 'restore']),
  mode: z.enum(['io-only', 'sums', 'default']),
  streams: z.number().int(),
  blockBytes: z.number(),
  predicted: z.number(),
  /** Median, and its interval. */
  measured: z.number(),
  low: z.number(),
  high: z.number(),
  n: z.number().int(),
  /** Median of the samples' predicted / measured − 1. */
  error: z.number(),
  /** Processors that everything else on the machine took, by the median: the prediction does without them. */
  others: z.number(),
  /** Half of what lies between the least and the most that was measured, by the median. */
  spread: z.number(),
  /** What was busiest in the prediction, and what came next. */
  limit: z.string(),
  next: z.string(),
});

export const resultSchema = z.object({
  schema: z.literal(schemaName),
  /** 32 hex digits. */
  id: z.string(),
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  seconds: z.number(),
  /** As given, without secrets. */
  arguments: z.array(z.string()),
  conditions: conditionsSchema,
  /** Why no verdict may be drawn from it; [] : quiet. */
  noisy: z.array(z.string()),
  /** Ended early: by a limit of time or space, or interrupted. Null: complete. */
  cut: z.string().nullable(),
  /** Alone, in the same run: B/s. */
  memcpyRate: z.number().nullable(),
  digestRate: z.number().nullable(),
  crcRate: z.number().nullable(),
  rows: z.array(rowSchema),
  micro: z.array(microSchema),
  /** Of S3: how long the net thread's event loop stood still at most; `own`: without its waits for a processor. */
  stalls: z
    .array(
      z.object({
        subject: z.string(),
        maxMs: z.number(),
        over30Ms: z.number().int(),
        own: z.object({ maxMs: z.number(), over30Ms: z.number().int() }).optional(),
      }),
    )
    .default([]),
  soak: soakSchema.nullable().default(null),
  /** Of `discard`. */
  model: z.array(modelPointSchema).default([]),
  /** After a merge of runs started together: one entry a media server. */
  merged: z
    .array(
      z.object({ host: z.string(), id: z.string(), firstDone: z.number(), lastDone: z.number(), bytes: z.number() }),
    )
    .default([]),
});

export type Soak = z.infer<typeof soakSchema>;
export type SoakRound = Soak['trend'][number];
export type ModelPoint = z.infer<typeof modelPointSchema>;
export type Cpu = z.infer<typeof cpuSchema>;
export type Latency = z.infer<typeof latencySchema>;
export type Sample = z.infer<typeof sampleSchema>;
export type Row = z.infer<typeof rowSchema>;
export type Micro = z.infer<typeof microSchema>;
export type Conditions = z.infer<typeof conditionsSchema>;
export type Result = z.infer<typeof resultSchema>;
