/** Parts of an upload are sealed with the CRCs that came with their blocks, combined; they are not made anew. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { SlotBytes } from '../../workers/http/body.ts';
import { BlockCrcs } from '../../workers/s3/block-crcs.ts';
import { Bucket } from '../../workers/s3/bucket.ts';
import { ImageKeys } from '../../workers/s3/keys.ts';
import { Objects } from '../../workers/s3/objects.ts';
import { chunkBytes, Upload } from '../../workers/s3/upload.ts';
import { S3Server } from './server/server.ts';
import { aws, settingsOf } from './store-kit.ts';

/** As a digest lane makes them: of each piece between chunk borders of the image. */
function crcsOf(image: Buffer, from: number, to: number): BigUint64Array {
  const crcs: bigint[] = [];
  for (let at = from; at < to; ) {
    const end = Math.min((Math.floor(at / chunkBytes) + 1) * chunkBytes, to);
    crcs.push(addon.crcBytes(0n, image.subarray(at, end), end - at));
    at = end;
  }
  return BigUint64Array.from(crcs);
}

const mib = 1024 * 1024;
const key = 'lsu/image~1/image.data';

async function withUpload(work: (server: S3Server, upload: Upload) => Promise<void>): Promise<void> {
  await using server = await S3Server.start();
  const bucket = new Bucket(settingsOf(server, { retryMs: 0 }));
  try {
    await work(server, new Upload(new Objects(bucket, aws), new ImageKeys('', 'lsu', 'image~1'), {}));
  } finally {
    await bucket.close();
  }
}

/** Ends of blocks: parts by themselves, several in one part, inside and at the borders of chunks. */
const cuts: [name: string, ends: number[]][] = [
  ['of whole chunks', [6 * mib, 12 * mib, 17 * mib]],
  ['that end inside chunks', [6 * mib + 100, 13 * mib - 1, 18 * mib + 4097]],
  ['smaller than a part', [1, mib, 2 * mib + 7, 5 * mib - 1, 5 * mib + 3, 11 * mib]],
];

test.each(cuts)('an upload in blocks %s is taken with their CRCs', async (_, ends) => {
  await withUpload(async (server, upload) => {
    const image = randomBytes(ends.at(-1) ?? 0);
    let from = 0;
    for (const to of ends) {
      await upload.write(from, image.subarray(from, to), false, undefined, crcsOf(image, from, to));
      from = to;
    }
    await upload.complete(image.length);
    expect(server.bytes(key).equals(image)).toBe(true);
  });
});

test.each([
  ['of the block', 0, 8 * mib],
  ['of bytes that waited for it', 3 * mib, 8 * mib],
])('a part goes with the CRC that came with the bytes %s: a wrong one is refused', async (_, stashed, end) => {
  await withUpload(async (_server, upload) => {
    const image = randomBytes(end);
    const wrong = (from: number, to: number): BigUint64Array => {
      const crcs = crcsOf(image, from, to);
      crcs[1] = (crcs[1] ?? 0n) ^ 1n;
      return crcs;
    };
    if (stashed > 0) await upload.write(0, image.subarray(0, stashed), false, undefined, wrong(0, stashed));
    const crcs = stashed > 0 ? crcsOf(image, stashed, end) : wrong(0, end);
    const sent = upload.write(stashed, image.subarray(stashed), false, undefined, crcs);
    await expect(sent).rejects.toMatchObject({ failure: { step: 'UploadPart' } });
  });
});

test('a block whose memory is gone ends the upload, for those that wait behind it too; nothing of it is sent', async () => {
  await withUpload(async (server, upload) => {
    const length = 8 * mib + 100;
    const gone = new SlotBytes(-1, 0, length, () => {
      throw new Error('it is gone');
    });
    const parked = upload.write(length, randomBytes(mib), false);
    const outcomes = await Promise.allSettled([upload.write(0, gone, false), parked]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(server.requests).toEqual([]);
  });
});

test('CRCs of other bytes are none of the block', () => {
  expect(BlockCrcs.of(new BigUint64Array(2), 0, mib, mib)).toBeNull();
  expect(BlockCrcs.of(new BigUint64Array(1), mib - 1, 2, mib)).toBeNull();
  const crcs = BlockCrcs.of(new BigUint64Array(2), mib - 1, 2, mib);
  expect(crcs?.between(mib, mib + 1)).toBe(0n);
  expect(crcs?.between(mib - 1, mib + 1)).toBe(0n);
  const block = BlockCrcs.of(new BigUint64Array(2), 0, 2 * mib, mib);
  expect(block?.between(0, mib + 1)).toBeNull();
  expect(block?.between(1, mib)).toBeNull();
});
