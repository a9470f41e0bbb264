/** A bucket's requests through the SDK, with the bytes beside it: straight out of an arena, straight into one. */
import { readFileSync } from 'node:fs';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { EndpointClient } from '../../workers/s3/endpoint-client.ts';
import { must } from '../support/addon-kit.ts';
import { caPath, S3Server, type StartOptions } from './server/server.ts';

const mib = 1 << 20;

/** An arena of seeded bytes, with views that are let go of at the end. */
class Slots implements Disposable {
  readonly id: number;
  readonly #views: Uint8Array[] = [];

  constructor(bytes: number, seed: number) {
    this.id = must(addon.arenaOpen(bytes));
    const content = Buffer.alloc(bytes);
    for (let i = 0; i < bytes; i++) content[i] = (i * 31 + (i >>> 11) * 7 + seed) & 0xff;
    addon.arenaPoke(this.id, 0, content);
  }

  view(offset: number, length: number): Uint8Array {
    const view = addon.arenaView(this.id, offset, length);
    if (typeof view === 'number') throw new Error(`no view: ${view}`);
    this.#views.push(view);
    return view;
  }

  bytes(offset: number, length: number): Buffer {
    const out = Buffer.alloc(length);
    must(addon.arenaPeek(this.id, offset, out));
    return out;
  }

  [Symbol.dispose](): void {
    for (const view of this.#views) addon.arenaDetach(view);
    addon.arenaClose(this.id);
  }
}

function crc64(...pieces: Uint8Array[]): string {
  let crc = 0n;
  for (const piece of pieces) crc = addon.crcBytes(crc, piece, piece.length);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(crc);
  return bytes.toString('base64');
}

function clientOf(server: S3Server, addressing: 'path' | 'virtual' = 'path'): EndpointClient {
  const url = new URL(server.url);
  return new EndpointClient(
    {
      protocol: url.protocol === 'https:' ? 'https' : 'http',
      host: addressing === 'virtual' ? 'localhost' : url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port),
    },
    {
      region: 'us-east-1',
      addressing,
      credentials: server.credentials,
      http: {
        connectMs: 5000,
        idleMs: 10_000,
        keptMs: 10_000,
        sliceBytes: 512 * 1024,
        connectionsMax: 4,
        waitersMax: 16,
        tls: { ca: readFileSync(caPath, 'utf8'), verify: true },
      },
    },
  );
}

const kinds: [name: string, options: StartOptions][] = [
  ['http', {}],
  ['https', { endpoints: [{ protocol: 'https' }] }],
];

describe.each(kinds)('%s', (_, options) => {
  test('a multipart upload from slots, and ranges of it back into slots', async () => {
    await using server = await S3Server.start(options);
    const client = clientOf(server);
    const at = { Bucket: server.bucket, Key: 'lsu/im~age=20~7/image.data' };
    using slots = new Slots(13 * mib, 1);
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'FULL_OBJECT' }),
    );
    // The first part in two pieces: a rest of before, and the slot behind it.
    const parts = [[slots.view(0, mib), slots.view(mib, 7 * mib)], [slots.view(8 * mib, 5 * mib)]];
    const sent = await Promise.all(
      parts.map(async (body, i) => {
        const command = new UploadPartCommand({
          ...at,
          UploadId,
          PartNumber: i + 1,
          ChecksumCRC64NVME: crc64(...body),
        });
        const { ETag } = await client.send(command, { body });
        return { PartNumber: i + 1, ETag, ChecksumCRC64NVME: crc64(...body) };
      }),
    );
    await client.send(
      new CompleteMultipartUploadCommand({
        ...at,
        UploadId,
        MultipartUpload: { Parts: sent },
        ChecksumType: 'FULL_OBJECT',
        ChecksumCRC64NVME: crc64(slots.bytes(0, 13 * mib)),
      }),
    );
    using back = new Slots(4 * mib, 9);
    const untouched = back.bytes(3 * mib, mib);
    const into = back.view(mib, 2 * mib);
    const range = `bytes=${7 * mib + 3}-${9 * mib + 2}`;
    const got = await client.send(new GetObjectCommand({ ...at, Range: range }), { into });
    expect(got.ContentRange).toBe(`bytes ${7 * mib + 3}-${9 * mib + 2}/${13 * mib}`);
    expect(back.bytes(mib, 2 * mib).equals(slots.bytes(7 * mib + 3, 2 * mib))).toBe(true);
    expect(back.bytes(3 * mib, mib).equals(untouched)).toBe(true);
    expect(server.requests.some(({ op }) => op === 'CompleteMultipartUpload')).toBe(true);
    await client.close();
  });

  test('a part whose bytes do not match their checksum is refused', async () => {
    await using server = await S3Server.start(options);
    const client = clientOf(server);
    using slots = new Slots(mib, 1);
    const body = [slots.view(0, mib)];
    const put = new PutObjectCommand({
      Bucket: server.bucket,
      Key: 'k',
      ChecksumCRC64NVME: crc64(slots.bytes(1, 100)),
    });
    await expect(client.send(put, { body })).rejects.toMatchObject({ name: 'BadDigest' });
    expect(server.keys()).toEqual([]);
    await client.close();
  });
});

test('bytes of a slot are never sent both unsigned and without a checksum', async () => {
  await using server = await S3Server.start();
  const client = clientOf(server);
  using slots = new Slots(mib, 1);
  const put = new PutObjectCommand({ Bucket: server.bucket, Key: 'k' });
  // Signed as an empty body: the server sees that it is none.
  await expect(client.send(put, { body: [slots.view(0, mib)] })).rejects.toMatchObject({
    name: 'XAmzContentSHA256Mismatch',
  });
  await client.close();
});

test.each(['path', 'virtual'] as const)('small objects and lists, addressed by %s', async (addressing) => {
  await using server = await S3Server.start();
  const client = clientOf(server, addressing);
  const at = { Bucket: server.bucket };
  for (const key of ['a b/x', "a b/=+'()*!~", 'a b/ü'])
    await client.send(new PutObjectCommand({ ...at, Key: key, Body: Buffer.from(key), IfNoneMatch: '*' }));
  const listed = await client.send(new ListObjectsV2Command({ ...at, Prefix: 'a b/' }));
  expect(listed.Contents?.map(({ Key }) => Key).toSorted()).toEqual(["a b/=+'()*!~", 'a b/x', 'a b/ü'].toSorted());
  await expect(
    client.send(new PutObjectCommand({ ...at, Key: 'a b/x', Body: Buffer.from('again'), IfNoneMatch: '*' })),
  ).rejects.toMatchObject({ name: 'PreconditionFailed' });
  const got = await client.send(new GetObjectCommand({ ...at, Key: 'a b/ü' }));
  expect(await got.Body?.transformToString()).toBe('a b/ü');
  await expect(client.send(new GetObjectCommand({ ...at, Key: 'nothing' }))).rejects.toMatchObject({
    name: 'NoSuchKey',
  });
  await client.close();
});
