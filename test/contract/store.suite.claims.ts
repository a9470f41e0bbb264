/** Claims, and what the janitor does with what was left. A part of the suite: store.suite.ts. */
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import type { SuiteContext } from './store-kit.ts';
import { claimText, close, create, failureOf, image, lsu, path, pattern, sweepAll } from './store-kit.ts';

export function claimsSuite(t: SuiteContext): void {
  describe('claims', () => {
    const take = (n: number, who: string, over: { n: number; text: string }[]) =>
      t.store.takeClaim({ ...path, n, claim: claimText(who), token: who, over }).won;
    const first = { n: 1, text: claimText('token-1') };
    beforeEach(() => close(t.store, create(t.store)));

    it('are taken over with the next number, and the lower ones go', () => {
      expect(take(2, 'two', [first])).toBe(true);
      expect(t.store.claims(path).claims).toEqual([{ n: 2, text: claimText('two') }]);
      expect(sweepAll(t.store).map((item) => item.path)).toEqual([`${image}/claim.2`]);
    });

    it('are lost where the number is taken', () => {
      expect(take(1, 'two', [])).toBe(false);
      expect(t.store.claims(path).claims).toEqual([first]);
    });

    it('are lost above a claim that nobody found dead', () => {
      expect(take(2, 'two', [])).toBe(false);
      expect(take(2, 'two', [{ n: 1, text: claimText('somebody before') }])).toBe(false);
      expect(t.store.claims(path).claims).toEqual([first]);
    });

    it('are lost below a higher one', () => {
      expect(take(3, 'three', [first])).toBe(true);
      expect(take(2, 'two', [first])).toBe(false);
      expect(t.store.claims(path).claims).toEqual([{ n: 3, text: claimText('three') }]);
    });

    it('asked for again with the same text are won again', () => {
      expect(take(2, 'two', [first])).toBe(true);
      expect(take(2, 'two', [first])).toBe(true);
    });

    it('are dropped by their own text only; twice is no failure', () => {
      t.store.dropClaim({ ...path, n: 1, claim: 'another' });
      expect(t.store.claims(path).claims).toEqual([first]);
      t.store.dropClaim({ ...path, n: 1, claim: first.text });
      t.store.dropClaim({ ...path, n: 1, claim: first.text });
      expect(t.store.claims(path).claims).toEqual([]);
      expect(take(1, 'again', [])).toBe(true);
    });

    it('of an image that is not there answer ENOENT', () => {
      const none = { lsu, image: 'none~1' };
      expect(failureOf(() => t.store.claims(none))).toMatchObject({ errno: -errno.ENOENT });
      const takeNone = () => t.store.takeClaim({ ...none, n: 1, claim: 'c', token: 't', over: [] });
      expect(failureOf(takeNone)).toMatchObject({ errno: -errno.ENOENT });
    });

    it('are listed highest first', () => {
      expect(take(12, 'twelve', [first])).toBe(true);
      const { claims } = t.store.statImage(path);
      expect(claims.map(({ n }) => n)).toEqual([12]);
    });
  });

  describe('sweeping', () => {
    it('finds trash and claims, and removes what it is told to', () => {
      close(t.store, create(t.store));
      t.complete('gone~1', pattern(4096, 1), 'token-2');
      t.store.removeImage({ lsu, image: 'gone~1', token: 'r1' });
      const items = sweepAll(t.store);
      const own = { n: 1, text: claimText('token-1') };
      expect(
        items
          .map(({ path: at, kind, claim, claims }) => ({ at, kind, claim, claims }))
          .sort((a, b) => (a.at < b.at ? -1 : 1)),
      ).toEqual([
        { at: '.trash', kind: 'trash', claim: null, claims: [] },
        { at: `${image}/claim.1`, kind: 'claim', claim: own.text, claims: [own] },
      ]);
      const { removed, left } = t.store.sweepRemove({ lsu, items, max: 100 });
      expect([removed.includes('.trash'), removed.includes(`${image}/claim.1`), left]).toEqual([true, true, 0]);
      expect(sweepAll(t.store)).toEqual([]);
      expect(t.store.statImage(path)).toMatchObject({ meta: '{"meta":"token-1"}', claims: [] });
    });

    it('leaves a claim that changed since', () => {
      close(t.store, create(t.store));
      const items = [{ path: `${image}/claim.1`, claim: claimText('who was before') }];
      expect(t.store.sweepRemove({ lsu, items, max: 10 })).toEqual({ removed: [], left: 1 });
      expect(t.store.claims(path).claims).toHaveLength(1);
    });

    it.each([
      `${image}/image.meta`,
      `${image}/image.data`,
      image,
      '..',
      '../x',
      '.trash/..',
      `${image}/claim.1/x`,
      '.new-',
      '.lsu',
      '',
    ])('never removes %j', (at) => {
      t.complete(image, pattern(4096, 1));
      expect(failureOf(() => t.store.sweepRemove({ lsu, items: [{ path: at, claim: null }], max: 10 }))).toMatchObject({
        errno: -errno.EINVAL,
      });
      expect(t.store.statImage(path)).toMatchObject({ dataSize: 4096, meta: `{"complete":"${image}"}` });
    });

    it('of what is gone is done', () => {
      expect(t.store.sweepRemove({ lsu, items: [{ path: 'none~1/claim.1', claim: null }], max: 10 })).toMatchObject({
        left: 0,
      });
    });
  });
}
