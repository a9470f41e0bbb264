/** Who removes an image, while others remove or make one of the same name: an image made anew loses no object. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { isErrno } from '../../workers/s3/objects.ts';
import type { S3Store } from '../../workers/s3/s3-store.ts';
import { lsu, marker } from '../contract/store-kit.ts';
import { S3Server } from './server/server.ts';
import { settingsOf, storeOver } from './store-kit.ts';

/** Two engines on two machines. */
const here = `${'1'.repeat(32)}_aa_bb_1_10_100`;
const there = `${'2'.repeat(32)}_cc_dd_1_10_100`;
const path = { lsu, image: 'again~1' };
const dir = `${lsu}/again~1/`;

let server: S3Server;
let stores: S3Store[];
beforeAll(async () => {
  server = await S3Server.start();
  stores = [storeOver(settingsOf(server)), storeOver(settingsOf(server))];
  const [first] = stores as [S3Store];
  await first.initRoot({ root: '', text: marker });
  for (const store of stores) await store.openRoot({ root: '', requireMount: false, direct: false });
  await first.makeLsu({ lsu, text: '{}' });
});
afterAll(async () => {
  for (const store of stores) await store.close();
  await server[Symbol.asyncDispose]();
});

async function complete(store: S3Store, token: string, text: string): Promise<void> {
  const files = await store.createImage({ ...path, token, meta: '{}', claim: `claim ${text}`, sumsHeader: null });
  const open = store.files.get(files.data);
  if (open?.kind !== 'pendingData') throw new Error('no image that is being written');
  await open.pending.upload.write(0, Buffer.from(text), false);
  const [claim, meta] = [`claim ${text}`, `{"state":"complete","of":"${text}"}`];
  await store.commitImage({ ...path, files, token, meta, sumsAt: -1, crcs: '', size: text.length, claim, claimN: 1 });
}

const busy = (error: unknown): boolean => isErrno(error, errno.EBUSY);

test('while one engine removes an image another makes none of its name, nor removes it too', async () => {
  const [a, b] = stores as [S3Store, S3Store];
  await complete(a, here, 'old');
  const held = server.faults.add({
    match: { op: 'DeleteObject', key: '*/image.data', count: 1 },
    action: { do: 'stall', at: 'read' },
  });
  const removal = a.removeImage({ ...path, token: here });
  await held.stalled();
  expect(busy(await complete(b, there, 'new').catch((error) => error))).toBe(true);
  expect(busy(await b.removeImage({ ...path, token: there }).catch((error) => error))).toBe(true);
  held.release();
  await removal;
  await complete(b, there, 'new');
  expect(server.keys().filter((key) => key.startsWith(dir))).toEqual([`${dir}image.data`, `${dir}image.meta`]);
  await b.removeImage({ ...path, token: there });
});

test('a removal that comes late takes nothing of the image that was made meanwhile', async () => {
  const [a, b] = stores as [S3Store, S3Store];
  await complete(a, here, 'old');
  const held = server.faults.add({
    match: { op: 'PutObject', key: '*/.deleted', count: 1 },
    action: { do: 'stall', at: 'read' },
  });
  const late = a.removeImage({ ...path, token: here }).catch((error) => error);
  await held.stalled();
  await b.removeImage({ ...path, token: there });
  await complete(b, there, 'new');
  held.release();
  expect(busy(await late)).toBe(true);
  expect(server.bytes(`${dir}image.data`).toString()).toBe('new');
  expect(server.bytes(`${dir}image.meta`).toString()).toContain('new');
  expect(server.keys().filter((key) => key.startsWith(dir))).toEqual([`${dir}image.data`, `${dir}image.meta`]);
  await b.removeImage({ ...path, token: there });
});

test('what an engine could not remove to the end it finishes when the name comes again', async () => {
  const [a] = stores as [S3Store];
  await complete(a, here, 'old');
  server.faults.add({
    match: { op: 'DeleteObject', key: '*/image.data', count: 1 },
    action: { do: 'answer', status: 403, code: 'AccessDenied' },
  });
  await expect(a.removeImage({ ...path, token: here })).rejects.toThrow();
  await complete(a, here, 'new');
  expect(server.keys().filter((key) => key.startsWith(dir))).toEqual([`${dir}image.data`, `${dir}image.meta`]);
});
