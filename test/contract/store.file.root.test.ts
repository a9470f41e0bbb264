/** What only a store on a directory promises: mounts, markers, modes, the order of syncs, what the janitor finds. */
import {
  existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { FileStore } from '../../workers/file/file-store.ts';
import { metaBytesMax, storeErrno } from '../../workers/store.ts';
import { AddonCalls } from '../support/addon-calls.ts';
import {
  claimText, close, create, crcs, failureOf, fileKit, headerBytes, image, lsu, marker, names, path, pattern, Payload,
  sweepAll, testRoot,
} from './store-kit.ts';

let kit: ReturnType<typeof fileKit>;
let store: FileStore;
let root: string;

beforeEach(() => {
  kit = fileKit();
  ({ store, root } = kit);
});
afterEach(() => kit[Symbol.dispose]());

const markerPath = () => join(root, '.vast-ost-store');
const notMounted = { errno: storeErrno.notMounted };

function commit(files: ReturnType<typeof create>, size: number): void {
  store.commitImage({
    ...path, files, token: 'token-1', meta: '{"complete":1}', sumsAt: headerBytes, crcs: crcs(0, 1), size,
    claim: claimText('token-1'), claimN: 1,
  });
}

describe('storage that is not mounted', () => {
  it.each<[string, () => void]>([
    ['no marker', (): void => unlinkSync(markerPath())],
    ['a damaged marker', () => writeFileSync(markerPath(), '{"store_id":')],
    ['an empty marker', () => writeFileSync(markerPath(), '')],
    ['no directory', () => rmSync(root, { recursive: true })],
  ])('is told at open: %s', (_, spoil) => {
    spoil();
    const open = () => store.openRoot({ root, requireMount: false, direct: true });
    expect(failureOf(open)).toMatchObject(notMounted);
    // Nothing of the root that was open before is used any more.
    expect(failureOf(() => store.capacity())).toMatchObject(notMounted);
  });

  it.each<[string, () => void]>([
    ['vanished', () => unlinkSync(markerPath())],
    ['names another store', () => writeFileSync(markerPath(), '{"store_id":"bbbb"}')],
  ])('is told by every step that makes or completes, when the marker %s', (_, spoil) => {
    using payload = new Payload();
    const files = create(store);
    payload.write(files.data, pattern(4096, 1), 0);
    spoil();
    const before = readdirSync(root, { recursive: true }).sort();
    for (const call of [
      () => create(store, 'other~1', 'token-2'), () => commit(files, 4096),
      () => store.flushImage({ ...path, files, token: 'token-1', meta: '{}', sumsAt: -1, crcs: '' }),
      () => store.makeLsu({ lsu: 'weekly', text: '' }), () => store.labelLsu({ lsu, text: '', token: 't' }),
      () => store.removeImage({ ...path, token: 'r' }), () => store.capacity(),
      () => store.takeClaim({ ...path, n: 2, claim: 'c', token: 'c', over: [{ n: 1, text: claimText('token-1') }] }),
      () => store.reopenImage({ ...path, data: 'image.data', sums: true, wholeChunks: 0 }),
      () => store.replaceMeta({ ...path, dir: files.dir, token: 'token-1', meta: '{}' }),
      () => store.sweepRemove({ lsu, items: [{ path: '.trash', claim: null }], max: 1 }),
    ]) {
      expect(failureOf(call)).toMatchObject(notMounted);
    }
    expect(readdirSync(root, { recursive: true }).sort()).toEqual(before);
    expect(readFileSync(join(root, lsu, image, 'image.meta'), 'utf8')).toBe('{"meta":"token-1"}');
    close(store, files);
  });

  it('is no matter when the same marker was written anew', () => {
    unlinkSync(markerPath());
    writeFileSync(markerPath(), marker);
    close(store, create(store));
  });

  it('is what a plain directory is, where a mount is required', () => {
    const open = () => store.openRoot({ root, requireMount: true, direct: true });
    expect(failureOf(open)).toMatchObject({ ...notMounted, path: expect.stringContaining('no mount point') });
  });

  it('is over once it is there: the same call works after opening again', () => {
    renameSync(markerPath(), join(root, 'away'));
    expect(failureOf(() => create(store))).toMatchObject(notMounted);
    renameSync(join(root, 'away'), markerPath());
    store.openRoot({ root, requireMount: false, direct: true });
    close(store, create(store));
  });
});

describe('preparing a store', () => {
  it('writes a marker whole or not at all, once', () => {
    const fresh = testRoot();
    const other = new FileStore();
    other.initRoot({ root: fresh, text: marker });
    expect(readdirSync(fresh)).toEqual(['.vast-ost-store']);
    expect(failureOf(() => other.initRoot({ root: fresh, text: '{}' }))).toMatchObject({ errno: -errno.EEXIST, step: 'exists' });
    expect(readdirSync(fresh)).toEqual(['.vast-ost-store']);
    expect(other.openRoot({ root: fresh, requireMount: false, direct: false })).toMatchObject({ storeId: 'aaaa' });
    other.close();
    rmSync(fresh, { recursive: true });
  });
});

describe('on the directory', () => {
  it('files have mode 0640 and directories 0750', () => {
    const umask = process.umask(0);
    try {
      store.makeLsu({ lsu: 'modes', text: '' });
      const made = store.createImage({ lsu: 'modes', image, token: 't', meta: '{}', claim: 'c', sumsHeader: 'AAAA' });
      close(store, made);
      store.removeImage({ lsu: 'modes', image, token: 'r' });
    } finally {
      process.umask(umask);
    }
    const modes = readdirSync(join(root, 'modes'), { recursive: true }).map((name) => {
      const stat = statSync(join(root, 'modes', String(name)));
      return `${stat.isDirectory() ? 'dir' : 'file'} ${(stat.mode & 0o7777).toString(8)}`;
    });
    expect(new Set(modes)).toEqual(new Set(['dir 750', 'file 640']));
  });

  it('links below the root are not followed', () => {
    const outside = testRoot();
    mkdirSync(join(outside, image));
    writeFileSync(join(outside, image, 'image.meta'), 'secret');
    symlinkSync(outside, join(root, 'linked'));
    expect(failureOf(() => store.statImage({ lsu: 'linked', image }))).toMatchObject({ errno: -errno.ENOTDIR });
    close(store, create(store));
    unlinkSync(join(root, lsu, image, 'image.meta'));
    symlinkSync(join(outside, image, 'image.meta'), join(root, lsu, image, 'image.meta'));
    expect(failureOf(() => store.statImage(path))).toMatchObject({ errno: -errno.ELOOP });
    rmSync(outside, { recursive: true });
  });

  it('names that begin with a dot, and what is no directory, are not listed', () => {
    close(store, create(store));
    mkdirSync(join(root, '.snapshot'));
    mkdirSync(join(root, lsu, '.snapshot'));
    writeFileSync(join(root, 'stray'), '');
    writeFileSync(join(root, lsu, 'stray'), '');
    expect(names(store, null).map(({ name }) => name)).toEqual([lsu]);
    expect(names(store, lsu, true).map(({ name }) => name)).toEqual([image]);
  });

  it('an image without a meta is listed with none, and can be removed', () => {
    mkdirSync(join(root, lsu, image));
    expect(names(store, lsu, true)).toEqual([{ name: image, meta: null }]);
    expect(store.statImage(path)).toEqual({ dataSize: 0, physicalBytes: 0, sumsSize: 0, meta: null, claims: [] });
    store.removeImage({ ...path, token: 'r' });
    expect(names(store, lsu)).toEqual([]);
  });

  it('a meta that is too long or no text is answered cut', () => {
    close(store, create(store));
    for (const bytes of [Buffer.alloc(metaBytesMax + 1, 0x20), Buffer.alloc(metaBytesMax, 0), Buffer.alloc(100_000, 0xff)]) {
      writeFileSync(join(root, lsu, image, 'image.meta'), bytes);
      expect(store.statImage(path).meta!.length).toBeLessThanOrEqual(100_000);
      expect(Buffer.byteLength(JSON.stringify(store.statImage(path)))).toBeLessThan(512 * 1024);
    }
  });

  it('an LSU that was removed and made anew behind our back is found', () => {
    close(store, create(store));
    rmSync(join(root, lsu), { recursive: true });
    expect(failureOf(() => store.statImage(path))).toMatchObject({ errno: -errno.ENOENT });
    mkdirSync(join(root, lsu));
    close(store, create(store));
    expect(existsSync(join(root, lsu, image, 'image.meta'))).toBe(true);
    expect(names(store, lsu).map(({ name }) => name)).toEqual([image]);
  });

  it('sums and fragments that are missing are told', () => {
    close(store, create(store));
    unlinkSync(join(root, lsu, image, 'image.sums'));
    unlinkSync(join(root, lsu, image, 'image.data'));
    const opened = store.openImage({ ...path, data: ['image.data'], sums: true });
    expect([opened.data, opened.sums, opened.meta]).toEqual([-1, -1, '{"meta":"token-1"}']);
    close(store, opened);
    const reopen = () => store.reopenImage({ ...path, data: 'image.data', sums: true, wholeChunks: 0 });
    expect(failureOf(reopen)).toMatchObject({ errno: -errno.ENOENT, step: 'open', path: `${lsu}/${image}/image.data` });
  });

  it('direct I/O tells its alignment, the page cache takes any', () => {
    const files = create(store);
    expect([1, 512, 4096]).toContain(files.align);
    close(store, files);
    store.openRoot({ root, requireMount: false, direct: false });
    const cached = store.openImage({ ...path, data: ['image.data'], sums: false });
    expect(cached.align).toBe(1);
    close(store, cached);
  });

  it('more LSUs than are held open all work', () => {
    for (let i = 0; i < 80; i++) store.makeLsu({ lsu: `lsu-${i}`, text: `${i}` });
    for (let i = 0; i < 80; i++) expect(store.readLsu({ lsu: `lsu-${i}` })).toEqual({ text: `${i}` });
  });
});

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
      'makeDir .new-token-1', 'openFile .new-token-1',
      'openFile claim.1', 'writeBytes', 'syncFile',
      'openFile image.meta', 'writeBytes', 'syncFile',
      'openFile image.data', 'statFile',
      'openFile image.sums', 'writeBytes',
      'syncFile',
      `renameFile .new-token-1 → ${image}`,
      'syncFile',
    ]);
    close(store, files);
  });

  it('of complete syncs data, sums, meta and directory in this order, with the size looked at between', () => {
    using payload = new Payload();
    const files = create(store);
    payload.write(files.data, pattern(8192, 1), 0);
    using calls = new AddonCalls();
    commit(files, 5120);
    expect(fileNames(calls)).toEqual([
      'statAt .vast-ost-store',
      'statFile', 'truncateFile', 'syncData',
      'writeBytes', 'truncateFile', 'syncFile',
      'statFile',
      'openFile .meta-token-1', 'writeBytes', 'syncFile', 'renameFile .meta-token-1 → image.meta',
      'syncFile',
      'unlinkFile claim.1',
    ]);
    const synced = calls.calls.filter(({ name }) => name.startsWith('sync')).map(({ args }) => args[0]);
    expect([synced[0], synced[1], synced[3]]).toEqual([files.data, files.sums, files.dir]);
    close(store, files);
  });

  it('of flush syncs data before sums before meta', () => {
    const files = create(store);
    using calls = new AddonCalls();
    store.flushImage({ ...path, files, token: 'token-1', meta: '{}', sumsAt: headerBytes, crcs: crcs(0, 1) });
    expect(fileNames(calls)).toEqual([
      'statAt .vast-ost-store', 'syncData', 'writeBytes', 'truncateFile', 'syncFile',
      'openFile .meta-token-1', 'writeBytes', 'syncFile', 'renameFile .meta-token-1 → image.meta', 'syncFile',
    ]);
    expect([calls.calls[1].args[0], calls.calls[4].args[0], calls.calls[9].args[0]]).toEqual([files.data, files.sums, files.dir]);
    close(store, files);
  });

  it('of reopening waits for late writes before it believes the size', () => {
    close(store, create(store));
    using calls = new AddonCalls();
    const again = store.reopenImage({ ...path, data: 'image.data', sums: true, wholeChunks: 1 });
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
    commit(files, 4096);
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

  const found = () =>
    sweepAll(store)
      .map(({ path: where, kind, token, claim, claims }) => ({ where, kind, token, claim, claims: claims.length }))
      .sort((a, b) => (a.where < b.where ? -1 : 1));

  it('is found, with the claim that tells its owner', () => {
    const own = claimText('token-1');
    expect(found()).toEqual([
      { where: '.lsu-lab', kind: 'labelTemporary', token: 'lab', claim: null, claims: 0 },
      { where: '.new-bare', kind: 'create', token: 'bare', claim: null, claims: 0 },
      { where: '.new-dead', kind: 'create', token: 'dead', claim: 'claim of dead', claims: 0 },
      { where: `${image}/.claim-c1`, kind: 'claimTemporary', token: 'c1', claim: 'claim of c1', claims: 1 },
      { where: `${image}/.meta-m1`, kind: 'metaTemporary', token: 'm1', claim: null, claims: 1 },
      { where: `${image}/claim.1`, kind: 'claim', token: '', claim: own, claims: 1 },
    ]);
    for (const item of sweepAll(store)) expect(Math.abs(item.modifiedAt - Date.now() / 1000)).toBeLessThan(3600);
  });

  it('is removed when it is condemned, and only that', () => {
    const items = sweepAll(store).filter(({ kind }) => kind !== 'claim').map(({ path: where, claim }) => ({ path: where, claim }));
    const { removed, left } = store.sweepRemove({ lsu, items, max: 100 });
    expect([removed.sort(), left]).toEqual([items.map((item) => item.path).sort(), 0]);
    expect(found().map(({ where }) => where)).toEqual([`${image}/claim.1`]);
    expect(readdirSync(at()).sort()).toEqual(['.lsu', '.snapshot', image].sort());
    expect(store.statImage(path).meta).toBe('{"meta":"token-1"}');
  });

  it('stays where its owner changed since', () => {
    file('claim of somebody else', '.new-dead', 'claim.1');
    const items = [{ path: '.new-dead', claim: 'claim of dead' }];
    expect(store.sweepRemove({ lsu, items, max: 100 })).toEqual({ removed: [], left: 1 });
    expect(existsSync(at('.new-dead', 'image.data'))).toBe(true);
  });

  it('goes in steps of the size that was asked for', () => {
    for (let i = 0; i < 10; i++) {
      close(store, create(store, `old-${i}~1`, `t${i}`));
      store.removeImage({ lsu, image: `old-${i}~1`, token: `r${i}` });
    }
    const items = [{ path: '.trash', claim: null }];
    const first = store.sweepRemove({ lsu, items, max: 12 });
    expect(first.left).toBe(1);
    expect(first.removed.length).toBeGreaterThan(0);
    expect(readdirSync(at('.trash')).length).toBe(10 - first.removed.length);
    for (let i = 0; i < 20 && store.sweepRemove({ lsu, items, max: 12 }).left > 0; i++);
    expect(readdirSync(at('.trash'))).toEqual([]);
    expect(found().some(({ kind }) => kind === 'trash')).toBe(false);
  });

  it('directories in the trash that hold more than files are left, and harm nobody', () => {
    close(store, create(store, 'odd~1', 'odd'));
    mkdirSync(at('odd~1', 'sub'));
    store.removeImage({ lsu, image: 'odd~1', token: 'r' });
    expect(store.sweepRemove({ lsu, items: [{ path: '.trash', claim: null }], max: 100 })).toEqual({ removed: [], left: 1 });
    expect(lstatSync(at('.trash', 'r', 'sub')).isDirectory()).toBe(true);
  });
});
