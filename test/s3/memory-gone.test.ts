/** Memory of a body that cannot be shown to a connection: neither the endpoint's failure nor the network's. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, test, vi } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { addon } from '../../native/addon/index.ts';
import { SlotBytes } from '../../workers/http/body.ts';
import { Bucket } from '../../workers/s3/bucket.ts';
import { seal } from '../../workers/s3/seal.ts';
import { StoreError } from '../../workers/store.ts';
import { S3Server } from './server/server.ts';
import { settingsOf } from './store-kit.ts';

test.each([
  ['before anything is sent', 100_000, null],
  ['where no thread is to be had to send it', 2 << 20, -errno.EMFILE],
] as const)('is told as that, once, and no endpoint is blamed: %s', async (_, length, refused) => {
  await using server = await S3Server.start({});
  const wait = vi.fn(async () => {});
  const bucket = new Bucket(settingsOf(server), { now: () => performance.now(), wait, random: () => 0.5 });
  try {
    if (refused !== null) vi.spyOn(addon, 'sendSlot').mockReturnValue(refused);
    const gone = new StoreError({ errno: -errno.ENOMEM, step: 'memory', path: 'arena 7' });
    const slot = new SlotBytes(-7, 0, length, () => {
      throw gone;
    });
    const { input } = await seal('crc64nvme', [Buffer.alloc(length)]);
    const put = new PutObjectCommand({ Bucket: bucket.name, Key: 'lsu/image~7/image.data', ...input });
    await expect(bucket.send(put, { body: [slot] })).rejects.toBe(gone);
    expect(wait).not.toHaveBeenCalled();
    expect(bucket.status()).toMatchObject({ retries: 0, endpoints: [{ healthy: true, problem: '' }] });
    vi.restoreAllMocks();
    await bucket.send(put, { body: [Buffer.alloc(length)] });
  } finally {
    await bucket.close();
  }
});
