/** The parts of the demo that judge, since a comparison that sees no difference makes every restore look right; and its bucket. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../engine/config.ts';
import { bucketSection, type DemoBucket, ownBucket, startTestEndpoint } from '../../scripts/demo/bucket.ts';
import { firstDifference } from '../../scripts/demo/compare.ts';
import { writeConfig } from '../../scripts/demo/engine.ts';
import { farewell } from '../../scripts/demo/farewell.ts';
import { readOptions } from '../../scripts/demo/options.ts';
import { places } from '../../scripts/demo/places.ts';
import { table } from '../../scripts/demo/table.ts';
import { findTrees } from '../../scripts/demo/trees.ts';
import { keepRunning, stopAll } from '../../scripts/programs/running.ts';

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

describe('options', () => {
  test('no endpoint, or one with its bucket and credentials', () => {
    expect(readOptions([])).toEqual({ directory: undefined, endpoint: null });
    expect(readOptions(['--help'])).toBe(null);
    const own = ['/work', '--endpoint', 'https://10.0.0.1,https://10.0.0.2', '--bucket', 'b', '--credentials', '/c'];
    expect(readOptions(own)).toEqual({
      directory: '/work',
      endpoint: { endpoints: 'https://10.0.0.1,https://10.0.0.2', bucket: 'b', credentialsFile: '/c', caFile: null },
    });
  });

  test.each([
    [['--endpoint', 'http://10.0.0.1'], /go together/],
    [['--bucket', 'b', '--credentials', '/c'], /go together/],
    [['--wrong'], /usage/],
    [['/one', '/two'], /one DIRECTORY/],
    [['--endpoint', 'http://a', '--bucket', 'b\nprefix = x', '--credentials', '/c'], /line breaks/],
  ])('%j is refused', (args, text) => {
    expect(() => readOptions(args)).toThrow(text);
  });
});

describe('the bucket', () => {
  test('its section is one that the engine takes, for an endpoint of the reader too', () => {
    const own = {
      endpoints: 'https://10.0.0.1, https://10.0.0.2',
      bucket: 'b-1',
      credentialsFile: '/c',
      caFile: '/ca',
    };
    const config = join(dir, 'vast-ost.conf');
    const files = { config, root: dir, socket: join(dir, 'engine.sock'), log: join(dir, 'engine.log') };
    writeConfig(files, bucketSection(ownBucket(own, 7)));
    const [server] = loadConfig(config, {}).servers;
    expect(server).toMatchObject({ store: 's3', bucket: 'b-1', prefix: 'vast-ost-demo-7/', caFile: '/ca' });
    writeConfig(files, '');
    expect(loadConfig(config, {}).servers).toEqual([]);
  });

  test('the endpoint of the checkout answers until it is stopped, and leaves nothing', async () => {
    const work = mkdtempSync(join(dir, 'endpoint-'));
    const bucket = await startTestEndpoint(places().testEndpoint as string, work);
    try {
      expect(await reaches(bucket.endpoints)).toBe(true);
      expect(statSync(bucket.credentialsFile).mode & 0o777).toBe(0o600);
      expect(readdirSync(join(work, 'endpoint'))).toHaveLength(1);
    } finally {
      await stopAll();
    }
    expect(await reaches(bucket.endpoints)).toBe(false);
    expect(readdirSync(join(work, 'endpoint'))).toEqual([]);
  });

  test('one that does not start says why', async () => {
    const program = file('broken.ts', Buffer.from('throw new Error("no port is free");\n'));
    await expect(startTestEndpoint(program, mkdtempSync(join(dir, 'broken-')))).rejects.toThrow('no port is free');
  });

  async function reaches(url: string): Promise<boolean> {
    return fetch(url).then(
      () => true,
      () => false,
    );
  }
});

test('what was started last is stopped first, and what has ended is left alone', async () => {
  const stopped: string[] = [];
  keepRunning(() => stopped.push('endpoint'));
  const forget = keepRunning(() => stopped.push('ended'));
  keepRunning(() => stopped.push('engine'));
  forget();
  await stopAll();
  await stopAll();
  expect(stopped).toEqual(['engine', 'endpoint']);
});

describe('at the end', () => {
  const went = { server: 'VastData:demo', lsu: 'demo-lsu', bucketLsu: 'bucket-lsu', date: 7 };
  const words = (bucket: DemoBucket | null): string => {
    const files = { dir, source: '', restored: '', root: dir, config: '/conf', log: '', socket: '' };
    return farewell(places(), { ...went, files, bucket }).join('\n');
  };

  test('commands for the bucket begin with its endpoint only where the demo had started it', () => {
    const own = ownBucket({ endpoints: 'http://10.0.0.1', bucket: 'b', credentialsFile: '/c', caFile: null }, 7);
    expect(words(own)).toContain('backup --create-lsu --server VastData:demo-bucket --lsu bucket-lsu');
    expect(words(own)).toContain('b/vast-ost-demo-7/');
    expect(words(own)).not.toContain('test/s3/server');
    expect(words({ ...own, testPort: 1234 })).toContain('"endpoints":[{"port":1234}]');
  });

  test('without a bucket it says how to name one', () => {
    expect(words(null)).toContain('--endpoint https://ADDRESS --bucket NAME --credentials FILE');
    expect(words(null)).not.toContain('VastData:demo-bucket');
  });
});
