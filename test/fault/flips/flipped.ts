/** Images whose bits are flipped on storage, read again through the plug-in. */
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { imageDirName, lsuDirName } from '../../../engine/image/names.ts';
import { sumsHeaderBytes } from '../../../engine/image/sums.ts';
import type { HostScript } from '../../support/host-program.ts';
import { chunk } from '../kill/expected-image.ts';
import type { Random } from '../kill/load.ts';

export const lsu = 'flips';
const date = 7;

export interface FlipImage {
  name: string;
  size: number;
  seed: number;
}

/** Around a chunk's and a block's border, and less than a chunk. */
export const images: readonly FlipImage[] = [512, 3 * 512, chunk, 2 * chunk + 1536, 9 * chunk + 512].map((size, i) => ({
  name: `image-${size}`,
  size,
  seed: 20 + i,
}));

export async function makeImages(host: HostScript): Promise<void> {
  await host.ok(`create_lsu v ${lsu}`);
  for (const { name, size, seed } of images) {
    await host.ok(`create_image v i ${lsu} ${name} ${date}`);
    await host.ok(`write i 0 ${size} ${seed}`);
    await host.ok('close i 1');
  }
}

export interface Flip {
  file: 'image.data' | 'image.sums' | 'image.meta';
  byte: number;
  bit: number;
}

/** Where the images' bytes lie, reached past engine and plug-in. */
export interface Stored {
  /** `image`: its directory, below the storage root. */
  size(image: string, file: Flip['file']): number;
  /** Does it, or takes it back: the same. */
  flip(image: string, flip: Flip): void;
}

/** Below the storage root; of a bucket, the begin of its keys. */
export function imagePath(name: string): string {
  return join(lsuDirName(lsu), imageDirName(name, date));
}

export function directoryOf(store: string, name: string): string {
  return join(store, imagePath(name));
}

export class StoredFiles implements Stored {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  size(image: string, file: Flip['file']): number {
    return statSync(join(this.#root, image, file)).size;
  }

  flip(image: string, { file, byte, bit }: Flip): void {
    const fd = openSync(join(this.#root, image, file), 'r+');
    const one = Buffer.alloc(1);
    if (readSync(fd, one, 0, 1, byte) !== 1) throw new Error(`${file} of ${image} has no byte ${byte}`);
    one[0] = (one[0] ?? 0) ^ (1 << bit);
    writeSync(fd, one, 0, 1, byte);
    closeSync(fd);
  }
}

/** Somewhere from byte `from` on. */
export function drawFlip(image: FlipImage, file: Flip['file'], stored: Stored, next: Random, from = 0): Flip {
  const bytes = stored.size(imagePath(image.name), file) - from;
  return { file, byte: from + Math.floor(next() * bytes), bit: Math.floor(next() * 8) };
}

/**
 * The chunk whose reads this flip must fail; −1: none. The header of the sums and the length of the last, partial entry
 * stand in the meta too, and are taken from there.
 */
export function badChunk(image: FlipImage, { file, byte }: Flip): number {
  if (file === 'image.data') return Math.floor(byte / chunk);
  if (byte < sumsHeaderBytes) return -1;
  const entry = Math.floor((byte - sumsHeaderBytes) / 8);
  return entry < Math.ceil(image.size / chunk) ? entry : -1;
}

interface Range {
  offset: number;
  length: number;
}

/** The whole image in pieces, as a restore reads it, or ranges in no order. */
function drawReads(image: FlipImage, bad: number, next: Random): Range[] {
  const within = (max: number): number => 1 + Math.floor(next() * max);
  const reads: Range[] = [];
  if (next() < 0.5) {
    for (let offset = 0; offset < image.size; ) {
      const length = within(2 * chunk);
      reads.push({ offset, length });
      offset += length;
    }
    return reads;
  }
  // One over the damage, and some anywhere.
  if (bad >= 0) reads.push({ offset: Math.min(image.size - 1, bad * chunk + within(4096) - 1), length: within(4096) });
  for (let i = 0; i < 4; i++) reads.push({ offset: Math.floor(next() * image.size), length: within(2 * chunk) });
  return reads;
}

/** Flips in data or sums, reads, takes the flip back. Returns what is wrong; `found`: reads had to fail, and one did. */
export async function tryFlip(
  stored: Stored,
  host: HostScript,
  image: FlipImage,
  drawn: Flip,
  next: Random,
): Promise<{ found: boolean; problems: string[] }> {
  const bad = badChunk(image, drawn);
  stored.flip(imagePath(image.name), drawn);
  const problems: string[] = [];
  let failures = 0;
  await host.ok(`open_image v r ${lsu} ${image.name} ${date} 1`);
  for (const range of drawReads(image, bad, next)) {
    const found = await readOver(host, image, range, bad);
    if (found.failed) failures++;
    problems.push(...found.problems);
  }
  await host.ok('close r 0');
  problems.push(...(await readOthers(host, image, next)));
  stored.flip(imagePath(image.name), drawn);
  if (bad >= 0 && failures === 0) problems.push('no read failed');
  return { found: failures > 0, problems: problems.map((text) => `${describe(image, drawn)}: ${text}`) };
}

/** Flips a bit of the meta: neither way of opening takes it, and the text names image and field. */
export async function tryMetaFlip(
  stored: Stored,
  host: HostScript,
  image: FlipImage,
  drawn: Flip,
  next: Random,
): Promise<string[]> {
  stored.flip(imagePath(image.name), drawn);
  const wrong = (await refusalsOf(host, image)).filter((text) => !namedRefusal(image).test(text));
  wrong.push(...(await readOthers(host, image, next)));
  stored.flip(imagePath(image.name), drawn);
  return wrong.map((text) => `${describe(image, drawn)}: ${text}`);
}

/** Opens the image for reading and for writing; the texts of both refusals. */
export async function refusalsOf(host: HostScript, image: FlipImage): Promise<string[]> {
  const texts: string[] = [];
  for (const mode of [1, 2]) {
    const answer = await host.call(`open_image v r ${lsu} ${image.name} ${date} ${mode}`);
    texts.push(`${answer.name}: ${answer.text}`);
    if (answer.status === 0) await host.ok('close r 0');
  }
  return texts;
}

/** Status, the image's name, and the field, or 'json' where the text is none. */
export function namedRefusal(image: FlipImage): RegExp {
  return new RegExp(`^STS_EDAMAGED: .*${image.name}.*image\\.meta is damaged: .+: `);
}

/** A range of each other image: what is wrong with them. */
async function readOthers(host: HostScript, image: FlipImage, next: Random): Promise<string[]> {
  const problems: string[] = [];
  for (const other of images) {
    if (other === image) continue;
    const offset = Math.floor(next() * other.size);
    await host.ok(`open_image v o ${lsu} ${other.name} ${date} 1`);
    const answer = await host.call(`read o ${offset} ${chunk} expect=${other.seed}`);
    await host.ok('close o 0');
    const good = answer.status === 0 && answer.match === true && answer.got === Math.min(chunk, other.size - offset);
    if (!good) problems.push(`${other.name} at ${offset}: ${JSON.stringify(answer)}`);
  }
  return problems;
}

function describe(image: FlipImage, { file, byte, bit }: Flip): string {
  return `${image.name}: bit ${bit} of byte ${byte} of ${file}`;
}

async function readOver(
  host: HostScript,
  image: FlipImage,
  { offset, length }: Range,
  bad: number,
): Promise<{ failed: boolean; problems: string[] }> {
  const end = Math.min(offset + length, image.size);
  const over = bad >= 0 && Math.floor(offset / chunk) <= bad && Math.floor((end - 1) / chunk) >= bad;
  const answer = await host.call(`read r ${offset} ${length} expect=${image.seed}`);
  const what = `read of ${length} at ${offset}`;
  if (!over) {
    if (answer.status !== 0) return { failed: true, problems: [`${what}: ${answer.name}: ${answer.text}`] };
    const good = answer.match === true && answer.got === end - offset;
    return { failed: false, problems: good ? [] : [`${what}: got ${answer.got}, match ${answer.match}`] };
  }
  if (answer.name !== 'STS_EDAMAGED') return { failed: false, problems: [`${what}: ${answer.name}, over the damage`] };
  const offsets = [...answer.text.matchAll(/offset (\d+)/g)].map((found) => Number(found[1]));
  const names = answer.text.includes(image.name) && offsets.some((at) => Math.floor(at / chunk) === bad);
  return { failed: true, problems: names ? [] : [`${what}: the text names not image and offset: ${answer.text}`] };
}
