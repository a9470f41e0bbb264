import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageMeta } from '../engine/image/meta.ts';
import { decodeSums, sumsChunkBytes, sumsEntryBytes, sumsOffset, wholeChunks } from '../engine/image/sums.ts';
import { findByArgument } from './image-argument.ts';
import { CliError, type CliIo, exitCode } from './io.ts';
import { loadCrc, openStore, type StoreChoice } from './storage-view.ts';

export interface CatOptions extends StoreChoice {
  readonly date?: string;
}

const entriesPerRead = 8192;

/**
 * The bytes of a complete image on standard output. Every chunk is verified before it goes out, the checksum at the end:
 * whatever ends with exit code 0 is the image.
 */
export async function catImage(lsu: string, image: string, options: CatOptions, io: CliIo): Promise<number> {
  const crc = await loadCrc();
  const { root } = openStore(options, io);
  const view = findByArgument(root, lsu, image, options.date, crc);
  const { meta } = view;
  if (!meta) throw new CliError(`the image is damaged: ${view.damage}`);
  if (meta.state !== 'complete') throw new CliError('the image is pending: only a complete image can be read');
  const hash = meta.sha256 === null ? null : createHash('sha256');
  const expect = meta.sums ? expectedSums(view.path, meta, meta.sums.chunkBytes) : null;
  let offset = 0;
  for (const chunk of chunks(view.path, meta)) {
    if (expect && expect.next().value !== crc(chunk)) {
      throw new CliError(`damaged: ${chunk.length} bytes at offset ${offset} do not match their sum`);
    }
    hash?.update(chunk);
    await io.out(chunk);
    offset += chunk.length;
  }
  if (hash && hash.digest('hex') !== meta.sha256) {
    throw new CliError(`damaged: all sums are right, but the whole does not match sha256:${meta.sha256}`);
  }
  return exitCode.ok;
}

/** The image's bytes in chunks, across its fragments; a fragment that is longer than the meta says is cut there. */
function* chunks(path: string, meta: ImageMeta): Generator<Uint8Array> {
  const chunkBytes = meta.sums?.chunkBytes ?? sumsChunkBytes;
  let chunk = Buffer.allocUnsafe(chunkBytes);
  let filled = 0;
  let offset = 0;
  for (const fragment of meta.fragments) {
    const file = openFragment(path, fragment.name, offset);
    try {
      for (let at = 0; at < fragment.size; ) {
        const wanted = Math.min(chunkBytes - filled, fragment.size - at);
        const got = readPiece(file, chunk, filled, wanted, at, offset);
        at += got;
        offset += got;
        filled += got;
        if (filled < chunkBytes) continue;
        yield chunk;
        // The one before may still be on its way out.
        chunk = Buffer.allocUnsafe(chunkBytes);
        filled = 0;
      }
    } finally {
      closeSync(file);
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

/** One CRC a chunk: whole ones from image.sums, the partial one from the meta, which has its own CRC. */
function* expectedSums(path: string, meta: ImageMeta, chunkBytes: number): Generator<bigint> {
  const whole = wholeChunks(meta.size, chunkBytes);
  if (whole > 0) {
    const file = openFragment(path, 'image.sums', 0);
    try {
      const bytes = Buffer.alloc(entriesPerRead * sumsEntryBytes);
      for (let first = 0; first < whole; first += entriesPerRead) {
        const count = Math.min(entriesPerRead, whole - first);
        const length = readSync(file, bytes, 0, count * sumsEntryBytes, sumsOffset(first));
        yield* decodeSums(bytes.subarray(0, length));
        if (length < count * sumsEntryBytes) {
          const chunk = first + Math.floor(length / sumsEntryBytes);
          throw new CliError(`damaged: image.sums ends before the sum of offset ${chunk * chunkBytes}`);
        }
      }
    } finally {
      closeSync(file);
    }
  }
  if (meta.partial) yield meta.partial.crc64;
}

function openFragment(path: string, name: string, offset: number): number {
  try {
    return openSync(join(path, name), 'r');
  } catch (error) {
    throw new CliError(`damaged at offset ${offset}: ${(error as Error).message}`);
  }
}

function readPiece(file: number, into: Buffer, begin: number, length: number, at: number, offset: number): number {
  let got: number;
  try {
    got = readSync(file, into, begin, length, at);
  } catch (error) {
    throw new CliError(`cannot be read at offset ${offset}: ${(error as Error).message}`);
  }
  if (got === 0) throw new CliError(`damaged: the data ends at offset ${offset}`);
  return got;
}
