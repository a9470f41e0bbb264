import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, exitCode } from '../../bench/result/compare.ts';
import { csv, fixedColumns } from '../../bench/result/csv.ts';
import { compareFiles, mergeFiles } from '../../bench/result/files.ts';
import { jsonSchema, jsonSchemaFile } from '../../bench/result/json-schema.ts';
import { ratioOf } from '../../bench/result/ratio.ts';
import { parseResult, ResultFileError, readResult } from '../../bench/result/read.ts';
import { aaErrors, floorOf } from '../../bench/result/rows.ts';
import {
  conditionsSchema,
  type Micro,
  type Result,
  type Row,
  resultSchema,
  rowSchema,
  sampleSchema,
} from '../../bench/result/schema.ts';
import { comparisonText, mergedText } from '../../bench/result/text.ts';
import { treeRoot } from '../support/files-tree.ts';
import { hostileText, result, row, sample } from '../support/results.ts';
import { runs } from '../support/seed.ts';

const seven = [1.0e9, 1.01e9, 0.99e9, 1.005e9, 0.995e9, 1.002e9, 0.998e9];
const times = (values: readonly number[], factor: number): number[] => values.map((value) => value * factor);
/** Off by 1 % in each alternation: the error of the method. */
const twin = (values: readonly number[], over: Partial<Row> = {}): Row =>
  row(times(values, 1.01), { role: 'twin', subject: 'engine, default (A/A)', ...over });
const run = (factor: number, over: Partial<Result> = {}): Result =>
  result([row(times(seven, factor)), twin(times(seven, factor))], over);
const verdictOf = (a: Result, b: Result): string => compare(a, b).rows[0]?.verdict ?? 'no row';

test('a row is faster or slower only beyond the interval and the errors of both methods', () => {
  expect(verdictOf(run(1), run(1.1))).toBe('faster');
  expect(verdictOf(run(1), run(0.9))).toBe('slower');
  expect(verdictOf(run(1), run(1.005))).toBe('no difference');
  // 2.5 % apart with 2 % of error of method: the interval says faster, the errors do not let it.
  expect(verdictOf(run(1), run(1.025))).toBe('no verdict');
  const compared = compare(run(1), run(1.1)).rows[0];
  expect(compared.ratio).toBeCloseTo(1.1);
  expect(compared.margin).toBeCloseTo(0.03);
  expect(compared.coverage).toBeGreaterThanOrEqual(0.95);
});

test('less than 3 % is never called a change, however exact both runs are', () => {
  const exact = (factor: number): Result => {
    const all = times(seven, 1e-6).map((value) => 1e9 + value);
    return result([
      row(times(all, factor)),
      row(times(all, factor), { role: 'twin', subject: 'engine, default (A/A)' }),
    ]);
  };
  const [up, down] = [compare(exact(1), exact(1.029)), compare(exact(1), exact(1 / 1.029))];
  expect([up.rows[0].verdict, down.rows[0].verdict]).toEqual(['no difference', 'no difference']);
  expect(up.rows[0].low).toBeGreaterThan(1.028);
  expect([verdictOf(exact(1), exact(1.035)), verdictOf(exact(1), exact(0.965))]).toEqual(['faster', 'slower']);
});

test('parts are compared as well: mean and median beyond what is allowed, shares without a verdict', () => {
  const part = (factor: number, over: Partial<Micro> = {}): Micro => {
    return { name: 'ring', meanNs: 100 * factor, p50Ns: 98 * factor, p99Ns: 200, rme: 1, n: 1000, bytes: 0, ...over };
  };
  const parts = (...micro: Micro[]): Result => result([], { micro });
  const verdict = (b: Micro): string | undefined => compare(parts(part(1)), parts(b)).micro[0]?.verdict;
  expect(verdict(part(1.2))).toBe('slower');
  expect(verdict(part(0.8))).toBe('faster');
  expect(verdict(part(1.05))).toBe('no difference');
  // A few slow ones move the mean alone; an error that is too wide says nothing.
  expect(verdict(part(1.2, { p50Ns: 98 }))).toBe('no verdict');
  expect(verdict(part(1.2, { rme: 40 }))).toBe('no verdict');
  expect(verdict(part(1, { meanNs: 0, p50Ns: 0, share: 0.5 }))).toBe('no verdict');
  const noisy = compare(parts(part(1)), result([], { micro: [part(2)], noisy: ['x'] }));
  expect([noisy.micro[0]?.verdict, exitCode(noisy)]).toEqual(['no verdict', 3]);
  const both = compare(parts(part(1), part(1, { name: 'old' })), parts(part(2)));
  expect([both.onlyA, exitCode(both)]).toEqual([['old'], 1]);
  expect(comparisonText(both)).toMatch(/ring +98\.0 ns +196\.0 ns +2\.000 +\[1\.960, 2\.040\].*slower/);
});

test('of times less is faster', () => {
  const seconds = (factor: number): Result =>
    result([row(times(seven, factor), { unit: 's' }), twin(times(seven, factor), { unit: 's' })]);
  expect(verdictOf(seconds(1), seconds(0.5))).toBe('faster');
  expect(verdictOf(seconds(1), seconds(2))).toBe('slower');
});

test('noise, too few samples and wild samples have no verdict, and say why', () => {
  expect(compare(run(1, { noisy: ['load 3'] }), run(2)).rows[0]).toMatchObject({
    verdict: 'no verdict',
    reason: 'noisy: A says so of itself',
  });
  const few = (factor: number): Result => result([row(times(seven, factor).slice(0, 3))]);
  expect(compare(few(1), few(2)).rows[0].reason).toContain('too few samples');
  const squeezed = run(2);
  squeezed.conditions = { ...squeezed.conditions, data: { ...squeezed.conditions.data, compress: 4 } };
  expect(compare(run(1), squeezed).rows[0]).toMatchObject({
    verdict: 'no verdict',
    reason: 'their data differ: --dedup and --compress',
  });
  const wild = result([row([1e9, 3e9, 0.5e9, 2e9, 0.7e9, 1.5e9, 4e9])]);
  expect(compare(run(1), wild).rows[0].reason).toContain('interval');
  expect(compare(result([row([0, 0, 0, 0, 0])]), run(1)).rows[0].verdict).toBe('no verdict');
});

test('without a twin 5 % are allowed for each run and it is said', () => {
  const bare = (factor: number): Result => result([row(times(seven, factor))]);
  expect(verdictOf(bare(1), bare(1.09))).toBe('no difference');
  expect(verdictOf(bare(1), bare(1.2))).toBe('faster');
  expect(compare(bare(1), run(1)).notes).toContain('A has no twin: 5 % are allowed for the error of its method');
});

test('exit codes: 0 no worse, 1 slower, 2 nothing to compare, 3 not told', () => {
  expect(exitCode(compare(run(1), run(1.1)))).toBe(0);
  expect(exitCode(compare(run(1), run(0.8)))).toBe(1);
  expect(exitCode(compare(run(1), result([])))).toBe(2);
  expect(exitCode(compare(run(1), run(1, { noisy: ['x'] })))).toBe(3);
  // A floor that is slower says that the machine was.
  const floors = (factor: number): Result =>
    result([...run(1).rows, row(times(seven, factor), { role: 'floor', subject: 'floor' })]);
  expect(exitCode(compare(floors(1), floors(0.5)))).toBe(0);
});

test('rows without a partner and conditions that differ are named', () => {
  const other = run(1, {
    conditions: { ...run(1).conditions, kernel: '7', target: { ...run(1).conditions.target, options: 'ro' } },
  });
  other.rows.push(row(seven, { streams: 16 }));
  const compared = compare(run(1), other);
  expect(compared.onlyB).toEqual(['write · engine, default · 16 streams · 64 MiB blocks · 1 GiB each']);
  expect(compared.conditions).toEqual([
    { name: 'kernel', a: '6', b: '7' },
    { name: 'target.options', a: 'rw', b: 'ro' },
  ]);
  expect(comparisonText(compared)).toContain('16 streams');
});

const anyValues = fc.array(fc.double({ min: 1, max: 1e10, noNaN: true }), { minLength: 1, maxLength: 12 });

test('a result beside itself is never faster or slower', () => {
  fc.assert(
    fc.property(anyValues, anyValues, fc.constantFrom('B/s', 's'), (values, others, unit) => {
      const one = result([row(values, { unit }), twin(others, { unit })]);
      expect(['no difference', 'no verdict']).toContain(verdictOf(one, one));
    }),
    runs(200),
  );
});

test('what A is to B, B is not to A', () => {
  const opposite: Record<string, string> = { faster: 'slower', slower: 'faster' };
  fc.assert(
    fc.property(anyValues, anyValues, (x, y) => {
      const [a, b] = [result([row(x)]), result([row(y)])];
      const [ab, ba] = [verdictOf(a, b), verdictOf(b, a)];
      expect(ba).toBe(opposite[ab] ?? ab);
      const { ratio, low, high } = ratioOf(x, y);
      expect(low).toBeLessThanOrEqual(ratio);
      expect(high).toBeGreaterThanOrEqual(ratio);
    }),
    runs(200),
  );
});

test('the interval of a ratio covers as often as it says', () => {
  // 4 and 4 samples: 2 of 70 orders lie outside; tables of Mann and Whitney's U say 0.9714.
  expect(ratioOf([1, 2, 3, 4], [5, 6, 7, 8]).coverage).toBeCloseTo(1 - 2 / 70);
  expect(ratioOf([1, 2, 3], [5, 6, 7]).coverage).toBeCloseTo(0.9);
  let state = 20260;
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const draw = (): number[] => Array.from({ length: 7 }, () => 1 + random() ** 3);
  let covered = 0;
  for (let i = 0; i < 1000; i++) {
    const { low, high } = ratioOf(draw(), times(draw(), 2));
    if (low <= 2 && high >= 2) covered++;
  }
  expect(covered).toBeGreaterThan(930);
});

test('floors are of the same load and store, the best of them; twins are found by load and mode', () => {
  const floors = [
    row([1e9], { role: 'floor' }),
    row([2e9], { role: 'floor' }),
    row([9e9], { role: 'floor', store: 's3' }),
  ];
  expect(floorOf(floors, row([1]))).toBe(floors[1]);
  expect(floorOf(floors, row([1], { streams: 1 }))).toBe(null);
  // What it names was not measured: another one did not do the same.
  expect(floorOf(floors, row([1], { floor: 'with 300 µs a call' }))).toBe(null);
  expect(aaErrors(run(1).rows)[0].error).toBeCloseTo(0.01);
  expect(aaErrors([twin(seven), row(seven, { mode: 'sums' })])).toEqual([]);
});

/** RFC 4180, as plain as can be. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [];
  for (let at = 0, cells: string[] = []; at < text.length; ) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(text.slice(at));
    if (match === null) throw new Error(`not CSV at ${at}`);
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2]);
    at += match[0].length;
    if (match[3] === '\r\n') {
      lines.push(cells);
      cells = [];
    }
  }
  return lines;
}

test('csv has one line a sample, whatever texts stand in the result', () => {
  fc.assert(
    fc.property(hostileText, hostileText, (subject, counter) => {
      const given = result([
        row([1, 2], { subject }),
        row([3], { samples: [sample(3, { counters: { [counter]: 4 } })] }),
      ]);
      const [head, ...lines] = parseCsv(csv(given));
      expect(head.slice(0, fixedColumns.length)).toEqual(fixedColumns);
      expect(lines.map((cells) => cells[head.indexOf('value')])).toEqual(['1', '2', '3']);
      for (const cells of lines) expect(cells.length).toBe(head.length);
      for (const text of lines.flat()) expect(text).not.toMatch(/^[=+@]/);
      expect(lines[0][head.indexOf('subject')].replace(/^'/, '')).toBe(subject.replace(/^'/, ''));
      expect(lines[0][head.indexOf('latency.write.p99Us')]).toBe('30');
      expect(lines[2][head.indexOf('share.copy')]).toBe('0.25');
    }),
    runs(100),
  );
});

test('what is wrong with a file is named: file and field', () => {
  const at = treeRoot({
    'a.json': 'x',
    'b.json': '{"schema":"vast-ost-bench/1"}',
    'c.json': JSON.stringify({ ...run(1), rows: [{ ...row([1]), streams: 'many' }] }),
    'd.json': 'null',
    'f.json': '\x1b[2J',
  });
  const fails = (name: string, text: RegExp): void => {
    const path = join(at, name);
    expect(() => readResult(path)).toThrow(ResultFileError);
    expect(() => readResult(path)).toThrow(text);
    expect(() => readResult(path)).toThrow(path);
  };
  fails('a.json', /not JSON/);
  fails('b.json', /schema: vast-ost-bench\/1 is of another version/);
  fails('c.json', /rows\[0\]\.streams: /);
  fails('d.json', /the whole: /);
  fails('e.json', /cannot be read/);
  fails('.', /that is no file/);
  fails('f.json', /not JSON \(Unexpected token '\?'/);
  // Nobody writes into it: who opened it would wait for ever.
  spawnSync('mkfifo', [join(at, 'g.json')]);
  fails('g.json', /that is no file/);
});

test('files are compared and merged, and a merged one is whole or not there', () => {
  const hosts = (host: string): Result['conditions'] => ({ ...run(1).conditions, host });
  const other = run(0.5, { id: 'f'.repeat(32), conditions: hosts('media2') });
  const at = treeRoot({ 'a.json': JSON.stringify(run(1)), 'b.json': JSON.stringify(other) });
  const texts: string[] = [];
  const io = { out: (text: string) => void texts.push(text) };
  expect(compareFiles(join(at, 'a.json'), join(at, 'b.json'), io)).toBe(1);
  expect(texts.join('')).toContain('slower');
  const merged = mergeFiles([join(at, 'a.json'), join(at, 'b.json')], join(at, 'm.json'), io);
  expect(parseResult(readFileSync(join(at, 'm.json'), 'utf8'), 'm')).toEqual(merged);
  mkdirSync(join(at, 'd'));
  writeFileSync(join(at, 'd/x'), '');
  expect(() => mergeFiles([join(at, 'a.json'), join(at, 'b.json')], join(at, 'd'), io)).toThrow(/d: cannot be written/);
  expect(readdirSync(at).sort()).toEqual(['a.json', 'b.json', 'd', 'm.json']);
});

test('an interval that covers less than 95 % says so; times of parts are in units that people read', () => {
  const two = (): Result =>
    run(1, {
      rows: [row(seven.slice(0, 2))],
      micro: [{ name: 'part', meanNs: 54_831, p50Ns: 54_831, p99Ns: 60_000, rme: 1, n: 9, bytes: 0 }],
    });
  const text = comparisonText(compare(two(), two()));
  expect(text).toMatch(/\[0\.990, 1\.010\] of 67 %/);
  expect(text).toMatch(/part +54\.83 µs +54\.83 µs/);
  expect(comparisonText(compare(run(1), run(1)))).not.toContain('] of');
});

test('texts for a terminal move no cursor', () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      const hostile = run(1, { noisy: [text], conditions: { ...run(1).conditions, host: text } });
      hostile.rows.push(row(seven, { subject: text, streams: 2 }));
      const printed = comparisonText(compare(hostile, run(1))) + mergedText(hostile);
      expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }),
    runs(100),
  );
});

test('the JSON Schema in docs/ is that of the code', () => {
  // Else: node scripts/run.mjs bench/result/json-schema.ts
  expect(readFileSync(jsonSchemaFile, 'utf8')).toBe(jsonSchema());
});

test('every field, column and exit code of a result is in docs/bench-result.md', () => {
  const words = readFileSync(join(import.meta.dirname, '../../docs/bench-result.md'), 'utf8');
  const schemas = [resultSchema, rowSchema, sampleSchema, conditionsSchema];
  for (const name of [...schemas.flatMap(({ shape }) => Object.keys(shape)), ...fixedColumns])
    expect(words).toContain(`\`${name}\``);
});
