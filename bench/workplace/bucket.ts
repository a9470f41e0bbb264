/** The place of a run in a bucket: keys below one prefix of its own; only these are listed, and removed, at its end. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3';
import { abilitiesOf } from '../../engine/core/passport.ts';
import type { S3Settings } from '../../engine/core/s3-settings.ts';
import {
  encodeMarker as encodeStoreMarker,
  markerName,
  newMarker as newStoreMarker,
} from '../../engine/image/marker.ts';
import { Bucket } from '../../workers/s3/bucket.ts';
import { Objects } from '../../workers/s3/objects.ts';
import { listUploads, type UploadMarker } from '../../workers/s3/uploads.ts';
import { StoreError } from '../../workers/store.ts';
import { BenchError } from '../bench-error.ts';
import type { S3Target } from '../cli/target.ts';
import { encodeMarker, isPlaceName, markerFile, newMarker, ownerState, parseMarker, placeName } from './marker.ts';
import { quoted, typed } from './typed.ts';

const mib = 1 << 20;
const leftOverMax = 20;
/** Pages of a list: more keys than that are no bench's. */
const pagesMax = 10_000;

/** Credentials are those of the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. */
function settingsOf({ endpoint, bucket, region, caFile }: S3Target, prefix: string): S3Settings {
  const { protocol, hostname, port } = new URL(endpoint);
  const tls = protocol === 'https:';
  return {
    endpoints: [
      { protocol: tls ? 'https' : 'http', host: hostname, port: port === '' ? (tls ? 443 : 80) : Number(port) },
    ],
    bucket,
    prefix,
    region,
    addressing: 'path',
    credentialsFile: '',
    caFile: caFile ?? '',
    tlsVerify: true,
    partBytes: 64 * mib,
    partsInFlight: 4,
    connectMs: 5000,
    idleMs: 30_000,
    retryMs: 60_000,
  };
}

/** The engine's advice names settings of its configuration; here they stand in --target and the environment. */
const settingsHere = [
  ['set credentials_file, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the engine', 'set them'],
  ['set ca_file, or check the name in endpoints', 'add &ca=FILE, or check the name in endpoint='],
  ['check endpoints, region and addressing', 'check endpoint= and region='],
  ['check endpoints', 'check endpoint='],
] as const;

function advice(text: string): string {
  return settingsHere.reduce((told, [theirs, ours]) => told.replace(theirs, ours), text);
}

/** Failures of the bucket in the user's words. */
async function told<T>(target: S3Target, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const why = advice(error.failure.text ?? error.message);
    const keys =
      error.failure.errno === -constants.errno.EACCES
        ? '; credentials are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
        : '';
    throw new BenchError(`--target s3://${target.bucket} at ${target.endpoint}: ${why}${keys}`);
  }
}

/** Of what is no certificate TLS says nothing: it trusts nobody by it. */
function checkCa(file: string | null): void {
  if (file === null) return;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new BenchError(
      `--target: ca=${file} cannot be read (${code}); name the authority's certificate, a PEM file`,
      2,
    );
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new BenchError(`--target: ca=${file} has no certificate in it; name a PEM file`, 2);
}

export class BucketPlace {
  readonly target: S3Target;
  /** Ends with a slash. */
  readonly prefix: string;
  readonly #bucket: Bucket;
  readonly #objects: Objects;
  #there = true;

  private constructor(target: S3Target, prefix: string, bucket: Bucket, objects: Objects) {
    this.target = target;
    this.prefix = prefix;
    this.#bucket = bucket;
    this.#objects = objects;
  }

  static async #open(target: S3Target, prefix: string): Promise<BucketPlace> {
    checkCa(target.caFile);
    const bucket = new Bucket(settingsOf(target, prefix));
    try {
      return new BucketPlace(target, prefix, bucket, new Objects(bucket, abilitiesOf(await bucket.probe())));
    } catch (error) {
      await bucket.close();
      throw error;
    }
  }

  /** The endpoint is asked what it can do, the marker is put. Throws BenchError. */
  static create(target: S3Target, run: string): Promise<BucketPlace> {
    return told(target, async () => {
      const place = await BucketPlace.#open(target, `${target.prefix}${placeName(run)}/`);
      const put = await place.#objects.putNew(place.prefix + markerFile, Buffer.from(encodeMarker(newMarker(run))));
      if (put === null) throw new BenchError(`s3://${target.bucket}/${place.prefix} is there already`);
      return place;
    });
  }

  /** A storage root below it, as `vast-ost init-store` makes one. */
  initStore(name: string): Promise<string> {
    const prefix = `${this.prefix}${name}/`;
    const marker = Buffer.from(encodeStoreMarker(newStoreMarker(new Date())));
    return told(this.target, async () => {
      await this.#objects.put(prefix + markerName, [marker]);
      return prefix;
    });
  }

  /** Uploads are aborted, objects removed, its marker last; may be called again. */
  async remove(): Promise<void> {
    if (!this.#there) return;
    try {
      await told(this.target, () => removeBelow(this.#objects, this.prefix));
      this.#there = false;
    } finally {
      await this.#bucket.close();
    }
  }

  left(): string | null {
    return this.#there ? leftText(this.target, this.prefix) : null;
  }

  /** Prefixes of runs that are over, each a line for people. */
  leftOvers(): Promise<string[]> {
    return told(this.target, async () => {
      const { prefixes } = await this.#objects.list(`${this.target.prefix}vast-ost-bench-`, { delimiter: '/' });
      const lines: string[] = [];
      for (const prefix of prefixes.filter((one) => one !== this.prefix && isPlaceName(nameOf(one)))) {
        const marker = parseMarker((await this.#objects.text(prefix + markerFile, 4096)) ?? '');
        if (marker === null || ownerState(marker) === 'lives') continue;
        lines.push(`of a run of ${marker.startedAt} on ${marker.host}: ${leftText(this.target, prefix)}`);
        if (lines.length === leftOverMax) break;
      }
      return lines;
    });
  }

  /**
   * `clean s3://…/vast-ost-bench-…`: throws BenchError for what is no bench's, or of a run that may live. `before`: what
   * still writes there is ended then, and what lies elsewhere removed.
   */
  static removeLeftOver(target: S3Target, force: boolean, before: () => Promise<void>): Promise<void> {
    const { prefix } = target;
    return told(target, async () => {
      if (!isPlaceName(nameOf(prefix)))
        throw new BenchError(`${prefix} is no name of a bench's prefix; nothing was removed`);
      const place = await BucketPlace.#open(target, prefix);
      try {
        const marker = parseMarker((await place.#objects.text(prefix + markerFile, 4096)) ?? '');
        if (marker === null)
          throw new BenchError(`${prefix} has no ${markerFile}: no bench has made it; nothing was removed`);
        if (ownerState(marker) === 'lives')
          throw new BenchError(`${prefix} is of a run that lives, process ${marker.pid}`);
        if (ownerState(marker) === 'elsewhere' && !force) {
          throw new BenchError(
            `${prefix} is of a run on ${marker.host}, which may live; when it does not: add --force`,
          );
        }
        await before();
        await removeBelow(place.#objects, prefix);
      } finally {
        await place.#bucket.close();
      }
    });
  }
}

function nameOf(prefix: string): string {
  return prefix.replace(/\/$/, '').split('/').at(-1) ?? '';
}

function leftText({ bucket, endpoint, region, caFile }: S3Target, prefix: string): string {
  const ca = caFile === null ? '' : `&ca=${encodeURIComponent(caFile)}`;
  const address = `s3://${bucket}/${prefix}?endpoint=${endpoint}&region=${region}${ca}`;
  return `s3://${bucket}/${prefix}; to remove it: ${typed(`clean ${quoted(address)}`)}`;
}

async function removeBelow(objects: Objects, prefix: string): Promise<void> {
  const { bucket } = objects;
  let from: UploadMarker | null = null;
  for (let page = 0; page < pagesMax; page++) {
    const { uploads, next }: Awaited<ReturnType<typeof listUploads>> = await listUploads(objects, prefix, from);
    for (const { key, uploadId } of uploads.filter((upload) => upload.key.startsWith(prefix))) {
      await bucket.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key: key, UploadId: uploadId }));
    }
    if (next === null) break;
    from = next;
  }
  for (let page = 0; page < pagesMax; page++) {
    // From the first one again: what was removed is gone from the list.
    const { objects: found, next } = await objects.list(prefix);
    const keys = found.map(({ key }) => key).filter((key) => key !== prefix + markerFile);
    await objects.remove(keys);
    if (next === null || keys.length === 0) break;
  }
  await objects.remove([prefix + markerFile]);
}
