/** Looks at images in a bucket with nothing of ours: any S3 client can, here the one of the AWS SDK. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { DemoBucket } from './bucket.ts';
import { table } from './table.ts';

const objectsMax = 100;

export class StoredObjects {
  readonly #client: S3Client;
  readonly #bucket: DemoBucket;

  constructor(bucket: DemoBucket) {
    this.#bucket = bucket;
    const text = readFileSync(bucket.credentialsFile, 'utf8');
    const value = (key: string): string => new RegExp(`^\\s*${key}\\s*=\\s*(\\S+)`, 'im').exec(text)?.[1] ?? '';
    const token = value('aws_session_token');
    const ca = bucket.caFile === null ? undefined : readFileSync(bucket.caFile);
    this.#client = new S3Client({
      endpoint: bucket.endpoints.split(',')[0].trim(),
      region: 'us-east-1',
      forcePathStyle: true,
      // Many endpoints take no x-amz-checksum header.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { httpsAgent: new https.Agent({ ca }) },
      credentials: {
        accessKeyId: value('aws_access_key_id'),
        secretAccessKey: value('aws_secret_access_key'),
        ...(token === '' ? {} : { sessionToken: token }),
      },
    });
  }

  /** Keys with their sizes and labels, as a table. */
  async list(): Promise<string> {
    const { bucket: Bucket, prefix: Prefix } = this.#bucket;
    const { Contents = [] } = await this.#client.send(
      new ListObjectsV2Command({ Bucket, Prefix, MaxKeys: objectsMax }),
    );
    const rows: string[][] = [];
    for (const { Key = '', Size = 0 } of Contents) {
      const { Metadata = {} } = await this.#client.send(new HeadObjectCommand({ Bucket, Key }));
      const labels = Object.entries(Metadata).map(([name, value]) => `${name}=${value}`);
      rows.push([Key, `${Size}`, labels.join(' ')]);
    }
    const labelled = rows.some(([, , labels]) => labels !== '');
    const shown = labelled ? rows : rows.map((row) => row.slice(0, 2));
    return table(['object', 'bytes', ...(labelled ? ['x-amz-meta-…'] : [])], shown);
  }

  /** 'sha256:…' as the image's meta has it; null when it has none. */
  async checksum(lsu: string, image: string): Promise<string | null> {
    const body = await this.#get(lsu, image, 'image.meta');
    return (JSON.parse(await body.transformToString()) as { checksum: string | null }).checksum;
  }

  /** SHA-256 of an image's data as it comes out of the bucket: is it what the meta says? */
  async compareChecksum(lsu: string, image: string): Promise<{ lines: string[]; agrees: boolean }> {
    const hash = createHash('sha256');
    const body = await this.#get(lsu, image, 'image.data');
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) hash.update(chunk);
    const [found, wanted] = [`sha256:${hash.digest('hex')}`, await this.checksum(lsu, image)];
    const agrees = found === wanted;
    const what = `${image}/image.data, read by the AWS SDK: ${found}`;
    const verdict = agrees ? 'The checksum in the meta says the same.' : `THE META SAYS ${wanted}.`;
    return { lines: [what, verdict], agrees };
  }

  close(): void {
    this.#client.destroy();
  }

  async #get(lsu: string, image: string, name: string) {
    const { bucket: Bucket, prefix } = this.#bucket;
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket, Key: `${prefix}${lsu}/${image}/${name}` }));
    if (Body === undefined) throw new Error(`${lsu}/${image}/${name} has no body`);
    return Body;
  }
}
