/**
 * What lies in a store, judged from its files alone, without an engine: whether an image keeps what its meta promises,
 * and whether anything lies there that belongs to nobody.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeMeta, type ImageMeta } from '../../../engine/image/meta.ts';
import { imageDirName, lsuDirName } from '../../../engine/image/names.ts';
import { encodeSumsHeader, encodeSumsTail, sumsChunkBytes } from '../../../engine/image/sums.ts';
import { addon } from '../../../native/addon/index.ts';

const crc = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);

export interface Stored {
  meta: ImageMeta | null;
  /** As the file is: may be longer than the image while that is pending. */
  data: Buffer;
  /** What is wrong with it. */
  problems: string[];
}

function bytesOf(path: string): Buffer | null {
  return existsSync(path) ? readFileSync(path) : null;
}

/**
 * A complete image has exactly its bytes, sums and checksum; a pending one has at least what its meta calls durable, with
 * sums and SHA state that let a writer go on there.
 */
export function readStored(store: string, lsu: string, name: string, date: number): Stored {
  const dir = join(store, lsuDirName(lsu), imageDirName(name, date));
  const text = bytesOf(join(dir, 'image.meta'));
  const data = bytesOf(join(dir, 'image.data')) ?? Buffer.alloc(0);
  const decoded = text === null ? null : decodeMeta(text.toString('latin1'), crc);
  if (!decoded?.ok) {
    const why = decoded === null ? 'image.meta is missing' : `image.meta: ${decoded.field}: ${decoded.text}`;
    return { meta: null, data, problems: [why] };
  }
  const { meta } = decoded;
  const problems: string[] = [];
  const complete = meta.state === 'complete';
  if (meta.lsu !== lsu || meta.basename !== name || meta.date !== date) problems.push('the meta is of another image');
  if (complete ? data.length !== meta.size : data.length < meta.size) {
    problems.push(`image.data has ${data.length} bytes, the meta says ${meta.size}`);
  }
  const kept = data.subarray(0, meta.size);
  if (meta.sums !== null) problems.push(...sumsProblems(dir, meta, kept));
  if (complete && meta.checksumMode === 'sha256') {
    const found = createHash('sha256').update(kept).digest('hex');
    if (found !== meta.sha256) problems.push(`the checksum is ${meta.sha256}, the data's is ${found}`);
  }
  if (meta.shaState !== null) problems.push(...shaProblems(meta.shaState, kept));
  return { meta, data, problems };
}

function sumsProblems(dir: string, meta: ImageMeta, kept: Buffer): string[] {
  const problems: string[] = [];
  const whole = Math.floor(kept.length / sumsChunkBytes);
  const entries = new BigUint64Array(whole);
  for (let i = 0; i < whole; i++) entries[i] = crc(kept.subarray(i * sumsChunkBytes, (i + 1) * sumsChunkBytes));
  const rest = kept.subarray(whole * sumsChunkBytes);
  const bytes = new Uint8Array(entries.buffer);
  const header = encodeSumsHeader({ chunkBytes: sumsChunkBytes, imageId: meta.imageId }, crc);
  const complete = meta.state === 'complete';
  const tail = complete && rest.length > 0 ? encodeSumsTail(crc(rest), rest.length) : new Uint8Array(0);
  const expected = Buffer.concat([header, bytes, tail]);
  const found = bytesOf(join(dir, 'image.sums')) ?? Buffer.alloc(0);
  // The header stands in the meta too: a pending image's first sync of the sums is its first flush.
  const from = complete || meta.size > 0 ? 0 : expected.length;
  if (!found.subarray(from, expected.length).equals(expected.subarray(from))) problems.push('image.sums differ');
  if (complete && found.length !== expected.length) problems.push(`image.sums has ${found.length} bytes`);
  if (meta.sums?.crc64 !== crc(bytes)) problems.push('sums.crc64 is not that of the data');
  if (rest.length > 0 && meta.partial?.crc64 !== crc(rest)) problems.push('partial.crc64 is not that of the data');
  if (complete && meta.fragments[0]?.crc64 !== crc(kept))
    problems.push('crc64 of the fragment is not that of the data');
  return problems;
}

/** The digest that a saved state stands for is that of the bytes below its offset. */
function shaProblems(state: { offset: number; h: string }, kept: Buffer): string[] {
  const sha = addon.shaOpen();
  try {
    addon.shaRestore(sha, Buffer.from(state.h, 'hex'), state.offset);
    const found = Buffer.alloc(32);
    addon.shaDigest(sha, found);
    const expected = createHash('sha256').update(kept.subarray(0, state.offset)).digest();
    return found.equals(expected) ? [] : [`sha_state at ${state.offset} is not that of the data`];
  } finally {
    addon.shaClose(sha);
  }
}

const own = /^(image\.(data|meta|sums))$/;

/** Everything below a store that is no image, no LSU and no marker: temporaries, claims, trash, strangers. */
export function strangers(store: string): string[] {
  const found: string[] = [];
  for (const lsu of readdirSync(store, { withFileTypes: true, encoding: 'latin1' as 'utf8' })) {
    if (!lsu.isDirectory()) {
      if (lsu.name !== '.vast-ost-store') found.push(lsu.name);
      continue;
    }
    for (const entry of readdirSync(join(store, lsu.name), 'latin1')) {
      if (entry === '.lsu') continue;
      const path = `${lsu.name}/${entry}`;
      if (entry === '.trash') found.push(...namesIn(join(store, path)).map((name) => `${path}/${name}`));
      else if (entry.startsWith('.'))
        found.push(path); // a directory, or the label's temporary file
      else found.push(...namesIn(join(store, path)).flatMap((name) => (own.test(name) ? [] : [`${path}/${name}`])));
    }
  }
  return found;
}

/** Another process may take it away meanwhile. */
function namesIn(path: string): string[] {
  try {
    return readdirSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
