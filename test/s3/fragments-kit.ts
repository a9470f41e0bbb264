/** What the tests of images in several objects share: a server that takes few parts an object, and an engine before it. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import type { TestEngine } from '../support/engine.ts';
import { gen, type HostScript } from '../support/host-program.ts';
import { startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';

export const mib = 1 << 20;
export const partMib = 8;
export const partsMax = 2;
export const fullBytes = partsMax * partMib * mib;
export const seed = 5;
/** Where the objects of the image in this LSU lie: where several tests have one engine, each has an LSU of its own. */
export const dirIn = (lsu: string): string => `${lsu}/image~7/`;

/** Made once: it takes longer than all else here. */
let known: Buffer = Buffer.alloc(0);
export function whole(size: number): Buffer {
  if (known.length < size) known = gen(seed, 0, size);
  return known.subarray(0, size);
}
export const crc64 = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);
export const startServer = (max = partsMax) => S3Server.start({ limits: { partsMax: max } });
export const startEngine = (server: S3Server): Promise<TestEngine> =>
  startS3Engine({
    server,
    endpoints: server.url,
    keys: { part_size_mb: partMib, parts_in_flight: 2 },
    config: { engine: { connect_wait_s: 1 } },
  });

export interface Fragment {
  name: string;
  size: number;
  crc64: string;
}

export function metaOf(
  server: S3Server,
  lsu: string,
): { size: number; state: string; checksum: string; fragment_list: Fragment[] } {
  return JSON.parse(server.bytes(`${dirIn(lsu)}image.meta`).toString());
}

export function uploadsBelow(server: S3Server, prefix: string): string[] {
  return server
    .uploads()
    .map(({ key }) => key)
    .filter((key) => key.startsWith(prefix));
}

/** The bucket holds exactly this image, complete, each object as its meta says. */
export function expectStored(server: S3Server, lsu: string, size: number): Fragment[] {
  const [dir, meta] = [dirIn(lsu), metaOf(server, lsu)];
  expect(meta).toMatchObject({ state: 'complete', size });
  let at = 0;
  for (const { name, size: bytes, crc64: crc } of meta.fragment_list) {
    const stored = server.bytes(dir + name);
    expect(stored.equals(whole(size).subarray(at, at + bytes)), name).toBe(true);
    expect(crc).toBe(crc64(stored).toString(16).padStart(16, '0'));
    at += bytes;
    if (at < size) expect(at % mib, 'a border stands between chunks').toBe(0);
  }
  expect(meta.checksum).toBe(`sha256:${createHash('sha256').update(whole(size)).digest('hex')}`);
  const names = meta.fragment_list.map(({ name }) => name);
  expect(server.keys(dir).sort()).toEqual([...names, 'image.meta', 'image.sums'].map((name) => dir + name).sort());
  expect(uploadsBelow(server, dir)).toEqual([]);
  return meta.fragment_list;
}

export async function expectRead(host: HostScript, lsu: string, size: number, image = 'image'): Promise<void> {
  await host.ok(`open_image v r ${lsu} ${image} 7 1`);
  expect(await host.ok(`read r 0 ${size + mib} expect=${seed}`)).toMatchObject({ got: size, match: true });
  for (let border = fullBytes; border < size; border += fullBytes) {
    const got = Math.min(4096, size - border + 1000);
    expect(await host.ok(`read r ${border - 1000} 4096 expect=${seed}`)).toMatchObject({ got, match: true });
  }
  await host.ok('close r 0');
}

export async function begin(host: HostScript, lsu: string, bytes: number): Promise<void> {
  await host.ok(`create_lsu v ${lsu}`);
  await host.ok(`create_image v i ${lsu} image 7`);
  if (bytes > 0) await host.ok(`write i 0 ${bytes} ${seed}`);
}

export async function durableOf(host: HostScript): Promise<number> {
  return ((await host.ok('prop i')) as unknown as { durable: number }).durable;
}
