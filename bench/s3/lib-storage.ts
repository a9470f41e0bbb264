/**
 * A peer: the SDK's own upload manager and its plain download, in a process of its own.
 *
 *   lib-storage.ts put|get ENDPOINT BUCKET KEY FILE default|when_required
 */
import { createReadStream, createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

const [, , direction, endpoint, Bucket, Key, file = '', mode] = process.argv;
const client = new S3Client({
  endpoint,
  forcePathStyle: true,
  ...(mode === 'when_required'
    ? { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }
    : {}),
});
if (direction === 'put') {
  const Body = createReadStream(file, { highWaterMark: 1 << 20 });
  await new Upload({ client, params: { Bucket, Key, Body }, queueSize: 6, partSize: 64 << 20 }).done();
} else {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  await pipeline(Body as Readable, createWriteStream(file));
}
client.destroy();
