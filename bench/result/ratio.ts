/**
 * The ratio of two independent sets of samples with an interval that assumes nothing about how they are spread: of all
 * ratios b / a the k-th smallest and k-th largest, k by the distribution of Mann and Whitney's U (Hollander, Wolfe and
 * Chicken, Nonparametric Statistical Methods, 4.3). Exact up to 400 pairs, by the normal approximation above.
 */
import { median } from './stats.ts';

export interface RatioEstimate {
  /** Of the medians, b over a. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** At least 0.95 where so few samples can give it; the widest interval's otherwise. */
  readonly coverage: number;
}

const level = 0.95;
const exactPairsMax = 400;

/** Number of orders of n and m values with each U, 0 … n · m, divided by all of them. */
function distributionOfU(n: number, m: number): number[] {
  // counts[j][u]: of i values of the one and j of the other; one i after the other.
  let counts = Array.from({ length: m + 1 }, () => [1]);
  for (let i = 1; i <= n; i++) {
    const next: number[][] = [[1]];
    for (let j = 1; j <= m; j++) {
      const sum = new Array<number>(i * j + 1).fill(0);
      // The greatest value is one of the first set, above all j others, or one of the second.
      for (const [u, count] of counts[j].entries()) sum[u + j] += count;
      for (const [u, count] of next[j - 1].entries()) sum[u] += count;
      next.push(sum);
    }
    counts = next;
  }
  const all = counts[m].reduce((sum, count) => sum + count, 0);
  return counts[m].map((count) => count / all);
}

/** How many of the smallest and of the largest ratios lie outside, and what the rest covers. */
function outside(n: number, m: number): { k: number; coverage: number } {
  if (n * m > exactPairsMax) {
    const k = Math.floor((n * m) / 2 - 1.96 * Math.sqrt((n * m * (n + m + 1)) / 12));
    return { k: Math.max(0, k), coverage: level };
  }
  let below = 0;
  let found = { k: 0, coverage: 0 };
  for (const [u, part] of distributionOfU(n, m).entries()) {
    below += part;
    const coverage = 1 - 2 * below;
    if (u > 0 && coverage < level) break;
    found = { k: u, coverage: Math.max(0, coverage) };
  }
  return found;
}

export function ratioOf(a: readonly number[], b: readonly number[]): RatioEstimate {
  const pairs = a.flatMap((under) => b.map((over) => over / under)).sort((x, y) => x - y);
  const ratio = median(b) / median(a);
  if (pairs.length === 0 || pairs.some((pair) => !Number.isFinite(pair)) || !Number.isFinite(ratio))
    return { ratio, low: Number.NaN, high: Number.NaN, coverage: 0 };
  const { k, coverage } = outside(a.length, b.length);
  // Of very skewed samples the ratio of the medians may lie outside: wider is never wrong.
  const low = Math.min(ratio, pairs[k] as number);
  const high = Math.max(ratio, pairs[pairs.length - 1 - k] as number);
  return { ratio, low, high, coverage };
}
