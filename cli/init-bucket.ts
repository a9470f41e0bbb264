/** `vast-ost init-store --server NAME`: a bucket with its prefix becomes a storage root. */

import { abilitiesOf } from '../engine/core/passport.ts';
import { encodeMarker, markerName, newMarker } from '../engine/image/marker.ts';
import { s3SettingsOf } from '../engine/s3-settings-of.ts';
import { Bucket } from '../workers/s3/bucket.ts';
import { Objects } from '../workers/s3/objects.ts';
import { StoreError } from '../workers/store.ts';
import { CliError, type CliIo, exitCode } from './io.ts';
import { serverOf } from './probe.ts';

/** Nothing else in the bucket is touched. Throws CliError. */
export async function initBucket(name: string, options: { readonly config?: string }, io: CliIo): Promise<number> {
  const server = serverOf(name, options);
  const bucket = new Bucket(s3SettingsOf(server));
  const where = `bucket ${server.bucket}${server.prefix === '' ? '' : `, prefix ${server.prefix}`}`;
  const marker = newMarker(io.now());
  try {
    const objects = new Objects(bucket, abilitiesOf(await bucket.probe()));
    const put = await objects.putNew(server.prefix + markerName, Buffer.from(encodeMarker(marker)));
    if (put === null) throw new CliError(`${where} is a storage root already: ${markerName} is there`);
    await io.out(`${where} is a storage root now, store id ${marker.storeId}\n`);
    const { prefixes } = await objects.list(server.prefix, { delimiter: '/', max: 2 });
    if (prefixes.some((prefix) => !prefix.slice(server.prefix.length).startsWith('.'))) {
      io.fail(`note: ${where} was not empty; what stands in front of a slash is taken for an LSU`);
    }
    return exitCode.ok;
  } catch (error) {
    if (error instanceof StoreError) throw new CliError(error.failure.text ?? error.message);
    throw error;
  } finally {
    await bucket.close();
  }
}
