/** The store contract over the test's own S3 server. */
import { afterAll, beforeAll, describe } from 'vitest';
import { storeSuite } from '../contract/store.suite.ts';
import { S3Server } from './server/server.ts';
import { aws, bucketKit, bucketTraits, closedStore } from './store-kit.ts';

describe.each([
  ['a bucket with conditional puts and CRC-64', { mode: 'aws-like' as const }, aws],
  [
    'a bucket as VAST may be',
    { mode: 'vast-like' as const },
    { ...aws, integrity: 'md5' as const, conditionalPut: false },
  ],
])('%s', (_, options, abilities) => {
  let server: S3Server;
  beforeAll(async () => {
    server = await S3Server.start(options);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  storeSuite(() => bucketKit(server, abilities), closedStore, bucketTraits);
});
