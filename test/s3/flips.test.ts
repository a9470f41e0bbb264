/**
 * Bits flipped at random in the stored data, sums and metas of images in a bucket: each is found where it is read, never
 * handed out, and everything else is still read. More of them: VAST_OST_S3_FLIPS.
 */
import { expect, test } from 'vitest';
import { sumsHeaderBytes } from '../../engine/image/sums.ts';
import {
  drawFlip,
  type Flip,
  type FlipImage,
  imagePath,
  images,
  makeImages,
  type Stored,
  tryFlip,
  tryMetaFlip,
} from '../fault/flips/flipped.ts';
import { random } from '../model/random-program.ts';
import { seed } from '../support/seed.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';

const flips = Number(process.env.VAST_OST_S3_FLIPS ?? 12);
const files: readonly Flip['file'][] = ['image.data', 'image.sums', 'image.meta'];

class StoredObjects implements Stored {
  readonly #server: S3Server;

  constructor(server: S3Server) {
    this.#server = server;
  }
  size(image: string, file: Flip['file']): number {
    return this.#server.object(`${image}/${file}`).size;
  }
  flip(image: string, { file, byte, bit }: Flip): void {
    this.#server.flip(`${image}/${file}`, byte, bit);
  }
}

test.each([
  ['with conditional puts and CRC-64', { mode: 'aws-like' as const }],
  ['as VAST may be', { mode: 'vast-like' as const, conditionalPut: 'ignore' as const }],
])(
  `${flips} flips in objects of a bucket %s are found, and nothing else is lost (seed ${seed})`,
  {
    timeout: 60_000 + flips * 2000,
  },
  async (_, options) => {
    await using server = await S3Server.start(options);
    await using engine = await startS3Engine({ server, endpoints: server.url });
    await using host = await s3Script(engine);
    await makeImages(host);
    expect(server.object(`${imagePath((images.at(-1) as FlipImage).name)}/image.data`).partsCount).toBeGreaterThan(1);
    const stored = new StoredObjects(server);
    const next = random(seed);
    const problems: string[] = [];
    const found = { 'image.data': 0, 'image.sums': 0, 'image.meta': 0 };
    // What the meta says too is not taken from the sums: such a flip damages nothing, and does not count.
    for (let tries = 0; sum(found) < flips && tries < 2 * flips + 20 && problems.length < 10; tries++) {
      const image = images[Math.floor(next() * images.length)] as FlipImage;
      const file = files[Math.floor(next() * files.length)] as Flip['file'];
      const drawn = drawFlip(image, file, stored, next, file === 'image.sums' ? sumsHeaderBytes : 0);
      if (file === 'image.meta') {
        problems.push(...(await tryMetaFlip(stored, host, image, drawn, next)));
        found[file]++;
      } else {
        const tried = await tryFlip(stored, host, image, drawn, next);
        problems.push(...tried.problems);
        if (tried.found) found[file]++;
      }
    }
    console.log(`found: ${Object.entries(found).map(([file, count]) => `${count} in ${file}`)} (seed ${seed})`);
    expect(problems).toEqual([]);
    expect(sum(found)).toBe(flips);
    expect(engine.bugs()).toEqual([]);
  },
);

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
