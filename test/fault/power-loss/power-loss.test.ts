import { constants, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HandLog } from './hand-log.ts';
import { checkStates, materialise } from './materialise.ts';
import { emptySnapshot, type Snapshot, takeSnapshot } from './snapshot.ts';
import { type CrashOptions, crashStates, type State } from './states.ts';

const seed = 20_260_101;
let scratch = '';
let states = 0;
beforeAll(() => {
  console.log(`seed ${seed}`);
  scratch = mkdtempSync(join(tmpdir(), 'power-loss-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Tree = Record<string, string>;

/** All files below `dir` with their text, and directories with a slash. */
function treeOf(dir: string, at = ''): Tree {
  const tree: Tree = {};
  for (const name of readdirSync(join(dir, at)).sort()) {
    const path = join(at, name);
    if (!statSync(join(dir, path)).isDirectory()) tree[path] = readFileSync(join(dir, path), 'latin1');
    else Object.assign(tree, { [`${path}/`]: '' }, treeOf(dir, path));
  }
  return tree;
}

function realise(state: State): Tree {
  const dir = join(scratch, `s${states++}`);
  mkdirSync(dir);
  materialise(state, dir);
  return treeOf(dir);
}

function statesOf(log: HandLog, options: Partial<CrashOptions> = {}): State[] {
  return [...crashStates(log.lines, { base: emptySnapshot(1), data: log.data, seed, ...options })];
}

/** Trees that a crash at the end of the log may leave. */
function endTrees(log: HandLog, options: Partial<CrashOptions> = {}): Tree[] {
  const last = `${log.lines.length}`;
  log.mark(last); // the same tree at an earlier point does not stand for the end
  return statesOf(log, options)
    .filter((state) => state.marks.at(-1) === last)
    .map(realise);
}

function contents(trees: Tree[], path: string): (string | undefined)[] {
  return [...new Set(trees.map((tree) => tree[path]))].sort();
}

/** A file that is there durably. */
function durableFile(text: string): HandLog {
  const log = new HandLog();
  log.create('f');
  log.write('f', 0, text);
  log.sync('f');
  log.sync('.');
  return log;
}

describe('data', () => {
  test('that was not synced may be there, be lost, or be zeros', () => {
    const log = durableFile('AAAA');
    log.write('f', 4, 'BBBB');
    expect(contents(endTrees(log), 'f')).toEqual(['AAAA', 'AAAA\0\0\0\0', 'AAAABBBB']);
  });

  test.each(['fsync', 'fdatasync'] as const)('that was synced by %s is there', (name) => {
    const log = durableFile('AAAA');
    log.write('f', 4, 'BBBB');
    log.sync('f', name);
    expect(contents(endTrees(log), 'f')).toEqual(['AAAABBBB']);
  });

  test('is lost in any subset', () => {
    const log = durableFile('aaa');
    for (const at of [0, 1, 2]) log.write('f', at, 'X');
    expect(contents(endTrees(log), 'f')).toEqual(['XXX', 'XXa', 'XaX', 'Xaa', 'aXX', 'aXa', 'aaX', 'aaa']);
  });

  test('is torn at sectors of 512 and 4096 bytes', () => {
    const log = durableFile('-'.repeat(8192));
    log.write('f', 0, 'X'.repeat(8192));
    const shapes = new Set(contents(endTrees(log), 'f').map((text) => text?.replace(/(.)\1{511}/g, '$1')));
    expect(shapes.has('X'.repeat(8) + '-'.repeat(8))).toBe(true);
    expect(shapes.has('-'.repeat(8) + 'X'.repeat(8))).toBe(true);
    expect([...shapes].some((shape) => shape !== undefined && /X-+X|-X+-/.test(shape))).toBe(true);
    expect([...shapes].every((shape) => shape?.length === 16)).toBe(true);
  });

  test('is not covered by a sync that began before the write ended', () => {
    const log = durableFile('AAAA');
    const write = log.beginWrite('f', 0, 'BBBB');
    const sync = log.begin('fsync', 'f');
    log.end(write, 4);
    log.end(sync);
    expect(contents(endTrees(log), 'f')).toEqual(['AAAA', 'BBBB']);
  });

  test.each([
    ['failed', -5, '-'],
    ['failed by a rule', -5, 'fail'],
    ['was dropped', 0, 'drop'],
  ])('is not covered by a sync that %s', (_, result, action) => {
    const log = durableFile('AAAA');
    log.write('f', 0, 'BBBB');
    log.sync('f', 'fsync', result, action);
    expect(contents(endTrees(log), 'f')).toEqual(['AAAA', 'BBBB']);
  });

  test('is not covered by the sync of another file, or of the directory', () => {
    const log = durableFile('AAAA');
    log.create('g');
    log.write('f', 0, 'BBBB');
    log.sync('g');
    log.sync('.');
    expect(contents(endTrees(log), 'f')).toEqual(['AAAA', 'BBBB']);
  });

  test('counts as far as a short write went, and not where it failed', () => {
    const log = durableFile('AAAA');
    log.end(log.beginWrite('f', 0, 'BBBB'), 2);
    log.end(log.beginWrite('f', 0, 'CCCC'), -28);
    log.sync('f');
    expect(contents(endTrees(log), 'f')).toEqual(['BBAA']);
  });

  test('a new size may be lost as well, also that of O_TRUNC', () => {
    const log = durableFile('AAAA');
    log.truncate('f', 2);
    expect(contents(endTrees(log), 'f')).toEqual(['AA', 'AAAA']);
    log.sync('f');
    log.openExisting('f', constants.O_TRUNC);
    expect(contents(endTrees(log), 'f')).toEqual(['', 'AA']);
  });

  test('of a call that never ended may be there', () => {
    const log = durableFile('AAAA');
    log.beginWrite('f', 0, 'BBBB');
    log.begin('unlink', 'f', { inode: 0 });
    expect(contents(endTrees(log), 'f')).toEqual(['AAAA', 'BBBB', undefined]);
  });
});

describe('names', () => {
  test('of a new file are durable with the directory only', () => {
    const log = new HandLog();
    log.create('f');
    log.write('f', 0, 'A');
    log.sync('f');
    expect(contents(endTrees(log), 'f')).toEqual(['A', undefined]);
    log.sync('.');
    expect(contents(endTrees(log), 'f')).toEqual(['A']);
  });

  /** The usual replacement, with or without its syncs. */
  function replaced(syncFile: boolean, syncDir: boolean): HandLog {
    const log = durableFile('old');
    log.create('tmp');
    log.write('tmp', 0, 'new');
    if (syncFile) log.sync('tmp');
    log.rename('tmp', 'f');
    if (syncDir) log.sync('.');
    return log;
  }

  test('change from old to new in one step', () => {
    const trees = endTrees(replaced(true, false));
    expect(contents(trees, 'f')).toEqual(['new', 'old']);
    expect(contents(endTrees(replaced(true, true)), 'f')).toEqual(['new']);
  });

  test('may arrive before the data: the missing sync of the file is found', () => {
    expect(contents(endTrees(replaced(false, true)), 'f')).toEqual(['', '\0\0\0', 'new']);
  });

  test('moved between directories are in one of them, durable when either is synced', () => {
    const log = durableFile('A');
    log.mkdir('d');
    log.sync('.');
    log.rename('f', 'd/f');
    const where = (tree: Tree) => `${tree.f} ${tree['d/f']}`;
    expect(new Set(endTrees(log).map(where))).toEqual(new Set(['A undefined', 'undefined A']));
    log.sync('.');
    expect(new Set(endTrees(log).map(where))).toEqual(new Set(['undefined A']));
    expect(new Set(endTrees(log, { renameNeeds: 'both' }).map(where))).toEqual(new Set(['A undefined', 'undefined A']));
    log.sync('d');
    expect(new Set(endTrees(log, { renameNeeds: 'both' }).map(where))).toEqual(new Set(['undefined A']));
  });

  test('a directory that was not synced inside arrives without what is in it', () => {
    const log = new HandLog();
    log.mkdir('.new');
    log.create('.new/meta');
    log.write('.new/meta', 0, 'M');
    log.sync('.new/meta');
    log.rename('.new', 'image');
    log.sync('.');
    expect(contents(endTrees(log), 'image/meta')).toEqual(['M', undefined]);
    expect(contents(endTrees(log), 'image/')).toEqual(['']);
    log.sync('image');
    expect(contents(endTrees(log), 'image/meta')).toEqual(['M']);
  });

  test('of one file are one file', () => {
    const log = durableFile('A');
    log.link('f', 'g');
    log.unlink('f');
    log.sync('.');
    log.write('g', 0, 'B');
    const trees = endTrees(log);
    expect(contents(trees, 'f')).toEqual([undefined]);
    expect(contents(trees, 'g')).toEqual(['A', 'B']);
  });

  test('keep their order in one directory where the file system does', () => {
    const log = new HandLog();
    for (const name of ['a', 'b', 'c']) log.create(name);
    const namesOf = (tree: Tree) => Object.keys(tree).join('');
    expect(new Set(endTrees(log, { names: 'ordered' }).map(namesOf))).toEqual(new Set(['', 'a', 'ab', 'abc']));
    expect(new Set(endTrees(log).map(namesOf)).size).toBe(8);
    for (const state of statesOf(log)) expect(state.ordered).toBe(/^(a(bc?)?)?$/.test(namesOf(realise(state))));
  });

  test('an inode that is used again is another file', () => {
    const log = durableFile('A');
    log.unlink('f');
    log.create('g', constants.O_CREAT, 101);
    log.write('g', 0, 'B');
    log.sync('g');
    log.sync('.');
    expect(endTrees(log)).toEqual([{ g: 'B' }]);
  });

  test('calls that never ended happen only where they could have', () => {
    const log = durableFile('A');
    log.mkdir('d');
    log.create('d/x');
    log.sync('d');
    log.sync('.');
    log.begin('open', 'f', { flags: constants.O_CREAT, inode: 0 });
    log.begin('link', 'f', { path2: 'd/x', inode: 0 });
    log.begin('rename', 'f', { path2: 'd', inode: 0 });
    log.begin('rename', 'gone', { path2: 'f', inode: 0 });
    expect(endTrees(log)).toEqual([{ f: 'A', 'd/': '', 'd/x': '' }]);
  });
});

describe('the run as a whole', () => {
  test('every moment is a crash point, with the marks up to it', () => {
    const log = durableFile('A');
    log.mark('A is durable');
    log.write('f', 0, 'B');
    log.sync('f');
    log.mark('B is durable');
    const seen = new Map<string, Set<string | undefined>>();
    for (const state of statesOf(log)) {
      const key = state.marks.at(-1) ?? 'start';
      seen.set(key, (seen.get(key) ?? new Set()).add(realise(state).f));
    }
    expect(Object.fromEntries(seen)).toEqual({
      start: new Set([undefined, '', '\0', 'A']),
      'A is durable': new Set(['A', 'B']),
      'B is durable': new Set(['B']),
    });
  });

  test('what was there before stays, byte for byte', () => {
    const dir = join(scratch, 'before');
    mkdirSync(join(dir, 'sub'), { recursive: true });
    writeFileSync(join(dir, 'sub/old'), 'old bytes');
    const base: Snapshot = takeSnapshot(dir);
    const log = new HandLog();
    log.end(log.begin('unlink', 'sub/old', { inode: 0 }));
    const trees = endTrees(log, { base });
    expect(trees).toContainEqual({ 'sub/': '', 'sub/old': 'old bytes' });
    expect(trees).toContainEqual({ 'sub/': '' });
  });

  test('many pending operations are sampled, the same with the same seed, the extremes always', () => {
    const log = new HandLog();
    for (let n = 0; n < 12; n++) log.create(`f${n}`);
    const keys = (seed: number) => statesOf(log, { seed }).map((state) => state.key);
    expect(keys(1)).toEqual(keys(1));
    expect(keys(1)).not.toEqual(keys(2));
    const sizes = statesOf(log).map((state) => Object.keys(realise(state)).length);
    expect(Math.min(...sizes)).toBe(0);
    expect(Math.max(...sizes)).toBe(12);
    expect(sizes.filter((size) => size === 11).length).toBeGreaterThanOrEqual(12);
  });

  test('states of one point can be limited', () => {
    const log = new HandLog();
    for (let n = 0; n < 12; n++) log.create(`f${n}`);
    const points = new Map<number, number>();
    for (const { point } of statesOf(log, { statesPerPointMax: 3 })) points.set(point, (points.get(point) ?? 0) + 1);
    expect(Math.max(...points.values())).toBe(3);
  });

  test('a log that speaks of what nobody made is refused', () => {
    const log = new HandLog();
    log.write('unknown', 0, 'x');
    expect(() => statesOf(log)).toThrow(/inode/);
    const other = new HandLog();
    other.end(other.begin('rename', 'a', { path2: 'b', inode: 0 }));
    expect(() => statesOf(other)).toThrow(/not there/);
  });

  test('a check tells where, what was lost, and stops at its limit', async () => {
    const log = durableFile('AAAA');
    log.write('f', 0, 'BBBB');
    const options = { base: emptySnapshot(1), data: log.data, seed };
    const wrong = (dir: string) => (treeOf(dir).f === 'AAAA' ? [] : ['f is not AAAA']);
    const { complaints } = await checkStates(crashStates(log.lines, options), scratch, wrong, 1);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatchObject({ text: 'f is not AAAA', ordered: true });
    const all = await checkStates(crashStates(log.lines, options), scratch, () => []);
    expect(all.complaints).toEqual([]);
    expect(all.states).toBe([...crashStates(log.lines, options)].length);
  });
});
