/**
 * Parts alone, by tinybench: what one operation takes, with percentiles and the error of the mean. An operation of some
 * nanoseconds is timed in batches, for the clock itself costs forty; its percentiles are then those of a batch's mean.
 */
import { Bench } from 'tinybench';
import type { Micro } from '../result/schema.ts';

export interface MicroOptions {
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

export interface Case {
  readonly name: string;
  /** Bytes that one operation goes through. */
  readonly bytes?: number;
  /** Operations in one timing; not given: 1. */
  readonly batch?: number;
  run(): void | Promise<void>;
}

/** What is measured together, and what is to be let go of behind it. */
export interface Group {
  readonly cases: readonly Case[];
  end?(): void | Promise<void>;
}

const lengths = {
  full: { time: 300, warmupTime: 100, iterations: 16 },
  quick: { time: 40, warmupTime: 10, iterations: 4, warmupIterations: 2 },
};
const perSecond = 1e6; // ns in a millisecond, which tinybench counts in

export async function measured(group: Group, { quick, signal }: MicroOptions): Promise<Micro[]> {
  const bench = new Bench({ ...(quick ? lengths.quick : lengths.full), signal });
  for (const { name, batch = 1, run } of group.cases) bench.add(name, batched(run, batch));
  try {
    await bench.run();
    signal.throwIfAborted();
    return group.cases.map(({ name, batch = 1, bytes = 0 }) => microOf(bench, name, batch, bytes));
  } finally {
    await group.end?.();
  }
}

function batched(run: Case['run'], batch: number): () => void | Promise<void> {
  if (batch === 1) return run;
  return () => {
    for (let i = 0; i < batch; i++) run();
  };
}

function microOf(bench: Bench, name: string, batch: number, bytes: number): Micro {
  const result = bench.getTask(name)?.result;
  if (result?.state !== 'completed') {
    const why = result?.state === 'errored' ? `: ${result.error.message}` : '';
    throw new Error(`${name} was not measured (${result?.state})${why}`);
  }
  const { mean, p50, p99, rme, samplesCount } = result.latency;
  const ns = (ms: number): number => (ms * perSecond) / batch;
  return { name, meanNs: ns(mean), p50Ns: ns(p50), p99Ns: ns(p99), rme, n: samplesCount * batch, bytes };
}

/** Of times that something else took: ns each. */
export function microOfTimes(name: string, times: readonly number[]): Micro {
  const sorted = times.toSorted((a, b) => a - b);
  const n = sorted.length;
  const mean = sorted.reduce((sum, one) => sum + one, 0) / n;
  const variance = sorted.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, n - 1);
  const at = (share: number): number => sorted[Math.min(n - 1, Math.floor(share * n))] ?? Number.NaN;
  const rme = ((1.96 * Math.sqrt(variance / n)) / mean) * 100;
  return { name, meanNs: mean, p50Ns: at(0.5), p99Ns: at(0.99), rme, n, bytes: 0 };
}
