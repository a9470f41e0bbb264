/** The parts of the demo that judge: a comparison that cannot see a difference would make every restore look right. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { firstDifference } from '../../scripts/demo/compare.ts';
import { table } from '../../scripts/demo/table.ts';
import { findTrees } from '../../scripts/demo/trees.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vast-ost-demo-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, bytes: Buffer): string {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
}

describe('firstDifference', () => {
  const chunk = 4 * 1024 * 1024;

  test.each([0, 1, 511, chunk - 1, chunk, chunk + 1, 2 * chunk])('%i equal bytes are identical', (length) => {
    const bytes = Buffer.alloc(length, 'vast');
    expect(firstDifference(file('a', bytes), file('b', bytes))).toBe(null);
  });

  test.each([0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk - 1])('a flipped bit at byte %i is found there', (at) => {
    const bytes = Buffer.alloc(2 * chunk, 'vast');
    const other = Buffer.from(bytes);
    other[at] ^= 1;
    expect(firstDifference(file('a', bytes), file('b', other))).toBe(at);
  });

  test.each([0, 1, chunk - 1, chunk, chunk + 1])('a file cut at byte %i differs there, both ways round', (at) => {
    const bytes = Buffer.alloc(2 * chunk, 'vast');
    const [whole, cut] = [file('a', bytes), file('b', bytes.subarray(0, at))];
    expect([firstDifference(whole, cut), firstDifference(cut, whole)]).toEqual([at, at]);
  });
});

describe('findTrees', () => {
  function makeTree(name: string, sizes: number[]): { name: string; path: string } {
    const path = join(dir, name);
    mkdirSync(join(path, 'below'), { recursive: true });
    sizes.forEach((size, i) => {
      writeFileSync(join(path, i % 2 === 0 ? 'below' : '.', `file-${i}`), Buffer.alloc(size));
    });
    return { name, path };
  }

  test('takes one stream from each tree first, bounded, and no file twice', () => {
    const tops = [makeTree('one', Array(20).fill(1000)), makeTree('two', Array(5).fill(1000))];
    const trees = findTrees(tops, { streams: 4, bytesEach: 4000 });
    expect(trees.map(({ name }) => name)).toEqual(['one', 'two', 'one-2', 'two-2']);
    expect(trees.map(({ bytes }) => bytes)).toEqual([4000, 4000, 4000, 1000]);
    const all = trees.flatMap(({ files }) => files);
    expect(new Set(all).size).toBe(all.length);
  });

  test('one small tree is split into the streams that are wanted', () => {
    const trees = findTrees([makeTree('few', Array(8).fill(1000))], { streams: 4, bytesEach: 1_000_000 });
    expect(trees).toHaveLength(4);
    expect(trees.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(8000);
    expect(trees.every(({ files, bytes }) => files.length * 1000 === bytes && bytes > 0)).toBe(true);
  });

  test('names that a list for tar cannot carry are left out', () => {
    const top = makeTree('odd', [1000]);
    writeFileSync(join(top.path, 'line\nbreak'), 'x');
    writeFileSync(join(top.path, 'back\\slash'), 'x');
    expect(findTrees([top], { streams: 1, bytesEach: 1_000_000 })[0].files).toHaveLength(1);
  });
});

test('a table has columns of one width, numbers to the right', () => {
  expect(
    table(
      ['image', 'MB'],
      [
        ['a', '1.0'],
        ['long', '10.0'],
      ],
    ),
  ).toBe('image    MB\n─────  ────\na       1.0\nlong   10.0');
});
