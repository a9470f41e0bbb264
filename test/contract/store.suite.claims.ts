/** Claims, and what the janitor does with what was left. A part of the suite: store.suite.ts. */
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import type { SuiteContext } from './store-kit.ts';
import { claimText, close, create, image, lsu, path, pattern, rejection, sweepAll } from './store-kit.ts';

export function claimsSuite(t: SuiteContext): void {
  describe('claims', () => {
    const take = async (n: number, who: string, over: { n: number; text: string }[]) =>
      (await t.store.takeClaim({ ...path, n, claim: claimText(who), token: who, over })).won;
    const first = { n: 1, text: claimText('token-1') };
    beforeEach(async () => close(t.store, await create(t.store)));

    it('are taken over with the next number, and the lower ones go', async () => {
      expect(await take(2, 'two', [first])).toBe(true);
      expect((await t.store.claims(path)).claims).toEqual([{ n: 2, text: claimText('two') }]);
      expect((await sweepAll(t.store)).map((item) => item.path)).toEqual([`${image}/claim.2`]);
    });

    it('are lost where the number is taken', async () => {
      expect(await take(1, 'two', [])).toBe(false);
      expect((await t.store.claims(path)).claims).toEqual([first]);
    });

    it('are lost above a claim that nobody found dead', async () => {
      expect(await take(2, 'two', [])).toBe(false);
      expect(await take(2, 'two', [{ n: 1, text: claimText('somebody before') }])).toBe(false);
      expect((await t.store.claims(path)).claims).toEqual([first]);
    });

    it('are lost below a higher one', async () => {
      expect(await take(3, 'three', [first])).toBe(true);
      expect(await take(2, 'two', [first])).toBe(false);
      expect((await t.store.claims(path)).claims).toEqual([{ n: 3, text: claimText('three') }]);
    });

    it('asked for again with the same text are won again', async () => {
      expect(await take(2, 'two', [first])).toBe(true);
      expect(await take(2, 'two', [first])).toBe(true);
    });

    it('are dropped by their own text only; twice is no failure', async () => {
      await t.store.dropClaim({ ...path, n: 1, claim: 'another' });
      expect((await t.store.claims(path)).claims).toEqual([first]);
      await t.store.dropClaim({ ...path, n: 1, claim: first.text });
      await t.store.dropClaim({ ...path, n: 1, claim: first.text });
      expect((await t.store.claims(path)).claims).toEqual([]);
      expect(await take(1, 'again', [])).toBe(true);
    });

    it('of an image that is not there answer ENOENT', async () => {
      const none = { lsu, image: 'none~1' };
      expect(await rejection(() => t.store.claims(none))).toMatchObject({ errno: -errno.ENOENT });
      const takeNone = () => t.store.takeClaim({ ...none, n: 1, claim: 'c', token: 't', over: [] });
      expect(await rejection(takeNone)).toMatchObject({ errno: -errno.ENOENT });
    });

    it('a fence changes nothing, whoever writes, and needs the image', async () => {
      const before = await t.store.statImage(path);
      await t.store.fenceImage(path);
      expect(await t.store.statImage(path)).toEqual(before);
      expect(await rejection(() => t.store.fenceImage({ lsu, image: 'none~1' }))).toMatchObject({
        errno: -errno.ENOENT,
      });
    });

    it('are listed highest first', async () => {
      expect(await take(12, 'twelve', [first])).toBe(true);
      const { claims } = await t.store.statImage(path);
      expect(claims.map(({ n }) => n)).toEqual([12]);
    });
  });

  describe('sweeping', () => {
    it.runIf(t.traits.renames)('finds trash and claims, and removes what it is told to', async () => {
      await close(t.store, await create(t.store));
      await t.complete('gone~1', pattern(4096, 1), 'token-2');
      await t.store.removeImage({ lsu, image: 'gone~1', token: 'r1' });
      const items = await sweepAll(t.store);
      const own = { n: 1, text: claimText('token-1') };
      expect(
        items
          .map(({ path: at, kind, claim, claims }) => ({ at, kind, claim, claims }))
          .sort((a, b) => (a.at < b.at ? -1 : 1)),
      ).toEqual([
        { at: '.trash', kind: 'trash', claim: null, claims: [] },
        { at: `${image}/claim.1`, kind: 'claim', claim: own.text, claims: [own] },
      ]);
      const { removed, left } = await t.store.sweepRemove({ lsu, items, max: 100, token: 't' });
      expect([removed.includes('.trash'), removed.includes(`${image}/claim.1`), left]).toEqual([true, true, 0]);
      expect(await sweepAll(t.store)).toEqual([]);
      expect(await t.store.statImage(path)).toMatchObject({ meta: '{"meta":"token-1"}', claims: [] });
    });

    it('leaves a claim that changed since', async () => {
      await close(t.store, await create(t.store));
      const items = [{ path: `${image}/claim.1`, claim: claimText('who was before') }];
      expect(await t.store.sweepRemove({ lsu, items, max: 10, token: 't' })).toEqual({ removed: [], left: 1 });
      expect((await t.store.claims(path)).claims).toHaveLength(1);
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
    ])('never removes %j', async (at) => {
      await t.complete(image, pattern(4096, 1));
      expect(
        await rejection(() => t.store.sweepRemove({ lsu, items: [{ path: at, claim: null }], max: 10, token: 't' })),
      ).toMatchObject({
        errno: -errno.EINVAL,
      });
      expect(await t.store.statImage(path)).toMatchObject({ dataSize: 4096, meta: `{"complete":"${image}"}` });
    });

    it('of what is gone is done', async () => {
      expect(
        await t.store.sweepRemove({ lsu, items: [{ path: 'none~1/claim.1', claim: null }], max: 10, token: 't' }),
      ).toMatchObject({
        left: 0,
      });
    });
  });
}
