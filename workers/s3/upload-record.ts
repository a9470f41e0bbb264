/**
 * `.upload` beside a pending image, and `.upload.0002` … for its further fragments: which multipart upload has the
 * fragment's bytes, and which part numbers of it count. A resume
 * goes on with fresh numbers: a part that a killed engine had under way may still arrive, and must not replace ours.
 */
import { z } from 'zod';

export const recordBytesMax = 64 * 1024;
const spansMax = 512;

const span = z.strictObject({
  first: z.int().min(1),
  /** Null: those of the writer at work, as many as there are. */
  last: z.int().min(1).nullable(),
});

const schema = z.strictObject({
  format: z.literal(1),
  upload_id: z.string().min(1).max(2048),
  spans: z.array(span).min(1).max(spansMax),
});

export interface Span {
  first: number;
  last: number | null;
}

export interface UploadRecord {
  uploadId: string;
  spans: readonly Span[];
}

export function encodeRecord({ uploadId, spans }: UploadRecord): Buffer {
  return Buffer.from(`${JSON.stringify({ format: 1, upload_id: uploadId, spans })}\n`);
}

/** Null for what encodeRecord does not make. */
export function decodeRecord(bytes: Buffer): UploadRecord | null {
  try {
    const { upload_id, spans } = schema.parse(JSON.parse(bytes.toString('utf8')));
    return { uploadId: upload_id, spans };
  } catch {
    return null;
  }
}

export interface ListedPart {
  number: number;
  size: number;
  etag: string;
  /** CRC-64/NVME; null: the endpoint does not tell. */
  crc: bigint | null;
}

export interface Part extends ListedPart {
  /** Of its first byte in the image. */
  offset: number;
}

/**
 * The parts that hold the image's bytes from `start` up to `size` at most, in order, without a gap. Parts above it are
 * left out: they will be sent again.
 */
export function partsBelow(listed: readonly ListedPart[], spans: readonly Span[], start: number, size: number): Part[] {
  const byNumber = new Map(listed.map((part) => [part.number, part]));
  const parts: Part[] = [];
  let offset = start;
  for (const { first, last } of spans) {
    for (let number = first; last === null || number <= last; number++) {
      const part = byNumber.get(number);
      if (part === undefined || offset + part.size > size) {
        // The numbers of a span that has ended must all be there; what is open just ends.
        return parts;
      }
      parts.push({ ...part, offset });
      offset += part.size;
    }
  }
  return parts;
}

/** The spans under which `kept` are found again, and a writer goes on with `next`. */
export function spansWith(kept: readonly Part[], next: number): Span[] {
  const spans: Span[] = [];
  for (const { number } of kept) {
    const open = spans.at(-1);
    if (open !== undefined && open.last === number - 1) open.last = number;
    else spans.push({ first: number, last: number });
  }
  spans.push({ first: next, last: null });
  return spans;
}
