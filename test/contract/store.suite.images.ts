/** The life of an image: create, flush, complete, read, go on, remove. A part of the suite: store.suite.ts. */
import { describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { crcsPerCall, metaBytesMax, storeErrno } from '../../workers/store.ts';
import type { SuiteContext } from './store-kit.ts';
import {
  base64,
  chunkBytes,
  claimText,
  close,
  crcs,
  create,
  failureOf,
  flushArg,
  headerBytes,
  image,
  lsu,
  names,
  path,
  pattern,
  sweepAll,
} from './store-kit.ts';

export function imagesSuite(t: SuiteContext): void {
  describe('create', () => {
    it('makes a pending image with meta, empty data, sums header and claim.1', () => {
      const files = create(t.store);
      expect(files.data).toBeGreaterThanOrEqual(0);
      expect(t.store.statImage(path)).toMatchObject({
        dataSize: 0,
        sumsSize: headerBytes,
        meta: '{"meta":"token-1"}',
        claims: [{ n: 1, text: claimText('token-1') }],
      });
      close(t.store, files);
    });

    it('without sums makes none', () => {
      const files = t.store.createImage({ ...path, token: 't', meta: '{}', claim: 'c', sumsHeader: null });
      expect(files.sums).toBe(-1);
      expect(t.store.statImage(path).sumsSize).toBe(0);
      close(t.store, files);
      const opened = t.store.openImage({ ...path, data: ['image.data'], sums: true });
      expect(opened.sums).toBe(-1);
      close(t.store, opened);
    });

    it('of a name that is taken answers EEXIST, and harms nothing', () => {
      t.complete(image, pattern(8192, 1));
      const before = t.store.statImage(path);
      expect(failureOf(() => create(t.store, image, 'token-2'))).toMatchObject({
        errno: -errno.EEXIST,
        step: 'exists',
        path: `${lsu}/${image}`,
      });
      expect(t.store.statImage(path)).toEqual(before);
      expect(sweepAll(t.store)).toEqual([]);
    });

    it('of a pending name answers EEXIST too', () => {
      close(t.store, create(t.store));
      expect(failureOf(() => create(t.store, image, 'token-2'))).toMatchObject({
        errno: -errno.EEXIST,
        step: 'exists',
      });
      expect(t.store.claims(path).claims).toEqual([{ n: 1, text: claimText('token-1') }]);
    });

    it('gives files that payload can be written to and read from', () => {
      const bytes = pattern(chunkBytes + 4096, 7);
      const files = create(t.store);
      t.payload.write(files.data, bytes.subarray(0, chunkBytes), 0);
      t.payload.write(files.data, bytes.subarray(chunkBytes), chunkBytes);
      expect(t.payload.read(files.data, bytes.length, 0).equals(bytes)).toBe(true);
      close(t.store, files);
      expect(t.store.statImage(path).dataSize).toBe(bytes.length);
    });
  });

  describe('flush', () => {
    it('replaces the meta, puts the sums in their place and cuts them behind', () => {
      const files = create(t.store);
      t.payload.write(files.data, pattern(2 * chunkBytes, 1), 0);
      t.store.flushImage({ ...flushArg(files, '{"flushed":1}'), sumsAt: headerBytes, crcs: crcs(0, 4) });
      expect(t.store.statImage(path)).toMatchObject({ meta: '{"flushed":1}', sumsSize: headerBytes + 32 });
      t.store.flushImage({ ...flushArg(files, '{"flushed":2}'), sumsAt: headerBytes + 8, crcs: crcs(50, 2) });
      expect(t.store.statImage(path)).toMatchObject({ meta: '{"flushed":2}', sumsSize: headerBytes + 24 });
      const stored = Buffer.from(t.store.readSums({ sums: files.sums, first: 0, count: 10 }).crcs, 'base64');
      expect(
        stored.equals(Buffer.concat([Buffer.from(crcs(0, 1), 'base64'), Buffer.from(crcs(50, 2), 'base64')])),
      ).toBe(true);
      expect(t.store.claims(path).claims).toHaveLength(1);
      close(t.store, files);
    });

    it('without sums leaves them alone', () => {
      const files = create(t.store);
      t.store.flushImage(flushArg(files, '{}'));
      expect(t.store.statImage(path).sumsSize).toBe(headerBytes);
      close(t.store, files);
    });

    it('does not change the size of the data', () => {
      const files = create(t.store);
      t.payload.write(files.data, pattern(8192, 1), 0);
      t.store.flushImage(flushArg(files, '{}'));
      expect(t.store.statImage(path).dataSize).toBe(8192);
      close(t.store, files);
    });

    it('takes a meta of full length, byte for byte', () => {
      const files = create(t.store);
      const meta = JSON.stringify({ quotes: '"'.repeat(1000), text: 'ä€😀\n'.repeat(100), filler: '' });
      const long = meta.replace('"filler":""', `"filler":"${'x'.repeat(metaBytesMax - Buffer.byteLength(meta))}"`);
      expect(Buffer.byteLength(long)).toBe(metaBytesMax);
      t.store.flushImage(flushArg(files, long));
      expect(t.store.statImage(path).meta === long).toBe(true);
      close(t.store, files);
    });

    it('replaceMeta alone changes the meta only', () => {
      const files = create(t.store);
      t.payload.write(files.data, pattern(4096, 3), 0);
      t.store.replaceMeta({ ...path, dir: files.dir, token: 'token-1', meta: '{"below":0}' });
      expect(t.store.statImage(path)).toMatchObject({ meta: '{"below":0}', dataSize: 4096, sumsSize: headerBytes });
      close(t.store, files);
    });

    it('appendSums brings long tails piece by piece', () => {
      const files = create(t.store);
      t.store.appendSums({ sums: files.sums, at: headerBytes, crcs: crcs(0, crcsPerCall) });
      t.store.appendSums({ sums: files.sums, at: headerBytes + crcsPerCall * 8, crcs: crcs(crcsPerCall, 3) });
      const read = (first: number, count: number) => t.store.readSums({ sums: files.sums, first, count }).crcs;
      expect(read(0, crcsPerCall + 3) === crcs(0, crcsPerCall), 'at most crcsPerCall').toBe(true);
      expect(read(crcsPerCall, 100)).toBe(crcs(crcsPerCall, 3));
      expect(read(crcsPerCall + 3, 1)).toBe('');
      close(t.store, files);
    });
  });

  describe('complete', () => {
    it('gives the size, the meta and the sums, and ends the claim', () => {
      const bytes = pattern(chunkBytes + 8192, 5);
      t.complete(image, bytes);
      expect(t.store.statImage(path)).toMatchObject({
        dataSize: bytes.length,
        sumsSize: headerBytes + 16,
        meta: `{"complete":"${image}"}`,
        claims: [],
      });
      expect(sweepAll(t.store)).toEqual([]);
    });

    it('cuts padding off', () => {
      const files = create(t.store);
      t.payload.write(files.data, pattern(8192, 1), 0);
      t.store.commitImage({ ...flushArg(files, '{}'), size: 5120, claim: claimText('token-1'), claimN: 1 });
      close(t.store, files);
      expect(t.store.statImage(path).dataSize).toBe(5120);
    });

    it('of more bytes than there are is refused, and stays pending', () => {
      const files = create(t.store);
      t.payload.write(files.data, pattern(4096, 1), 0);
      const commit = () =>
        t.store.commitImage({ ...flushArg(files, '{"wrong":1}'), size: 8192, claim: claimText('token-1'), claimN: 1 });
      expect(failureOf(commit)).toMatchObject({ errno: storeErrno.sizeDiffers, step: 'size' });
      close(t.store, files);
      expect(t.store.statImage(path)).toMatchObject({ dataSize: 4096, meta: '{"meta":"token-1"}', claims: [{ n: 1 }] });
    });

    it('of an empty image works', () => {
      const files = create(t.store);
      t.store.commitImage({ ...flushArg(files, '{"empty":1}'), size: 0, claim: claimText('token-1'), claimN: 1 });
      close(t.store, files);
      expect(t.store.statImage(path)).toMatchObject({ dataSize: 0, meta: '{"empty":1}' });
    });
  });

  describe('open for reading', () => {
    it('gives meta, sizes and files, to several at once', () => {
      const bytes = pattern(chunkBytes, 9);
      t.complete(image, bytes);
      const readers = [1, 2, 3].map(() => t.store.openImage({ ...path, data: ['image.data'], sums: true }));
      for (const reader of readers) {
        expect(reader).toMatchObject({
          meta: `{"complete":"${image}"}`,
          dataSize: chunkBytes,
          sumsSize: headerBytes + 8,
        });
        expect(reader.dataFiles).toEqual([reader.data]);
        expect(t.payload.read(reader.data, bytes.length, 0).equals(bytes)).toBe(true);
        expect(t.store.readSums({ sums: reader.sums, first: 0, count: 5 }).crcs).toBe(crcs(0, 1));
      }
      close(t.store, readers[0]);
      expect(t.payload.read(readers[1].data, 4096, 4096).equals(bytes.subarray(4096, 8192))).toBe(true);
      for (const reader of readers.slice(1)) close(t.store, reader);
    });

    it('answers ENOENT where there is no such image, −1 where a file of it is missing', () => {
      expect(failureOf(() => t.store.openImage({ ...path, data: ['image.data'], sums: true }))).toMatchObject({
        errno: -errno.ENOENT,
      });
      t.complete(image, pattern(4096, 1));
      const opened = t.store.openImage({ ...path, data: ['image.data', 'image.data.0002'], sums: false });
      expect([opened.dataFiles[1], opened.sums, opened.sumsSize, opened.dataSize]).toEqual([-1, -1, 0, 4096]);
      close(t.store, opened);
    });
  });

  describe('open for writing again', () => {
    it('gives sizes and sums, and goes on writing', () => {
      const bytes = pattern(3 * chunkBytes, 2);
      const files = create(t.store);
      t.payload.write(files.data, bytes.subarray(0, 2 * chunkBytes), 0);
      t.store.flushImage({ ...flushArg(files, '{"durable":2}'), sumsAt: headerBytes, crcs: crcs(0, 2) });
      close(t.store, files);
      const again = t.store.reopenImage({ ...path, data: 'image.data', sums: true, wholeChunks: 2 });
      expect(again).toMatchObject({ dataSize: 2 * chunkBytes, sumsSize: headerBytes + 16, crcs: crcs(0, 2) });
      t.payload.write(again.data, bytes.subarray(2 * chunkBytes), 2 * chunkBytes);
      t.store.commitImage({
        ...flushArg(again, '{"complete":3}'),
        sumsAt: headerBytes + 16,
        crcs: crcs(2, 1),
        size: bytes.length,
        claim: claimText('token-1'),
        claimN: 1,
      });
      const complete = t.store.openImage({ ...path, data: ['image.data'], sums: true });
      expect(t.payload.read(complete.data, bytes.length, 0).equals(bytes)).toBe(true);
      close(t.store, complete);
      expect(t.store.statImage(path)).toMatchObject({ sumsSize: headerBytes + 24, meta: '{"complete":3}', claims: [] });
    });

    it('answers the sums below wholeChunks only, and no more than are there', () => {
      const files = create(t.store);
      t.store.appendSums({ sums: files.sums, at: headerBytes, crcs: crcs(0, 3) });
      close(t.store, files);
      const sumsOf = (wholeChunks: number) => {
        const again = t.store.reopenImage({ ...path, data: 'image.data', sums: true, wholeChunks });
        close(t.store, again);
        return again.crcs;
      };
      expect([sumsOf(0), sumsOf(2), sumsOf(9)]).toEqual(['', crcs(0, 2), crcs(0, 3)]);
    });

    it('answers ENOENT for an image or fragment that is not there', () => {
      const reopen =
        (data: string, sums = true) =>
        () =>
          t.store.reopenImage({ ...path, data, sums, wholeChunks: 0 });
      expect(failureOf(reopen('image.data'))).toMatchObject({ errno: -errno.ENOENT });
      close(t.store, t.store.createImage({ ...path, token: 't', meta: '', claim: 'c', sumsHeader: null }));
      expect(failureOf(reopen('image.data.0002', false))).toMatchObject({ errno: -errno.ENOENT });
      expect(failureOf(reopen('image.data'))).toMatchObject({ errno: -errno.ENOENT });
    });
  });

  describe('remove', () => {
    it('takes the image away at once, and its name is free', () => {
      t.complete(image, pattern(4096, 1));
      t.store.removeImage({ ...path, token: 'r1' });
      expect(names(t.store, lsu)).toEqual([]);
      for (const call of [
        () => t.store.statImage(path),
        () => t.store.openImage({ ...path, data: ['image.data'], sums: true }),
        () => t.store.removeImage({ ...path, token: 'r2' }),
      ]) {
        expect(failureOf(call)).toMatchObject({ errno: -errno.ENOENT });
      }
      t.complete(image, pattern(8192, 2), 'token-2');
      expect(t.store.statImage(path).dataSize).toBe(8192);
      t.store.removeImage({ ...path, token: 'r3' });
    });

    it('leaves a reader what it has open, also when the trash is emptied', () => {
      const bytes = pattern(chunkBytes, 4);
      t.complete(image, bytes);
      const reader = t.store.openImage({ ...path, data: ['image.data'], sums: true });
      t.store.removeImage({ ...path, token: 'r1' });
      t.store.sweepRemove({ lsu, items: [{ path: '.trash', claim: null }], max: 100 });
      expect(t.payload.read(reader.data, bytes.length, 0).equals(bytes)).toBe(true);
      close(t.store, reader);
    });
  });

  it('closing files twice, or none, is no failure', () => {
    const files = create(t.store);
    close(t.store, files);
    close(t.store, files);
    t.store.closeFiles({ files: [-1] });
    t.store.closeFiles({ files: [] });
    expect(t.store.statImage(path).claims).toHaveLength(1);
  });

  it('a fragment may be written with sums that are no JSON text and a claim of any bytes', () => {
    const files = t.store.createImage({
      ...path,
      token: 't',
      meta: 'no json',
      claim: '\u0000"\\',
      sumsHeader: base64(new Uint8Array(3)),
    });
    close(t.store, files);
    expect(t.store.statImage(path)).toMatchObject({
      meta: 'no json',
      sumsSize: 3,
      claims: [{ n: 1, text: '\u0000"\\' }],
    });
  });
}
