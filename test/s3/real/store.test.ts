/** The store contract over real S3 servers. */
import { afterAll, beforeAll, describe } from 'vitest';
import { storeSuite } from '../../contract/store.suite.ts';
import { aws, bucketKit, bucketTraits, closedStore } from '../store-kit.ts';
import { isBuilt, RealServer, realKinds } from './real-server.ts';

describe.each(realKinds)('%s', (kind) => {
  describe.skipIf(!isBuilt(kind))('built', () => {
    let server: RealServer;
    beforeAll(async () => {
      server = await RealServer.start({ kind });
    });
    afterAll(async () => {
      await server[Symbol.asyncDispose]();
    });

    storeSuite(() => bucketKit(server, aws), closedStore, bucketTraits);
  });
});
