/** Lists of images, over a store that answers at once. */
import { setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { AnswerBuffers } from '../../engine/coordinator/answer-buffers.ts';
import type { ServerContext } from '../../engine/coordinator/context.ts';
import { GiveWay } from '../../engine/coordinator/give-way.ts';
import { crcOf } from '../../engine/coordinator/image-info.ts';
import { Lists } from '../../engine/coordinator/lists.ts';
import { errno, Failed, status } from '../../engine/core/errors.ts';
import { imageDef, wire } from '../../engine/core/wire.ts';
import { encodeMeta } from '../../engine/image/meta.ts';
import { lsuDirName } from '../../engine/image/names.ts';
import { exampleMeta } from '../support/metas.ts';

type Next = (arg: { max: number }, into: BigUint64Array | null) => Promise<{ names: unknown[]; packed?: Uint8Array }>;

function listsOver(
  next: Next,
  { letGo, readLsu }: { letGo?: () => void; readLsu?: () => Promise<unknown> } = {},
): Lists {
  const storage = {
    call: async (_what: string, method: string, arg: { max: number }, into: BigUint64Array | null) => {
      if (method === 'readLsu') return readLsu?.();
      return method === 'nextNames' ? next(arg, into) : { list: 1 };
    },
    letGo: async () => letGo?.(),
  };
  const mounts = { run: (_key: string, _when: string, call: (ctx: unknown) => unknown) => call({ storage }) };
  return new Lists({ mounts, giveWay: new GiveWay() } as unknown as ServerContext);
}

const opened = async (lists: Lists): Promise<number> => (await lists.open('lsu', 'lsu', 0, true)).readUInt32LE(0);

/** One name without a meta, as a lane leaves it. */
function packedInto(into: BigUint64Array | null, name: string): Uint8Array {
  if (into === null) throw new Error('a list of images brings its memory');
  const bytes = Buffer.from(into.buffer, into.byteOffset, into.byteLength);
  const used = 12 + 8 + name.length;
  for (const [at, word] of [used, 1, 12, -1, name.length].entries()) bytes.writeInt32LE(word, 4 * at);
  bytes.write(name, 20, 'latin1');
  return bytes.subarray(0, used);
}

const firstName = (page: Buffer): string => page.latin1Slice(24, 24 + page.readUInt16LE(16));

test('a list is closed at once while the next page finds nothing in a directory that goes on and on', async () => {
  let reads = 0;
  let closed = false;
  const lists = listsOver(
    async () => {
      await immediate();
      // One image whose meta is damaged, and then nothing that is an image's.
      return { names: [{ name: reads++ === 0 ? 'image~1' : 'no image', meta: null }] };
    },
    {
      letGo: () => {
        closed = true;
      },
    },
  );
  const id = await opened(lists);
  expect((await lists.nextImages(id)).readUInt32LE(0)).toBe(1);
  while (reads < 10) await immediate();
  await lists.close(id);
  expect(closed).toBe(true);
});

test('answers grow from a small first one, and what has no room in a page comes with the next', async () => {
  const asked: number[] = [];
  const total = 400;
  let next = 0;
  const lists = listsOver(async ({ max }) => {
    asked.push(max);
    const names = [];
    for (; names.length < max && next < total; next++) {
      const key = { lsu: 'lsu', basename: `image-${next}`, date: next };
      const long = { policy: 'p'.repeat(255), definitionOpaque: new Uint8Array(1024).fill(next) };
      names.push({ name: `image-${next}~${next}`, meta: encodeMeta(exampleMeta({ ...key, ...long }), crcOf) });
    }
    return { names };
  });
  const id = await opened(lists);
  const dates: number[] = [];
  for (;;) {
    const page = await lists.nextImages(id);
    expect(page.length).toBeLessThanOrEqual(8 + wire.listPageBytes);
    const count = page.readUInt32LE(0);
    if (count === 0) break;
    for (let at = 8, i = 0; i < count; i++) {
      dates.push(page.readUInt32LE(at));
      const [name, opaque, policy] = [page.readUInt16LE(at + 8), page.readUInt16LE(at + 10), page.readUInt8(at + 12)];
      expect([name > 0, opaque, policy]).toEqual([true, 1024, 255]);
      const used = 16 + name + opaque + policy + page.readUInt8(at + 13) + page.readUInt8(at + 14);
      at += Math.ceil(used / 8) * 8;
    }
  }
  expect(dates).toEqual(Array.from({ length: total }, (_, i) => i));
  expect(asked.slice(0, 4)).toEqual([16, 64, 256, 256]);
  await lists.close(id);
});

describe('an LSU whose name does not fit a directory', () => {
  const named = (failure: Failed): Lists => {
    const names = ['first', lsuDirName('l'.repeat(250)), 'last'].map((name) => ({ name, meta: null }));
    return listsOver(async () => ({ names: names.splice(0) }), { readLsu: () => Promise.reject(failure) });
  };

  test('fails the list for good where it cannot be read: what comes behind would be a list without those before', async () => {
    const lists = named(new Failed(status.ESYSTEM, 'no .lsu'));
    await lists.open(null, '', 0, false);
    for (const call of ['this one', 'the next one']) {
      await expect(lists.nextLsus(1), call).rejects.toThrow('no .lsu');
    }
    await lists.close(1);
  });

  test('is left out when it has been removed meanwhile', async () => {
    const lists = named(new Failed(status.ENOENT, 'no LSU'));
    await lists.open(null, '', 0, false);
    expect((await lists.nextLsus(1)).readUInt32LE(0)).toBe(2);
    expect((await lists.nextLsus(1)).readUInt32LE(0)).toBe(0);
    await lists.close(1);
  });
});

test('a list that fails as something is missing does not say so by the status of its end', async () => {
  const lists = listsOver(() => Promise.reject(new Failed(status.ENOENT, 'no such bucket', errno.ENOENT)));
  const id = await opened(lists);
  const failure = { status: status.ESYSTEM, errno: errno.ENOENT, message: 'no such bucket' };
  await expect(lists.nextImages(id)).rejects.toMatchObject(failure);
  await lists.close(id);
});

test('a plug-in that knows no short definitions gets whole ones', async () => {
  let next = 0;
  const lists = listsOver(async ({ max }) => {
    const names = Array.from({ length: next < 40 ? max : 0 }, () => ({ name: `image-${next++}~1`, meta: null }));
    return { names };
  });
  const whole = await lists.open('lsu', 'lsu', 0, false);
  expect([...new Uint32Array(whole.buffer, whole.byteOffset, 2)]).toEqual([1, 0]);
  let images = 0;
  for (;;) {
    const page = await lists.nextImages(1);
    const count = page.readUInt32LE(0);
    if (count === 0) break;
    expect(count).toBeLessThanOrEqual(wire.listWholeMax);
    expect(page.length).toBe(8 + count * imageDef.size);
    images += count;
  }
  expect(images).toBe(next);
  await lists.close(1);
});

describe('the memory of answers', () => {
  test('is used again: two of a list, however long it is', async () => {
    const used = new Set<BigUint64Array | null>();
    let next = 0;
    const lists = listsOver(async (_, into) => {
      used.add(into);
      return next++ < 50 ? { names: [], packed: packedInto(into, `image-${next}~1`) } : { names: [] };
    });
    const id = await opened(lists);
    const names: string[] = [];
    for (let page = await lists.nextImages(id); page.readUInt32LE(0) > 0; page = await lists.nextImages(id)) {
      names.push(firstName(page));
    }
    expect(names).toEqual(Array.from({ length: 50 }, (_, i) => `image-${i + 1}`));
    expect(used.size).toBe(2);
    await lists.close(id);
  });

  test.each([
    ['its first one', 0],
    ['one ahead', 1],
  ])('belongs to one list at a time, also when another ends in the middle of a read: %s', async (_, told) => {
    const held: (() => void)[] = [];
    const inUse = new Set<BigUint64Array | null>();
    const begun = async (count: number): Promise<void> => {
      while (held.length < count) await immediate();
    };
    const answerLast = async (count: number, of: number): Promise<void> => {
      await begun(of);
      for (const done of held.splice(-count)) done();
    };
    const lists = listsOver(async (_, into) => {
      expect(inUse.has(into)).toBe(false);
      inUse.add(into);
      await new Promise<void>((done) => held.push(done));
      inUse.delete(into);
      return { names: [], packed: packedInto(into, 'image~1') };
    });
    // These have all memories that were used before.
    const busy = await Promise.all(Array.from({ length: 4 }, () => opened(lists)));
    const calls = busy.map((id) => lists.nextImages(id));
    const first = await opened(lists);
    for (let i = 0; i < told; i++) {
      const page = lists.nextImages(first);
      await answerLast(1, 5);
      expect(firstName(await page)).toBe('image');
    }
    const call = lists.nextImages(first);
    await begun(5);
    // The page is looked for behind an immediate, too: it waits for that read by now.
    await immediate();
    const ended = lists.close(first);
    await answerLast(1, 5);
    expect((await call).readUInt32LE(0)).toBe(0);
    await ended;
    // It reads no more, and what it had is free, once: three reads at a time have three memories.
    const others = await Promise.all([opened(lists), opened(lists), opened(lists)]);
    calls.push(...others.map((id) => lists.nextImages(id)));
    await answerLast(7, 7);
    expect((await Promise.all(calls)).map(firstName)).toEqual(Array(7).fill('image'));
    const closed = [...busy, ...others].map((id) => lists.close(id));
    await answerLast(7, 7);
    await Promise.all(closed);
  });

  test('is kept for two lists, and given up beyond', () => {
    const buffers = new AnswerBuffers();
    const six = (): BigUint64Array[] => Array.from({ length: 6 }, () => buffers.take());
    const first = six();
    for (const buffer of first) buffers.giveBack(buffer);
    expect(six().filter((buffer) => first.includes(buffer))).toHaveLength(4);
  });
});
