/** The model held against what was measured: every image through the plug-in, predicted from terms of the same run. */
import { availableParallelism } from 'node:os';
import { benchSettings, blocksInFlight, cuts, digestLanesOf, slotsOf } from '../engine-process.ts';
import { predict } from '../model/predict.ts';
import type { Direction, Load, Mode, Prediction, Way } from '../model/types.ts';
import type { ModelPoint, Row } from '../result/schema.ts';
import { type Estimate, estimate, median } from '../result/stats.ts';
import { counter } from './clients.ts';
import { modes } from './engine.ts';
import { subjectName } from './rows.ts';
import { machineOf } from './terms.ts';

/** The aim of docs/scaling.md. */
export const errorAim = 0.15;

export interface Checked {
  readonly row: Row;
  readonly load: Load;
  readonly measured: Estimate;
  /** Median of the samples' predictions, which differ by what else had the processors meanwhile. */
  readonly predicted: number;
  /** Of the sample beside which least else ran. */
  readonly prediction: Prediction;
  /** Predicted / median of what was measured − 1. */
  readonly error: number;
  /** Median of the processors that everything else took: 1 is one of them. */
  readonly others: number;
  /** Half of what lies between the least and the most that was measured, by the median. */
  readonly spread: number;
}

export const isMet = ({ error }: Checked): boolean => Math.abs(error) <= errorAim;
/** Its own samples lie farther apart than what the model is held to. */
export const isWide = ({ spread }: Checked): boolean => spread > errorAim;

export const nothing: Way = {
  name: 'discarding store',
  rate: Number.POSITIVE_INFINITY,
  laneRate: Number.POSITIVE_INFINITY,
  cpuPerByte: 0,
  traffic: 0,
};

function loadOf(row: Row, mode: Mode): Load {
  const { streams, blockBytes } = row;
  const direction: Direction = row.workload === 'restore' ? 'restore' : 'write';
  const bytes = row.samples[0]?.bytes ?? 0;
  return {
    direction,
    mode,
    streams,
    blockBytes,
    blocksPerStream: Math.round(bytes / streams / blockBytes),
    slots: slotsOf(direction, blockBytes),
    blocksInFlight,
    cuts,
    ioLanes: benchSettings.ioLanes,
    digestLanes: digestLanesOf(availableParallelism()),
    pinned: true,
  };
}

export function checkRows(rows: readonly Row[]): Checked[] {
  const points = rows.filter(({ subject }) => modes.some((mode) => subject === subjectName.plugIn(mode)));
  if (points.length === 0) return [];
  const { machine, terms } = machineOf(rows);
  return points.map((row) => {
    const load = loadOf(row, row.mode ?? 'io-only');
    const own = terms(load);
    const others = row.samples.map(({ counters }) => counters[counter.others] ?? 0);
    // What else ran is no term of the engine's: it had its part of the processors.
    const beside = (taken: number): Prediction => predict(machine, own, nothing, { ...load, othersCores: taken });
    const rates = others.map((taken) => beside(taken).rate);
    const values = row.samples.map(({ value }) => value);
    const measured = estimate(values);
    const predicted = median(rates);
    return {
      row,
      load,
      measured,
      predicted,
      prediction: beside(Math.min(...others)),
      error: predicted / measured.median - 1,
      others: median(others),
      spread: (Math.max(...values) - Math.min(...values)) / 2 / measured.median,
    };
  });
}

/** For the result: what was predicted stands beside what was measured. */
export function modelPoints(rows: readonly Row[]): ModelPoint[] {
  return checkRows(rows).map(({ row, load, measured, predicted, prediction, error, others, spread }) => ({
    workload: load.direction,
    mode: load.mode,
    streams: row.streams,
    blockBytes: row.blockBytes,
    predicted,
    measured: measured.median,
    low: measured.low,
    high: measured.high,
    n: measured.n,
    error,
    spread,
    others,
    limit: prediction.limit,
    next: prediction.next,
  }));
}
