/** Every promise of workers/store.ts that both stores keep. A store's test file is a page that supplies a kit. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { crcsPerCall, metaBytesMax, type Store, storeErrno } from '../../workers/store.ts';
import {
  base64, chunkBytes, claimText, close, crcs, create, failureOf, headerBytes, image, lsu, names, openCounts, path,
  pattern, Payload, type StoreKit, sumsHeader, sweepAll,
} from './store-kit.ts';

export function storeSuite(makeKit: () => StoreKit, makeClosed: () => Store): void {
  let kit: StoreKit;
  let store: Store;
  let payload: Payload;
  let openBefore: number[];

  beforeEach(() => {
    openBefore = openCounts();
    payload = new Payload();
    kit = makeKit();
    store = kit.store;
  });
  afterEach(() => {
    kit[Symbol.dispose]();
    payload[Symbol.dispose]();
    expect(openCounts().slice(1), 'lists, arenas').toEqual(openBefore.slice(1));
  });

  /** An image of `bytes` that is complete. */
  function complete(name: string, bytes: Buffer, token = 'token-1'): void {
    const files = create(store, name, token);
    payload.write(files.data, bytes, 0);
    store.commitImage({
      lsu, image: name, files, token, meta: `{"complete":"${name}"}`, sumsAt: headerBytes,
      crcs: crcs(0, Math.ceil(bytes.length / chunkBytes)), size: bytes.length, claim: claimText(token), claimN: 1,
    });
    close(store, files);
  }

  function flushArg(files: ReturnType<typeof create>, meta: string) {
    return { ...path, files, token: 'token-1', meta, sumsAt: -1, crcs: '' };
  }

  describe('root', () => {
    it('is not mounted before it was opened', () => {
      const closed = makeClosed();
      for (const call of [
        () => closed.capacity({}), () => closed.openNames({ lsu: null }), () => closed.readLsu({ lsu }),
        () => closed.statImage(path), () => create(closed),
      ]) {
        expect(failureOf(call)).toMatchObject({ errno: storeErrno.notMounted });
      }
    });

    it('refuses a second marker', () => {
      expect(failureOf(() => store.initRoot({ root: kit.root, text: '{"store_id":"other"}' }))).toMatchObject({
        errno: -errno.EEXIST, step: 'exists',
      });
    });

    it('answers the same when it is opened again', () => {
      const open = () => store.openRoot({ root: kit.root, requireMount: false, direct: true });
      expect(open()).toEqual(open());
      expect(store.readLsu({ lsu }).text).toBe('{"lsu":"daily"}');
    });

    it('tells its capacity', () => {
      const { capacity, free, available } = store.capacity({});
      expect(capacity).toBeGreaterThan(0);
      expect(free).toBeLessThanOrEqual(capacity);
      expect(available).toBeLessThanOrEqual(free);
    });
  });

  describe('LSUs', () => {
    it('are made once, labelled, read and listed', () => {
      store.makeLsu({ lsu: 'weekly', text: 'one' });
      expect(failureOf(() => store.makeLsu({ lsu: 'weekly', text: 'two' }))).toMatchObject({ errno: -errno.EEXIST });
      expect(store.readLsu({ lsu: 'weekly' })).toEqual({ text: 'one' });
      store.labelLsu({ lsu: 'weekly', text: 'three', token: 't' });
      expect(store.readLsu({ lsu: 'weekly' })).toEqual({ text: 'three' });
      expect(names(store, null).map(({ name }) => name).sort()).toEqual([lsu, 'weekly']);
    });

    it('that are not there are told by ENOENT', () => {
      const gone = { lsu: 'none', image };
      for (const call of [
        () => store.readLsu(gone), () => store.labelLsu({ lsu: 'none', text: '', token: 't' }),
        () => store.openNames(gone), () => store.statImage(gone), () => store.claims(gone),
        () => store.removeImage({ ...gone, token: 't' }), () => store.sweepList({ lsu: 'none', list: -1, max: 1 }),
        () => store.createImage({ ...gone, token: 't', meta: '', claim: '', sumsHeader: null }),
      ]) {
        expect(failureOf(call)).toMatchObject({ errno: -errno.ENOENT });
      }
    });
  });

  describe('names', () => {
    const hostile = ['', '.', '..', '../x', 'a/b', '/', '.hidden', 'a\0b', 'a\nb', 'a b', 'ä', 'x'.repeat(201)];
    it.each(hostile)('refuses %j as LSU and as image', (name) => {
      const calls = [
        () => store.makeLsu({ lsu: name, text: '' }), () => create(store, name),
        () => store.openImage({ lsu, image: name, data: ['image.data'], sums: true }),
        () => store.openImage({ lsu: name, image, data: ['image.data'], sums: true }),
        () => store.statImage({ lsu, image: name }), () => store.removeImage({ lsu, image: name, token: 't' }),
        () => store.takeClaim({ lsu, image: name, n: 1, claim: 'c', token: 't', over: [] }),
      ];
      for (const call of calls) expect(failureOf(call)).toMatchObject({ errno: -errno.EINVAL, step: 'name' });
    });

    it('refuses tokens, fragments and claims that are none', () => {
      close(store, create(store));
      for (const token of ['', '../x', 'a/b', '.', 'x'.repeat(65)]) {
        expect(failureOf(() => store.removeImage({ ...path, token }))).toMatchObject({ errno: -errno.EINVAL });
        expect(failureOf(() => create(store, 'other~1', token))).toMatchObject({ errno: -errno.EINVAL });
      }
      for (const data of ['image.meta', '../x', 'image.data.1', 'claim.1']) {
        expect(failureOf(() => store.openImage({ ...path, data: [data], sums: false }))).toMatchObject({ errno: -errno.EINVAL });
      }
      for (const n of [0, -1, 1.5, 1e9]) {
        const take = () => store.takeClaim({ ...path, n, claim: 'c', token: 't', over: [] });
        expect(failureOf(take)).toMatchObject({ errno: -errno.EINVAL });
      }
      expect(store.claims(path).claims).toEqual([{ n: 1, text: claimText('token-1') }]);
    });

    it('200 bytes long are taken', () => {
      const long = 'x'.repeat(200);
      store.makeLsu({ lsu: long, text: '' });
      const made = store.createImage({ lsu: long, image: long, token: 't', meta: '', claim: 'c', sumsHeader: null });
      close(store, made);
      expect(names(store, long)).toEqual([{ name: long, meta: null }]);
    });
  });

  describe('create', () => {
    it('makes a pending image with meta, empty data, sums header and claim.1', () => {
      const files = create(store);
      expect(files.data).toBeGreaterThanOrEqual(0);
      expect(store.statImage(path)).toMatchObject({
        dataSize: 0, sumsSize: headerBytes, meta: '{"meta":"token-1"}', claims: [{ n: 1, text: claimText('token-1') }],
      });
      close(store, files);
    });

    it('without sums makes none', () => {
      const files = store.createImage({ ...path, token: 't', meta: '{}', claim: 'c', sumsHeader: null });
      expect(files.sums).toBe(-1);
      expect(store.statImage(path).sumsSize).toBe(0);
      close(store, files);
      const opened = store.openImage({ ...path, data: ['image.data'], sums: true });
      expect(opened.sums).toBe(-1);
      close(store, opened);
    });

    it('of a name that is taken answers EEXIST, and harms nothing', () => {
      complete(image, pattern(8192, 1));
      const before = store.statImage(path);
      expect(failureOf(() => create(store, image, 'token-2'))).toMatchObject({
        errno: -errno.EEXIST, step: 'exists', path: `${lsu}/${image}`,
      });
      expect(store.statImage(path)).toEqual(before);
      expect(sweepAll(store)).toEqual([]);
    });

    it('of a pending name answers EEXIST too', () => {
      close(store, create(store));
      expect(failureOf(() => create(store, image, 'token-2'))).toMatchObject({ errno: -errno.EEXIST, step: 'exists' });
      expect(store.claims(path).claims).toEqual([{ n: 1, text: claimText('token-1') }]);
    });

    it('gives files that payload can be written to and read from', () => {
      const bytes = pattern(chunkBytes + 4096, 7);
      const files = create(store);
      payload.write(files.data, bytes.subarray(0, chunkBytes), 0);
      payload.write(files.data, bytes.subarray(chunkBytes), chunkBytes);
      expect(payload.read(files.data, bytes.length, 0).equals(bytes)).toBe(true);
      close(store, files);
      expect(store.statImage(path).dataSize).toBe(bytes.length);
    });
  });

  describe('flush', () => {
    it('replaces the meta, puts the sums in their place and cuts them behind', () => {
      const files = create(store);
      payload.write(files.data, pattern(2 * chunkBytes, 1), 0);
      store.flushImage({ ...flushArg(files, '{"flushed":1}'), sumsAt: headerBytes, crcs: crcs(0, 4) });
      expect(store.statImage(path)).toMatchObject({ meta: '{"flushed":1}', sumsSize: headerBytes + 32 });
      store.flushImage({ ...flushArg(files, '{"flushed":2}'), sumsAt: headerBytes + 8, crcs: crcs(50, 2) });
      expect(store.statImage(path)).toMatchObject({ meta: '{"flushed":2}', sumsSize: headerBytes + 24 });
      const stored = Buffer.from(store.readSums({ sums: files.sums, first: 0, count: 10 }).crcs, 'base64');
      expect(stored.equals(Buffer.concat([Buffer.from(crcs(0, 1), 'base64'), Buffer.from(crcs(50, 2), 'base64')]))).toBe(true);
      expect(store.claims(path).claims).toHaveLength(1);
      close(store, files);
    });

    it('without sums leaves them alone', () => {
      const files = create(store);
      store.flushImage(flushArg(files, '{}'));
      expect(store.statImage(path).sumsSize).toBe(headerBytes);
      close(store, files);
    });

    it('does not change the size of the data', () => {
      const files = create(store);
      payload.write(files.data, pattern(8192, 1), 0);
      store.flushImage(flushArg(files, '{}'));
      expect(store.statImage(path).dataSize).toBe(8192);
      close(store, files);
    });

    it('takes a meta of full length, byte for byte', () => {
      const files = create(store);
      const meta = JSON.stringify({ quotes: '"'.repeat(1000), text: 'ä€😀\n'.repeat(100), filler: '' });
      const long = meta.replace('"filler":""', `"filler":"${'x'.repeat(metaBytesMax - Buffer.byteLength(meta))}"`);
      expect(Buffer.byteLength(long)).toBe(metaBytesMax);
      store.flushImage(flushArg(files, long));
      expect(store.statImage(path).meta === long).toBe(true);
      close(store, files);
    });

    it('replaceMeta alone changes the meta only', () => {
      const files = create(store);
      payload.write(files.data, pattern(4096, 3), 0);
      store.replaceMeta({ ...path, dir: files.dir, token: 'token-1', meta: '{"below":0}' });
      expect(store.statImage(path)).toMatchObject({ meta: '{"below":0}', dataSize: 4096, sumsSize: headerBytes });
      close(store, files);
    });

    it('appendSums brings long tails piece by piece', () => {
      const files = create(store);
      store.appendSums({ sums: files.sums, at: headerBytes, crcs: crcs(0, crcsPerCall) });
      store.appendSums({ sums: files.sums, at: headerBytes + crcsPerCall * 8, crcs: crcs(crcsPerCall, 3) });
      const read = (first: number, count: number) => store.readSums({ sums: files.sums, first, count }).crcs;
      expect(read(0, crcsPerCall + 3) === crcs(0, crcsPerCall), 'at most crcsPerCall').toBe(true);
      expect(read(crcsPerCall, 100)).toBe(crcs(crcsPerCall, 3));
      expect(read(crcsPerCall + 3, 1)).toBe('');
      close(store, files);
    });
  });

  describe('complete', () => {
    it('gives the size, the meta and the sums, and ends the claim', () => {
      const bytes = pattern(chunkBytes + 8192, 5);
      complete(image, bytes);
      expect(store.statImage(path)).toMatchObject({
        dataSize: bytes.length, sumsSize: headerBytes + 16, meta: `{"complete":"${image}"}`, claims: [],
      });
      expect(sweepAll(store)).toEqual([]);
    });

    it('cuts padding off', () => {
      const files = create(store);
      payload.write(files.data, pattern(8192, 1), 0);
      store.commitImage({ ...flushArg(files, '{}'), size: 5120, claim: claimText('token-1'), claimN: 1 });
      close(store, files);
      expect(store.statImage(path).dataSize).toBe(5120);
    });

    it('of more bytes than there are is refused, and stays pending', () => {
      const files = create(store);
      payload.write(files.data, pattern(4096, 1), 0);
      const commit = () => store.commitImage({ ...flushArg(files, '{"wrong":1}'), size: 8192, claim: claimText('token-1'), claimN: 1 });
      expect(failureOf(commit)).toMatchObject({ errno: storeErrno.sizeDiffers, step: 'size' });
      close(store, files);
      expect(store.statImage(path)).toMatchObject({ dataSize: 4096, meta: '{"meta":"token-1"}', claims: [{ n: 1 }] });
    });

    it('of an empty image works', () => {
      const files = create(store);
      store.commitImage({ ...flushArg(files, '{"empty":1}'), size: 0, claim: claimText('token-1'), claimN: 1 });
      close(store, files);
      expect(store.statImage(path)).toMatchObject({ dataSize: 0, meta: '{"empty":1}' });
    });
  });

  describe('open for reading', () => {
    it('gives meta, sizes and files, to several at once', () => {
      const bytes = pattern(chunkBytes, 9);
      complete(image, bytes);
      const readers = [1, 2, 3].map(() => store.openImage({ ...path, data: ['image.data'], sums: true }));
      for (const reader of readers) {
        expect(reader).toMatchObject({ meta: `{"complete":"${image}"}`, dataSize: chunkBytes, sumsSize: headerBytes + 8 });
        expect(reader.dataFiles).toEqual([reader.data]);
        expect(payload.read(reader.data, bytes.length, 0).equals(bytes)).toBe(true);
        expect(store.readSums({ sums: reader.sums, first: 0, count: 5 }).crcs).toBe(crcs(0, 1));
      }
      close(store, readers[0]);
      expect(payload.read(readers[1].data, 4096, 4096).equals(bytes.subarray(4096, 8192))).toBe(true);
      for (const reader of readers.slice(1)) close(store, reader);
    });

    it('answers ENOENT where there is no such image, −1 where a file of it is missing', () => {
      expect(failureOf(() => store.openImage({ ...path, data: ['image.data'], sums: true }))).toMatchObject({ errno: -errno.ENOENT });
      complete(image, pattern(4096, 1));
      const opened = store.openImage({ ...path, data: ['image.data', 'image.data.0002'], sums: false });
      expect([opened.dataFiles[1], opened.sums, opened.sumsSize, opened.dataSize]).toEqual([-1, -1, 0, 4096]);
      close(store, opened);
    });
  });

  describe('claims', () => {
    const take = (n: number, who: string, over: { n: number; text: string }[]) =>
      store.takeClaim({ ...path, n, claim: claimText(who), token: who, over }).won;
    const first = { n: 1, text: claimText('token-1') };
    beforeEach(() => close(store, create(store)));

    it('are taken over with the next number, and the lower ones go', () => {
      expect(take(2, 'two', [first])).toBe(true);
      expect(store.claims(path).claims).toEqual([{ n: 2, text: claimText('two') }]);
      expect(sweepAll(store).map((item) => item.path)).toEqual([`${image}/claim.2`]);
    });

    it('are lost where the number is taken', () => {
      expect(take(1, 'two', [])).toBe(false);
      expect(store.claims(path).claims).toEqual([first]);
    });

    it('are lost above a claim that nobody found dead', () => {
      expect(take(2, 'two', [])).toBe(false);
      expect(take(2, 'two', [{ n: 1, text: claimText('somebody before') }])).toBe(false);
      expect(store.claims(path).claims).toEqual([first]);
    });

    it('are lost below a higher one', () => {
      expect(take(3, 'three', [first])).toBe(true);
      expect(take(2, 'two', [first])).toBe(false);
      expect(store.claims(path).claims).toEqual([{ n: 3, text: claimText('three') }]);
    });

    it('asked for again with the same text are won again', () => {
      expect(take(2, 'two', [first])).toBe(true);
      expect(take(2, 'two', [first])).toBe(true);
    });

    it('are dropped by their own text only; twice is no failure', () => {
      store.dropClaim({ ...path, n: 1, claim: 'another' });
      expect(store.claims(path).claims).toEqual([first]);
      store.dropClaim({ ...path, n: 1, claim: first.text });
      store.dropClaim({ ...path, n: 1, claim: first.text });
      expect(store.claims(path).claims).toEqual([]);
      expect(take(1, 'again', [])).toBe(true);
    });

    it('of an image that is not there answer ENOENT', () => {
      const none = { lsu, image: 'none~1' };
      expect(failureOf(() => store.claims(none))).toMatchObject({ errno: -errno.ENOENT });
      const takeNone = () => store.takeClaim({ ...none, n: 1, claim: 'c', token: 't', over: [] });
      expect(failureOf(takeNone)).toMatchObject({ errno: -errno.ENOENT });
    });

    it('are listed highest first', () => {
      expect(take(12, 'twelve', [first])).toBe(true);
      const { claims } = store.statImage(path);
      expect(claims.map(({ n }) => n)).toEqual([12]);
    });
  });

  describe('open for writing again', () => {
    it('gives sizes and sums, and goes on writing', () => {
      const bytes = pattern(3 * chunkBytes, 2);
      const files = create(store);
      payload.write(files.data, bytes.subarray(0, 2 * chunkBytes), 0);
      store.flushImage({ ...flushArg(files, '{"durable":2}'), sumsAt: headerBytes, crcs: crcs(0, 2) });
      close(store, files);
      const again = store.reopenImage({ ...path, data: 'image.data', sums: true, wholeChunks: 2 });
      expect(again).toMatchObject({ dataSize: 2 * chunkBytes, sumsSize: headerBytes + 16, crcs: crcs(0, 2) });
      payload.write(again.data, bytes.subarray(2 * chunkBytes), 2 * chunkBytes);
      store.commitImage({
        ...flushArg(again, '{"complete":3}'), sumsAt: headerBytes + 16, crcs: crcs(2, 1), size: bytes.length,
        claim: claimText('token-1'), claimN: 1,
      });
      expect(payload.read(again.data, bytes.length, 0).equals(bytes)).toBe(true);
      close(store, again);
      expect(store.statImage(path)).toMatchObject({ sumsSize: headerBytes + 24, meta: '{"complete":3}', claims: [] });
    });

    it('answers the sums below wholeChunks only, and no more than are there', () => {
      const files = create(store);
      store.appendSums({ sums: files.sums, at: headerBytes, crcs: crcs(0, 3) });
      close(store, files);
      const sumsOf = (wholeChunks: number) => {
        const again = store.reopenImage({ ...path, data: 'image.data', sums: true, wholeChunks });
        close(store, again);
        return again.crcs;
      };
      expect([sumsOf(0), sumsOf(2), sumsOf(9)]).toEqual(['', crcs(0, 2), crcs(0, 3)]);
    });

    it('answers ENOENT for an image or fragment that is not there', () => {
      const reopen = (data: string, sums = true) => () => store.reopenImage({ ...path, data, sums, wholeChunks: 0 });
      expect(failureOf(reopen('image.data'))).toMatchObject({ errno: -errno.ENOENT });
      close(store, store.createImage({ ...path, token: 't', meta: '', claim: 'c', sumsHeader: null }));
      expect(failureOf(reopen('image.data.0002', false))).toMatchObject({ errno: -errno.ENOENT });
      expect(failureOf(reopen('image.data'))).toMatchObject({ errno: -errno.ENOENT });
    });
  });

  describe('listing', () => {
    const many = Array.from({ length: 57 }, (_, i) => `image-${i}~${i}`);

    it('shows each image once, with its meta, whatever the page', () => {
      for (const [i, name] of many.entries()) close(store, create(store, name, `t${i}`));
      for (const max of [1, 10, 1000]) {
        const found = names(store, lsu, true, max);
        expect(found.map(({ name }) => name).sort()).toEqual([...many].sort());
        for (const { name, meta } of found) expect(meta).toBe(`{"meta":"t${many.indexOf(name)}"}`);
      }
      expect(names(store, lsu, false).every(({ meta }) => meta === null)).toBe(true);
    });

    it('shows what exists throughout exactly once, while others come and go', () => {
      for (const [i, name] of many.entries()) close(store, create(store, name, `t${i}`));
      const { list } = store.openNames({ lsu });
      const found: string[] = [];
      for (let page = 0; ; page++) {
        const { names: more } = store.nextNames({ list, lsu, max: 5, meta: true });
        if (more.length === 0) break;
        found.push(...more.map(({ name }) => name));
        if (page < 10) {
          close(store, create(store, `fresh-${page}~1`, `f${page}`));
          store.removeImage({ lsu, image: many[page], token: `r${page}` });
        }
      }
      store.closeNames({ list });
      const throughout = many.slice(10);
      expect(found.filter((name) => throughout.includes(name)).sort()).toEqual([...throughout].sort());
      expect(new Set(found).size).toBe(found.length);
    });

    it('of an empty LSU ends at once, and a closed list is told', () => {
      expect(names(store, lsu)).toEqual([]);
      const { list } = store.openNames({ lsu });
      store.closeNames({ list });
      expect(failureOf(() => store.nextNames({ list, lsu, max: 1, meta: false }))).toMatchObject({ errno: -errno.EBADF });
    });

    it('two lists do not disturb each other', () => {
      for (const name of many.slice(0, 4)) close(store, create(store, name, name.replace('~', '_')));
      const [a, b] = [store.openNames({ lsu }).list, store.openNames({ lsu }).list];
      const next = (list: number) => store.nextNames({ list, lsu, max: 2, meta: false }).names.length;
      expect([next(a), next(b), next(a), next(b), next(a), next(b)]).toEqual([2, 2, 2, 2, 0, 0]);
      store.closeNames({ list: a });
      store.closeNames({ list: b });
    });

    it('carries many long metas in several answers', () => {
      for (const name of many.slice(0, 6)) {
        const meta = JSON.stringify({ name, filler: '"'.repeat(50_000) });
        close(store, store.createImage({ lsu, image: name, token: name.replace('~', '_'), meta, claim: 'c', sumsHeader }));
      }
      const { list } = store.openNames({ lsu });
      const found: string[] = [];
      for (;;) {
        const page = store.nextNames({ list, lsu, max: 100, meta: true });
        if (page.names.length === 0) break;
        // What a lane's area holds: see answerText.
        expect(Buffer.byteLength(JSON.stringify({ ok: true, value: page }))).toBeLessThanOrEqual(512 * 1024);
        for (const { name, meta } of page.names) {
          expect((JSON.parse(meta!) as { name: string }).name).toBe(name);
          found.push(name);
        }
      }
      store.closeNames({ list });
      expect(found.sort()).toEqual(many.slice(0, 6).sort());
    });
  });

  describe('remove', () => {
    it('takes the image away at once, and its name is free', () => {
      complete(image, pattern(4096, 1));
      store.removeImage({ ...path, token: 'r1' });
      expect(names(store, lsu)).toEqual([]);
      for (const call of [
        () => store.statImage(path), () => store.openImage({ ...path, data: ['image.data'], sums: true }),
        () => store.removeImage({ ...path, token: 'r2' }),
      ]) {
        expect(failureOf(call)).toMatchObject({ errno: -errno.ENOENT });
      }
      complete(image, pattern(8192, 2), 'token-2');
      expect(store.statImage(path).dataSize).toBe(8192);
      store.removeImage({ ...path, token: 'r3' });
    });

    it('leaves a reader what it has open, also when the trash is emptied', () => {
      const bytes = pattern(chunkBytes, 4);
      complete(image, bytes);
      const reader = store.openImage({ ...path, data: ['image.data'], sums: true });
      store.removeImage({ ...path, token: 'r1' });
      store.sweepRemove({ lsu, items: [{ path: '.trash', claim: null }], max: 100 });
      expect(payload.read(reader.data, bytes.length, 0).equals(bytes)).toBe(true);
      close(store, reader);
    });
  });

  describe('sweeping', () => {
    it('finds trash and claims, and removes what it is told to', () => {
      close(store, create(store));
      complete('gone~1', pattern(4096, 1), 'token-2');
      store.removeImage({ lsu, image: 'gone~1', token: 'r1' });
      const items = sweepAll(store);
      const own = { n: 1, text: claimText('token-1') };
      expect(items.map(({ path: at, kind, claim, claims }) => ({ at, kind, claim, claims })).sort((a, b) => (a.at < b.at ? -1 : 1))).toEqual([
        { at: '.trash', kind: 'trash', claim: null, claims: [] },
        { at: `${image}/claim.1`, kind: 'claim', claim: own.text, claims: [own] },
      ]);
      const { removed, left } = store.sweepRemove({ lsu, items, max: 100 });
      expect([removed.includes('.trash'), removed.includes(`${image}/claim.1`), left]).toEqual([true, true, 0]);
      expect(sweepAll(store)).toEqual([]);
      expect(store.statImage(path)).toMatchObject({ meta: '{"meta":"token-1"}', claims: [] });
    });

    it('leaves a claim that changed since', () => {
      close(store, create(store));
      const items = [{ path: `${image}/claim.1`, claim: claimText('who was before') }];
      expect(store.sweepRemove({ lsu, items, max: 10 })).toEqual({ removed: [], left: 1 });
      expect(store.claims(path).claims).toHaveLength(1);
    });

    it.each([
      `${image}/image.meta`, `${image}/image.data`, image, '..', '../x', '.trash/..', `${image}/claim.1/x`, '.new-', '.lsu', '',
    ])('never removes %j', (at) => {
      complete(image, pattern(4096, 1));
      expect(failureOf(() => store.sweepRemove({ lsu, items: [{ path: at, claim: null }], max: 10 }))).toMatchObject({
        errno: -errno.EINVAL,
      });
      expect(store.statImage(path)).toMatchObject({ dataSize: 4096, meta: `{"complete":"${image}"}` });
    });

    it('of what is gone is done', () => {
      expect(store.sweepRemove({ lsu, items: [{ path: 'none~1/claim.1', claim: null }], max: 10 })).toMatchObject({ left: 0 });
    });
  });

  it('closing files twice, or none, is no failure', () => {
    const files = create(store);
    close(store, files);
    close(store, files);
    store.closeFiles({ files: [-1] });
    store.closeFiles({ files: [] });
    expect(store.statImage(path).claims).toHaveLength(1);
  });

  it('a fragment may be written with sums that are no JSON text and a claim of any bytes', () => {
    const files = store.createImage({ ...path, token: 't', meta: 'no json', claim: '\u0000"\\', sumsHeader: base64(new Uint8Array(3)) });
    close(store, files);
    expect(store.statImage(path)).toMatchObject({ meta: 'no json', sumsSize: 3, claims: [{ n: 1, text: '\u0000"\\' }] });
  });
}
