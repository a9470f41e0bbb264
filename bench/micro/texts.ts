/** Texts that are read and made again and again: image.meta and vast-ost.conf. */
import { exampleConfig } from '../../engine/config-keys.ts';
import { decodeMeta, encodeMeta } from '../../engine/image/meta.ts';
import { parseIni } from '../../engine/ini.ts';
import { addon } from '../../native/addon/index.ts';
import { completeMeta } from './example-meta.ts';
import type { Group } from './harness.ts';

export function texts(): Group {
  const crc = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);
  const encoded = encodeMeta(completeMeta, crc);
  const conf = exampleConfig();
  return {
    cases: [
      { name: 'meta: encode', run: () => void encodeMeta(completeMeta, crc) },
      { name: 'meta: decode', run: () => void decodeMeta(encoded, crc) },
      { name: 'ini: parse the example of vast-ost.conf', run: () => void parseIni(conf) },
    ],
  };
}
