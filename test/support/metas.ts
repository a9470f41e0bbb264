/** Image metas for tests: one plain example, and any legal one. */
import fc from 'fast-check';
import { completeMeta } from '../../bench/micro/example-meta.ts';
import type { ImageMeta } from '../../engine/image/meta.ts';

export function exampleMeta(changes: Partial<ImageMeta> = {}): ImageMeta {
  const size = 1_048_576 + 512;
  return {
    ...completeMeta,
    definitionOpaque: new Uint8Array([1, 2, 3]),
    opaque: new Uint8Array([4, 5]),
    size,
    fragments: [{ name: 'image.data', size, crc64: 7n }],
    partial: { length: 512, crc64: 3n },
    ...changes,
  };
}

/** Bytes 1 … 255 as a byte string. */
export function byteString(minLength: number, maxLength: number): fc.Arbitrary<string> {
  const byte = fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(0x2e, 0x2f, 0x3d, 0x7e, 0x0a, 0x41));
  return fc.array(byte, { minLength, maxLength }).map((bytes) => String.fromCharCode(...bytes));
}

const hex = (length: number) =>
  fc.uint8Array({ minLength: length / 2, maxLength: length / 2 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const crc = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const size = fc.oneof(
  fc.nat(4_000_000),
  fc.integer({ min: 0, max: 2 ** 44 }),
  fc.nat(64).map((n) => n * 1_048_576),
);

export const anyMeta: fc.Arbitrary<ImageMeta> = fc
  .record({
    complete: fc.boolean(),
    withSums: fc.boolean(),
    withChecksum: fc.boolean(),
    withState: fc.boolean(),
    lsu: byteString(1, 255),
    basename: byteString(1, 1023),
    date: fc.oneof(fc.nat(2_000_000_000), fc.maxSafeNat()),
    policy: fc.option(byteString(1, 255)),
    schedule: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map(utf8)),
    client: fc.option(byteString(1, 20)),
    definitionOpaque: fc.uint8Array({ maxLength: 1024 }),
    opaque: fc.uint8Array({ maxLength: 300 }),
    imageId: hex(32),
    writerToken: hex(32),
    sizes: fc.array(size, { minLength: 1, maxLength: 4 }),
    chunkBytes: fc.constantFrom(4096, 65_536, 1_048_576),
    crcs: fc.array(crc, { minLength: 6, maxLength: 6 }),
    sha256: hex(64),
    h: hex(64),
    stateAt: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map((draw) => {
    const total = draw.sizes.reduce((sum, one) => sum + one, 0);
    const [sumsCrc = 0n, partialCrc = 0n, ...crcs] = draw.crcs;
    const partial = total % draw.chunkBytes;
    return {
      state: draw.complete ? 'complete' : 'pending',
      lsu: draw.lsu,
      basename: draw.basename,
      date: draw.date,
      policy: draw.policy,
      schedule: draw.schedule,
      client: draw.client,
      definitionOpaque: draw.definitionOpaque,
      opaque: draw.opaque,
      imageId: draw.imageId,
      writerToken: draw.writerToken,
      size: total,
      fragments: draw.sizes.map((one, i) => ({
        name: i === 0 ? 'image.data' : `image.data.${String(i + 1).padStart(4, '0')}`,
        size: one,
        crc64: draw.complete && draw.withSums ? (crcs[i] ?? 0n) : null,
      })),
      checksumMode: draw.withChecksum ? 'sha256' : 'none',
      sha256: draw.complete && draw.withChecksum ? draw.sha256 : null,
      sums: draw.withSums ? { chunkBytes: draw.chunkBytes, crc64: total < draw.chunkBytes ? 0n : sumsCrc } : null,
      partial: draw.withSums && partial > 0 ? { length: partial, crc64: partialCrc } : null,
      shaState:
        draw.withState && draw.withChecksum && !draw.complete
          ? { offset: Math.floor((draw.stateAt * total) / 64) * 64, h: draw.h }
          : null,
      engineVersion: '0.1.0',
    } satisfies ImageMeta;
  });

function utf8(text: string): string {
  return Buffer.from(text.slice(0, 60), 'utf8').subarray(0, 255).toString('latin1').replaceAll('\0', '?');
}
