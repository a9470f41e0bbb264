/**
 * Where the wall time of one job went, as parts of 1, and what that says: docs/operators/what-limits-a-job.md.
 *
 *   host program   between the calls of the API: reading or writing elsewhere, its own work
 *   copy           the one copy, into or out of a slot
 *   slot wait      in a call, until the engine answers; split by what the job's oldest unfinished block waited for:
 *                  memory    an arena, at the open or in place of a bigger one
 *                  queue     a free lane
 *                  ring      frames, rings and wake-ups: nobody works, somebody is still to notice
 *                  digest    its CRC or SHA-256, or that of the block before it
 *                  device    a lane that moves bytes; `network` where the storage is mounted by NFS, or a bucket
 *                  commit    steps that open, flush or finish the image, beside the moving of its bytes
 *   other          what nobody accounts for: the plug-in's own work
 */
import { z } from 'zod';

const part = z.number().min(0).max(1);

export const sharesSchema = z.object({
  hostProgram: part,
  copy: part,
  slotWait: z.object({
    memory: part,
    queue: part,
    ring: part,
    digest: part,
    /** One of both. */
    device: part.optional(),
    network: part.optional(),
    commit: part,
  }),
  other: part,
});
export type Shares = z.infer<typeof sharesSchema>;

export const findings = ['hostProgram', 'device', 'network', 'digest', 'slots', 'coordinator'] as const;
export type Finding = (typeof findings)[number];

export const findingWords: Readonly<Record<Finding, string>> = {
  hostProgram: 'slow host program',
  device: 'slow disk',
  network: 'slow network',
  digest: 'digest lanes',
  slots: 'too few slots',
  coordinator: 'busy coordinator',
};

export const limitSchema = z.object({
  finding: z.enum(findings),
  /** What to change: a key of vast-ost.conf, or what lies outside of it. */
  setting: z.string(),
  /** In which direction, and what with it. */
  change: z.string(),
  /** The figures that say so. */
  because: z.string(),
});
/** What stands out. */
export type Limit = z.infer<typeof limitSchema>;

/** Names of all parts, `slotWait` without its prefix. */
export type PartName = Exclude<keyof Shares, 'slotWait'> | keyof Shares['slotWait'];

export const partWords: Readonly<Record<PartName, string>> = {
  hostProgram: 'host program',
  copy: 'copy',
  memory: 'memory',
  queue: 'queue for a lane',
  ring: 'rings and wake-ups',
  digest: 'digest',
  device: 'device',
  network: 'network',
  commit: 'open, flush, commit',
  other: 'other',
};

/** One below the other, in the order of a table. */
export function partsOf({ hostProgram, copy, slotWait, other }: Shares): [PartName, number][] {
  const { memory, queue, ring, digest, device, network, commit } = slotWait;
  const moved: [PartName, number] = network === undefined ? ['device', device ?? 0] : ['network', network];
  return [
    ['hostProgram', hostProgram],
    ['copy', copy],
    ['memory', memory],
    ['queue', queue],
    ['ring', ring],
    ['digest', digest],
    moved,
    ['commit', commit],
    ['other', other],
  ];
}

/** The greatest of all. */
export function mostOf(shares: Shares): PartName {
  return partsOf(shares).reduce((most, one) => (one[1] > most[1] ? one : most))[0];
}

/** The fastest job of at least 1 GiB on a storage in this engine's life. */
export const bestSchema = z.object({ bytesPerSecond: z.number(), at: z.string() });
export type Best = z.infer<typeof bestSchema>;

/** A job that has ended, as the log and STATUS tell of it. */
export const finishedJobSchema = z.object({
  /** The host program's name of it; '' = none given. */
  job: z.string(),
  /** Name of its storage server. */
  server: z.string(),
  /** LSU and image as on storage: what the log calls it. */
  image: z.string(),
  mode: z.enum(['write', 'read', 'copy']),
  /** ISO 8601, UTC. */
  endedAt: z.string(),
  seconds: z.number(),
  bytes: z.number(),
  shares: sharesSchema,
  /** What the parts but `other` added up to, before they were fitted to 1: how exact they are. */
  accounted: z.number(),
  /** Null: nothing stands out. */
  limit: limitSchema.nullable(),
  /** Before this one, in the same direction; null: there was none yet. */
  storageBest: bestSchema.nullish(),
});
export type FinishedJob = z.infer<typeof finishedJobSchema>;
