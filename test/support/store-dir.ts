/** Builds stores on disk by hand, byte for byte as docs/format.md says: what the command line reads without an engine. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeLsu } from '../../engine/image/lsu.ts';
import { encodeMarker } from '../../engine/image/marker.ts';
import { encodeMeta, type ImageMeta } from '../../engine/image/meta.ts';
import { imageDirName, lsuDirName } from '../../engine/image/names.ts';
import { encodeSums, encodeSumsHeader, encodeSumsTail, sumsChunkBytes } from '../../engine/image/sums.ts';
import { crc64 } from './crc64.ts';
import { exampleMeta } from './metas.ts';

/** By content: a test makes the same bytes into many images, and a CRC in plain TypeScript is slow. */
const known = new Map<string, bigint>();

function crcOfData(bytes: Buffer): bigint {
  const key = createHash('sha256').update(bytes).digest('latin1');
  const crc = known.get(key) ?? crc64(bytes);
  known.set(key, crc);
  return crc;
}

export function makeStore(root: string, lsus: readonly string[]): void {
  mkdirSync(root, { recursive: true });
  const marker = { storeId: '0123456789abcdef0123456789abcdef', createdAt: '2026-01-02T03:04:05.678Z' };
  writeFileSync(join(root, '.vast-ost-store'), encodeMarker(marker));
  for (const lsu of lsus) {
    const dir = join(root, lsuDirName(lsu));
    mkdirSync(dir);
    writeFileSync(join(dir, '.lsu'), encodeLsu({ lsu, label: '' }));
  }
}

/** Writes one image whose data is cut into fragments of these sizes; returns its directory. */
export function writeImage(
  root: string,
  data: Buffer,
  changes: Partial<ImageMeta> = {},
  cuts: readonly number[] = [data.length],
): string {
  const base = exampleMeta(changes);
  const dir = join(root, lsuDirName(base.lsu), imageDirName(base.basename, base.date));
  mkdirSync(dir, { recursive: true });
  const withSums = changes.sums !== null;
  const isComplete = base.state === 'complete';
  let at = 0;
  const fragments = cuts.map((size, i) => {
    const bytes = data.subarray(at, at + size);
    at += size;
    const name = i === 0 ? 'image.data' : `image.data.${String(i + 1).padStart(4, '0')}`;
    writeFileSync(join(dir, name), bytes);
    return { name, size, crc64: withSums && isComplete ? crcOfData(bytes) : null };
  });
  const crcs: bigint[] = [];
  for (let chunk = 0; chunk < data.length; chunk += sumsChunkBytes) {
    crcs.push(crcOfData(data.subarray(chunk, chunk + sumsChunkBytes)));
  }
  const partLength = data.length % sumsChunkBytes;
  const last = partLength > 0 ? crcs.pop() : undefined;
  const whole = encodeSums(crcs);
  const meta: ImageMeta = {
    ...base,
    size: data.length,
    fragments,
    sha256: isComplete && base.checksumMode === 'sha256' ? createHash('sha256').update(data).digest('hex') : null,
    sums: withSums ? { chunkBytes: sumsChunkBytes, crc64: crc64(whole) } : null,
    partial: withSums && last !== undefined ? { length: partLength, crc64: last } : null,
  };
  if (withSums) {
    const header = encodeSumsHeader({ chunkBytes: sumsChunkBytes, imageId: meta.imageId }, crc64);
    const tail = isComplete && last !== undefined ? encodeSumsTail(last, partLength) : new Uint8Array(0);
    writeFileSync(join(dir, 'image.sums'), Buffer.concat([header, whole, tail]));
  }
  writeFileSync(join(dir, 'image.meta'), encodeMeta(meta, crc64));
  return dir;
}
