/** Pools with real threads: orders, stores and the end. */
import { constants, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { areaBytes, op, sumsEntryBytes, sumsHeaderBytes } from '../../engine/core/order.ts';
import { entriesOf } from '../../engine/core/packed-names.ts';
import { sumsHeaderBytes as imageSumsHeaderBytes } from '../../engine/image/sums.ts';
import { addon, noDir } from '../../native/addon/index.ts';
import { storeErrno } from '../../workers/store.ts';
import { claimText, lsu, marker, openCounts, pattern } from '../contract/store-kit.ts';
import { createArg, failureOf, makeMeta, makePool, rootPerTest } from '../support/pool-kit.ts';

const root = rootPerTest();

function arenaOf(bytes: Uint8Array): number {
  const arena = addon.arenaOpen(Math.ceil(bytes.length / 4096) * 4096);
  addon.arenaPoke(arena, 0, bytes);
  onTestFinished(() => void addon.arenaClose(arena));
  return arena;
}

function openData(): number {
  const file = addon.openFile(noDir, join(root.path, 'data'), constants.O_RDWR | constants.O_CREAT, 0o640);
  onTestFinished(() => void addon.closeFile(file));
  return file;
}

it('the lanes and the image format agree where sums stand', () => {
  expect(sumsHeaderBytes).toBe(imageSumsHeaderBytes);
});

describe('orders', () => {
  const chunkBytes = 65_536;
  const bytes = pattern(3 * chunkBytes, 11);
  const crcOf = (from: number, to: number) => addon.crcBytes(0n, bytes.subarray(from, to), to - from);

  it('write, read with sums, digest, verify, populate and copy do what the addon does', async () => {
    const io = makePool();
    const digest = makePool({ kind: 'digest', lanesMax: 1, niceness: 5 });
    const arena = arenaOf(bytes);
    const back = arenaOf(new Uint8Array(bytes.length));
    const file = openData();
    const at = { arena, memoryOffset: 0, length: bytes.length };
    expect(await io.run({ op: op.write, file, ...at, offset: 0 })).toMatchObject({
      result: bytes.length,
      crcs: null,
      text: null,
    });
    const digested = await digest.run({ op: op.digest, ...at, offset: 0, align: chunkBytes, sha: 0 });
    const expected = [0, 1, 2].map((i) => crcOf(i * chunkBytes, (i + 1) * chunkBytes));
    expect([digested.result, [...digested.crcs!]]).toEqual([3, expected]);

    const sums = addon.openFile(noDir, join(root.path, 'sums'), constants.O_RDWR | constants.O_CREAT, 0o640);
    const entries = new Uint8Array(digested.crcs!.buffer);
    addon.writeBytes(sums, entries, entries.length, sumsHeaderBytes);
    const read = await io.run({
      op: op.read,
      file,
      file2: sums,
      arena: back,
      memoryOffset: 0,
      length: chunkBytes + 4096,
      offset: chunkBytes,
      align: chunkBytes,
    });
    expect([read.result, [...read.crcs!]]).toEqual([chunkBytes + 4096, expected.slice(1)]);
    addon.closeFile(sums);
    expect(sumsEntryBytes).toBe(8);

    const good = digest.run({ op: op.verify, ...at, align: chunkBytes, crcs: digested.crcs });
    expect((await good).result).toBe(bytes.length);
    const spoiled = BigUint64Array.from(expected);
    spoiled[1] ^= 1n;
    expect((await digest.run({ op: op.verify, ...at, align: chunkBytes, crcs: spoiled })).result).toBe(chunkBytes);

    const pairs = BigUint64Array.from(expected.flatMap((crc) => [BigInt(chunkBytes), crc]));
    const whole = { op: op.digestFile, file, offset: 0, length: bytes.length, pieces: 3, sha: 0 };
    expect((await digest.run({ ...whole, crcs: pairs })).result).toBe(3);
    const cuts = BigUint64Array.from([expected[0], 0n, 4096n, 4096n, BigInt(chunkBytes - 4096)]);
    const split = await digest.run({ op: op.splitPiece, file, offset: 0, length: chunkBytes, crcs: cuts });
    expect([split.result, [...split.crcs!]]).toEqual([1, [crcOf(0, 4096), crcOf(4096, chunkBytes)]]);

    expect(
      (await io.run({ op: op.populate, arena: back, memoryOffset: 0, length: 4096 })).result,
    ).toBeGreaterThanOrEqual(0);
    const copy = addon.openFile(noDir, join(root.path, 'copy'), constants.O_RDWR | constants.O_CREAT, 0o640);
    const copied = await io.run({ op: op.copyRange, file: copy, file2: file, offset: 0, length: bytes.length });
    expect(copied.result).toBe(bytes.length);
    await io.run({ op: op.writeEdge, file: copy, arena, memoryOffset: 0, length: 100, offset: 5, align: 512 });
    expect(
      (await io.run({ op: op.read, file: copy, arena: back, memoryOffset: 0, length: bytes.length, offset: 0 })).result,
    ).toBe(bytes.length);
    const seen = Buffer.alloc(bytes.length);
    addon.arenaPeek(back, 0, seen);
    addon.closeFile(copy);
    expect(seen.equals(Buffer.concat([bytes.subarray(0, 5), bytes.subarray(0, 100), bytes.subarray(105)]))).toBe(true);
  });

  it('tell failures as −errno, and bugs with a text, and go on', async () => {
    const io = makePool({ lanesMax: 1 });
    const arena = arenaOf(bytes);
    const at = { arena, memoryOffset: 0, length: 4096, offset: 0 };
    expect((await io.run({ op: op.write, file: 999_999, ...at })).result).toBe(-errno.EBADF);
    expect(await io.run({ op: op.store, text: '{}' })).toMatchObject({
      result: -errno.EINVAL,
      text: expect.stringContaining('meta lane'),
    });
    expect(await io.run({ op: 99 as never })).toMatchObject({
      result: -errno.EINVAL,
      text: expect.stringContaining('99'),
    });
    await expect(io.run({ op: op.write, text: 'x' })).rejects.toThrow('only store orders carry text');
    await expect(io.run({ op: op.store, text: 'x'.repeat(areaBytes + 1) })).rejects.toThrow('fits the area');
    const file = openData();
    expect((await io.run({ op: op.write, file, ...at })).result).toBe(4096);
    expect(io.status()).toMatchObject({ lanes: 1, busy: 0, queued: 0, diedEver: 0 });
  });

  it('count time and answer all, many at once', async () => {
    const io = makePool({ lanesMax: 3 });
    const arena = arenaOf(bytes);
    const file = openData();
    const orders = Array.from({ length: 500 }, (_, i) =>
      io.run(
        { op: op.write, file, arena, memoryOffset: 0, length: 4096 * (1 + (i % 4)), offset: 4096 * i },
        i % 2,
        i % 7,
      ),
    );
    const results = await Promise.all(orders);
    expect(results.map(({ result }) => result)).toEqual(orders.map((_, i) => 4096 * (1 + (i % 4))));
    expect(results.every(({ cpuNs, wallNs }) => cpuNs > 0 && wallNs > 0)).toBe(true);
    const status = io.status();
    expect(status).toMatchObject({ lanes: 3, busy: 0, queued: 0, completed: 500 });
    expect(status.cpuNs).toBe(results.reduce((sum, { cpuNs }) => sum + cpuNs, 0));
    expect(io.idle).toBe(true);
  });

  it('that find the queue full are answered at once', async () => {
    const io = makePool({ lanesMax: 1, queueMax: 2 });
    const file = openData();
    const arena = arenaOf(bytes);
    const runs = Array.from({ length: 5 }, () =>
      io.run({ op: op.write, file, arena, memoryOffset: 0, length: 4096, offset: 0 }),
    );
    expect(io.idle).toBe(false);
    expect((await Promise.all(runs)).map(({ result }) => result)).toEqual([
      4096,
      4096,
      4096,
      -errno.EAGAIN,
      -errno.EAGAIN,
    ]);
  });
});

describe('the store in meta lanes', () => {
  it('every lane learns of the root by itself', async () => {
    const meta = await makeMeta(root.path);
    const files = await Promise.all(
      Array.from({ length: 40 }, (_, i) => meta.call('createImage', createArg(`image~${i}`, `t${i}`))),
    );
    expect(meta.status().lanes).toBe(4);
    await meta.call('closeFiles', { files: files.flatMap(({ data, dir }) => [data, dir]) });
    const { list } = await meta.call('openNames', { lsu });
    const pages = [
      await meta.call('nextNames', { list, lsu, max: 25, meta: true }),
      await meta.call('nextNames', { list, lsu, max: 25, meta: true }),
    ];
    const texts = pages.flatMap((page) => [...entriesOf(page)]).map(({ name, meta }) => `${name} ${meta}`);
    expect(texts.sort()).toEqual(
      Array.from({ length: 40 }, (_, i) => `image~${i} ${createArg('', `t${i}`).meta}`).sort(),
    );
    await meta.call('closeNames', { list });
  });

  it('packed names are left in the memory that the call brings, if they fit there', async () => {
    const meta = await makeMeta(root.path);
    const { data, dir } = await meta.call('createImage', createArg('image~1', 't1'));
    await meta.call('closeFiles', { files: [data, dir] });
    const texts = (page: Parameters<typeof entriesOf>[0]) =>
      [...entriesOf(page)].map(({ name, meta }) => `${name} ${meta}`);
    for (const [words, fits] of [
      [1024, true],
      [1, false],
    ] as const) {
      const into = new BigUint64Array(words);
      const { list } = await meta.call('openNames', { lsu });
      const page = await meta.call('nextNames', { list, lsu, max: 25, meta: true }, into);
      expect(texts(page)).toEqual(['image~1 {}']);
      expect(page.packed?.buffer === into.buffer).toBe(fits);
      // The next order has new memory again.
      const end = await meta.call('nextNames', { list, lsu, max: 25, meta: true });
      expect(texts(end)).toEqual([]);
      await meta.call('closeNames', { list });
    }
  });

  it('failures arrive as StoreError, whole', async () => {
    const meta = await makeMeta(root.path);
    await meta
      .call('createImage', createArg('image~1', 't1'))
      .then(({ data, dir }) => meta.call('closeFiles', { files: [data, dir] }));
    expect(await failureOf(meta.call('createImage', createArg('image~1', 't2')))).toEqual({
      errno: -errno.EEXIST,
      step: 'exists',
      path: `${lsu}/image~1`,
    });
  });

  it('a root that is gone is told by every lane, and found again once it is opened anew', async () => {
    const meta = await makeMeta(root.path);
    rmSync(join(root.path, '.vast-ost-store'));
    const failed = await Promise.all(Array.from({ length: 8 }, () => failureOf(meta.call('capacity', {}))));
    expect(new Set(failed.map((failure) => failure.errno))).toEqual(new Set([storeErrno.notMounted]));
    expect(
      await failureOf(meta.call('openRoot', { root: root.path, requireMount: false, direct: true })),
    ).toMatchObject({
      errno: storeErrno.notMounted,
    });
    writeFileSync(join(root.path, '.vast-ost-store'), marker);
    await meta.call('openRoot', { root: root.path, requireMount: false, direct: true });
    await Promise.all(Array.from({ length: 8 }, () => meta.call('capacity', {})));
  });

  it('of many who take a claim at once, one wins', async () => {
    const meta = await makeMeta(root.path);
    for (let round = 0; round < 50; round++) {
      const image = `image~${round}`;
      const { data, dir } = await meta.call('createImage', createArg(image, `t${round}`));
      await meta.call('closeFiles', { files: [data, dir] });
      const over = [{ n: 1, text: claimText(`t${round}`) }];
      const takers = Array.from({ length: 4 }, (_, i) => `taker-${i}`);
      const won = await Promise.all(
        takers.map((token) => meta.call('takeClaim', { lsu, image, n: 2, claim: claimText(token), token, over })),
      );
      const winners = takers.filter((_, i) => won[i].won);
      expect(winners).toHaveLength(1);
      const { claims } = await meta.call('claims', { lsu, image });
      expect(claims).toEqual([{ n: 2, text: claimText(winners[0]) }]);
    }
  });

  it('two who count differently never both win', async () => {
    const meta = await makeMeta(root.path);
    for (let round = 0; round < 50; round++) {
      const image = `image~${round}`;
      const { data, dir } = await meta.call('createImage', createArg(image, 'old'));
      await meta.call('closeFiles', { files: [data, dir] });
      const over = [{ n: 1, text: claimText('old') }];
      await meta.call('dropClaim', { lsu, image, n: 1, claim: claimText('old') });
      const take = (n: number, token: string) =>
        meta.call('takeClaim', { lsu, image, n, claim: claimText(token), token, over });
      const won = await Promise.all([take(2, 'slow'), take(1, 'quick'), take(2, 'other'), take(1, 'fourth')]);
      expect(won.filter((answer) => answer.won).length).toBeLessThanOrEqual(1);
    }
  });

  it('of memory lives in one lane', async () => {
    const meta = await makeMeta(root.path, { storeKind: 'memory', lanesMax: 4 });
    const files = await Promise.all(
      Array.from({ length: 20 }, (_, i) => meta.call('createImage', createArg(`image~${i}`, `t${i}`))),
    );
    expect(meta.status()).toMatchObject({ lanes: 1, lanesMax: 1 });
    const io = makePool();
    const arena = arenaOf(pattern(4096, 1));
    expect(
      (await io.run({ op: op.write, file: files[3].data, arena, memoryOffset: 0, length: 4096, offset: 0 })).result,
    ).toBe(4096);
    expect(await meta.call('statImage', { lsu, image: 'image~3' })).toMatchObject({ dataSize: 4096 });
    for (let i = 0; i < 20; i++) await meta.call('removeImage', { lsu, image: `image~${i}`, token: 'r' });
    await meta.call('closeFiles', { files: files.map(({ data }) => data) });
    await meta.call('sweepRemove', { lsu, items: [{ path: '.trash', claim: null }], max: 100, token: 't' });
  });
});

describe('the end', () => {
  it('waits for what is under way and what is queued', async () => {
    const before = openCounts();
    const io = makePool({ lanesMax: 1 });
    const file = openData();
    const arena = arenaOf(pattern(1_048_576, 1));
    const runs = Array.from({ length: 20 }, (_, i) =>
      io.run({ op: op.write, file, arena, memoryOffset: 0, length: 1_048_576, offset: i * 1_048_576 }),
    );
    expect(await io.stop(60_000)).toBe(true);
    expect((await Promise.all(runs)).every(({ result }) => result === 1_048_576)).toBe(true);
    expect((await io.run({ op: op.write, file, arena, memoryOffset: 0, length: 4096, offset: 0 })).result).toBe(
      -errno.ECANCELED,
    );
    expect([io.idle, await io.stop(1000)]).toEqual([false, true]);
    expect(openCounts()[0]).toBe(before[0] + 1);
  });

  it('of a pool that never had an order comes at once', async () => {
    expect(await makePool().stop(1000)).toBe(true);
  });
});
