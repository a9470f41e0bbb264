/** The floor with copy: what it does to a file, and where its ratio stands. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { page } from '../../bench/report/page.ts';
import { lines } from '../../bench/report/select.ts';
import { compare } from '../../bench/result/compare.ts';
import { copyFloorOf, floorOf } from '../../bench/result/rows.ts';
import type { Row } from '../../bench/result/schema.ts';
import { nativePath } from '../../bench/subjects/programs.ts';
import { textReport } from '../../bench/text-report.ts';
import { result, row } from '../support/results.ts';

const project = join(import.meta.dirname, '../..');
/** Blocks of 4, 8 and 16 MiB and a shorter last one: a slot is used again. */
const bytes = 36 << 20;
let directory: string;

beforeAll(() => {
  execFileSync('make', ['-s', '-C', join(project, 'bench/native')], { stdio: ['ignore', 'ignore', 'inherit'] });
  // O_DIRECT: not every system has it in its directory for temporary things.
  mkdirSync(join(project, 'build'), { recursive: true });
  directory = mkdtempSync(join(project, 'build/floors-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const floor = (...args: (string | number)[]) => spawnSync(nativePath('floor'), args.map(String), { encoding: 'utf8' });

function imageOf(mode: string, ...lanes: number[]): string {
  const at = join(directory, `${mode}-${lanes.join()}`);
  mkdirSync(at);
  const { status, stderr, stdout } = floor(mode, at, 1, bytes, ...lanes);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ bytes });
  return at;
}

test('a floor with copy writes the bytes that the plain plug-in writes, with 1, 2 and 3 blocks on their way', () => {
  const plain = readFileSync(join(imageOf('plain-write'), 'floor-0/image.data'));
  expect(plain.length).toBe(bytes);
  for (const lanes of [1, 2, 3]) {
    const image = readFileSync(join(imageOf('copy-write', lanes), 'floor-0/image.data'));
    expect(image.equals(plain), `${lanes} on their way`).toBe(true);
  }
});

test('a floor with copy reads all of an image, and fails on one that is shorter', () => {
  const at = imageOf('write', 1);
  for (const lanes of [1, 2, 3]) {
    const { status, stdout } = floor('copy-read', at, 1, bytes, lanes);
    expect({ status, ...JSON.parse(stdout) }).toMatchObject({ status: 0, bytes });
  }
  truncateSync(join(at, 'floor-0/image.data'), bytes - 4096);
  const { status, stderr } = floor('copy-read', at, 1, bytes, 2);
  expect(status).toBe(1);
  expect(stderr).toContain('read');
});

test('more blocks on their way than there are slots, and none, are wrong usage', () => {
  for (const lanes of [0, 4]) expect(floor('copy-write', directory, 1, bytes, lanes).status).toBe(2);
});

const rows = (streams = 1): Row[] => [
  row([2e9, 2e9], { role: 'floor', subject: 'floor, 1 in flight', mode: null, streams }),
  row([3e9, 3e9], { role: 'floor', subject: 'floor with copy, 1 in flight', mode: null, streams, copies: true }),
  row([1.6e9, 1.6e9], { role: 'floor', subject: 'floor with copy, 2 in flight', mode: null, streams, copies: true }),
  row([1.5e9, 1.5e9], { streams }),
];

test('a floor with copy is nobody’s floor, be it the faster one, and has a ratio of its own', () => {
  const [bare, fast, slow, engine] = rows() as [Row, Row, Row, Row];
  const all = [bare, fast, slow, engine];
  expect(floorOf(all, engine)).toBe(bare);
  expect(copyFloorOf(all, engine)).toBe(fast);
  expect(copyFloorOf([bare, engine], engine)).toBe(null);
  expect(copyFloorOf(all, { ...engine, streams: 4 })).toBe(null);
  const text = textReport(result(all));
  expect(text).toMatch(/ x floor {2}x floor with copy /);
  expect(text).toMatch(/engine, default +1\.500 GB\/s .* 2 +0\.75 +0\.50 /);
  expect(text).toMatch(/floor with copy, 2 in flight +1\.600 GB\/s .* 2 +0\.80 +0\.53 /);
});

test('the report has a column beside floors with copy where there are any, and draws the best of them', () => {
  const text = page(result(rows()), null);
  expect(text).toContain('<th>× floor with copy</th>');
  expect(text).toMatch(/engine, default<\/td>.*>0\.750<\/td><td>0\.750–0\.750<\/td><td class="strong">0\.500<\/td>/);
  expect(page(result([rows()[0] as Row, rows()[3] as Row]), null)).not.toContain('<th>× floor with copy</th>');
  const drawn = lines([...rows(1), ...rows(4)]).map(({ subject }) => subject);
  expect(drawn).toEqual(['engine, default', 'floor, 1 in flight', 'best floor with copy']);
});

test('two results are compared in their floors with copy too', () => {
  const compared = compare(result(rows()), result(rows()));
  expect(compared.rows.map(({ row: { subject } }) => subject)).toContain('floor with copy, 2 in flight');
});
