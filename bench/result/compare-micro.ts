/**
 * The micro rows of two results. Their samples are not kept, and no twin tells the error of the method: 5 % are allowed for
 * each run, and both the mean with its error and the median must lie beyond. Pure.
 */
import type { Verdict } from './rows.ts';
import type { Micro, Result } from './schema.ts';

/** Allowed for each run: nothing measures it. */
const unmeasuredError = 0.05;

export interface ComparedMicro {
  readonly name: string;
  readonly a: Micro;
  readonly b: Micro;
  /** Of medians, B over A: of times less is faster. Of a share: of shares. */
  readonly ratio: number;
  /** Of means, with the errors of both. */
  readonly low: number;
  readonly high: number;
  readonly margin: number;
  readonly verdict: Verdict;
  /** Of 'no verdict'; else ''. */
  readonly reason: string;
}

function one(a: Micro, b: Micro, disturbed: string): ComparedMicro {
  const isShare = a.share !== undefined || b.share !== undefined;
  const [errorA, errorB] = [a.rme / 100, b.rme / 100];
  const margin = 2 * unmeasuredError;
  const interval = {
    low: (b.meanNs * (1 - errorB)) / (a.meanNs * (1 + errorA)),
    high: errorA < 1 ? (b.meanNs * (1 + errorB)) / (a.meanNs * (1 - errorA)) : Number.POSITIVE_INFINITY,
  };
  const { low, high } = isShare ? { low: Number.NaN, high: Number.NaN } : interval;
  const ratio = isShare ? (b.share ?? Number.NaN) / (a.share ?? Number.NaN) : b.p50Ns / a.p50Ns;
  const told = { name: a.name, a, b, ratio, low, high, margin };
  const none = (reason: string): ComparedMicro => ({ ...told, verdict: 'no verdict', reason });
  if (isShare) return none('a share, without an interval');
  if (disturbed !== '') return none(disturbed);
  if (!(low > 0) || !(ratio > 0)) return none('a value is 0 or not a number');
  if (Math.min(low, ratio) > 1 + margin) return { ...told, verdict: 'slower', reason: '' };
  if (Math.max(high, ratio) < 1 / (1 + margin)) return { ...told, verdict: 'faster', reason: '' };
  if (Math.min(low, ratio) >= 1 / (1 + margin) && Math.max(high, ratio) <= 1 + margin)
    return { ...told, verdict: 'no difference', reason: '' };
  return none('noisy: mean and median do not say the same, or the error is too wide');
}

/** `disturbed`: why no verdict may be drawn from these runs; '' where one may. */
export function compareMicro(a: Result, b: Result, disturbed: string): ComparedMicro[] {
  const ofB = new Map(b.micro.map((micro) => [micro.name, micro]));
  return a.micro.flatMap((micro) => {
    const other = ofB.get(micro.name);
    return other === undefined ? [] : [one(micro, other, disturbed)];
  });
}
