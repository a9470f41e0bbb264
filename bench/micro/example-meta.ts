/** An image.meta as the bench reads and makes it again and again, and tests change it. */
import type { ImageMeta } from '../../engine/image/meta.ts';

/** As a complete image of 1 TiB has it. */
export const completeMeta: ImageMeta = {
  state: 'complete',
  lsu: 'lsu-01',
  basename: 'client1_1705314600_C1_F1',
  date: 1_705_314_600,
  policy: 'daily-backup',
  schedule: 'full',
  client: 'client1.example.com',
  definitionOpaque: new Uint8Array(64),
  opaque: new Uint8Array(64),
  imageId: '0123456789abcdef0123456789abcdef',
  writerToken: 'fedcba9876543210fedcba9876543210',
  size: 2 ** 40,
  fragments: [{ name: 'image.data', size: 2 ** 40, crc64: 7n }],
  checksumMode: 'sha256',
  sha256: 'ab'.repeat(32),
  sums: { chunkBytes: 1_048_576, crc64: 9n },
  partial: null,
  shaState: null,
  engineVersion: '0.1.0',
};
