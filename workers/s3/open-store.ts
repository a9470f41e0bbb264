/** The store of one bucket, from its settings. What its endpoints can do is asked when it is opened. */
import { type Abilities, s3PartsMax } from '../../engine/core/passport.ts';
import type { S3Settings } from '../../engine/core/s3-settings.ts';
import { Bucket } from './bucket.ts';
import type { Note } from './bucket-root.ts';
import { Objects } from './objects.ts';
import { S3Store } from './s3-store.ts';

/** Before anything is known: the least. */
const unknown: Abilities = {
  integrity: 'sha256',
  withoutCrc: 'sha256',
  objectCrc: false,
  conditionalPut: false,
  copyPart: false,
  labels: false,
  partsMax: s3PartsMax,
};

export function openStore(settings: S3Settings, note?: Note): S3Store {
  return new S3Store({ objects: new Objects(new Bucket(settings), unknown), probing: true, note });
}
