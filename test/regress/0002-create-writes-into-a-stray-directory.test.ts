/**
 * A second create with the token of a first one, whose claim still stood, found "its own" image under the name and
 * succeeded, with descriptors of the directory that it had made beside it: what was written there, close included, was
 * acknowledged, and lost. Two creates with one token also took each other's unfinished directory apart.
 */
import { expect, test } from 'vitest';
import type { StoreError } from '../../workers/store.ts';
import { fileKit, image, lsu } from '../contract/store-kit.ts';
import { leftovers } from '../support/engine-state.ts';

const create = { lsu, image, token: 'aa', meta: '{}', claim: 'one', sumsHeader: null };

function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return (error as StoreError).failure;
  }
  return null;
}

test('a create of the same token again does not take the image that stands there for its own', () => {
  using kit = fileKit();
  const files = kit.store.createImage(create);
  expect(failureOf(() => kit.store.createImage(create))).toMatchObject({ step: 'exists', errno: -17 });
  kit.store.closeFiles({ files: [files.data, files.sums, files.dir] });
  expect(leftovers(kit.root)).toEqual([`${lsu}/${image}/claim.1`]);
});
