/** Medians with an interval that assumes nothing about how samples are spread, and ratios within one alternation. */

/** Middle of the sorted values; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Probability with which [low, high] has the true median in it, at least 0.95 from six samples on. */
  readonly coverage: number;
  readonly n: number;
}

/**
 * The median with the narrowest pair of order statistics that covers it with at least 95 %: of n samples the true median
 * lies between the k-th smallest and the k-th largest with probability 1 − 2 · P(Bin(n, ½) < k) (David and Nagaraja,
 * Order Statistics, 7.1). Below six samples the widest pair covers less, and `coverage` says so.
 */
export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const sorted = values.toSorted((a, b) => a - b);
  let below = 0;
  let term = 0.5 ** n;
  let k = 0;
  let coverage = 0;
  for (let next = 1; next <= Math.ceil(n / 2); next++) {
    below += term;
    term = (term * (n - next + 1)) / next;
    const covers = 1 - 2 * below;
    if (k > 0 && covers < 0.95) break;
    k = next;
    coverage = Math.max(0, covers);
  }
  return {
    median: median(values),
    low: sorted[k - 1] ?? Number.NaN,
    high: sorted[n - k] ?? Number.NaN,
    coverage,
    n,
  };
}

/** Ratios of what was taken in the same alternation, so that a machine that drifts drifts for both. */
export function pairedRatios(over: readonly number[], under: readonly number[]): number[] {
  return over.slice(0, under.length).map((value, i) => value / (under[i] as number));
}
