/** What the engine's log says of its jobs: the verdict of each, the shares that it is made of, and the raw times. */
import { z } from 'zod';

export type Finding = 'hostProgram' | 'device' | 'network' | 'digest' | 'slots' | 'coordinator';

const summarySchema = z.object({
  msg: z.string(),
  bytes: z.number(),
  seconds: z.number(),
  waits: z.record(z.string(), z.number()),
  copyS: z.number(),
  image: z.string(),
  shares: z.record(z.string(), z.unknown()).optional(),
  limit: z.object({ finding: z.string(), setting: z.string() }).nullish(),
});

export interface JobVerdict {
  readonly image: string;
  readonly bytes: number;
  readonly seconds: number;
  readonly waits: Readonly<Record<string, number>>;
  /** 'slotWait.device' and the like → part of 1. */
  readonly shares: Readonly<Record<string, number>>;
  /** Null: nothing is accused. */
  readonly finding: string | null;
  readonly setting: string | null;
  /** As the log has them: what the verdict was made of. */
  readonly raw: { readonly shares: unknown; readonly facts: unknown };
}

const factsSchema = z.looseObject({
  msg: z.literal('what the verdict is made of, beside the shares'),
  image: z.string(),
});
/** What the log's every line has, and is no fact of the job. */
const frameKeys = new Set(['level', 'time', 'pid', 'job', 'image', 'msg']);

const told = { backup: 'image written', restore: 'image read' } as const;

function flat(tree: Readonly<Record<string, unknown>>, before = ''): [string, number][] {
  return Object.entries(tree).flatMap(([name, value]): [string, number][] => {
    if (typeof value === 'number') return [[before + name, value]];
    return typeof value === 'object' && value !== null ? flat(value as Record<string, unknown>, `${name}.`) : [];
  });
}

export function jobVerdicts(log: readonly unknown[], direction: keyof typeof told): JobVerdict[] {
  const jobs: JobVerdict[] = [];
  const facts = new Map<string, object>();
  for (const line of log) {
    const made = factsSchema.safeParse(line);
    if (made.success)
      facts.set(made.data.image, Object.fromEntries(Object.entries(made.data).filter(([key]) => !frameKeys.has(key))));
    const parsed = summarySchema.safeParse(line);
    if (!parsed.success || parsed.data.msg !== told[direction]) continue;
    const { bytes, seconds, waits, copyS, image, shares = {}, limit } = parsed.data;
    jobs.push({
      image,
      bytes,
      seconds,
      waits: { ...waits, copyS },
      shares: Object.fromEntries(flat(shares)),
      finding: limit?.finding ?? null,
      setting: limit?.setting ?? null,
      raw: { shares, facts: facts.get(image) ?? null },
    });
  }
  return jobs;
}

/** Of several jobs: what most of them name. */
export function mostNamed(jobs: readonly JobVerdict[]): { finding: string | null; setting: string | null; of: number } {
  const groups = new Map<string, JobVerdict[]>();
  for (const job of jobs) {
    const key = `${job.finding} ${job.setting}`;
    groups.set(key, [...(groups.get(key) ?? []), job]);
  }
  const most = [...groups.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
  return { finding: most[0]?.finding ?? null, setting: most[0]?.setting ?? null, of: most.length };
}

/** Weighted by the jobs' seconds; the greatest first. */
export function meanShares(jobs: readonly JobVerdict[]): [string, number][] {
  const all = jobs.reduce((sum, { seconds }) => sum + seconds, 0);
  const sums = new Map<string, number>();
  for (const { seconds, shares } of jobs) {
    for (const [name, share] of Object.entries(shares)) sums.set(name, (sums.get(name) ?? 0) + (share * seconds) / all);
  }
  return [...sums].toSorted(([, a], [, b]) => b - a);
}
