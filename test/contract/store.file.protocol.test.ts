/** The order of system calls and syncs of each step, and what the janitor finds when a step was cut short. */
import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { addon, statFields } from '../../native/addon/index.ts';
import { FileStore } from '../../workers/file/file-store.ts';
import { StoreError } from '../../workers/store.ts';
import { AddonCalls } from '../support/addon-calls.ts';
import {
  claimText,
  close,
  commitArg,
  crcs,
  create,
  fileKit,
  headerBytes,
  image,
  lsu,
  Payload,
  path,
  pattern,
  sweepAll,
} from './store-kit.ts';

let kit: ReturnType<typeof fileKit>;
let store: FileStore;
let root: string;

beforeEach(() => {
  kit = fileKit();
  ({ store, root } = kit);
});
afterEach(() => kit[Symbol.dispose]());

describe('the protocol', () => {
  const fileNames = (calls: AddonCalls) =>
    calls.calls.map(({ name, args }) => {
      const text = args.filter((arg) => typeof arg === 'string').join(' → ');
      return text === '' ? name : `${name} ${text}`;
    });

  it('of create syncs claim, meta and directory before the rename, and the LSU behind it', () => {
    create(store, 'warm~1', 'token-0');
    using calls = new AddonCalls();
    const files = create(store);
    expect(fileNames(calls)).toEqual([
      'statAt .vast-ost-store',
      'makeDir .new-token-1',
      'openFile .new-token-1',
      'openFile claim.1',
      'writeBytes',
      'startWriteback',
      'openFile image.meta',
      'writeBytes',
      'openFile image.data',
      'statFile',
      'openFile image.sums',
      'writeBytes',
      'syncFile',
      'syncFile',
      'syncFile',
      `renameFile .new-token-1 → ${image}`,
      'syncFile',
    ]);
    const opened = (name: string) => calls.calls.find(({ args }) => args[1] === name)?.result;
    const synced = calls.calls.filter(({ name }) => name === 'syncFile').map(({ args }) => args[0]);
    expect(synced.slice(0, 3)).toEqual([opened('image.meta'), opened('claim.1'), files.dir]);
    close(store, files);
  });

  it('of complete syncs meta, data and sums before the rename, the directory behind it, and looks at the size between', () => {
    using payload = new Payload();
    const files = create(store);
    payload.write(files.data, pattern(8192, 1), 0);
    using calls = new AddonCalls();
    store.commitImage(commitArg(files, 5120));
    expect(fileNames(calls)).toEqual([
      'statAt .vast-ost-store',
      'statFile',
      'truncateFile',
      'writeBytes',
      'truncateFile',
      'startWriteback',
      'openFile .meta-token-1',
      'writeBytes',
      'syncFile',
      'syncData',
      'syncFile',
      'statFile',
      'renameFile .meta-token-1 → image.meta',
      'syncFile',
      'unlinkFile claim.1',
    ]);
    const synced = calls.calls.filter(({ name }) => name.startsWith('sync')).map(({ args }) => args[0]);
    const meta = calls.calls.find(({ args }) => args[1] === '.meta-token-1')?.result;
    expect(synced).toEqual([meta, files.data, files.sums, files.dir]);
    expect(calls.calls.find(({ name }) => name === 'startWriteback')?.args[0]).toBe(files.sums);
    expect(addon.statFile(files.data, new Float64Array(statFields)), 'complete has closed the files').toBe(
      -errno.EBADF,
    );
  });

  it('of complete leaves to behind its answer what nobody waits for, and nothing else', () => {
    const lane = new FileStore(true);
    lane.openRoot({ root, requireMount: false, direct: true });
    const files = create(lane);
    using calls = new AddonCalls();
    lane.commitImage(commitArg(files, 0));
    expect(fileNames(calls).slice(-2)).toEqual(['renameFile .meta-token-1 → image.meta', 'syncFile']);
    lane.behind();
    lane.behind();
    expect(fileNames(calls).slice(-2)).toEqual(['syncFile', 'unlinkFile claim.1']);
    expect(addon.statFile(files.data, new Float64Array(statFields)), 'the files are closed').toBe(-errno.EBADF);
    expect(() => lane.commitImage(commitArg(files, 0))).toThrow(StoreError);
    lane.behind();
    expect(
      calls.names.filter((name) => name === 'unlinkFile'),
      'a failure leaves nothing to be done',
    ).toHaveLength(1);
    lane.close();
  });

  it('of flush syncs meta, data and sums before the rename', () => {
    const files = create(store);
    using calls = new AddonCalls();
    store.flushImage({ ...path, files, token: 'token-1', meta: '{}', size: 0, sumsAt: headerBytes, crcs: crcs(0, 1) });
    expect(fileNames(calls)).toEqual([
      'statAt .vast-ost-store',
      'writeBytes',
      'truncateFile',
      'startWriteback',
      'openFile .meta-token-1',
      'writeBytes',
      'syncFile',
      'syncData',
      'syncFile',
      'renameFile .meta-token-1 → image.meta',
      'syncFile',
    ]);
    const synced = calls.calls.filter(({ name }) => name.startsWith('sync')).map(({ args }) => args[0]);
    expect(synced.slice(1)).toEqual([files.data, files.sums, files.dir]);
    close(store, files);
  });

  it('of reopening waits for late writes before it believes the size', () => {
    close(store, create(store));
    using calls = new AddonCalls();
    const again = store.reopenImage({ ...path, data: 'image.data', sums: true, size: 0, wholeChunks: 1 });
    const { names: order } = calls;
    expect(order.indexOf('changeMode')).toBeGreaterThan(0);
    expect(order.indexOf('changeMode')).toBeLessThan(order.lastIndexOf('statFile'));
    close(store, again);
  });

  it('takes at most 32 calls for create, 4 KiB and complete', () => {
    using payload = new Payload();
    create(store, 'warm~1', 'token-0');
    using calls = new AddonCalls();
    const files = create(store);
    payload.write(files.data, pattern(4096, 1), 0);
    store.commitImage(commitArg(files, 4096));
    expect(calls.calls.length).toBeLessThanOrEqual(32);
    close(store, files);
  });
});

describe('what a killed engine leaves', () => {
  const at = (...parts: string[]) => join(root, lsu, ...parts);
  const file = (text: string, ...parts: string[]) => writeFileSync(at(...parts), text);

  beforeEach(() => {
    close(store, create(store));
    mkdirSync(at('.new-dead'));
    file('claim of dead', '.new-dead', 'claim.1');
    file('', '.new-dead', 'image.data');
    mkdirSync(at('.new-bare'));
    file('{', '.lsu-lab');
    file('{', image, '.meta-m1');
    file('claim of c1', image, '.claim-c1');
    mkdirSync(at('.snapshot'));
  });

  const found = async () =>
    (await sweepAll(store))
      .map(({ path: where, kind, token, claim, claims }) => ({ where, kind, token, claim, claims: claims.length }))
      .sort((a, b) => (a.where < b.where ? -1 : 1));

  it('is found, with the claim that tells its owner', async () => {
    const own = claimText('token-1');
    expect(await found()).toEqual([
      { where: '.lsu-lab', kind: 'labelTemporary', token: 'lab', claim: null, claims: 0 },
      { where: '.new-bare', kind: 'create', token: 'bare', claim: null, claims: 0 },
      { where: '.new-dead', kind: 'create', token: 'dead', claim: 'claim of dead', claims: 0 },
      { where: `${image}/.claim-c1`, kind: 'claimTemporary', token: 'c1', claim: 'claim of c1', claims: 1 },
      { where: `${image}/.meta-m1`, kind: 'metaTemporary', token: 'm1', claim: null, claims: 1 },
      { where: `${image}/claim.1`, kind: 'claim', token: '', claim: own, claims: 1 },
    ]);
    for (const item of await sweepAll(store)) expect(Math.abs(item.modifiedAt - Date.now() / 1000)).toBeLessThan(3600);
  });

  it('is found by steps that have no time, one entry of the directory each', () => {
    const entries = readdirSync(at()).length;
    const paths: string[] = [];
    let steps = 0;
    let list = -1;
    do {
      const step = store.sweepList({ lsu, list, max: 64, ms: 0 });
      paths.push(...step.items.map((item) => item.path));
      list = step.list;
      steps++;
    } while (list >= 0);
    // The last one finds the end.
    expect(steps).toBe(entries + 1);
    expect(paths).toHaveLength(6);
  });

  it('is removed when it is condemned, and only that', async () => {
    const items = (await sweepAll(store))
      .filter(({ kind }) => kind !== 'claim')
      .map(({ path: where, claim }) => ({ path: where, claim }));
    const { removed, left } = store.sweepRemove({ lsu, items, max: 100, token: 't' });
    expect([removed.sort(), left]).toEqual([items.map((item) => item.path).sort(), 0]);
    expect((await found()).map(({ where }) => where)).toEqual([`${image}/claim.1`]);
    expect(readdirSync(at()).sort()).toEqual(['.lsu', '.snapshot', image].sort());
    expect(store.statImage(path).meta).toBe('{"meta":"token-1"}');
  });

  it('stays where its owner changed since', () => {
    file('claim of somebody else', '.new-dead', 'claim.1');
    const items = [{ path: '.new-dead', claim: 'claim of dead' }];
    expect(store.sweepRemove({ lsu, items, max: 100, token: 't' })).toEqual({ removed: [], left: 1 });
    expect(existsSync(at('.new-dead', 'image.data'))).toBe(true);
  });

  it('goes in steps of the size that was asked for', async () => {
    for (let i = 0; i < 10; i++) {
      close(store, create(store, `old-${i}~1`, `t${i}`));
      store.removeImage({ lsu, image: `old-${i}~1`, token: `r${i}` });
    }
    const items = [{ path: '.trash', claim: null }];
    const first = store.sweepRemove({ lsu, items, max: 12, token: 't' });
    expect(first.left).toBe(1);
    expect(first.removed.length).toBeGreaterThan(0);
    expect(readdirSync(at('.trash')).length).toBe(10 - first.removed.length);
    for (let i = 0; i < 20 && store.sweepRemove({ lsu, items, max: 12, token: 't' }).left > 0; i++);
    expect(readdirSync(at('.trash'))).toEqual([]);
    expect((await found()).some(({ kind }) => kind === 'trash')).toBe(false);
  });

  it('directories in the trash that hold more than files are left, and harm nobody', () => {
    close(store, create(store, 'odd~1', 'odd'));
    mkdirSync(at('odd~1', 'sub'));
    store.removeImage({ lsu, image: 'odd~1', token: 'r' });
    expect(store.sweepRemove({ lsu, items: [{ path: '.trash', claim: null }], max: 100, token: 't' })).toEqual({
      removed: [],
      left: 1,
    });
    expect(lstatSync(at('.trash', 'r', 'sub')).isDirectory()).toBe(true);
  });
});
