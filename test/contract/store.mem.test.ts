import { describe, expect, it } from 'vitest';
import { MemStore } from '../../workers/mem/mem-store.ts';
import { storeSuite } from './store.suite.ts';
import { close, crcs, create, headerBytes, memKit, Payload, path, pattern } from './store-kit.ts';

describe('memory store', () => {
  storeSuite(memKit, () => new MemStore());

  it('keeps over a power failure what was flushed, and nothing else of the data', () => {
    using kit = memKit();
    using payload = new Payload();
    const { store } = kit;
    const files = create(store);
    payload.write(files.data, pattern(8192, 1), 0);
    store.flushImage({
      ...path,
      files,
      token: 't',
      meta: '{"durable":8192}',
      size: 8192,
      sumsAt: headerBytes,
      crcs: crcs(0, 1),
    });
    payload.write(files.data, pattern(8192, 2), 8192);
    store.appendSums({ sums: files.sums, at: headerBytes + 8, crcs: crcs(1, 1) });
    store.losePower();
    expect(store.statImage(path)).toMatchObject({
      dataSize: 8192,
      sumsSize: headerBytes + 8,
      meta: '{"durable":8192}',
    });
    const again = store.reopenImage({ ...path, data: 'image.data', sums: true, size: 8192, wholeChunks: 1 });
    expect(payload.read(again.data, 8192, 0).equals(pattern(8192, 1))).toBe(true);
    close(store, again);
  });
});
