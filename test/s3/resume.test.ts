/** What was durable in a bucket is found again, whatever the writers before left behind. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeRecord } from '../../workers/s3/upload-record.ts';
import { type AnyKit, lsu } from '../contract/store-kit.ts';
import { S3Server } from './server/server.ts';
import { bucketKit } from './store-kit.ts';

const mib = 1024 * 1024;
const token = '0'.repeat(32);

let server: S3Server;
beforeAll(async () => {
  server = await S3Server.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 4) bytes.writeUInt32LE((seed + i * 2_654_435_761) >>> 0, i);
  return bytes;
}

/** One image through the store's steps, as an engine takes them. */
class Image {
  readonly #kit: AnyKit;
  readonly name: string;
  #files = { data: -1, sums: -1, dir: -1, align: 1 };

  constructor(kit: AnyKit, name: string) {
    this.#kit = kit;
    this.name = name;
  }

  async create(): Promise<void> {
    const claim = `claim of ${this.name}`;
    this.#files = await this.#kit.store.createImage({ ...this.#at, token, meta: meta(0), claim, sumsHeader: null });
  }
  async reopen(size: number): Promise<void> {
    const how = { data: 'image.data', sums: false, size, wholeChunks: 0 };
    this.#files = await this.#kit.store.reopenImage({ ...this.#at, ...how });
  }
  async write(bytes: Uint8Array, offset: number): Promise<void> {
    await this.#kit.payload?.write(this.#files.data, bytes, offset);
  }
  async flush(size: number): Promise<void> {
    await this.#kit.store.flushImage({ ...this.#step, meta: meta(size), size });
  }
  async commit(size: number): Promise<void> {
    const claim = { claim: `claim of ${this.name}`, claimN: 1 };
    await this.#kit.store.commitImage({ ...this.#step, meta: meta(size), size, ...claim });
  }
  /** As when its engine dies: nothing more is done for it. */
  async drop(): Promise<void> {
    await this.#kit.store.closeFiles({ files: [this.#files.data] });
  }

  get #at() {
    return { lsu, image: this.name };
  }
  get #step() {
    return { ...this.#at, files: this.#files, token, sumsAt: -1, crcs: '' };
  }
}

function meta(size: number): string {
  return `{"size":${size}}\n`;
}
function keyOf(name: string, object: string): string {
  const found = server.keys().find((key) => key.endsWith(`/${lsu}/${name}/${object}`));
  if (found === undefined) throw new Error(`there is no ${object}`);
  return found;
}

test('an upload that was given up is not looked for when little was durable after it', async () => {
  await using kit = await bucketKit(server);
  const image = new Image(kit, 'begun-anew~1');
  await image.create();
  await image.write(bytesOf(8 * mib, 1), 0);
  await image.drop();
  await image.reopen(0);
  const small = bytesOf(mib, 2);
  await image.write(small, 0);
  await image.flush(mib);
  await image.drop();
  await image.reopen(mib);
  await image.commit(mib);
  expect(server.bytes(keyOf(image.name, 'image.data'))).toEqual(small);
});

/** 8 MiB durable in a part, and `more` bytes behind them: in the object that was completed, its meta put in vain. */
async function completedInVain(image: Image, durable: Buffer, more: Buffer): Promise<void> {
  await image.create();
  const part = durable.subarray(0, 8 * mib);
  await image.write(part, 0);
  if (durable.length > part.length) await image.write(durable.subarray(part.length), part.length);
  await image.flush(durable.length);
  await image.write(more, durable.length);
  server.faults.add({
    match: { op: 'PutObject', key: `*/${image.name}/image.meta`, count: 1 },
    action: { do: 'answer', status: 403, code: 'AccessDenied' },
  });
  await expect(image.commit(durable.length + more.length)).rejects.toThrow();
  expect(server.uploads()).toEqual([]);
  await image.drop();
}

test('an image whose object was completed in vain is gone on with twice', async () => {
  await using kit = await bucketKit(server);
  const image = new Image(kit, 'twice~1');
  const durable = bytesOf(11 * mib + 5000, 3);
  await completedInVain(image, durable, bytesOf(7 * mib, 4));
  await image.reopen(durable.length);
  await image.drop();
  await image.reopen(durable.length);
  const rest = bytesOf(6 * mib, 5);
  await image.write(rest, durable.length);
  await image.commit(durable.length + rest.length);
  expect(server.bytes(keyOf(image.name, 'image.data')).equals(Buffer.concat([durable, rest]))).toBe(true);
});

test('the object that a resume replaces is not taken for its own', async () => {
  await using kit = await bucketKit(server);
  const image = new Image(kit, 'replaced~1');
  const durable = bytesOf(8 * mib, 6);
  await completedInVain(image, durable, bytesOf(8 * mib, 7));
  await image.reopen(durable.length);
  await image.write(bytesOf(8 * mib, 8), durable.length);
  server.faults.add({
    match: { op: 'CompleteMultipartUpload', count: 1 },
    action: { do: 'answer', status: 404, code: 'NoSuchUpload' },
  });
  await expect(image.commit(16 * mib)).rejects.toMatchObject({
    failure: { text: expect.stringContaining('NoSuchUpload') },
  });
  await image.drop();
});

test('an upload outlives a record that cannot be found once', async () => {
  await using kit = await bucketKit(server);
  const image = new Image(kit, 'hidden~1');
  const bytes = bytesOf(8 * mib, 9);
  await image.create();
  await image.write(bytes, 0);
  await image.flush(bytes.length);
  await image.drop();
  server.faults.add({
    match: { op: 'GetObject', key: '*/.upload', count: 1 },
    action: { do: 'answer', status: 404, code: 'NoSuchKey' },
  });
  await expect(image.reopen(bytes.length)).rejects.toThrow();
  await image.reopen(bytes.length);
  await image.commit(bytes.length);
  expect(server.bytes(keyOf(image.name, 'image.data')).equals(bytes)).toBe(true);
});

test('numbers that a writer may have given to parts on their way are not given again, though none has come', async () => {
  await using kit = await bucketKit(server);
  const image = new Image(kit, 'late~1');
  const bytes = bytesOf(8 * mib, 10);
  await image.create();
  await image.write(bytes, 0);
  await image.flush(bytes.length);
  await image.drop();
  const first = async (): Promise<number> => {
    await image.reopen(bytes.length);
    await image.drop();
    const { spans } = decodeRecord(server.bytes(keyOf(image.name, '.upload'))) ?? { spans: [] };
    return spans.at(-1)?.first ?? 0;
  };
  const before = await first();
  expect(await first()).toBeGreaterThanOrEqual(before + 16);
});
