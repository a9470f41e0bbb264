/** Every promise of workers/store.ts that all stores keep. A store's test file is a page that supplies a kit. */
import { afterEach, beforeEach, expect } from 'vitest';
import { claimsSuite } from './store.suite.claims.ts';
import { imagesSuite } from './store.suite.images.ts';
import { namesSuite } from './store.suite.names.ts';
import {
  type AnyKit,
  type AnyStore,
  chunkBytes,
  claimText,
  close,
  crcs,
  create,
  directoryTraits,
  headerBytes,
  lsu,
  openCounts,
  Payload,
  type StoreTraits,
  type SuiteContext,
} from './store-kit.ts';

export function storeSuite(
  makeKit: () => AnyKit | Promise<AnyKit>,
  makeClosed: () => AnyStore,
  traits: StoreTraits = directoryTraits,
): void {
  // Filled before each test.
  const t = { makeClosed, complete, traits } as SuiteContext;
  let openBefore: number[];
  let own: Payload;

  beforeEach(async () => {
    openBefore = openCounts();
    own = new Payload();
    t.kit = await makeKit();
    t.payload = t.kit.payload ?? own;
    t.store = t.kit.store;
  });
  afterEach(async () => {
    if (Symbol.asyncDispose in t.kit) await t.kit[Symbol.asyncDispose]();
    else t.kit[Symbol.dispose]();
    own[Symbol.dispose]();
    expect(openCounts().slice(1), 'lists, arenas').toEqual(openBefore.slice(1));
  });

  async function complete(name: string, bytes: Buffer, token = 'token-1'): Promise<void> {
    const files = await create(t.store, name, token);
    await t.payload.write(files.data, bytes, 0);
    await t.store.commitImage({
      lsu,
      image: name,
      files,
      token,
      meta: `{"complete":"${name}"}`,
      sumsAt: headerBytes,
      crcs: crcs(0, Math.ceil(bytes.length / chunkBytes)),
      size: bytes.length,
      claim: claimText(token),
      claimN: 1,
    });
    await close(t.store, files);
  }

  namesSuite(t);
  imagesSuite(t);
  claimsSuite(t);
}
