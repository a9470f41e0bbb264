/** What stands in a storage root: the root itself, LSUs, names, listings. A part of the suite: store.suite.ts. */
import { describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { storeErrno } from '../../workers/store.ts';
import type { SuiteContext } from './store-kit.ts';
import { claimText, close, create, image, lsu, names, path, rejection, sumsHeader, textsOf } from './store-kit.ts';

export function namesSuite(t: SuiteContext): void {
  describe('root', () => {
    it('is not mounted before it was opened', async () => {
      const closed = t.makeClosed();
      for (const call of [
        () => closed.capacity({}),
        () => closed.openNames({ lsu: null }),
        () => closed.readLsu({ lsu }),
        () => closed.statImage(path),
        () => create(closed),
      ]) {
        expect(await rejection(call)).toMatchObject({ errno: storeErrno.notMounted });
      }
    });

    it('refuses a second marker', async () => {
      expect(await rejection(() => t.store.initRoot({ root: t.kit.root, text: '{"store_id":"other"}' }))).toMatchObject(
        {
          errno: -errno.EEXIST,
          step: 'exists',
        },
      );
    });

    it('answers the same when it is opened again', async () => {
      const open = () => t.store.openRoot({ root: t.kit.root, requireMount: false, direct: true });
      expect(await open()).toEqual(await open());
      expect((await t.store.readLsu({ lsu })).text).toBe('{"lsu":"daily"}');
    });

    it('tells its capacity', async () => {
      const { capacity, free, available } = await t.store.capacity({});
      expect(capacity).toBeGreaterThan(0);
      expect(free).toBeLessThanOrEqual(capacity);
      expect(available).toBeLessThanOrEqual(free);
    });
  });

  describe('LSUs', () => {
    it('are made once, labelled, read and listed', async () => {
      await t.store.makeLsu({ lsu: 'weekly', text: 'one' });
      expect(await rejection(() => t.store.makeLsu({ lsu: 'weekly', text: 'two' }))).toMatchObject({
        errno: -errno.EEXIST,
      });
      expect(await t.store.readLsu({ lsu: 'weekly' })).toEqual({ text: 'one' });
      await t.store.labelLsu({ lsu: 'weekly', text: 'three', token: 't' });
      expect(await t.store.readLsu({ lsu: 'weekly' })).toEqual({ text: 'three' });
      expect((await names(t.store, null)).map(({ name }) => name).sort()).toEqual([lsu, 'weekly']);
    });

    it('that are not there are told by ENOENT', async () => {
      const gone = { lsu: 'none', image };
      for (const call of [
        () => t.store.readLsu(gone),
        () => t.store.labelLsu({ lsu: 'none', text: '', token: 't' }),
        () => t.store.openNames(gone),
        () => t.store.statImage(gone),
        () => t.store.claims(gone),
        () => t.store.removeImage({ ...gone, token: 't' }),
        () => t.store.sweepList({ lsu: 'none', list: -1, max: 1 }),
        () => t.store.createImage({ ...gone, token: 't', meta: '', claim: '', sumsHeader: null }),
      ]) {
        expect(await rejection(call)).toMatchObject({ errno: -errno.ENOENT });
      }
    });
  });

  describe('names', () => {
    const hostile = ['', '.', '..', '../x', 'a/b', '/', '.hidden', 'a\0b', 'a\nb', 'a b', 'ä', 'x'.repeat(201)];
    it.each(hostile)('refuses %j as LSU and as image', async (name) => {
      const calls = [
        () => t.store.makeLsu({ lsu: name, text: '' }),
        () => create(t.store, name),
        () => t.store.openImage({ lsu, image: name, data: ['image.data'], sums: true }),
        () => t.store.openImage({ lsu: name, image, data: ['image.data'], sums: true }),
        () => t.store.statImage({ lsu, image: name }),
        () => t.store.removeImage({ lsu, image: name, token: 't' }),
        () => t.store.takeClaim({ lsu, image: name, n: 1, claim: 'c', token: 't', over: [] }),
      ];
      for (const call of calls) expect(await rejection(call)).toMatchObject({ errno: -errno.EINVAL, step: 'name' });
    });

    it('refuses tokens, fragments and claims that are none', async () => {
      await close(t.store, await create(t.store));
      for (const token of ['', '../x', 'a/b', '.', 'x'.repeat(201)]) {
        expect(await rejection(() => t.store.removeImage({ ...path, token }))).toMatchObject({ errno: -errno.EINVAL });
        expect(await rejection(() => create(t.store, 'other~1', token))).toMatchObject({ errno: -errno.EINVAL });
      }
      for (const data of ['image.meta', '../x', 'image.data.1', 'claim.1']) {
        expect(await rejection(() => t.store.openImage({ ...path, data: [data], sums: false }))).toMatchObject({
          errno: -errno.EINVAL,
        });
      }
      for (const n of [0, -1, 1.5, 1e9]) {
        const take = () => t.store.takeClaim({ ...path, n, claim: 'c', token: 't', over: [] });
        expect(await rejection(take)).toMatchObject({ errno: -errno.EINVAL });
      }
      expect((await t.store.claims(path)).claims).toEqual([{ n: 1, text: claimText('token-1') }]);
    });

    it('200 bytes long are taken', async () => {
      const long = 'x'.repeat(200);
      await t.store.makeLsu({ lsu: long, text: '' });
      const made = await t.store.createImage({
        lsu: long,
        image: long,
        token: 't',
        meta: '',
        claim: 'c',
        sumsHeader: null,
      });
      await close(t.store, made);
      expect(await names(t.store, long)).toEqual([{ name: long, meta: null }]);
    });
  });

  describe('listing', () => {
    const many = Array.from({ length: 57 }, (_, i) => `image-${i}~${i}`);

    it('shows each image once, with its meta, whatever the page', async () => {
      for (const [i, name] of many.entries()) await close(t.store, await create(t.store, name, `t${i}`));
      for (const max of [1, 10, 1000]) {
        const found = await names(t.store, lsu, true, max);
        expect(found.map(({ name }) => name).sort()).toEqual([...many].sort());
        for (const { name, meta } of found) expect(meta).toBe(`{"meta":"t${many.indexOf(name)}"}`);
      }
      expect((await names(t.store, lsu, false)).every(({ meta }) => meta === null)).toBe(true);
    });

    it('shows what exists throughout exactly once, while others come and go', async () => {
      for (const [i, name] of many.entries()) await close(t.store, await create(t.store, name, `t${i}`));
      const { list } = await t.store.openNames({ lsu });
      const found: string[] = [];
      for (let page = 0; ; page++) {
        const more = textsOf(await t.store.nextNames({ list, lsu, max: 5, meta: true }));
        if (more.length === 0) break;
        found.push(...more.map(({ name }) => name));
        if (page < 10) {
          await close(t.store, await create(t.store, `fresh-${page}~1`, `f${page}`));
          await t.store.removeImage({ lsu, image: many[page], token: `r${page}` });
        }
      }
      await t.store.closeNames({ list });
      const throughout = many.slice(10);
      expect(found.filter((name) => throughout.includes(name)).sort()).toEqual([...throughout].sort());
      expect(new Set(found).size).toBe(found.length);
    });

    it('of an empty LSU ends at once, and a closed list is told', async () => {
      expect(await names(t.store, lsu)).toEqual([]);
      const { list } = await t.store.openNames({ lsu });
      await t.store.closeNames({ list });
      expect(await rejection(() => t.store.nextNames({ list, lsu, max: 1, meta: false }))).toMatchObject({
        errno: -errno.EBADF,
      });
    });

    it('two lists do not disturb each other', async () => {
      for (const name of many.slice(0, 4)) await close(t.store, await create(t.store, name, name.replace('~', '_')));
      const [a, b] = [(await t.store.openNames({ lsu })).list, (await t.store.openNames({ lsu })).list];
      const next = async (list: number) => (await t.store.nextNames({ list, lsu, max: 2, meta: false })).names.length;
      expect([await next(a), await next(b), await next(a), await next(b), await next(a), await next(b)]).toEqual([
        2, 2, 2, 2, 0, 0,
      ]);
      await t.store.closeNames({ list: a });
      await t.store.closeNames({ list: b });
    });

    it('carries many long metas in several answers', async () => {
      for (const name of many.slice(0, 6)) {
        const meta = JSON.stringify({ name, filler: '"'.repeat(50_000) });
        await close(
          t.store,
          await t.store.createImage({ lsu, image: name, token: name.replace('~', '_'), meta, claim: 'c', sumsHeader }),
        );
      }
      const { list } = await t.store.openNames({ lsu });
      const found: string[] = [];
      for (;;) {
        const page = await t.store.nextNames({ list, lsu, max: 100, meta: true });
        const more = textsOf(page);
        if (more.length === 0) break;
        // What a lane's area holds: see answerText and answerBytes.
        const { packed = new Uint8Array(0), ...text } = page;
        expect(packed.length).toBeLessThanOrEqual(256 * 1024);
        const textMax = packed.length === 0 ? 512 * 1024 : 256 * 1024;
        expect(Buffer.byteLength(JSON.stringify({ ok: true, value: text }))).toBeLessThanOrEqual(textMax);
        for (const { name, meta } of more) {
          expect((JSON.parse(meta!) as { name: string }).name).toBe(name);
          found.push(name);
        }
      }
      await t.store.closeNames({ list });
      expect(found.sort()).toEqual(many.slice(0, 6).sort());
    });
  });
}
