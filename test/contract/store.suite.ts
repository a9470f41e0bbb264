/** Every promise of workers/store.ts that both stores keep. A store's test file is a page that supplies a kit. */
import { afterEach, beforeEach, expect } from 'vitest';
import type { Store } from '../../workers/store.ts';
import { claimsSuite } from './store.suite.claims.ts';
import { imagesSuite } from './store.suite.images.ts';
import { namesSuite } from './store.suite.names.ts';
import {
  chunkBytes,
  claimText,
  close,
  crcs,
  create,
  headerBytes,
  lsu,
  openCounts,
  Payload,
  type StoreKit,
  type SuiteContext,
} from './store-kit.ts';

export function storeSuite(makeKit: () => StoreKit, makeClosed: () => Store): void {
  // Filled before each test.
  const t = { makeClosed, complete } as SuiteContext;
  let openBefore: number[];

  beforeEach(() => {
    openBefore = openCounts();
    t.payload = new Payload();
    t.kit = makeKit();
    t.store = t.kit.store;
  });
  afterEach(() => {
    t.kit[Symbol.dispose]();
    t.payload[Symbol.dispose]();
    expect(openCounts().slice(1), 'lists, arenas').toEqual(openBefore.slice(1));
  });

  function complete(name: string, bytes: Buffer, token = 'token-1'): void {
    const files = create(t.store, name, token);
    t.payload.write(files.data, bytes, 0);
    t.store.commitImage({
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
    close(t.store, files);
  }

  namesSuite(t);
  imagesSuite(t);
  claimsSuite(t);
}
