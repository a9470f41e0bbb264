/**
 * One data object of an image that is being written: the parts of its upload, which is made only when there is a part
 * for it, or one PUT; then the object.
 */
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { assert } from '../../engine/core/assert.ts';
import { errno } from '../../engine/core/errors.ts';
import type { Integrity } from '../../engine/core/passport.ts';
import type { Labels } from '../../engine/core/store.ts';
import { addon } from '../../native/addon/index.ts';
import { lengthOf, type Piece } from '../http/body.ts';
import { storeErrno } from '../store.ts';
import type { Tally } from './bucket.ts';
import { failed } from './failures.ts';
import type { ImageKeys } from './keys.ts';
import { isErrno, type Objects } from './objects.ts';
import { crcText, seal } from './seal.ts';
import { encodeRecord, type Part, type Span } from './upload-record.ts';

/** What is there of it when the image is opened. */
export interface FragmentStart {
  readonly n: number;
  /** Of its first byte in the image. */
  readonly start: number;
  readonly uploadId: string | null;
  readonly parts: readonly Part[];
  /** Number of the next part. */
  readonly next: number;
  readonly spans: readonly Span[];
  /** Its object is there, of so many bytes; null: not yet. */
  readonly object: number | null;
  /** The upload was begun with CRC-64/NVME: its parts carry theirs. */
  readonly withCrc: boolean;
  /** ETag of an object that is there already, and is not the one that this upload makes. */
  readonly replaces?: string;
}

export function freshFragment(n: number, start: number): FragmentStart {
  return {
    n,
    start,
    uploadId: null,
    parts: [],
    next: 1,
    spans: [{ first: 1, last: null }],
    object: null,
    withCrc: false,
  };
}

/** One for a resume's copies takes the same checksums: parts that are sent go into it too. */
export async function beginUpload(
  objects: Objects,
  key: string,
  labels: Labels,
): Promise<{ uploadId: string; withCrc: boolean }> {
  const { bucket } = objects;
  let withCrc = false;
  const { UploadId = '' } = await objects.adapted((generation) => {
    withCrc = beginsWithCrc(objects);
    const command = new CreateMultipartUploadCommand({
      Bucket: bucket.name,
      Key: key,
      ...objects.labelled(labels),
      ...(withCrc ? { ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'FULL_OBJECT' } : {}),
    });
    return bucket.send(command, {}, { generation });
  });
  if (UploadId === '') failed('CreateMultipartUpload', key, errno.EPROTO);
  return { uploadId: UploadId, withCrc };
}

function beginsWithCrc({ abilities }: Objects): boolean {
  return abilities.integrity === 'crc64nvme';
}

export class FragmentUpload {
  readonly n: number;
  readonly start: number;
  readonly #objects: Objects;
  readonly #keys: ImageKeys;
  readonly #labels: Labels;
  readonly #spans: readonly Span[];
  readonly #replaces: string | null;
  #parts: Part[];
  #uploadId: Promise<string> | null;
  #withCrc: boolean;
  #next: number;
  #size: number;
  #isDone: boolean;
  #completing: Promise<void> | null = null;

  constructor(objects: Objects, keys: ImageKeys, labels: Labels, from: FragmentStart) {
    this.n = from.n;
    this.start = from.start;
    this.#objects = objects;
    this.#keys = keys;
    this.#labels = labels;
    this.#spans = from.spans;
    this.#replaces = from.replaces ?? null;
    this.#parts = [...from.parts];
    this.#uploadId = from.uploadId === null ? null : Promise.resolve(from.uploadId);
    this.#withCrc = from.withCrc;
    this.#next = from.next;
    this.#isDone = from.object !== null;
    this.#size = from.object ?? this.#parts.reduce((sum, { size }) => sum + size, 0);
  }

  /** Where its bytes end in the image, sent or on their way. */
  get end(): number {
    return this.start + this.#size;
  }
  /** It takes another part. */
  get hasRoom(): boolean {
    return !this.#isDone && this.#next <= this.#objects.abilities.partsMax;
  }
  /** Nothing of it is at the endpoint, not even an upload. */
  get isFresh(): boolean {
    return this.#size === 0 && this.#uploadId === null && !this.#isDone;
  }
  /** Its object is there. */
  get isDone(): boolean {
    return this.#isDone;
  }
  /** Of the request that makes the object; null: there is none under way. */
  get completing(): Promise<void> | null {
    return this.#completing;
  }

  /** Everything of it below `size` of the image is kept by the endpoint, and nothing of it is in between. */
  isKept(size: number): boolean {
    if (size >= this.end && this.#isDone) return true;
    const last = this.#parts.findLast((part) => part.offset + part.size <= size && part.etag !== '');
    return last !== undefined && last.offset + last.size === Math.min(size, this.end);
  }

  /** The next part; numbers and offsets are given at once. `known`: its CRC, or null. Throws StoreError. */
  async send(bytes: readonly Piece[], known: bigint | null, tally?: Tally): Promise<void> {
    assert(this.hasRoom, 'a part is sent where there is room');
    const { bucket } = this.#objects;
    const key = this.#keys.fragment(this.n);
    const number = this.#next++;
    const part: Part = { number, offset: this.end, size: lengthOf(bytes), etag: '', crc: null };
    this.#parts.push(part);
    this.#size += part.size;
    this.#uploadId ??= this.#create();
    await this.#objects.adapted(async (generation) => {
      const [{ input, payloadSha256, crc }, uploadId] = await Promise.all([
        seal(this.#way, bytes, known),
        this.#uploadId,
      ]);
      const { ETag = '' } = await bucket.send(
        new UploadPartCommand({
          Bucket: bucket.name,
          Key: key,
          UploadId: uploadId ?? '',
          PartNumber: number,
          ...input,
        }),
        { body: bytes, payloadSha256 },
        { part: number, tally, generation },
      );
      part.etag = ETag;
      part.crc = crc;
    });
  }

  /**
   * How a part is protected. Endpoints take a checksum only in an upload that was begun with it; where they check it no
   * more, the part is signed, or what else they check, and the object has no checksum of its own.
   */
  get #way(): Integrity {
    const { integrity, withoutCrc } = this.#objects.abilities;
    return this.#withCrc ? integrity : withoutCrc;
  }

  /** All of it at once, without parts. Throws StoreError. */
  async put(bytes: readonly Piece[], tally?: Tally): Promise<void> {
    assert(this.isFresh, 'an object that has parts is not put');
    this.#size = lengthOf(bytes);
    try {
      await this.#objects.put(this.#keys.fragment(this.n), bytes, this.#labels, tally);
      this.#isDone = true;
    } catch (error) {
      this.#size = 0;
      throw error;
    }
  }

  /** Makes the object of the parts, all of which have come; once, whoever asks. Throws StoreError. */
  complete(): Promise<void> {
    if (this.#isDone) return Promise.resolve();
    this.#completing ??= this.#complete().finally(() => {
      this.#completing = null;
    });
    return this.#completing;
  }

  /** The record comes before the first part: from then on whoever resumes the image finds them. */
  async #create(): Promise<string> {
    // Parts are sealed meanwhile; those that were sealed another way are refused by their generation, and sealed anew.
    this.#withCrc = beginsWithCrc(this.#objects);
    const { uploadId, withCrc } = await beginUpload(this.#objects, this.#keys.fragment(this.n), this.#labels);
    this.#withCrc = withCrc;
    await this.#objects.put(this.#keys.record(this.n), [encodeRecord({ uploadId, spans: this.#spans })]);
    return uploadId;
  }

  async #complete(): Promise<void> {
    const { bucket } = this.#objects;
    const key = this.#keys.fragment(this.n);
    const size = this.#size;
    assert(this.#uploadId !== null, 'an object is made of parts');
    const uploadId = await this.#uploadId;
    try {
      await this.#objects.adapted((generation) => bucket.send(this.#completion(uploadId), {}, { generation }));
    } catch (error) {
      // An earlier try may have done it, its answer lost: then the object is there, of this size and so many parts,
      // and is not the one that was there before.
      if (!isErrno(error, errno.ENOENT)) throw error;
      const there = await this.#objects.head(key);
      if (there?.size !== size || there.etag === this.#replaces || !this.#isOurs(there.etag)) throw error;
    }
    const there = await this.#objects.head(key);
    if (there?.size !== size) failed('size', key, storeErrno.sizeDiffers);
    this.#isDone = true;
    // Ten thousand of them a fragment are not carried along to the end of the image.
    this.#parts = [];
  }

  #completion(uploadId: string): CompleteMultipartUploadCommand {
    const { bucket, abilities } = this.#objects;
    // Where the endpoints check none, they might refuse it.
    const withCrcs = abilities.integrity === 'crc64nvme';
    const crc = withCrcs && abilities.objectCrc ? this.#crc() : null;
    return new CompleteMultipartUploadCommand({
      Bucket: bucket.name,
      Key: this.#keys.fragment(this.n),
      UploadId: uploadId,
      ...(crc === null ? {} : { ChecksumCRC64NVME: crcText(crc), ChecksumType: 'FULL_OBJECT' }),
      MultipartUpload: {
        Parts: this.#parts.map(({ number, etag, crc: own }) => ({
          PartNumber: number,
          ETag: etag,
          ...(own === null || !withCrcs ? {} : { ChecksumCRC64NVME: crcText(own) }),
        })),
      },
    });
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
}
