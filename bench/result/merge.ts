/**
 * Results of runs that were started together (--start-at) on several media servers, as one: rates added per row over the
 * time in which all ran. Their clocks are taken to agree (NTP). Pure.
 *
 * Refused, with row or setting named: runs or samples that did not overlap, rows or numbers of samples that differ, and
 * settings that differ. Merging may be done in any order and in steps.
 */
import { createHash } from 'node:crypto';
import { ResultFileError } from './read.ts';
import { rowKey, rowName } from './rows.ts';
import type { Conditions, Result, Row, Sample } from './schema.ts';
import { commonWindow, type Timed, together } from './window.ts';

/** Below this part of the shortest sample, what all did together is too little to speak for the row. */
const windowMin = 0.5;

type Entry = Result['merged'][number];

const beginOf = (result: Result): number => Date.parse(result.startedAt) / 1000;

function refuse(text: string): never {
  throw new ResultFileError(`merge: ${text}`);
}

/** What must be the same for rates to be added. */
function settings({ conditions: { data, warmUps, alternations, engine } }: Result): Record<string, unknown> {
  return { engine, alternations, warmUps, 'data.dedup': data.dedup, 'data.compress': data.compress };
}

function checkSettings(results: readonly Result[]): void {
  const [first, ...others] = results;
  for (const other of others) {
    for (const [name, value] of Object.entries(settings(first))) {
      const theirs = settings(other)[name];
      if (theirs !== value)
        refuse(
          `conditions.${name} is ${value} on ${first.conditions.host} and ${theirs} on ${other.conditions.host}: run both with the same`,
        );
    }
  }
}

function checkRows(results: readonly Result[]): void {
  const [first, ...others] = results;
  for (const other of others) {
    for (const [one, two] of [
      [first, other],
      [other, first],
    ] as const) {
      const keys = new Map(two.rows.map((row) => [rowKey(row), row]));
      for (const row of one.rows) {
        const theirs = keys.get(rowKey(row));
        const where = `${one.conditions.host} and ${two.conditions.host}`;
        if (theirs === undefined)
          refuse(`row ${rowName(row)} is of ${one.conditions.host} only, not of ${two.conditions.host}`);
        if (theirs.samples.length !== row.samples.length)
          refuse(
            `row ${rowName(row)} has ${row.samples.length} and ${theirs.samples.length} samples on ${where}: run both to their end`,
          );
      }
    }
  }
}

function checkOverlap(results: readonly Result[]): void {
  const late = results.reduce((a, b) => (beginOf(b) > beginOf(a) ? b : a));
  for (const result of results) {
    const end = beginOf(result) + result.seconds;
    if (end <= beginOf(late))
      refuse(
        `${result.conditions.host} had ended (${new Date(end * 1000).toISOString()}) before ${late.conditions.host} started (${late.startedAt}): start them together with --start-at`,
      );
  }
}

function mergeRow(results: readonly Result[], rows: readonly Row[], begin: number, noisy: Set<string>): Row {
  const known = rows.every(({ samples }) => samples.every(({ at }) => at !== undefined));
  if (!known) noisy.add('results do not say when their samples began: they were taken to have begun together');
  const samples = rows[0].samples.map((_, i) => {
    const placed = rows.map((row, of): Timed => {
      const sample = row.samples[i];
      const from = known ? beginOf(results[of]) - begin + (sample.at ?? 0) : 0;
      return { sample, from, to: from + sample.seconds };
    });
    const window = commonWindow(placed);
    if (window === null)
      refuse(
        `sample ${i + 1} of row ${rowName(rows[0])} did not run at the same time everywhere (${apart(placed).toFixed(1)} s apart): start the runs together with --start-at; where they drift apart, longer images (--size) and fewer subjects (--mode io-only, --no-peers) hold them together`,
      );
    const shortest = Math.min(...placed.map(({ from, to }) => to - from));
    if (window.to - window.from < windowMin * shortest)
      noisy.add(`the samples of ${rowName(rows[0])} ran together for less than half of their time`);
    const merged = together(placed, window, rows[0].unit);
    return known ? merged : withoutTime(merged);
  });
  return { ...rows[0], samples };
}

/** From where the first one was over to where the last one began. */
function apart(timed: readonly Timed[]): number {
  return Math.max(...timed.map(({ from }) => from)) - Math.min(...timed.map(({ to }) => to));
}

function withoutTime({ at: _, ...sample }: Sample): Sample {
  return sample;
}

/** One entry a media server: of a run that was merged before, those that it has. */
function entries(result: Result, begin: number): Entry[] {
  const offset = beginOf(result) - begin;
  if (result.merged.length > 0)
    return result.merged.map((entry) => ({
      ...entry,
      firstDone: entry.firstDone + offset,
      lastDone: entry.lastDone + offset,
    }));
  const samples = result.rows.flatMap((row) => row.samples);
  const done = samples.flatMap(({ at, seconds }) => (at === undefined ? [] : [offset + at + seconds]));
  return [
    {
      host: result.conditions.host,
      id: result.id,
      firstDone: done.length > 0 ? done.reduce((a, b) => Math.min(a, b)) : offset + result.seconds,
      lastDone: done.length > 0 ? done.reduce((a, b) => Math.max(a, b)) : offset + result.seconds,
      bytes: samples.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  ];
}

const hostsOf = (result: Result): string => result.conditions.host;

function mergeConditions(results: readonly Result[]): Conditions {
  const all = results.map(({ conditions }) => conditions);
  const sum = (of: (conditions: Conditions) => number): number => all.reduce((total, one) => total + of(one), 0);
  const joined = (of: (conditions: Conditions) => string): string =>
    [...new Set(all.flatMap((one) => of(one).split(' | ')))].sort().join(' | ');
  return {
    ...all[0],
    host: joined(({ host }) => host),
    cpu: joined(({ cpu }) => cpu),
    kernel: joined(({ kernel }) => kernel),
    node: joined(({ node }) => node),
    cores: sum(({ cores }) => cores),
    numaNodes: sum(({ numaNodes }) => numaNodes),
    memoryBytes: sum(({ memoryBytes }) => memoryBytes),
    governors: [...new Set(all.flatMap(({ governors }) => governors))].sort(),
    loadBefore: Math.max(...all.map(({ loadBefore }) => loadBefore)),
    interfaces: [],
  };
}

function added(values: readonly (number | null)[]): number | null {
  return values.some((value) => value === null)
    ? null
    : values.reduce<number>((sum, value) => sum + (value as number), 0);
}

const idOf = (all: readonly Entry[]): string =>
  createHash('sha256')
    .update(all.map(({ id }) => id).join(' '))
    .digest('hex')
    .slice(0, 32);

export function merge(given: readonly Result[]): Result {
  if (given.length < 2) refuse('two results at least are needed');
  // The order in which they are given means nothing.
  const results = given.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  checkSettings(results);
  checkRows(results);
  checkOverlap(results);
  const begin = Math.min(...results.map(beginOf));
  const merged = results.flatMap((result) => entries(result, begin)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const twice = merged.find(({ id }, i) => merged[i + 1]?.id === id);
  if (twice !== undefined) refuse(`the run ${twice.id} of ${twice.host} is among them twice`);
  const noisy = new Set(
    results.flatMap((result) =>
      result.noisy.map((reason) => (result.merged.length > 0 ? reason : `${hostsOf(result)}: ${reason}`)),
    ),
  );
  const rows = results[0].rows.map((row) =>
    mergeRow(
      results,
      results.map((result) => result.rows.find((other) => rowKey(other) === rowKey(row)) as Row),
      begin,
      noisy,
    ),
  );
  const cut = results.flatMap((result) =>
    result.cut === null ? [] : [result.merged.length > 0 ? result.cut : `${hostsOf(result)}: ${result.cut}`],
  );
  return {
    ...results[0],
    id: idOf(merged),
    startedAt: new Date(begin * 1000).toISOString(),
    seconds: Math.max(...results.map((result) => beginOf(result) + result.seconds)) - begin,
    conditions: mergeConditions(results),
    noisy: [...noisy].sort(),
    cut: cut.length > 0 ? cut.sort().join('; ') : null,
    memcpyRate: added(results.map(({ memcpyRate }) => memcpyRate)),
    digestRate: added(results.map(({ digestRate }) => digestRate)),
    crcRate: added(results.map(({ crcRate }) => crcRate)),
    rows,
    micro: [],
    stalls: results.flatMap(({ stalls }) => stalls),
    model: [],
    merged,
  };
}
