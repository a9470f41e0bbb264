import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeSums,
  decodeSumsHeader,
  decodeSumsTail,
  encodeSums,
  encodeSumsHeader,
  encodeSumsTail,
  isChunkBytes,
  partialLength,
  sumsFileBytes,
  sumsHeaderBytes,
  sumsOffset,
  wholeChunks,
} from '../../engine/image/sums.ts';
import { crc64 } from '../support/crc64.ts';
import { check } from '../support/property.ts';

const header = { chunkBytes: 1_048_576, imageId: '00112233445566778899aabbccddeeff' };

describe('image.sums', () => {
  test('the header is these 64 bytes', () => {
    const bytes = encodeSumsHeader(header, crc64);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `564f535453554d53${'01000000'}${'00001000'}${header.imageId}${'00'.repeat(24)}${crcText(bytes)}`,
    );
    expect(decodeSumsHeader(bytes, crc64)).toEqual({ ok: true, header });
  });

  test('every changed bit of the header is found', () => {
    const bytes = encodeSumsHeader(header, crc64);
    for (let bit = 0; bit < sumsHeaderBytes * 8; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(decodeSumsHeader(changed, crc64).ok, `bit ${bit}`).toBe(false);
    }
    expect(decodeSumsHeader(bytes.subarray(0, 63), crc64)).toMatchObject({ ok: false, field: 'length' });
  });

  test.each<[string, number, string]>([
    ['another format', 8, 'format'],
    ['an odd chunk size', 13, 'chunk_bytes'],
    ['bytes that are reserved', 40, 'reserved'],
  ])('%s with a right CRC is named', (_, at, field) => {
    const bytes = encodeSumsHeader(header, crc64);
    bytes[at] = 7;
    new DataView(bytes.buffer).setBigUint64(56, crc64(bytes.subarray(0, 56)), true);
    expect(decodeSumsHeader(bytes, crc64)).toMatchObject({ ok: false, field });
  });

  test('whatever bytes come, the decoder answers', () => {
    check(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(decodeSumsHeader(bytes, crc64).ok).toBe(false);
        expect(decodeSums(bytes)).toHaveLength(Math.floor(bytes.length / 8));
      }),
      300,
    );
  });

  test('entries and tail come back', () => {
    const crc = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
    check(
      fc.property(fc.array(crc), crc, fc.nat(1_048_575), (crcs, last, length) => {
        expect([...decodeSums(encodeSums(crcs))]).toEqual(crcs);
        expect([...decodeSums(encodeSums(BigUint64Array.from(crcs)))]).toEqual(crcs);
        expect(decodeSumsTail(encodeSumsTail(last, length))).toEqual({ crc: last, length });
      }),
      200,
    );
    expect(Buffer.from(encodeSums([0x0102030405060708n])).toString('hex')).toBe('0807060504030201');
    expect(() => decodeSumsTail(new Uint8Array(15))).toThrow(RangeError);
  });

  test('offsets and lengths of the file', () => {
    const chunk = 1_048_576;
    expect([sumsOffset(0), sumsOffset(3)]).toEqual([64, 88]);
    expect([0, 1, chunk - 1, chunk, chunk + 1].map((size) => wholeChunks(size, chunk))).toEqual([0, 0, 0, 1, 1]);
    expect([0, 1, chunk - 1, chunk, chunk + 1].map((size) => partialLength(size, chunk))).toEqual([
      0,
      1,
      chunk - 1,
      0,
      1,
    ]);
    expect([0, 1, chunk, chunk + 1].map((size) => sumsFileBytes(size, chunk, true))).toEqual([64, 80, 72, 88]);
    expect([0, 1, chunk, chunk + 1].map((size) => sumsFileBytes(size, chunk, false))).toEqual([64, 64, 72, 72]);
    expect([2048, 4096, 65_536, chunk, 2 * chunk, 5000, 4096.5].filter(isChunkBytes)).toEqual([4096, 65_536, chunk]);
  });
});

function crcText(bytes: Uint8Array): string {
  const crc = new Uint8Array(8);
  new DataView(crc.buffer).setBigUint64(0, crc64(bytes.subarray(0, 56)), true);
  return Buffer.from(crc).toString('hex');
}
