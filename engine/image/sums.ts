/**
 * image.sums: CRC-64/NVME of every chunk of an image's data. Byte for byte in docs/format.md.
 *
 *      0        64        64 + 8·i                          64 + 8·w          + 8        + 16
 *      ┌────────┬─────────┬────────── … ───────────────────┬─────────────────┬──────────┐
 *      │ header │ chunk 0 │ chunk i                        │ CRC of the part │ length   │
 *      └────────┴─────────┴────────── … ───────────────────┴─────────────────┴──────────┘
 *                w whole chunks, 8 bytes each, little-endian   only where a complete image ends inside a chunk
 *
 * Chunks count over the whole image, not over a fragment. While an image is pending the file holds whole chunks only.
 */
export const sumsFormat = 1;
export const sumsHeaderBytes = 64;
export const sumsEntryBytes = 8;
/** The partial entry of a complete image: CRC and length. */
export const sumsTailBytes = 16;
export const sumsChunkBytes = 1_048_576;
export const sumsMagic = 'VOSTSUMS';

export type Crc64 = (bytes: Uint8Array) => bigint;

export interface SumsHeader {
  readonly chunkBytes: number;
  /** 32 hex digits. */
  readonly imageId: string;
}

const at = { magic: 0, format: 8, chunkBytes: 12, imageId: 16, reserved: 32, crc: 56 } as const;

/** 64 bytes. The header is also derived from the meta, and taken from there when an image is read. */
export function encodeSumsHeader(header: SumsHeader, crc: Crc64): Uint8Array {
  if (!isChunkBytes(header.chunkBytes)) throw new RangeError(`${header.chunkBytes} is no chunk size`);
  if (!/^[0-9a-f]{32}$/.test(header.imageId)) throw new RangeError('an image id has 32 hex digits');
  const bytes = new Uint8Array(sumsHeaderBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(sumsMagic, 'latin1'), at.magic);
  view.setUint32(at.format, sumsFormat, true);
  view.setUint32(at.chunkBytes, header.chunkBytes, true);
  bytes.set(Buffer.from(header.imageId, 'hex'), at.imageId);
  view.setBigUint64(at.crc, crc(bytes.subarray(0, at.crc)), true);
  return bytes;
}

/** Tells by name which field is wrong: a reader never goes on with half a header. */
export function decodeSumsHeader(
  bytes: Uint8Array,
  crc: Crc64,
): { ok: true; header: SumsHeader } | { ok: false; field: string; text: string } {
  const refuse = (field: string, text: string) => ({ ok: false as const, field, text });
  if (bytes.length < sumsHeaderBytes) return refuse('length', `${bytes.length} of ${sumsHeaderBytes} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, sumsHeaderBytes);
  if (Buffer.from(bytes.subarray(0, at.format)).toString('latin1') !== sumsMagic) {
    return refuse('magic', `does not begin with ${sumsMagic}`);
  }
  const stored = view.getBigUint64(at.crc, true);
  if (stored !== crc(bytes.subarray(0, at.crc))) return refuse('crc', 'the header does not match its CRC');
  const format = view.getUint32(at.format, true);
  if (format !== sumsFormat) return refuse('format', `format ${format}, this engine reads ${sumsFormat}`);
  const chunkBytes = view.getUint32(at.chunkBytes, true);
  if (!isChunkBytes(chunkBytes)) return refuse('chunk_bytes', `${chunkBytes} is no chunk size`);
  if (bytes.subarray(at.reserved, at.crc).some((byte) => byte !== 0)) return refuse('reserved', 'is not zero');
  const imageId = Buffer.from(bytes.subarray(at.imageId, at.reserved)).toString('hex');
  return { ok: true, header: { chunkBytes, imageId } };
}

/** Powers of two from 4 KiB to 1 MiB: the lanes' scratch memory holds one chunk. */
export function isChunkBytes(value: number): boolean {
  return Number.isInteger(value) && value >= 4096 && value <= 1_048_576 && (value & (value - 1)) === 0;
}

/** Byte offset of a chunk's entry. */
export function sumsOffset(chunk: number): number {
  return sumsHeaderBytes + sumsEntryBytes * chunk;
}

/** Whole chunks below `size`. */
export function wholeChunks(size: number, chunkBytes: number): number {
  return Math.floor(size / chunkBytes);
}

/** Bytes of the last, partial chunk; 0 when `size` ends at a chunk's border. */
export function partialLength(size: number, chunkBytes: number): number {
  return size % chunkBytes;
}

/** Length of the sums file of an image of `size` bytes. */
export function sumsFileBytes(size: number, chunkBytes: number, complete: boolean): number {
  const whole = sumsOffset(wholeChunks(size, chunkBytes));
  return complete && partialLength(size, chunkBytes) > 0 ? whole + sumsTailBytes : whole;
}

/** The partial entry, written behind the last whole one when an image completes. */
export function encodeSumsTail(crc: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(sumsTailBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, crc, true);
  view.setBigUint64(8, BigInt(length), true);
  return bytes;
}

export function decodeSumsTail(bytes: Uint8Array): { crc: bigint; length: number } {
  if (bytes.length < sumsTailBytes) throw new RangeError('a partial entry has 16 bytes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, sumsTailBytes);
  return { crc: view.getBigUint64(0, true), length: Number(view.getBigUint64(8, true)) };
}

/** Entries as they stand in the file. */
export function encodeSums(crcs: readonly bigint[] | BigUint64Array): Uint8Array {
  const bytes = new Uint8Array(crcs.length * sumsEntryBytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < crcs.length; i++) view.setBigUint64(i * sumsEntryBytes, crcs[i] as bigint, true);
  return bytes;
}

/** A trailing piece shorter than an entry is left out. */
export function decodeSums(bytes: Uint8Array): BigUint64Array {
  const count = Math.floor(bytes.length / sumsEntryBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const crcs = new BigUint64Array(count);
  for (let i = 0; i < count; i++) crcs[i] = view.getBigUint64(i * sumsEntryBytes, true);
  return crcs;
}
