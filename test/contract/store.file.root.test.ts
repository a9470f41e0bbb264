/** What only a store on a directory promises: mounts, markers, modes, the order of syncs, what the janitor finds. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { FileStore } from '../../workers/file/file-store.ts';
import { metaBytesMax, storeErrno } from '../../workers/store.ts';
import {
  claimText,
  close,
  commitArg,
  create,
  failureOf,
  fileKit,
  image,
  lsu,
  marker,
  names,
  openCounts,
  Payload,
  path,
  pattern,
  testRoot,
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
      () => create(store, 'other~1', 'token-2'),
      () => store.commitImage(commitArg(files, 4096)),
      () => store.flushImage({ ...path, files, token: 'token-1', meta: '{}', size: 0, sumsAt: -1, crcs: '' }),
      () => store.makeLsu({ lsu: 'weekly', text: '' }),
      () => store.labelLsu({ lsu, text: '', token: 't' }),
      () => store.removeImage({ ...path, token: 'r' }),
      () => store.capacity(),
      () => store.takeClaim({ ...path, n: 2, claim: 'c', token: 'c', over: [{ n: 1, text: claimText('token-1') }] }),
      () => store.reopenImage({ ...path, data: 'image.data', sums: true, size: 0, wholeChunks: 0 }),
      () => store.replaceMeta({ ...path, dir: files.dir, token: 'token-1', meta: '{}' }),
      () => store.sweepRemove({ lsu, items: [{ path: '.trash', claim: null }], max: 1, token: 't' }),
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
    expect(failureOf(() => other.initRoot({ root: fresh, text: '{}' }))).toMatchObject({
      errno: -errno.EEXIST,
      step: 'exists',
    });
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
    expect(store.statImage(path)).toMatchObject({ meta: '' });
    const opened = failureOf(() => store.openImage({ ...path, data: ['image.data'], sums: true }));
    expect(opened).toMatchObject({ errno: -errno.ELOOP });
    rmSync(outside, { recursive: true });
  });

  it('what stands in the place of a meta and is no file is damage: it holds nobody up, and the others are listed', async () => {
    close(store, create(store));
    const metaOf: Record<string, (at: string) => void> = {
      fifo: (at) => void execFileSync('mkfifo', [at]),
      directory: (at) => void mkdirSync(at),
      link: (at) => void symlinkSync(join(root, lsu, image, 'image.meta'), at),
    };
    for (const [name, make] of Object.entries(metaOf)) {
      mkdirSync(join(root, lsu, name));
      make(join(root, lsu, name, 'image.meta'));
    }
    const found = new Map((await names(store, lsu, true)).map(({ name, meta }) => [name, meta]));
    expect([...found.keys()].sort()).toEqual([...Object.keys(metaOf), image].sort());
    for (const name of Object.keys(metaOf)) {
      expect(found.get(name), name).toBe('');
      expect(store.statImage({ lsu, image: name }), name).toMatchObject({ meta: '' });
    }
    expect(found.get(image)).toBe(readFileSync(join(root, lsu, image, 'image.meta'), 'utf8'));
  });

  it('what stands in the place of bytes, sums or a claim and is no file is told by its path and kind, and holds nobody up', () => {
    const made = create(store);
    close(store, made);
    const from = openCounts();
    const others: [string, (at: string) => void][] = [
      ['a FIFO', (at) => void execFileSync('mkfifo', [at])],
      ['a directory', (at) => mkdirSync(at)],
      ['a symbolic link', (at) => symlinkSync(markerPath(), at)],
    ];
    const steps: Record<string, (() => unknown)[]> = {
      'image.data': [
        () => store.openImage({ ...path, data: ['image.data'], sums: true }),
        () => store.reopenImage({ ...path, data: 'image.data', sums: true, size: 0, wholeChunks: 0 }),
        () => store.fenceImage({ ...path }),
      ],
      'image.sums': [
        () => store.openImage({ ...path, data: ['image.data'], sums: true }),
        () => store.reopenImage({ ...path, data: 'image.data', sums: true, size: 0, wholeChunks: 0 }),
        () => store.fenceImage({ ...path }),
      ],
      'claim.1': [
        () => store.claims(path),
        () => store.statImage(path),
        () => store.dropClaim({ ...path, n: 1, claim: claimText('token-1') }),
      ],
    };
    for (const [name, calls] of Object.entries(steps)) {
      const at = join(root, lsu, image, name);
      renameSync(at, `${at}.kept`);
      for (const [kind, make] of others) {
        make(at);
        for (const call of calls) {
          const failure = failureOf(call);
          expect(failure, `${kind}: ${call}`).toMatchObject({ step: 'open', path: `${lsu}/${image}/${name}` });
          expect(failure.text, `${kind}: ${call}`).toMatch(
            new RegExp(`${lsu}/.*/${name} is ${kind}, where a file belongs`),
          );
        }
        rmSync(at, { recursive: true });
      }
      renameSync(`${at}.kept`, at);
    }
    expect(openCounts()).toEqual(from);
  });

  it('names that begin with a dot, and what is no directory, are not listed', async () => {
    close(store, create(store));
    mkdirSync(join(root, '.snapshot'));
    mkdirSync(join(root, lsu, '.snapshot'));
    writeFileSync(join(root, 'stray'), '');
    writeFileSync(join(root, lsu, 'stray'), '');
    expect((await names(store, null)).map(({ name }) => name)).toEqual([lsu]);
    // A link is no image of ours, whatever it leads to: nobody could open it.
    renameSync(join(root, lsu, image), join(root, lsu, 'moved'));
    symlinkSync('moved', join(root, lsu, image));
    symlinkSync(lsu, join(root, 'link'));
    for (const meta of [true, false]) {
      expect((await names(store, lsu, meta)).map(({ name }) => name)).toEqual(['moved']);
      expect((await names(store, null, false)).map(({ name }) => name)).toEqual([lsu]);
    }
  });

  it('metas of any length are listed whole, and a longer one is cut', async () => {
    const lengths = [
      0,
      1,
      16 * 1024 - 1,
      16 * 1024,
      100_000,
      metaBytesMax,
      metaBytesMax,
      metaBytesMax + 1,
      3 * metaBytesMax,
    ];
    lengths.forEach((length, i) => {
      mkdirSync(join(root, lsu, `image~${i}`));
      writeFileSync(join(root, lsu, `image~${i}`, 'image.meta'), Buffer.alloc(length, 0x61 + i));
    });
    for (const max of [1, 4, 1000]) {
      const found = await names(store, lsu, true, max);
      expect(found.map(({ name }) => name).sort()).toEqual(lengths.map((_, i) => `image~${i}`));
      for (const { name, meta } of found) {
        const i = Number(name.slice('image~'.length));
        const length = lengths[i] > metaBytesMax ? 1024 : lengths[i];
        expect(meta === String.fromCharCode(0x61 + i).repeat(length), name).toBe(true);
      }
    }
  });

  it('an image without a meta is listed with none, and can be removed', async () => {
    mkdirSync(join(root, lsu, image));
    expect(await names(store, lsu, true)).toEqual([{ name: image, meta: null }]);
    expect(store.statImage(path)).toEqual({ dataSize: 0, physicalBytes: 0, sumsSize: 0, meta: null, claims: [] });
    store.removeImage({ ...path, token: 'r' });
    expect(await names(store, lsu)).toEqual([]);
  });

  it('a meta that is too long or no text is answered cut', () => {
    close(store, create(store));
    for (const bytes of [
      Buffer.alloc(metaBytesMax + 1, 0x20),
      Buffer.alloc(metaBytesMax, 0),
      Buffer.alloc(100_000, 0xff),
    ]) {
      writeFileSync(join(root, lsu, image, 'image.meta'), bytes);
      expect(store.statImage(path).meta!.length).toBeLessThanOrEqual(100_000);
      expect(Buffer.byteLength(JSON.stringify(store.statImage(path)))).toBeLessThan(512 * 1024);
    }
  });

  it('an LSU that was removed and made anew behind our back is found', async () => {
    close(store, create(store));
    rmSync(join(root, lsu), { recursive: true });
    expect(failureOf(() => store.statImage(path))).toMatchObject({ errno: -errno.ENOENT });
    mkdirSync(join(root, lsu));
    close(store, create(store));
    expect(existsSync(join(root, lsu, image, 'image.meta'))).toBe(true);
    expect((await names(store, lsu)).map(({ name }) => name)).toEqual([image]);
  });

  it('sums and fragments that are missing are told', () => {
    close(store, create(store));
    unlinkSync(join(root, lsu, image, 'image.sums'));
    unlinkSync(join(root, lsu, image, 'image.data'));
    const opened = store.openImage({ ...path, data: ['image.data'], sums: true });
    expect([opened.data, opened.sums, opened.meta]).toEqual([-1, -1, '{"meta":"token-1"}']);
    close(store, opened);
    const reopen = () => store.reopenImage({ ...path, data: 'image.data', sums: true, size: 0, wholeChunks: 0 });
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
