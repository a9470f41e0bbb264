/** A run's rows: what was planted, what the engine named, and whether it was right. */
import type { Plant } from './plants.ts';
import type { TrialResult } from './trial.ts';
import { type JobVerdict, meanShares, mostNamed } from './verdict.ts';

/** How much faster the run without the plant must be for the plant to be what limits the other. */
const clearly = 1.3;
/** Smaller shares are not shown. */
const shownFrom = 0.03;

export type Judgement = 'right' | 'wrong' | 'no bottleneck' | 'skipped';

interface Named {
  readonly rate: number;
  readonly jobs: readonly JobVerdict[];
  /** What most jobs name. */
  readonly finding: string | null;
  readonly setting: string | null;
  /** So many of the jobs. */
  readonly of: number;
}

export type Row =
  | (Named & {
      readonly kind: 'planted';
      readonly name: string;
      readonly strength: string;
      readonly judgement: Exclude<Judgement, 'skipped'>;
      readonly freeRate: number;
      /** Of the run without the plant. */
      readonly freeJobs: readonly JobVerdict[];
    })
  | (Named & { readonly kind: 'unplanted'; readonly name: string; readonly judgement: 'right' | 'wrong' })
  | {
      readonly kind: 'skipped';
      readonly name: string;
      readonly strength: string;
      readonly judgement: 'skipped';
      readonly reason: string;
    };
export type RowOf<K extends Row['kind']> = Extract<Row, { kind: K }>;

function named({ rate, jobs }: Pick<TrialResult, 'rate' | 'jobs'>): Named {
  return { rate, jobs, ...mostNamed(jobs) };
}

function judge(plant: Plant, free: TrialResult, planted: TrialResult): Exclude<Judgement, 'skipped'> {
  if (free.rate < clearly * planted.rate) return 'no bottleneck';
  const { finding, setting, of } = mostNamed(planted.jobs);
  const named = finding === plant.finding && setting !== null && plant.settings.includes(setting);
  return named && 2 * of > planted.jobs.length ? 'right' : 'wrong';
}

export const row = {
  planted: (plant: Plant, free: TrialResult, planted: TrialResult): RowOf<'planted'> => ({
    kind: 'planted',
    name: plant.name,
    strength: plant.strength,
    ...named(planted),
    freeRate: free.rate,
    freeJobs: free.jobs,
    judgement: judge(plant, free, planted),
  }),
  /** One accused job of any phase is a false alarm. */
  unplanted: (name: string, results: readonly TrialResult[]): RowOf<'unplanted'> => {
    const jobs = results.flatMap((result) => result.jobs);
    const innocent = results.every((result) => result.jobs.length > 0) && jobs.every(({ finding }) => finding === null);
    const rate = results.at(-1)?.rate ?? 0;
    return { kind: 'unplanted', name, ...named({ rate, jobs }), judgement: innocent ? 'right' : 'wrong' };
  },
  skipped: ({ name, strength }: Plant, reason: string): RowOf<'skipped'> => ({
    kind: 'skipped',
    name,
    strength,
    judgement: 'skipped',
    reason,
  }),
};

function gigabytes(rate: number): string {
  return (rate / 1e9).toFixed(2);
}

/** The run without the plant was limited as well: by what, it says itself. */
function whyNone({ freeRate, rate, freeJobs }: RowOf<'planted'>): string {
  const most = meanShares(freeJobs)[0];
  const by = most === undefined ? '' : `, ${(most[1] * 100).toFixed(0)} % of it ${most[0]}`;
  return `the run without it had ${gigabytes(freeRate)} GB/s${by}, and must have ${gigabytes(clearly * rate)}`;
}

export function rowText(one: Row): string {
  const name = one.kind === 'unplanted' ? `nothing planted: ${one.name}` : `${one.name}, ${one.strength}`;
  if (one.kind === 'skipped') return `${name.padEnd(46)} skipped: ${one.reason}`;
  const verdict = one.finding === null ? 'nobody' : `${one.finding} → ${one.setting}`;
  const slow = one.judgement === 'no bottleneck' ? [`not a bottleneck here: ${whyNone(one)}`] : [];
  const shares = meanShares(one.jobs)
    .filter(([, share]) => share >= shownFrom)
    .map(([part, share]) => `${part} ${(share * 100).toFixed(0)}`)
    .join(' ');
  const rates =
    one.kind === 'planted'
      ? `${gigabytes(one.freeRate)} → ${gigabytes(one.rate)} (${(one.freeRate / one.rate).toFixed(1)} ×)`
      : gigabytes(one.rate);
  return [
    name.padEnd(46),
    one.judgement.padEnd(13),
    verdict.padEnd(32),
    `${one.of}/${one.jobs.length}`.padEnd(4),
    rates.padEnd(20),
    shares,
    ...slow,
  ].join(' ');
}

export function summaryText(rows: readonly Row[]): string {
  const count = (kind: Row['kind'], judgement: Judgement): number =>
    rows.filter((one) => one.kind === kind && one.judgement === judgement).length;
  const all = (kind: Row['kind']): number => rows.filter((one) => one.kind === kind).length;
  const parts = [
    `${count('planted', 'right')} of ${all('planted')} bottlenecks named`,
    `${count('unplanted', 'wrong')} of ${all('unplanted')} unplanted runs accused`,
  ];
  if (count('planted', 'no bottleneck') > 0)
    parts.push(
      `${count('planted', 'no bottleneck')} plants were no bottleneck here: the run without was not ${clearly} × as fast`,
    );
  if (all('skipped') > 0) parts.push(`${all('skipped')} skipped`);
  return parts.join('; ');
}
