/** What the server keeps: objects and uploads in memory, their bytes in files of one directory. */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChecksumAlgorithm } from './options.ts';
import { SortedKeys } from './sorted-keys.ts';

/** Some of an object's bytes: a file, or, where a test planted few, a buffer. */
export interface Piece {
  path: string;
  size: number;
  bytes?: Buffer;
}

export interface Checksum {
  algorithm: ChecksumAlgorithm;
  /** Base64; a composite one ends in -N. */
  value: string;
  type: 'FULL_OBJECT' | 'COMPOSITE';
}

export interface StoredObject {
  readonly key: string;
  readonly pieces: readonly Piece[];
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
  /** content-type, x-amz-meta-* …: given back as they came. */
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum: Checksum | null;
  readonly partsCount: number;
}

export interface StoredPart {
  readonly part: number;
  readonly piece: Piece;
  readonly etag: string;
  readonly modifiedAt: number;
  /** crc64nvme of the bytes, where the server computes it. */
  readonly crc64: bigint | null;
  readonly checksum: { algorithm: ChecksumAlgorithm; value: string } | null;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly startedAt: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As CreateMultipartUpload asked for it. */
  readonly checksum: { algorithm: ChecksumAlgorithm; type: 'FULL_OBJECT' | 'COMPOSITE' } | null;
  readonly parts: Map<number, StoredPart>;
}

export class Bucket {
  readonly name: string;
  readonly objects = new Map<string, StoredObject>();
  readonly keys = new SortedKeys();
  readonly uploads = new Map<string, Upload>();
  /** Uploads that were completed, with the ETag of the answer: a second Complete asks for it. */
  readonly completed = new Map<string, { key: string; etag: string }>();
  constructor(name: string) {
    this.name = name;
  }
}

const completedMax = 10_000;

/** A test that times out never disposes its server: what is left then goes with the process. */
const dirs = new Set<string>();
process.once('exit', () => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

export class State implements Disposable {
  readonly buckets = new Map<string, Bucket>();
  readonly #dir = mkdtempSync(join(tmpdir(), 'vast-ost-s3-'));
  readonly #readers = new Map<StoredObject, number>();
  readonly #dropped = new Set<StoredObject>();
  #nextFile = 1;
  #nextUpload = 1;
  /** Bytes of all objects and parts. */
  bytes = 0;

  constructor(buckets: readonly string[]) {
    dirs.add(this.#dir);
    for (const name of buckets) this.buckets.set(name, new Bucket(name));
  }

  newPath(): string {
    return join(this.#dir, String(this.#nextFile++));
  }

  put(bucket: Bucket, object: StoredObject): void {
    this.remove(bucket, object.key);
    bucket.objects.set(object.key, object);
    bucket.keys.add(object.key);
    this.bytes += object.size;
  }

  remove(bucket: Bucket, key: string): boolean {
    const object = bucket.objects.get(key);
    if (object === undefined) return false;
    bucket.objects.delete(key);
    bucket.keys.delete(key);
    this.bytes -= object.size;
    if (this.#readers.has(object)) this.#dropped.add(object);
    else this.drop(object.pieces);
    return true;
  }

  newUpload(bucket: Bucket, upload: Omit<Upload, 'id' | 'parts'>): Upload {
    // Ids sort as the uploads began: a list goes on behind one that has gone meanwhile.
    const id = `${String(this.#nextUpload++).padStart(10, '0')}.${randomBytes(12).toString('hex')}`;
    const made: Upload = { ...upload, id, parts: new Map() };
    bucket.uploads.set(made.id, made);
    return made;
  }

  putPart(upload: Upload, part: StoredPart): void {
    const before = upload.parts.get(part.part);
    upload.parts.set(part.part, part);
    this.bytes += part.piece.size;
    if (before !== undefined) {
      this.bytes -= before.piece.size;
      this.drop([before.piece]);
    }
  }

  /** Ends an upload; the pieces in `kept` now belong to an object, the others go. */
  endUpload(bucket: Bucket, upload: Upload, kept: ReadonlySet<Piece>): void {
    bucket.uploads.delete(upload.id);
    for (const { piece } of upload.parts.values()) {
      this.bytes -= piece.size;
      if (!kept.has(piece)) this.drop([piece]);
    }
  }

  remember(bucket: Bucket, id: string, key: string, etag: string): void {
    bucket.completed.set(id, { key, etag });
    if (bucket.completed.size > completedMax) bucket.completed.delete(bucket.completed.keys().next().value!);
  }

  drop(pieces: readonly Piece[]): void {
    for (const piece of pieces) if (piece.bytes === undefined) unlinkSync(piece.path);
  }

  /** While it is held, the object's files stay, though it may be deleted or overwritten. */
  hold(object: StoredObject): Disposable {
    this.#readers.set(object, (this.#readers.get(object) ?? 0) + 1);
    return { [Symbol.dispose]: () => this.#release(object) };
  }

  #release(object: StoredObject): void {
    const readers = this.#readers.get(object)! - 1;
    if (readers > 0) {
      this.#readers.set(object, readers);
      return;
    }
    this.#readers.delete(object);
    if (this.#dropped.delete(object)) this.drop(object.pieces);
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
    dirs.delete(this.#dir);
  }
}

const inlineBytesMax = 4096;

/** A hundred thousand small files would take seconds: small pieces stay in memory. */
export function makePiece(newPath: () => string, bytes: Uint8Array): Piece {
  if (bytes.length <= inlineBytesMax) return { path: '', size: bytes.length, bytes: Buffer.from(bytes) };
  const path = newPath();
  writeFileSync(path, bytes, { flag: 'wx' });
  return { path, size: bytes.length };
}

/** The bytes [start, end) of an object, in pieces of at most `bytesMax`. The yielded buffer is used again. */
export function* readPieces(pieces: readonly Piece[], start: number, end: number, bytesMax: number): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(bytesMax, end - start)));
  let pieceStart = 0;
  for (const piece of pieces) {
    const from = Math.max(start, pieceStart);
    const to = Math.min(end, pieceStart + piece.size);
    if (from < to && piece.bytes !== undefined) {
      // A copy: who gets it may change it.
      yield Buffer.from(piece.bytes.subarray(from - pieceStart, to - pieceStart));
    } else if (from < to) {
      yield* readFile(piece.path, from - pieceStart, to - pieceStart, buffer);
    }
    pieceStart += piece.size;
  }
}

function* readFile(path: string, start: number, end: number, buffer: Buffer): Generator<Buffer> {
  const file = openSync(path, 'r');
  try {
    for (let at = start; at < end; ) {
      const count = readSync(file, buffer, 0, Math.min(buffer.length, end - at), at);
      if (count === 0) throw new Error(`${path} ends at ${at}, before ${end}`);
      at += count;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(file);
  }
}

/** Flips one bit of what is stored; digests and ETags stay as they were: storage that lies. */
export function flipStored(object: StoredObject, offset: number, bit: number): void {
  let start = 0;
  for (const piece of object.pieces) {
    if (offset < start + piece.size) {
      if (piece.bytes !== undefined) {
        piece.bytes[offset - start]! ^= 1 << bit;
        return;
      }
      const file = openSync(piece.path, 'r+');
      try {
        const byte = Buffer.alloc(1);
        readSync(file, byte, 0, 1, offset - start);
        byte[0]! ^= 1 << bit;
        writeSync(file, byte, 0, 1, offset - start);
      } finally {
        closeSync(file);
      }
      return;
    }
    start += piece.size;
  }
  throw new RangeError(`object ${object.key} has ${object.size} bytes, none at ${offset}`);
}
