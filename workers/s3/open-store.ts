/** The store of one bucket, from its settings. */
import type { S3Settings } from '../../engine/core/s3-settings.ts';
import { Bucket } from './bucket.ts';
import { Objects } from './objects.ts';
import { S3Store } from './s3-store.ts';

export function openStore(settings: S3Settings): S3Store {
  const bucket = new Bucket(settings);
  const objects = new Objects(bucket, {
    integrity: 'crc64nvme',
    conditionalPut: true,
    copyPart: true,
    partsMax: 10_000,
  });
  return new S3Store({ objects, warnings: [] });
}
