/** Results of the bench, schema v1: what is written to bench/results and read by whoever compares. */
import { z } from 'zod';

const sample = z.object({
  /** Bytes per second. */
  rate: z.number(),
  /** CPU seconds per 10^9 bytes; null where it was not accounted. */
  hostCpuPerGb: z.number().nullable(),
  engineCpuPerGb: z.number().nullable(),
});

export const rowSchema = z.object({
  /** 'floor depth 2', 'plain plug-in', 'engine, I/O only' … */
  name: z.string(),
  direction: z.enum(['write', 'restore']),
  streams: z.number().int(),
  bytesPerStream: z.number().int(),
  /** What guards the bytes on the way; rows of the file store have none. */
  integrity: z.string().optional(),
  samples: z.array(sample),
});

const stallsSchema = z.object({ maxMs: z.number(), over30Ms: z.number().int() });

export const resultSchema = z.object({
  schema: z.literal('vast-ost-bench/1'),
  store: z.enum(['file', 's3']).default('file'),
  startedAt: z.string(),
  seconds: z.number(),
  conditions: z.object({
    cpu: z.string(),
    cores: z.number().int(),
    memoryBytes: z.number().int(),
    kernel: z.string(),
    node: z.string(),
    engine: z.string(),
    directory: z.object({ fsType: z.string(), mountPoint: z.string(), options: z.string() }),
    alternations: z.number().int(),
    loadBefore: z.number(),
    fio: z.string().nullable(),
  }),
  memcpyBytesPerSecond: z.number(),
  digestBytesPerSecond: z.number(),
  rows: z.array(rowSchema),
  /**
   * Of the S3 part: how long the net thread's event loop stood still, in ms, the worst of each second. `own`: without its
   * waits for a processor.
   */
  stalls: z.array(stallsSchema.extend({ name: z.string(), own: stallsSchema.optional() })).optional(),
  small: z
    .object({ bareMs: z.array(z.number()), engineMs: z.array(z.number()), perImage: z.number().int() })
    .nullable(),
  control: z
    .object({
      calls: z.number().int(),
      p50Us: z.number(),
      p99Us: z.number(),
      laneMeanUs: z.number(),
      /** Four bare hand-overs: between two processes there and back, between two threads there and back. */
      handoverUs: z.number().optional(),
    })
    .nullable(),
});
export type Row = z.infer<typeof rowSchema>;
export type Result = z.infer<typeof resultSchema>;

/** Middle of the sorted values; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Half the distance between the quartiles, relative to the median: the spread that is printed. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] as number;
  return (at(0.75) - at(0.25)) / 2 / median(values);
}
