/**
 * The bytes of one image that is being written: parts straight from the slots, one after the other in the image, several
 * under way at once.
 *
 *   write ─► its turn ─► [stash + block] ─┬─► part, up to the last chunk border ─► UploadPart
 *                                         └─► the rest waits in the stash for the next block, a flush or the end
 *
 * An upload of several parts is made only when there is a part for it. A part ends where a chunk ends, so that the chunk
 * in which a durable size lies can always be read back: it is in the stash.
 */
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { assert } from '../../engine/core/assert.ts';
import { errno } from '../../engine/core/errors.ts';
import { partEnd } from '../../engine/core/parts.ts';
import type { Labels } from '../../engine/core/store.ts';
import { addon } from '../../native/addon/index.ts';
import { type StoreError, storeErrno } from '../store.ts';
import type { Tally } from './bucket.ts';
import { failed } from './failures.ts';
import type { ImageKeys } from './keys.ts';
import { isErrno, type Objects } from './objects.ts';
import { crcText, lengthOf } from './seal.ts';
import { Stash } from './stash.ts';
import { encodeRecord, type Part, type Span } from './upload-record.ts';

export const chunkBytes = 1024 * 1024;
/** Blocks that wait for the one in front of them. */
const parkedMax = 64;

/** What is there when an image is opened: nothing for a new one. */
export interface UploadStart {
  uploadId: string | null;
  parts: Part[];
  /** Number of the next part. */
  next: number;
  spans: readonly Span[];
  /** Bytes behind the parts. */
  tail: Uint8Array;
  /** ETag of an object that is there already, and is not the one that this upload makes. */
  replaces?: string;
}

export const nothingYet: UploadStart = {
  uploadId: null,
  parts: [],
  next: 1,
  spans: [{ first: 1, last: null }],
  tail: new Uint8Array(0),
};

/** One for a resume's copies takes the same checksums: parts that are sent go into it too. */
export async function beginUpload(objects: Objects, keys: ImageKeys, labels: Labels): Promise<string> {
  const { bucket, abilities } = objects;
  const withCrc = abilities.integrity === 'crc64nvme';
  const { UploadId = '' } = await bucket.send(
    new CreateMultipartUploadCommand({
      Bucket: bucket.name,
      Key: keys.data,
      ...objects.labelled(labels),
      ...(withCrc ? { ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'FULL_OBJECT' } : {}),
    }),
  );
  if (UploadId === '') failed('CreateMultipartUpload', keys.data, errno.EPROTO);
  return UploadId;
}

export class Upload {
  readonly keys: ImageKeys;
  readonly #objects: Objects;
  readonly #labels: Labels;
  readonly #parts: Part[];
  readonly #spans: readonly Span[];
  readonly #replaces: string | null;
  readonly #stash = new Stash();
  readonly #parked = new Map<number, PromiseWithResolvers<void>>();
  readonly #underWay = new Set<Promise<unknown>>();
  #uploadId: Promise<string> | null;
  #next: number;
  /** Bytes that are in parts, sent or on their way. */
  #start: number;
  #failure: unknown = null;
  /** The image was sent as one object. */
  #whole = false;

  constructor(objects: Objects, keys: ImageKeys, labels: Labels, from: UploadStart = nothingYet) {
    this.#objects = objects;
    this.keys = keys;
    this.#labels = labels;
    this.#parts = [...from.parts];
    this.#spans = from.spans;
    this.#replaces = from.replaces ?? null;
    this.#next = from.next;
    this.#uploadId = from.uploadId === null ? null : Promise.resolve(from.uploadId);
    this.#start = this.#parts.reduce((sum, { size }) => sum + size, 0);
    this.#stash.add(from.tail);
  }

  /** Bytes that were taken so far, from the image's begin. */
  get end(): number {
    return this.#start + this.#stash.length;
  }
  /** Bytes below are in parts: they cannot be read back before the image is complete. */
  get start(): number {
    return this.#start;
  }

  /** Bytes of the stash, copied; null: not all of them are there. */
  read(offset: number, length: number): Buffer | null {
    if (offset < this.#start || offset + length > this.end) return null;
    return this.#stash.slice(offset - this.#start, length);
  }

  /**
   * Takes the bytes of one block, in their order; resolves when they are at the endpoint or in the stash, and `bytes` is
   * not needed any more. `sole`: nothing follows. Throws StoreError; then the upload is at its end.
   */
  async write(offset: number, bytes: Uint8Array, sole: boolean, tally?: Tally): Promise<void> {
    if (offset > this.end) await this.#turn(offset);
    this.#check();
    if (offset !== this.end || this.#whole) failed('UploadPart', this.keys.data, errno.EINVAL);
    await this.#track(this.#take(bytes, sole, tally));
  }

  /** Everything below `size` is kept by the endpoint when this resolves; a tail that is in no part in an object of its own. */
  async flush(size: number): Promise<void> {
    this.#check();
    // As it stands now: what is written meanwhile belongs to a later flush.
    const tail = size === this.end ? this.#stash.bytes : [];
    if (size === this.end) await this.#settled();
    else {
      const kept = this.#parts.findLast((part) => part.offset + part.size <= size && part.etag !== '');
      assert(kept !== undefined && kept.offset + kept.size === size, 'a flush ends at the last byte, or with a part');
    }
    if (tail.length > 0) await this.#objects.put(this.keys.tail(size), tail);
  }

  /** Makes the object. Throws StoreError. */
  async complete(size: number): Promise<void> {
    await this.#settled();
    if (size !== this.end) failed('size', this.keys.data, storeErrno.sizeDiffers);
    if (this.#whole) return;
    if (this.#uploadId === null) {
      await this.#objects.put(this.keys.data, this.#stash.take(), this.#labels);
      this.#start = size;
      this.#whole = true;
      return;
    }
    if (this.#stash.length > 0) {
      const bytes = this.#stash.take();
      await this.#track(this.#send(bytes));
    }
    await this.#complete(await this.#uploadId, size);
  }

  /** Lets go of blocks that wait; nothing of the upload is undone. */
  close(): void {
    this.#fail(this.#failure ?? new Error('the image is closed'));
  }

  #take(bytes: Uint8Array, sole: boolean, tally: Tally | undefined): Promise<void> {
    const end = this.end + bytes.length;
    if (sole && this.end === 0) {
      this.#start = end;
      this.#whole = true;
      return this.#objects.put(this.keys.data, [bytes], this.#labels, tally).then(() => {});
    }
    const border = partEnd(this.#start, end);
    if (border === this.#start) {
      this.#stash.add(bytes);
      this.#wake();
      return Promise.resolve();
    }
    const fromBytes = border - this.#start - this.#stash.length;
    const sent = this.#send([...this.#stash.take(), bytes.subarray(0, fromBytes)], tally);
    this.#stash.add(bytes.subarray(fromBytes));
    this.#wake();
    return sent;
  }

  /** Everything up to the first await happens at once: numbers and offsets are in order. */
  async #send(bytes: readonly Uint8Array[], tally?: Tally): Promise<void> {
    const { bucket, abilities } = this.#objects;
    const number = this.#next++;
    if (number > abilities.partsMax) {
      failed(
        `an object of ${abilities.partsMax} parts is full; raise part_size_mb: UploadPart`,
        this.keys.data,
        errno.EFBIG,
      );
    }
    const part: Part = { number, offset: this.#start, size: lengthOf(bytes), etag: '', crc: null };
    this.#parts.push(part);
    this.#start += part.size;
    this.#uploadId ??= this.#create();
    const [{ input, payloadSha256, crc }, uploadId] = await Promise.all([this.#objects.seal(bytes), this.#uploadId]);
    const { ETag = '' } = await bucket.send(
      new UploadPartCommand({
        Bucket: bucket.name,
        Key: this.keys.data,
        UploadId: uploadId,
        PartNumber: number,
        ...input,
      }),
      { body: bytes, payloadSha256 },
      { part: number, tally },
    );
    part.etag = ETag;
    part.crc = crc;
  }

  /** The record comes before the first part: from then on whoever resumes the image finds them. */
  async #create(): Promise<string> {
    const uploadId = await beginUpload(this.#objects, this.keys, this.#labels);
    await this.#objects.put(this.keys.upload, [encodeRecord({ uploadId, spans: this.#spans })]);
    return uploadId;
  }

  async #complete(uploadId: string, size: number): Promise<void> {
    const { bucket, abilities } = this.#objects;
    const crc = this.#crc();
    try {
      await bucket.send(
        new CompleteMultipartUploadCommand({
          Bucket: bucket.name,
          Key: this.keys.data,
          UploadId: uploadId,
          ...(crc === null || !abilities.objectCrc
            ? {}
            : { ChecksumCRC64NVME: crcText(crc), ChecksumType: 'FULL_OBJECT' }),
          MultipartUpload: {
            Parts: this.#parts.map(({ number, etag, crc: own }) => ({
              PartNumber: number,
              ETag: etag,
              ...(own === null ? {} : { ChecksumCRC64NVME: crcText(own) }),
            })),
          },
        }),
      );
    } catch (error) {
      // An earlier try may have done it, its answer lost: then the object is there, of this size and so many parts,
      // and is not the one that was there before.
      if (!isErrno(error, errno.ENOENT)) throw error;
      const there = await this.#objects.head(this.keys.data);
      if (there?.size !== size || there.etag === this.#replaces || !this.#isOurs(there.etag)) throw error;
    }
    const there = await this.#objects.head(this.keys.data);
    if (there?.size !== size) failed('size', this.keys.data, storeErrno.sizeDiffers);
  }

  /** The ETag of an object in parts ends with their number. Endpoints that make up other ones are believed the size. */
  #isOurs(etag: string): boolean {
    const parts = /-(\d+)"?$/.exec(etag)?.[1];
    return parts === undefined || Number(parts) === this.#parts.length;
  }

  /** Of the whole object; null where a part's is not known. */
  #crc(): bigint | null {
    let crc = 0n;
    for (const { crc: own, size } of this.#parts) {
      if (own === null) return null;
      crc = addon.crcCombine(crc, own, size);
    }
    return crc;
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits until the bytes before `offset` have been taken. */
  async #turn(offset: number): Promise<void> {
    if (this.#parked.has(offset) || this.#parked.size >= parkedMax) failed('UploadPart', this.keys.data, errno.EINVAL);
    const turn = Promise.withResolvers<void>();
    this.#parked.set(offset, turn);
    await turn.promise;
  }

  #wake(): void {
    const next = this.#parked.get(this.end);
    this.#parked.delete(this.end);
    next?.resolve();
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#underWay.add(work);
    try {
      await work;
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#underWay.delete(work);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error as StoreError;
    for (const turn of this.#parked.values()) turn.resolve();
    this.#parked.clear();
  }

  async #settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
    this.#check();
  }
}
