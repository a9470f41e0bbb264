/** What stands in a storage root: the root itself, LSUs, names, listings. A part of the suite: store.suite.ts. */
import { describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { storeErrno } from '../../workers/store.ts';
import type { SuiteContext } from './store-kit.ts';
import { claimText, close, create, failureOf, image, lsu, names, path, sumsHeader } from './store-kit.ts';

export function namesSuite(t: SuiteContext): void {
  describe('root', () => {
    it('is not mounted before it was opened', () => {
      const closed = t.makeClosed();
      for (const call of [
        () => closed.capacity({}),
        () => closed.openNames({ lsu: null }),
        () => closed.readLsu({ lsu }),
        () => closed.statImage(path),
        () => create(closed),
      ]) {
        expect(failureOf(call)).toMatchObject({ errno: storeErrno.notMounted });
      }
    });

    it('refuses a second marker', () => {
      expect(failureOf(() => t.store.initRoot({ root: t.kit.root, text: '{"store_id":"other"}' }))).toMatchObject({
        errno: -errno.EEXIST,
        step: 'exists',
      });
    });

    it('answers the same when it is opened again', () => {
      const open = () => t.store.openRoot({ root: t.kit.root, requireMount: false, direct: true });
      expect(open()).toEqual(open());
      expect(t.store.readLsu({ lsu }).text).toBe('{"lsu":"daily"}');
    });

    it('tells its capacity', () => {
      const { capacity, free, available } = t.store.capacity({});
      expect(capacity).toBeGreaterThan(0);
      expect(free).toBeLessThanOrEqual(capacity);
      expect(available).toBeLessThanOrEqual(free);
    });
  });

  describe('LSUs', () => {
    it('are made once, labelled, read and listed', () => {
      t.store.makeLsu({ lsu: 'weekly', text: 'one' });
      expect(failureOf(() => t.store.makeLsu({ lsu: 'weekly', text: 'two' }))).toMatchObject({ errno: -errno.EEXIST });
      expect(t.store.readLsu({ lsu: 'weekly' })).toEqual({ text: 'one' });
      t.store.labelLsu({ lsu: 'weekly', text: 'three', token: 't' });
      expect(t.store.readLsu({ lsu: 'weekly' })).toEqual({ text: 'three' });
      expect(
        names(t.store, null)
          .map(({ name }) => name)
          .sort(),
      ).toEqual([lsu, 'weekly']);
    });

    it('that are not there are told by ENOENT', () => {
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
        expect(failureOf(call)).toMatchObject({ errno: -errno.ENOENT });
      }
    });
  });

  describe('names', () => {
    const hostile = ['', '.', '..', '../x', 'a/b', '/', '.hidden', 'a\0b', 'a\nb', 'a b', 'ä', 'x'.repeat(201)];
    it.each(hostile)('refuses %j as LSU and as image', (name) => {
      const calls = [
        () => t.store.makeLsu({ lsu: name, text: '' }),
        () => create(t.store, name),
        () => t.store.openImage({ lsu, image: name, data: ['image.data'], sums: true }),
        () => t.store.openImage({ lsu: name, image, data: ['image.data'], sums: true }),
        () => t.store.statImage({ lsu, image: name }),
        () => t.store.removeImage({ lsu, image: name, token: 't' }),
        () => t.store.takeClaim({ lsu, image: name, n: 1, claim: 'c', token: 't', over: [] }),
      ];
      for (const call of calls) expect(failureOf(call)).toMatchObject({ errno: -errno.EINVAL, step: 'name' });
    });

    it('refuses tokens, fragments and claims that are none', () => {
      close(t.store, create(t.store));
      for (const token of ['', '../x', 'a/b', '.', 'x'.repeat(201)]) {
        expect(failureOf(() => t.store.removeImage({ ...path, token }))).toMatchObject({ errno: -errno.EINVAL });
        expect(failureOf(() => create(t.store, 'other~1', token))).toMatchObject({ errno: -errno.EINVAL });
      }
      for (const data of ['image.meta', '../x', 'image.data.1', 'claim.1']) {
        expect(failureOf(() => t.store.openImage({ ...path, data: [data], sums: false }))).toMatchObject({
          errno: -errno.EINVAL,
        });
      }
      for (const n of [0, -1, 1.5, 1e9]) {
        const take = () => t.store.takeClaim({ ...path, n, claim: 'c', token: 't', over: [] });
        expect(failureOf(take)).toMatchObject({ errno: -errno.EINVAL });
      }
      expect(t.store.claims(path).claims).toEqual([{ n: 1, text: claimText('token-1') }]);
    });

    it('200 bytes long are taken', () => {
      const long = 'x'.repeat(200);
      t.store.makeLsu({ lsu: long, text: '' });
      const made = t.store.createImage({ lsu: long, image: long, token: 't', meta: '', claim: 'c', sumsHeader: null });
      close(t.store, made);
      expect(names(t.store, long)).toEqual([{ name: long, meta: null }]);
    });
  });

  describe('listing', () => {
    const many = Array.from({ length: 57 }, (_, i) => `image-${i}~${i}`);

    it('shows each image once, with its meta, whatever the page', () => {
      for (const [i, name] of many.entries()) close(t.store, create(t.store, name, `t${i}`));
      for (const max of [1, 10, 1000]) {
        const found = names(t.store, lsu, true, max);
        expect(found.map(({ name }) => name).sort()).toEqual([...many].sort());
        for (const { name, meta } of found) expect(meta).toBe(`{"meta":"t${many.indexOf(name)}"}`);
      }
      expect(names(t.store, lsu, false).every(({ meta }) => meta === null)).toBe(true);
    });

    it('shows what exists throughout exactly once, while others come and go', () => {
      for (const [i, name] of many.entries()) close(t.store, create(t.store, name, `t${i}`));
      const { list } = t.store.openNames({ lsu });
      const found: string[] = [];
      for (let page = 0; ; page++) {
        const { names: more } = t.store.nextNames({ list, lsu, max: 5, meta: true });
        if (more.length === 0) break;
        found.push(...more.map(({ name }) => name));
        if (page < 10) {
          close(t.store, create(t.store, `fresh-${page}~1`, `f${page}`));
          t.store.removeImage({ lsu, image: many[page], token: `r${page}` });
        }
      }
      t.store.closeNames({ list });
      const throughout = many.slice(10);
      expect(found.filter((name) => throughout.includes(name)).sort()).toEqual([...throughout].sort());
      expect(new Set(found).size).toBe(found.length);
    });

    it('of an empty LSU ends at once, and a closed list is told', () => {
      expect(names(t.store, lsu)).toEqual([]);
      const { list } = t.store.openNames({ lsu });
      t.store.closeNames({ list });
      expect(failureOf(() => t.store.nextNames({ list, lsu, max: 1, meta: false }))).toMatchObject({
        errno: -errno.EBADF,
      });
    });

    it('two lists do not disturb each other', () => {
      for (const name of many.slice(0, 4)) close(t.store, create(t.store, name, name.replace('~', '_')));
      const [a, b] = [t.store.openNames({ lsu }).list, t.store.openNames({ lsu }).list];
      const next = (list: number) => t.store.nextNames({ list, lsu, max: 2, meta: false }).names.length;
      expect([next(a), next(b), next(a), next(b), next(a), next(b)]).toEqual([2, 2, 2, 2, 0, 0]);
      t.store.closeNames({ list: a });
      t.store.closeNames({ list: b });
    });

    it('carries many long metas in several answers', () => {
      for (const name of many.slice(0, 6)) {
        const meta = JSON.stringify({ name, filler: '"'.repeat(50_000) });
        close(
          t.store,
          t.store.createImage({ lsu, image: name, token: name.replace('~', '_'), meta, claim: 'c', sumsHeader }),
        );
      }
      const { list } = t.store.openNames({ lsu });
      const found: string[] = [];
      for (;;) {
        const page = t.store.nextNames({ list, lsu, max: 100, meta: true });
        if (page.names.length === 0) break;
        // What a lane's area holds: see answerText.
        expect(Buffer.byteLength(JSON.stringify({ ok: true, value: page }))).toBeLessThanOrEqual(512 * 1024);
        for (const { name, meta } of page.names) {
          expect((JSON.parse(meta!) as { name: string }).name).toBe(name);
          found.push(name);
        }
      }
      t.store.closeNames({ list });
      expect(found.sort()).toEqual(many.slice(0, 6).sort());
    });
  });
}
