/**
 * Two results, row by row: how B stands to A, and whether that is more than noise. Pure.
 *
 *   faster, slower   the 95 % interval of the ratio lies wholly beyond the errors of method of both runs (A/A), added, and
 *                    beyond 3 %
 *   no difference    the interval lies within them
 *   no verdict       a run flagged itself as noisy, too few samples, or an interval that is too wide for either
 *
 * A run without a twin does not know its error: 5 % are allowed for it, and it is said.
 */

import { type ComparedMicro, compareMicro } from './compare-micro.ts';
import { ratioOf } from './ratio.ts';
import { aaErrorOf, aaErrors, moreIsBetter, rowKey, rowName, type Verdict, values } from './rows.ts';
import type { Result, Row } from './schema.ts';
import { type Estimate, estimate } from './stats.ts';

/** Never called a change: below this nobody needs to know, and no machine is the same for longer. */
const alike = 0.03;
/** Allowed for the error of method of a run that did not measure it. */
const unmeasuredError = 0.05;

export interface ComparedRow {
  readonly name: string;
  readonly row: Row;
  readonly a: Estimate;
  readonly b: Estimate;
  /** Of medians, B over A, in the row's unit: of times less is faster. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly coverage: number;
  /** What the methods of both runs may err by, added, and 3 % at least. */
  readonly margin: number;
  readonly verdict: Verdict;
  /** Of 'no verdict'; else ''. */
  readonly reason: string;
}

export interface Difference {
  readonly name: string;
  readonly a: string;
  readonly b: string;
}

export interface Comparison {
  readonly a: { readonly id: string; readonly startedAt: string; readonly noisy: readonly string[] };
  readonly b: { readonly id: string; readonly startedAt: string; readonly noisy: readonly string[] };
  readonly rows: readonly ComparedRow[];
  readonly micro: readonly ComparedMicro[];
  readonly onlyA: readonly string[];
  readonly onlyB: readonly string[];
  readonly conditions: readonly Difference[];
  readonly notes: readonly string[];
}

/** 0: every engine's row has a verdict and none is slower. 1: one is slower. 2: nothing to compare. 3: none is slower, some have no verdict. */
export type ExitCode = 0 | 1 | 2 | 3;

function flat(value: unknown, name: string, into: Map<string, string>): void {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    for (const [key, part] of Object.entries(value)) flat(part, name === '' ? key : `${name}.${key}`, into);
  } else into.set(name, typeof value === 'string' ? value : JSON.stringify(value));
}

/** Named as in the JSON. The load before always differs; a run that it disturbed is noisy. */
export function conditionDifferences(a: Result, b: Result): Difference[] {
  const [ofA, ofB] = [new Map<string, string>(), new Map<string, string>()];
  flat({ ...a.conditions, loadBefore: null }, '', ofA);
  flat({ ...b.conditions, loadBefore: null }, '', ofB);
  return [...new Set([...ofA.keys(), ...ofB.keys()])]
    .filter((name) => ofA.get(name) !== ofB.get(name))
    .map((name) => ({ name, a: ofA.get(name) ?? 'not there', b: ofB.get(name) ?? 'not there' }));
}

interface Judged {
  readonly verdict: Verdict;
  readonly reason: string;
}

function judge(row: Row, { low, high, coverage }: ReturnType<typeof ratioOf>, margin: number, noisy: string): Judged {
  const none = (reason: string): Judged => ({ verdict: 'no verdict', reason });
  if (noisy !== '') return none(noisy);
  if (!(low > 0)) return none('a value is 0 or not a number');
  if (coverage < 0.95)
    return none(
      `too few samples: even the widest interval covers ${(coverage * 100).toFixed(0)} % only; raise --alternations`,
    );
  if (low > 1 + margin) return { verdict: moreIsBetter(row.unit) ? 'faster' : 'slower', reason: '' };
  if (high < 1 / (1 + margin)) return { verdict: moreIsBetter(row.unit) ? 'slower' : 'faster', reason: '' };
  if (low >= 1 / (1 + margin) && high <= 1 + margin) return { verdict: 'no difference', reason: '' };
  return none('noisy: the interval is too wide');
}

/** Data that a store makes less of is other work. */
function sameData({ conditions: { data: a } }: Result, { conditions: { data: b } }: Result): boolean {
  return a.dedup === b.dedup && a.compress === b.compress;
}

export function compare(a: Result, b: Result): Comparison {
  const keysOf = (result: Result): Map<string, Row> =>
    new Map(result.rows.filter(({ samples }) => samples.length > 0).map((row) => [rowKey(row), row]));
  const [rowsA, rowsB] = [keysOf(a), keysOf(b)];
  const [errorsA, errorsB] = [aaErrors(a.rows), aaErrors(b.rows)];
  const noisy = [...(a.noisy.length > 0 ? ['A'] : []), ...(b.noisy.length > 0 ? ['B'] : [])];
  const disturbed =
    noisy.length === 0
      ? ''
      : `noisy: ${noisy.length > 1 ? 'A and B say so of themselves' : `${noisy[0]} says so of itself`}`;
  const why = disturbed === '' && !sameData(a, b) ? 'their data differ: --dedup and --compress' : disturbed;
  const rows = [...rowsA].flatMap(([key, rowA]): ComparedRow[] => {
    const rowB = rowsB.get(key);
    if (rowB === undefined || rowA.role === 'twin') return [];
    const ratio = ratioOf(values(rowA), values(rowB));
    const errors = (aaErrorOf(errorsA, rowA) ?? unmeasuredError) + (aaErrorOf(errorsB, rowB) ?? unmeasuredError);
    const margin = Math.max(errors, alike);
    return [
      {
        name: rowName(rowA),
        row: rowA,
        a: estimate(values(rowA)),
        b: estimate(values(rowB)),
        ...ratio,
        margin,
        ...judge(rowA, ratio, margin, why),
      },
    ];
  });
  const notes = [a, b].flatMap((result, i) => {
    const run = 'AB'[i];
    return [
      ...(result.cut === null ? [] : [`${run} ended early: ${result.cut}`]),
      ...((i === 0 ? errorsA : errorsB).length > 0
        ? []
        : [`${run} has no twin: ${unmeasuredError * 100} % are allowed for the error of its method`]),
    ];
  });
  const side = ({ id, startedAt, noisy: reasons }: Result): Comparison['a'] => ({ id, startedAt, noisy: reasons });
  const only = (these: Map<string, Row>, others: Map<string, Row>): string[] =>
    [...these].filter(([key, { role }]) => role !== 'twin' && !others.has(key)).map(([, row]) => rowName(row));
  const onlyMicro = (these: Result, others: Result): string[] =>
    these.micro.map(({ name }) => name).filter((name) => !others.micro.some((other) => other.name === name));
  return {
    a: side(a),
    b: side(b),
    rows,
    micro: compareMicro(a, b, disturbed),
    onlyA: [...only(rowsA, rowsB), ...onlyMicro(a, b)],
    onlyB: [...only(rowsB, rowsA), ...onlyMicro(b, a)],
    conditions: conditionDifferences(a, b),
    notes: a.id === b.id ? ['A and B are the same run', ...notes] : notes,
  };
}

/** Floors and peers say how the machine was; what counts is the engine's, and where nothing else was measured its parts. */
export function exitCode(comparison: Comparison): ExitCode {
  const engines = comparison.rows.filter(({ row }) => row.role === 'engine');
  const parts = comparison.micro.filter(({ a }) => a.share === undefined);
  const judged = (comparison.rows.length > 0 ? engines : parts).map(({ verdict }) => verdict);
  if (judged.length === 0) return 2;
  if (judged.includes('slower')) return 1;
  return judged.includes('no verdict') ? 3 : 0;
}
