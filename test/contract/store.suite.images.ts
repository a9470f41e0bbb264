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
  flushArg,
  headerBytes,
  image,
  lsu,
  names,
  path,
  pattern,
  rejection,
  sweepAll,
} from './store-kit.ts';

export function imagesSuite(t: SuiteContext): void {
  describe('create', () => {
    it('makes a pending image with meta, empty data, sums header and claim.1', async () => {
      const files = await create(t.store);
      expect(files.data).toBeGreaterThanOrEqual(0);
      expect(await t.store.statImage(path)).toMatchObject({
        dataSize: 0,
        sumsSize: headerBytes,
        meta: '{"meta":"token-1"}',
        claims: [{ n: 1, text: claimText('token-1') }],
      });
      await close(t.store, files);
    });

    it('without sums makes none', async () => {
      const files = await t.store.createImage({ ...path, token: 't', meta: '{}', claim: 'c', sumsHeader: null });
      expect(files.sums).toBe(-1);
      expect((await t.store.statImage(path)).sumsSize).toBe(0);
      await close(t.store, files);
      const opened = await t.store.openImage({ ...path, data: ['image.data'], sums: true });
      expect(opened.sums).toBe(-1);
      await close(t.store, opened);
    });

    it('of a name that is taken answers EEXIST, and harms nothing', async () => {
      await t.complete(image, pattern(8192, 1));
      const before = await t.store.statImage(path);
      expect(await rejection(() => create(t.store, image, 'token-2'))).toMatchObject({
        errno: -errno.EEXIST,
        step: 'exists',
        path: `${lsu}/${image}`,
      });
      expect(await t.store.statImage(path)).toEqual(before);
      expect(await sweepAll(t.store)).toEqual([]);
    });

    it('of a pending name answers EEXIST too', async () => {
      await close(t.store, await create(t.store));
      expect(await rejection(() => create(t.store, image, 'token-2'))).toMatchObject({
        errno: -errno.EEXIST,
        step: 'exists',
      });
      expect((await t.store.claims(path)).claims).toEqual([{ n: 1, text: claimText('token-1') }]);
    });

    it.runIf(t.traits.pendingBytes)('gives files that payload can be written to and read from', async () => {
      const bytes = pattern(chunkBytes + 4096, 7);
      const files = await create(t.store);
      await t.payload.write(files.data, bytes.subarray(0, chunkBytes), 0);
      await t.payload.write(files.data, bytes.subarray(chunkBytes), chunkBytes);
      expect((await t.payload.read(files.data, bytes.length, 0)).equals(bytes)).toBe(true);
      await close(t.store, files);
      expect((await t.store.statImage(path)).dataSize).toBe(bytes.length);
    });
  });

  describe('flush', () => {
    it('replaces the meta, puts the sums in their place and cuts them behind', async () => {
      const files = await create(t.store);
      await t.payload.write(files.data, pattern(2 * chunkBytes, 1), 0);
      await t.store.flushImage({
        ...flushArg(files, '{"flushed":1}', 2 * chunkBytes),
        sumsAt: headerBytes,
        crcs: crcs(0, 4),
      });
      expect(await t.store.statImage(path)).toMatchObject({ meta: '{"flushed":1}', sumsSize: headerBytes + 32 });
      await t.store.flushImage({
        ...flushArg(files, '{"flushed":2}', 2 * chunkBytes),
        sumsAt: headerBytes + 8,
        crcs: crcs(50, 2),
      });
      expect(await t.store.statImage(path)).toMatchObject({ meta: '{"flushed":2}', sumsSize: headerBytes + 24 });
      const stored = Buffer.from((await t.store.readSums({ sums: files.sums, first: 0, count: 10 })).crcs, 'base64');
      expect(
        stored.equals(Buffer.concat([Buffer.from(crcs(0, 1), 'base64'), Buffer.from(crcs(50, 2), 'base64')])),
      ).toBe(true);
      expect((await t.store.claims(path)).claims).toHaveLength(1);
      await close(t.store, files);
    });

    it('without sums leaves them alone', async () => {
      const files = await create(t.store);
      await t.store.flushImage(flushArg(files, '{}'));
      expect((await t.store.statImage(path)).sumsSize).toBe(headerBytes);
      await close(t.store, files);
    });

    it('does not change the size of the data', async () => {
      const files = await create(t.store);
      await t.payload.write(files.data, pattern(8192, 1), 0);
      await t.store.flushImage(flushArg(files, '{}', 8192));
      expect((await t.store.statImage(path)).dataSize).toBe(8192);
      await close(t.store, files);
    });

    it('takes a meta of full length, byte for byte', async () => {
      const files = await create(t.store);
      const meta = JSON.stringify({ quotes: '"'.repeat(1000), text: 'ä€😀\n'.repeat(100), filler: '' });
      const long = meta.replace('"filler":""', `"filler":"${'x'.repeat(metaBytesMax - Buffer.byteLength(meta))}"`);
      expect(Buffer.byteLength(long)).toBe(metaBytesMax);
      await t.store.flushImage(flushArg(files, long));
      expect((await t.store.statImage(path)).meta === long).toBe(true);
      await close(t.store, files);
    });

    it('replaceMeta alone changes the meta only', async () => {
      const files = await create(t.store);
      await t.payload.write(files.data, pattern(4096, 3), 0);
      await t.store.replaceMeta({ ...path, dir: files.dir, token: 'token-1', meta: '{"below":0}' });
      expect(await t.store.statImage(path)).toMatchObject({
        meta: '{"below":0}',
        dataSize: 4096,
        sumsSize: headerBytes,
      });
      await close(t.store, files);
    });

    it('appendSums brings long tails piece by piece', async () => {
      const files = await create(t.store);
      await t.store.appendSums({ sums: files.sums, at: headerBytes, crcs: crcs(0, crcsPerCall) });
      await t.store.appendSums({ sums: files.sums, at: headerBytes + crcsPerCall * 8, crcs: crcs(crcsPerCall, 3) });
      const read = async (first: number, count: number) =>
        (await t.store.readSums({ sums: files.sums, first, count })).crcs;
      expect((await read(0, crcsPerCall + 3)) === crcs(0, crcsPerCall), 'at most crcsPerCall').toBe(true);
      expect(await read(crcsPerCall, 100)).toBe(crcs(crcsPerCall, 3));
      expect(await read(crcsPerCall + 3, 1)).toBe('');
      await close(t.store, files);
    });
  });

  describe('complete', () => {
    it('gives the size, the meta and the sums, and ends the claim', async () => {
      const bytes = pattern(chunkBytes + 8192, 5);
      await t.complete(image, bytes);
      expect(await t.store.statImage(path)).toMatchObject({
        dataSize: bytes.length,
        sumsSize: headerBytes + 16,
        meta: `{"complete":"${image}"}`,
        claims: [],
      });
      expect(await sweepAll(t.store)).toEqual([]);
    });

    it.runIf(t.traits.pendingBytes)('cuts padding off', async () => {
      const files = await create(t.store);
      await t.payload.write(files.data, pattern(8192, 1), 0);
      await t.store.commitImage({ ...flushArg(files, '{}'), size: 5120, claim: claimText('token-1'), claimN: 1 });
      await close(t.store, files);
      expect((await t.store.statImage(path)).dataSize).toBe(5120);
    });

    it('of more bytes than there are is refused, and stays pending', async () => {
      const files = await create(t.store);
      await t.payload.write(files.data, pattern(4096, 1), 0);
      const commit = () =>
        t.store.commitImage({ ...flushArg(files, '{"wrong":1}'), size: 8192, claim: claimText('token-1'), claimN: 1 });
      expect(await rejection(commit)).toMatchObject({ errno: storeErrno.sizeDiffers, step: 'size' });
      await close(t.store, files);
      expect(await t.store.statImage(path)).toMatchObject({ meta: '{"meta":"token-1"}', claims: [{ n: 1 }] });
      if (t.traits.pendingBytes) expect((await t.store.statImage(path)).dataSize).toBe(4096);
    });

    it('of an empty image works', async () => {
      const files = await create(t.store);
      await t.store.commitImage({ ...flushArg(files, '{"empty":1}'), size: 0, claim: claimText('token-1'), claimN: 1 });
      await close(t.store, files);
      expect(await t.store.statImage(path)).toMatchObject({ dataSize: 0, meta: '{"empty":1}' });
    });
  });

  describe('open for reading', () => {
    it('gives meta, sizes and files, to several at once', async () => {
      const bytes = pattern(chunkBytes, 9);
      await t.complete(image, bytes);
      const open = () => t.store.openImage({ ...path, data: ['image.data'], sums: true });
      const readers = [await open(), await open(), await open()] as const;
      for (const reader of readers) {
        expect(reader).toMatchObject({
          meta: `{"complete":"${image}"}`,
          dataSize: chunkBytes,
          sumsSize: headerBytes + 8,
        });
        expect(reader.dataFiles).toEqual([reader.data]);
        expect((await t.payload.read(reader.data, bytes.length, 0)).equals(bytes)).toBe(true);
        expect((await t.store.readSums({ sums: reader.sums, first: 0, count: 5 })).crcs).toBe(crcs(0, 1));
      }
      await close(t.store, readers[0]);
      expect((await t.payload.read(readers[1].data, 4096, 4096)).equals(bytes.subarray(4096, 8192))).toBe(true);
      for (const reader of readers.slice(1)) await close(t.store, reader);
    });

    it('answers ENOENT where there is no such image, −1 where a file of it is missing', async () => {
      expect(await rejection(() => t.store.openImage({ ...path, data: ['image.data'], sums: true }))).toMatchObject({
        errno: -errno.ENOENT,
      });
      await t.complete(image, pattern(4096, 1));
      const opened = await t.store.openImage({ ...path, data: ['image.data', 'image.data.0002'], sums: false });
      expect([opened.dataFiles[1], opened.sums, opened.sumsSize, opened.dataSize]).toEqual([-1, -1, 0, 4096]);
      await close(t.store, opened);
    });
  });

  describe('open for writing again', () => {
    it('gives sizes and sums, and goes on writing', async () => {
      const bytes = pattern(3 * chunkBytes, 2);
      const files = await create(t.store);
      await t.payload.write(files.data, bytes.subarray(0, 2 * chunkBytes), 0);
      const durable = flushArg(files, '{"durable":2}', 2 * chunkBytes);
      await t.store.flushImage({ ...durable, sumsAt: headerBytes, crcs: crcs(0, 2) });
      await close(t.store, files);
      const again = await t.store.reopenImage({
        ...path,
        data: 'image.data',
        sums: true,
        size: 2 * chunkBytes,
        wholeChunks: 2,
      });
      expect(again).toMatchObject({ dataSize: 2 * chunkBytes, sumsSize: headerBytes + 16, crcs: crcs(0, 2) });
      await t.payload.write(again.data, bytes.subarray(2 * chunkBytes), 2 * chunkBytes);
      await t.store.commitImage({
        ...flushArg(again, '{"complete":3}'),
        sumsAt: headerBytes + 16,
        crcs: crcs(2, 1),
        size: bytes.length,
        claim: claimText('token-1'),
        claimN: 1,
      });
      const complete = await t.store.openImage({ ...path, data: ['image.data'], sums: true });
      expect((await t.payload.read(complete.data, bytes.length, 0)).equals(bytes)).toBe(true);
      await close(t.store, complete);
      expect(await t.store.statImage(path)).toMatchObject({
        sumsSize: headerBytes + 24,
        meta: '{"complete":3}',
        claims: [],
      });
    });

    it('answers the sums below wholeChunks only, and no more than are there', async () => {
      const files = await create(t.store);
      const size = 3 * chunkBytes;
      await t.payload.write(files.data, pattern(size, 1), 0);
      await t.store.flushImage({ ...flushArg(files, '{}', size), sumsAt: headerBytes, crcs: crcs(0, 3) });
      await close(t.store, files);
      const sumsOf = async (wholeChunks: number) => {
        const again = await t.store.reopenImage({ ...path, data: 'image.data', sums: true, size, wholeChunks });
        await close(t.store, again);
        return again.crcs;
      };
      expect([await sumsOf(0), await sumsOf(2), await sumsOf(9)]).toEqual(['', crcs(0, 2), crcs(0, 3)]);
    });

    it('answers ENOENT for an image or fragment that is not there', async () => {
      const reopen =
        (data: string, sums = true) =>
        () =>
          t.store.reopenImage({ ...path, data, sums, size: 0, wholeChunks: 0 });
      expect(await rejection(reopen('image.data'))).toMatchObject({ errno: -errno.ENOENT });
      await close(t.store, await t.store.createImage({ ...path, token: 't', meta: '', claim: 'c', sumsHeader: null }));
      expect(await rejection(reopen('image.data.0002', false))).toMatchObject({ errno: -errno.ENOENT });
      if (!t.traits.pendingBytes) return;
      expect(await rejection(reopen('image.data')), 'no sums').toMatchObject({ errno: -errno.ENOENT });
    });
  });

  describe('remove', () => {
    it('takes the image away at once, and its name is free', async () => {
      await t.complete(image, pattern(4096, 1));
      await t.store.removeImage({ ...path, token: 'r1' });
      expect(await names(t.store, lsu)).toEqual([]);
      for (const call of [
        () => t.store.statImage(path),
        () => t.store.openImage({ ...path, data: ['image.data'], sums: true }),
        () => t.store.removeImage({ ...path, token: 'r2' }),
      ]) {
        expect(await rejection(call)).toMatchObject({ errno: -errno.ENOENT });
      }
      await t.complete(image, pattern(8192, 2), 'token-2');
      expect((await t.store.statImage(path)).dataSize).toBe(8192);
      await t.store.removeImage({ ...path, token: 'r3' });
    });

    it.runIf(t.traits.renames)('leaves a reader what it has open, also when the trash is emptied', async () => {
      const bytes = pattern(chunkBytes, 4);
      await t.complete(image, bytes);
      const reader = await t.store.openImage({ ...path, data: ['image.data'], sums: true });
      await t.store.removeImage({ ...path, token: 'r1' });
      await t.store.sweepRemove({ lsu, items: [{ path: '.trash', claim: null }], max: 100, token: 't' });
      expect((await t.payload.read(reader.data, bytes.length, 0)).equals(bytes)).toBe(true);
      await close(t.store, reader);
    });
  });

  it('closing files twice, or none, is no failure', async () => {
    const files = await create(t.store);
    await close(t.store, files);
    await close(t.store, files);
    await t.store.closeFiles({ files: [-1] });
    await t.store.closeFiles({ files: [] });
    expect((await t.store.statImage(path)).claims).toHaveLength(1);
  });

  it('a fragment may be written with sums that are no JSON text and a claim of any bytes', async () => {
    const files = await t.store.createImage({
      ...path,
      token: 't',
      meta: 'no json',
      claim: '\u0000"\\',
      sumsHeader: base64(new Uint8Array(3)),
    });
    expect(await t.store.statImage(path)).toMatchObject({
      meta: 'no json',
      sumsSize: 3,
      claims: [{ n: 1, text: '\u0000"\\' }],
    });
    await close(t.store, files);
  });
}
