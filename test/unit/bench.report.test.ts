import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { escaped, html } from '../../bench/report/html.ts';
import { page } from '../../bench/report/page.ts';
import { lines } from '../../bench/report/select.ts';
import { rates } from '../../bench/report/series.ts';
import { unitFor } from '../../bench/report/units.ts';
import { writeReport } from '../../bench/report/write.ts';
import { compare } from '../../bench/result/compare.ts';
import { firstEntry, listings, rssAnon } from '../../bench/result/listing.ts';
import type { Result, Row } from '../../bench/result/schema.ts';
import { treeRoot } from '../support/files-tree.ts';
import { hostileText, result, row } from '../support/results.ts';
import { runs } from '../support/seed.ts';

const rowsOf = (streams: number, over: Partial<Row> = {}): Row[] => [
  row([2e9, 2.1e9, 2.2e9], { role: 'floor', subject: 'floor, 1 in flight', mode: null, streams, ...over }),
  row([2.4e9, 2.5e9, 2.6e9], { role: 'floor', subject: 'fio libaio 2', mode: null, streams, ...over }),
  row([1.5e9, 1.6e9, 1.7e9], { streams, ...over }),
  row([1.5e9, 1.6e9, 1.7e9], { role: 'twin', subject: 'engine, default (A/A)', streams, ...over }),
];
const full = result([...rowsOf(1), ...rowsOf(4), ...rowsOf(1, { workload: 'list', unit: 's', blockBytes: 0 })], {
  micro: [{ name: 'ring', meanNs: 60, p50Ns: 55, p99Ns: 90, rme: 1, n: 1000, bytes: 64 }],
  soak: {
    hours: 2,
    rounds: 2,
    failed: 1,
    errors: ['read failed'],
    verdict: ['write became slower by 20 %'],
    trend: [1, 2].map((hour) => ({
      at: hour * 3600,
      streams: 4,
      writeRate: 1e9,
      restoreRate: 2e9,
      memoryBytes: 1e8,
      files: 30,
      handles: 0,
    })),
  },
  stalls: [{ subject: 'engine', maxMs: 12, over30Ms: 0 }],
});

/** Elements with their attributes, read as strictly as a parser of XML would: whatever is no tag of ours throws. */
function elements(text: string): string[] {
  const found: string[] = [];
  for (const match of text.replace(/<style>[^<]*<\/style>/, '').matchAll(/<([^>]*)>/g)) {
    const tag = /^!doctype html$|^\/[a-z]+[1-6]?$|^([a-z]+[1-6]?)((?: [a-zA-Z][a-zA-Z0-9:-]*="[^"<>]*")*)\/?$/.exec(
      match[1],
    );
    if (tag === null) throw new Error(`not a tag of ours: ${match[0].slice(0, 80)}`);
    if (tag[1] !== undefined) found.push(match[1]);
  }
  return found;
}

test('of lists the first image and the memory are told, of engines alone', () => {
  const told = (ms: readonly number[], over: Partial<Row>): Row => {
    const one = row(
      ms.map(() => 2),
      { workload: 'list', unit: 's', ...over },
    );
    const samples = one.samples.map((sample, i) => {
      const us = (ms[i] ?? 0) * 1000;
      const first = { call: firstEntry, n: 1, p50Us: us, p90Us: us, p99Us: us, p999Us: us, maxUs: us };
      return { ...sample, latency: [first], counters: { [rssAnon.most]: (80 + i) * 1e6 } };
    });
    return { ...one, samples };
  };
  const rows = [
    told([1, 1, 1], { role: 'floor', subject: 'floor, getdents64' }),
    told([4, 30, 5], { subject: 'new engine, names' }),
  ];
  expect(listings(rows).join('\n')).toBe(
    '\nfirst image of a list:\n  new engine, names: 5.0 ms (at most 30.0), memory of the engine at most 82 MB',
  );
  expect(listings(full.rows)).toEqual([]);
});

test('a report names its figures, floors, intervals and conditions', () => {
  const text = page(full, compare(full, full));
  for (const part of [
    'GB/s',
    'n = 3',
    '× floor',
    'best floor',
    'media1',
    'mlx5_core',
    'Soak: not steady',
    'became slower by 20 %',
    'Comparison',
    'A and B are the same run',
  ])
    expect(text).toContain(part);
  // The engine's median over that of the better floor, in the same alternation.
  expect(text).toContain('>0.640<');
  expect(text).not.toContain('Noisy');
  expect(page({ ...full, noisy: ['load 3.2'], cut: 'limit of time' }, null)).toMatch(
    /Noisy.*load 3\.2.*Ended early.*limit of time/s,
  );
});

test('operations alone stand in a report with their spread, and compared with those of another run', () => {
  const ring = { name: 'ring', meanNs: 60, p50Ns: 55, p99Ns: 90, rme: 1, n: 1000, bytes: 0 };
  const bells = { ...ring, name: 'bells suppressed', meanNs: 0, p50Ns: 0, p99Ns: 0, share: 0.915 };
  const a = result([], { micro: [ring, bells] });
  const b = result([], {
    micro: [
      { ...ring, meanNs: 90, p50Ns: 82.5 },
      { ...bells, share: 0.732 },
    ],
  });
  /** Cells of the line that begins so, in each table. */
  const cells = (text: string, name: string): string[][] =>
    [...text.matchAll(/<tr><td class="text">(.*?)<\/tr>/gs)]
      .map(([, line]) => line.split(/<\/td>(?:<td[^>]*>)?/).slice(0, -1))
      .filter(([first]) => first === name);
  expect(cells(page(a, null), 'ring')).toEqual([['ring', '60.0', '1.0 %', '55.0', '90.0', '–', '1000']]);
  const compared = page(b, compare(a, b));
  expect(compared).not.toContain('No row is in both runs');
  expect(cells(compared, 'ring')[0]).toEqual([
    'ring',
    '55.0',
    '82.5',
    'ns',
    '1.500',
    '1.470–1.530',
    '10 %',
    '1000, 1000',
    '▼ slower',
  ]);
  expect(cells(compared, 'bells suppressed')[0].slice(0, 6)).toEqual([
    'bells suppressed',
    '91.5',
    '73.2',
    '%',
    '0.800',
    '–',
  ]);
});

test('each plot has a title, a description and its number of samples', () => {
  const figures = page(full, null).match(/<figure>.*?<\/figure>/gs) ?? [];
  expect(figures.length).toBeGreaterThanOrEqual(5);
  for (const figure of figures) {
    expect(figure).toMatch(/<title>[^<]+<\/title><desc>[^<]+<\/desc>/);
    expect(figure).toMatch(/n = \d|\d samples?/);
  }
});

test('a report needs nothing from elsewhere and has no script', () => {
  const text = page(full, null);
  for (const element of elements(text)) {
    expect(element).not.toMatch(/^(script|link|img|iframe|object|embed|base|form|image|use)\b/);
    expect(element).not.toMatch(/ (on[a-z]+|href|src|style|xlink:href)=/);
  }
  expect(text.replaceAll(/url\(#paint\d+\)/g, '')).not.toMatch(/url\(|@import|https?:/);
});

test('what stands in a result becomes text, nowhere an element or an attribute', () => {
  const plain = elements(page(full, compare(full, full)));
  fc.assert(
    fc.property(hostileText, (text) => {
      const replaced = (value: unknown): unknown => {
        if (Array.isArray(value)) return value.map(replaced);
        if (value === null || typeof value !== 'object') return value;
        return Object.fromEntries(
          Object.entries(value).map(([name, part]) => [
            name,
            typeof part === 'string' &&
            !['schema', 'unit', 'role', 'workload', 'mode', 'store', 'subject'].includes(name)
              ? text
              : replaced(part),
          ]),
        );
      };
      const hostile = replaced(full) as Result;
      for (const one of hostile.rows) {
        one.subject += text;
        for (const sample of one.samples) {
          sample.counters = { [`errors${text}`]: 1 };
          sample.shares = { [text]: 1 };
          for (const latency of sample.latency) latency.call = text;
        }
      }
      const drawn = page(hostile, compare(hostile, hostile));
      const known = new Set(plain.map((element) => element.split(' ')[0]));
      for (const element of elements(drawn)) expect(known).toContain(element.split(' ')[0]);
      expect(drawn.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }),
    runs(20),
  );
  expect(escaped('<a href="\'x\'">&\u202e')).toBe('&lt;a href=&quot;&#39;x&#39;&quot;&gt;&amp;\ufffd');
  expect(html`<b>${['<', html`<i>${1.005}</i>`, null, Number.NaN]}</b>`.text).toBe('<b>&lt;<i>1</i>0</b>');
});

test('coordinates and figures are numbers whatever the values are', () => {
  const strange = [0, -1, 1e-300, 1e300, 1e307];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...strange), { minLength: 1, maxLength: 4 }), (values) => {
      const odd = result([
        row(values),
        row(values, { role: 'floor', streams: 1, subject: 'f' }),
        row(values, { unit: 'us', streams: 0 }),
      ]);
      for (const one of odd.rows[0].samples)
        Object.assign(one, { seconds: values[0], bytes: values.at(-1), series: values });
      expect(page(odd, compare(odd, odd))).not.toMatch(/NaN|Infinity|undefined/);
    }),
    runs(30),
  );
  expect(page(result([]), null)).not.toMatch(/NaN|undefined/);
});

test('the last second counts for its length, a scrap of one not at all', () => {
  expect(rates({ series: [100, 100, 50], seconds: 2.5 }).map(({ rate }) => rate)).toEqual([100, 100, 100]);
  expect(rates({ series: [100, 100, 5], seconds: 2.05 }).map(({ rate }) => rate)).toEqual([100, 100]);
  expect(rates({ series: new Array<number>(1000).fill(7), seconds: 1000 })).toHaveLength(334);
});

test('of floors and peers the best at each number of streams is drawn, twins are not', () => {
  const floors = [
    row([1e9], { role: 'floor', subject: 'one', streams: 1 }),
    row([2e9], { role: 'floor', subject: 'two', streams: 1 }),
    row([3e9], { role: 'floor', subject: 'one', streams: 4 }),
  ];
  const [engine, best] = lines([row([1e9]), ...floors]);
  expect(engine.subject).toBe('engine, default');
  expect(best.rows.map(({ subject }) => subject)).toEqual(['two', 'one']);
  expect(lines(floors.map((one) => ({ ...one, unit: 's' as const })))[0].rows[0].subject).toBe('one');
});

test('one unit for all that stands together', () => {
  expect(unitFor('B/s', [1e9, 5e6])).toMatchObject({ label: 'GB/s' });
  expect(unitFor('B/s', [5e6]).text(5e6)).toBe('5.00');
  expect(unitFor('us', [123_456]).text(123_456)).toBe('123.5');
  expect(unitFor('s', [0.0125]).text(0.0125)).toBe('12.50');
});

test('a report is written whole, and what fails names the file', () => {
  const at = treeRoot({ 'd/x': '' });
  writeReport(full, join(at, 'r.html'), full);
  expect(readFileSync(join(at, 'r.html'), 'utf8')).toMatch(/^<!doctype html>.*<\/html>\n$/s);
  expect(() => writeReport(full, join(at, 'd'))).toThrow(/d: cannot be written/);
});
