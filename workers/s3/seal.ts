/**
 * What goes with bytes so that the endpoint finds out when they were changed on their way: the cheapest that it really
 * checks, as its passport says. Never nothing.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Integrity } from '../../engine/core/passport.ts';
import { addon } from '../../native/addon/index.ts';
import { lengthOf, type Piece, slicesOf } from '../http/body.ts';

/** Bytes hashed in one turn of the event loop, of all requests together: a millisecond or a few. */
const sliceBytes = { crc64nvme: 8 * 1024 * 1024, sha256: 2 * 1024 * 1024, md5: 2 * 1024 * 1024 } as const;

/** Slices behind one another, whosever they are: as many parts as are under way would hold up the loop at once. */
let lastTurn: Promise<void> = Promise.resolve();

function turn(): Promise<void> {
  lastTurn = lastTurn.then(() => nextTurn());
  return lastTurn;
}

export interface Seal {
  /** Goes into the command's input. */
  input: { ChecksumCRC64NVME?: string; ContentMD5?: string };
  /** SHA-256 of the payload, hex, where it is signed. */
  payloadSha256?: string;
  /** CRC-64/NVME of the bytes; null where another way was taken. */
  crc: bigint | null;
}

/** The bytes are not to change until their request has ended. `known`: their CRC, where somebody has made it before. */
export async function seal(kind: Integrity, bytes: readonly Piece[], known: bigint | null = null): Promise<Seal> {
  if (kind === 'crc64nvme' && known !== null) return { input: { ChecksumCRC64NVME: crcText(known) }, crc: known };
  const slices = slicesOf(bytes, sliceBytes[kind]);
  const isLong = lengthOf(bytes) > sliceBytes[kind];
  if (kind === 'crc64nvme') {
    let crc = 0n;
    for (const slice of slices) {
      if (isLong) await turn();
      crc = addon.crcBytes(crc, slice, slice.length);
    }
    return { input: { ChecksumCRC64NVME: crcText(crc) }, crc };
  }
  const hash = createHash(kind);
  for (const slice of slices) {
    if (isLong) await turn();
    hash.update(slice);
  }
  if (kind === 'md5') return { input: { ContentMD5: hash.digest('base64') }, crc: null };
  return { input: {}, payloadSha256: hash.digest('hex'), crc: null };
}

/** As S3 writes it: eight bytes, the most significant first, base64. */
export function crcText(crc: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(crc);
  return bytes.toString('base64');
}

/** Null for what is no such text. */
export function crcOfText(text: string | undefined): bigint | null {
  const bytes = Buffer.from(text ?? '', 'base64');
  return bytes.length === 8 ? bytes.readBigUInt64BE() : null;
}
