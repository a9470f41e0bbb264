/** What a user hears who names a bucket that cannot be used: his own options, not settings of an engine. */
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { parseTarget, type S3Target } from '../../bench/cli/target.ts';
import { BucketPlace } from '../../bench/workplace/bucket.ts';
import { newRunId } from '../../bench/workplace/marker.ts';
import { S3Server } from '../s3/server/server.ts';
import { treeRoot } from '../support/files-tree.ts';

afterEach(() => vi.unstubAllEnvs());

const heard = (address: string): Promise<string> =>
  BucketPlace.create(parseTarget(address) as S3Target, newRunId()).then(
    () => 'nothing',
    (error: Error) => `${error.name} ${error.message}`,
  );

test('wrong keys, buckets and certificates name what is to be changed in --target and the environment', async () => {
  await using server = await S3Server.start({ endpoints: [{ protocol: 'http' }, { protocol: 'https' }] });
  const [http = '', https = ''] = server.endpoints.map(({ url }) => url);
  const { accessKeyId, secretAccessKey } = server.credentials;
  vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong');
  const at = (endpoint: string, more = ''): string => `s3://${server.bucket}/p?endpoint=${endpoint}${more}`;
  expect(await heard(at(http))).toMatch(/SignatureDoesNotMatch.*; credentials are taken from AWS_ACCESS_KEY_ID/);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey);
  const missing = await heard(`s3://no-such-bucket/p?endpoint=${http}`);
  expect(missing).toMatch(/NoSuchBucket .*check the bucket$/);
  expect(await heard(at(https))).toMatch(/not trusted: add &ca=FILE, or check the name in endpoint=/);
  const files = treeRoot({ 'no.pem': 'x' });
  expect(await heard(at(https, `&ca=${join(files, 'not-there')}`))).toMatch(/ca=.*not-there cannot be read \(ENOENT\)/);
  expect(await heard(at(https, `&ca=${join(files, 'no.pem')}`))).toMatch(/ca=.*no\.pem has no certificate in it/);
  expect(server.keys()).toEqual([]);
});
