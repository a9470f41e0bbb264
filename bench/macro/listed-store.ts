/** A store with many images, written as files by their layout: making them through the plug-in would take minutes of fsyncs. */
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeLsu } from '../../engine/image/lsu.ts';
import { encodeMeta, type ImageMeta } from '../../engine/image/meta.ts';
import { imageDirName } from '../../engine/image/names.ts';
import { addon } from '../../native/addon/index.ts';
import type { Run } from '../run-context.ts';

/** Of each image; sparse, and without sums: nothing reads it. */
const imageBytes = 1 << 20;
const firstDate = 1_700_000_000;
const perStep = 1000;

function metaOf(lsu: string, number: number): ImageMeta {
  const client = `client-${number % 500}.example.com`;
  return {
    state: 'complete',
    lsu,
    basename: `${client}_${firstDate + number}_C1_F1`,
    date: firstDate + number,
    policy: 'nightly',
    schedule: 'full',
    client,
    definitionOpaque: new Uint8Array(0),
    opaque: Buffer.from(`{"length":${imageBytes}}`),
    imageId: number.toString(16).padStart(32, '0'),
    writerToken: '0'.repeat(32),
    size: imageBytes,
    fragments: [{ name: 'image.data', size: imageBytes, crc64: null }],
    checksumMode: 'none',
    sha256: null,
    sums: null,
    partial: null,
    shaState: null,
    engineVersion: '0.1.0',
  };
}

const crc = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);

/** Returns the LSU's directory. */
export async function makeListed(run: Run, store: string, lsu: string, count: number): Promise<string> {
  const directory = join(store, lsu);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, '.lsu'), encodeLsu({ lsu, label: '' }));
  for (let number = 0; number < count; number++) {
    if (number % perStep === 0) {
      run.check();
      run.progress({ what: `list: making ${count} images`, rate: `${number}` });
      // So that a signal is seen.
      await new Promise((done) => setImmediate(done));
    }
    const meta = metaOf(lsu, number);
    const image = join(directory, imageDirName(meta.basename, meta.date));
    mkdirSync(image);
    writeFileSync(join(image, 'image.meta'), encodeMeta(meta, crc));
    writeFileSync(join(image, 'image.data'), '');
    truncateSync(join(image, 'image.data'), imageBytes);
  }
  return directory;
}
