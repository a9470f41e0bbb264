/** Samples of several media servers taken at the same time: what lies in the window in which all of them ran. */
import type { Latency, Row, Sample } from './schema.ts';

/** A sample and when it ran, in seconds from the beginning of the merged run. */
export interface Timed {
  readonly sample: Sample;
  readonly from: number;
  readonly to: number;
}

export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Null: there was no moment at which all ran. */
export function commonWindow(timed: readonly Timed[]): Window | null {
  const from = Math.max(...timed.map((one) => one.from));
  const to = Math.min(...timed.map((one) => one.to));
  return to > from ? { from, to } : null;
}

/** Bytes that a series had moved at a time since the sample began, scaled to what the sample counted. */
function movedUntil({ series, bytes, seconds }: Sample, time: number): number {
  const all = series.reduce((sum, value) => sum + value, 0);
  if (all <= 0) return (bytes * Math.min(Math.max(time, 0), seconds)) / seconds;
  let moved = 0;
  for (const [second, value] of series.entries()) {
    // The last bin is as long as what is left of the sample.
    const length = second === series.length - 1 ? Math.max(seconds - second, Number.EPSILON) : 1;
    moved += value * Math.min(Math.max((time - second) / length, 0), 1);
  }
  return (bytes * moved) / all;
}

/** Bytes of a sample inside the window: by its series, else as if they had flowed evenly. */
export function bytesWithin({ sample, from }: Timed, window: Window): number {
  return movedUntil(sample, window.to - from) - movedUntil(sample, window.from - from);
}

function seriesWithin(timed: readonly Timed[], { from, to }: Window): number[] {
  if (timed.some(({ sample }) => sample.series.length === 0)) return [];
  return Array.from({ length: Math.ceil(to - from) }, (_, second) => {
    const part = { from: from + second, to: Math.min(from + second + 1, to) };
    return timed.reduce((sum, one) => sum + bytesWithin(one, part), 0);
  });
}

/** Calls are added; a percentile of all cannot be had from percentiles, and is at most the greatest of them. */
function latencies(samples: readonly Sample[]): Latency[] {
  const found = new Map<string, Latency>();
  for (const one of samples.flatMap(({ latency }) => latency)) {
    const other = found.get(one.call);
    found.set(
      one.call,
      other === undefined
        ? one
        : {
            call: one.call,
            n: one.n + other.n,
            p50Us: Math.max(one.p50Us, other.p50Us),
            p90Us: Math.max(one.p90Us, other.p90Us),
            p99Us: Math.max(one.p99Us, other.p99Us),
            p999Us: Math.max(one.p999Us, other.p999Us),
            maxUs: Math.max(one.maxUs, other.maxUs),
          },
    );
  }
  return [...found.values()].sort((a, b) => (a.call < b.call ? -1 : 1));
}

/** Each media server's shares by the time that it ran. */
function sharesOf(samples: readonly Sample[]): Sample['shares'] {
  if (samples.some(({ shares }) => shares === null)) return null;
  const time = samples.reduce((sum, { seconds }) => sum + seconds, 0);
  const found: Record<string, number> = {};
  for (const { shares, seconds } of samples)
    for (const [name, part] of Object.entries(shares ?? {})) found[name] = (found[name] ?? 0) + (part * seconds) / time;
  return found;
}

function countersOf(samples: readonly Sample[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { counters } of samples)
    for (const [name, value] of Object.entries(counters)) found[name] = (found[name] ?? 0) + value;
  return found;
}

/** CPU seconds of the part of the bytes that lie in the window; seconds per GB stay what they were. */
function cpuWithin(timed: readonly Timed[], window: Window): Sample['cpu'] {
  const sum = (name: 'hostProgram' | 'engine' | 'rest'): number | null =>
    timed.reduce<number | null>((all, one) => {
      const part = one.sample.cpu?.[name] ?? null;
      if (all === null || part === null) return null;
      const share = one.sample.bytes > 0 ? bytesWithin(one, window) / one.sample.bytes : 1;
      return all + part * share;
    }, 0);
  if (timed.every(({ sample }) => sample.cpu === null)) return null;
  return { hostProgram: sum('hostProgram'), engine: sum('engine'), rest: sum('rest') };
}

/** The sum of a sample of each: rates add up over the window, of times the longest counts. */
export function together(timed: readonly Timed[], window: Window, unit: Row['unit']): Sample {
  const samples = timed.map(({ sample }) => sample);
  const values = samples.map(({ value }) => value);
  const bytes = timed.reduce((sum, one) => sum + bytesWithin(one, window), 0);
  const seconds = window.to - window.from;
  const rate = unit === 'B/s' ? bytes / seconds : values.reduce((sum, value) => sum + value, 0);
  return {
    value: unit === 'B/s' || unit === 'per s' ? rate : Math.max(...values),
    seconds,
    bytes,
    at: window.from,
    cpu: cpuWithin(timed, window),
    latency: latencies(samples),
    series: seriesWithin(timed, window),
    shares: sharesOf(samples),
    counters: countersOf(samples),
  };
}
