import { describe } from 'vitest';
import { FileStore } from '../../workers/file/file-store.ts';
import { storeSuite } from './store.suite.ts';
import { fileKit } from './store-kit.ts';

describe('file store, direct I/O', () => {
  storeSuite(
    () => fileKit({ direct: true }),
    () => new FileStore(),
  );
});

describe('file store, page cache', () => {
  storeSuite(
    () => fileKit({ direct: false }),
    () => new FileStore(),
  );
});
