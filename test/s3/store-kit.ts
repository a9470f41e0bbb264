/** The store contract's kit over a bucket: an S3Store in this process, its payload through the store's own uploads. */
import { randomBytes } from 'node:crypto';
import type { Abilities } from '../../engine/core/passport.ts';
import type { S3Settings } from '../../engine/core/s3-settings.ts';
import { Bucket } from '../../workers/s3/bucket.ts';
import { Objects } from '../../workers/s3/objects.ts';
import { S3Store } from '../../workers/s3/s3-store.ts';
import { StoreError, storeErrno } from '../../workers/store.ts';
import { type AnyKit, type AnyPayload, lsu, marker, type StoreTraits } from '../contract/store-kit.ts';

export const bucketTraits: StoreTraits = { pendingBytes: false, renames: false };

/** What a test needs to know of a server; credentials go through the environment, as the usual chain finds them. */
export interface ServerAddress {
  readonly url: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly caPath?: string;
}

export const aws: Abilities = {
  integrity: 'crc64nvme',
  withoutCrc: 'sha256',
  objectCrc: true,
  conditionalPut: true,
  copyPart: true,
  labels: true,
  partsMax: 10_000,
};

export function settingsOf(server: ServerAddress, over: Partial<S3Settings> = {}): S3Settings {
  process.env.AWS_ACCESS_KEY_ID = server.credentials.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = server.credentials.secretAccessKey;
  const { protocol, hostname, port } = new URL(server.url);
  return {
    endpoints: [
      {
        protocol: protocol === 'https:' ? 'https' : 'http',
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port),
      },
    ],
    bucket: server.bucket,
    prefix: '',
    region: 'us-east-1',
    addressing: 'path',
    credentialsFile: '',
    caFile: server.caPath ?? '',
    tlsVerify: true,
    partBytes: 8 << 20,
    partsInFlight: 6,
    connectMs: 5000,
    idleMs: 10_000,
    retryMs: 10_000,
    ...over,
  };
}

export function storeOver(settings: S3Settings, abilities: Abilities = aws): S3Store {
  return new S3Store({ objects: new Objects(new Bucket(settings), abilities), probing: false });
}

/** A store below a prefix of its own, its root made and open, with one LSU. */
export async function bucketKit(server: ServerAddress, abilities: Abilities = aws): Promise<AnyKit> {
  const settings = settingsOf(server, { prefix: `t-${randomBytes(6).toString('hex')}/` });
  const store = storeOver(settings, abilities);
  const root = server.url;
  await store.initRoot({ root, text: marker });
  await store.openRoot({ root, requireMount: false, direct: true });
  await store.makeLsu({ lsu, text: '{"lsu":"daily"}' });
  return { store, root, payload: new BucketPayload(store), [Symbol.asyncDispose]: () => store.close() };
}

/** A store that has no root open, and reaches nobody. */
export function closedStore(): S3Store {
  return storeOver(
    settingsOf({ url: 'http://127.0.0.1:1', bucket: 'none', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }),
  );
}

export class BucketPayload implements AnyPayload {
  readonly #store: S3Store;

  constructor(store: S3Store) {
    this.#store = store;
  }

  async write(file: number, bytes: Uint8Array, offset: number): Promise<void> {
    const open = this.#store.files.get(file);
    if (open?.kind !== 'pendingData') throw new Error('no image that is being written');
    await open.pending.upload.write(offset, bytes, false);
  }

  async read(file: number, length: number, offset: number): Promise<Buffer> {
    const open = this.#store.files.get(file);
    if (open?.kind !== 'object') throw new StoreError({ errno: storeErrno.sizeDiffers, step: 'read', path: '' });
    const into = Buffer.alloc(Math.min(length, open.size - offset));
    await this.#store.objects.bucket.read(open.key, offset, into, { ifMatch: open.etag });
    return into;
  }
}
