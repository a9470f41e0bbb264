/** Texts that are read and made again and again: image.meta and vast-ost.conf. */
import { exampleConfig } from '../../engine/config-keys.ts';
import { decodeMeta, encodeMeta, type ImageMeta } from '../../engine/image/meta.ts';
import { parseIni } from '../../engine/ini.ts';
import { addon } from '../../native/addon/index.ts';
import type { Group } from './harness.ts';

/** As a complete image of 1 TiB has it. */
const meta: ImageMeta = {
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

export function texts(): Group {
  const crc = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);
  const encoded = encodeMeta(meta, crc);
  const conf = exampleConfig();
  return {
    cases: [
      { name: 'meta: encode', run: () => void encodeMeta(meta, crc) },
      { name: 'meta: decode', run: () => void decodeMeta(encoded, crc) },
      { name: 'ini: parse the example of vast-ost.conf', run: () => void parseIni(conf) },
    ],
  };
}
