/** What store-run.ts writes, and what must be found of it after a crash. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { State } from './states.ts';

export const lsu = 'daily';
export const token = 'token-1';
export const markerText = JSON.stringify({ store_id: '0123456789abcdef', format: 1 });
export const lsuTexts = ['{"name":"daily"}', '{"name":"daily","label":"a label"}'] as const;
export const durableBytes = 4096;
export const lastBytes = 6000;
export const dataBytes = Buffer.from(Array.from({ length: 8192 }, (_, i) => 1 + ((i * 7 + (i >> 8)) % 255)));
export const sumsHeader = Buffer.from('sums header, sixteen words long, so that it stands out of zeros!');

/** Metas of an image by its durable size; the last one is that of the complete image. */
export function metaOf(size: number): string {
  return JSON.stringify({ state: size === lastBytes ? 'complete' : 'pending', size, padding: 'x'.repeat(700) });
}

export function claimOf(n: number): string {
  return JSON.stringify({ n, owner: 'store-run', padding: 'y'.repeat(100) });
}

/** Stand-ins for sums: the store does not look into them. */
export function crcs(count: number): Buffer {
  return Buffer.from(Array.from({ length: count * 8 }, (_, i) => 0x81 + i));
}

function textOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'latin1') : null;
}

function imageComplaints(dir: string, atLeast: number): string[] {
  const meta = textOf(join(dir, 'image.meta'));
  const size = [0, durableBytes, lastBytes].find((one) => metaOf(one) === meta);
  if (size === undefined) return [`meta is ${meta === null ? 'missing' : `damaged, ${meta.length} bytes`}`];
  const complaints: string[] = [];
  if (size < atLeast) complaints.push(`its durable size is ${size}, ${atLeast} was acknowledged`);
  const data = Buffer.from(textOf(join(dir, 'image.data')) ?? '', 'latin1');
  if (!data.subarray(0, size).equals(dataBytes.subarray(0, size))) complaints.push(`data below ${size} differ`);
  if (size === lastBytes && data.length !== size) complaints.push(`data has ${data.length} bytes, not ${size}`);
  const sums = Buffer.from(textOf(join(dir, 'image.sums')) ?? '', 'latin1');
  const expected = Buffer.concat([sumsHeader, crcs(Math.ceil(size / 4096))]);
  if (size > 0 && !sums.subarray(0, expected.length).equals(expected)) complaints.push(`sums for ${size} differ`);
  if (size === lastBytes && sums.length !== expected.length) complaints.push(`sums have ${sums.length} bytes`);
  if (size === lastBytes) return complaints;
  // Pending: somebody holds it, and says so in full, or nobody could tell whether he lives.
  const claims = readdirSync(dir).filter((name) => /^claim\.\d+$/.test(name));
  if (claims.length === 0) complaints.push('nobody claims it');
  for (const name of claims) {
    if (textOf(join(dir, name)) !== claimOf(Number(name.slice(6)))) complaints.push(`${name} is damaged`);
  }
  return complaints;
}

/** What is wrong with the storage root at `dir`, given what had been acknowledged. */
export function complaintsOf(dir: string, { marks, ordered }: State): string[] {
  const has = (mark: string) => marks.includes(mark);
  const complaints: string[] = [];
  if (has('root') && textOf(join(dir, '.vast-ost-store')) !== markerText) complaints.push('the marker is not there');
  const lsuText = textOf(join(dir, lsu, '.lsu'));
  if (has('lsu') && lsuText !== lsuTexts[1] && (has('label') || lsuText !== lsuTexts[0])) {
    complaints.push(`the LSU says ${lsuText}`);
  }
  const [a, b] = [join(dir, lsu, 'a'), join(dir, lsu, 'b')];
  const atLeast = has('a complete') ? lastBytes : has('a flushed') ? durableBytes : 0;
  if (existsSync(a)) complaints.push(...imageComplaints(a, atLeast).map((text) => `a: ${text}`));
  else if (has('a created')) complaints.push('a is not there');
  if (!existsSync(b)) {
    if (has('b created') && !has('b going')) complaints.push('b is not there');
    return complaints;
  }
  if (has('b gone')) complaints.push('b is there again');
  const ofB = imageComplaints(b, 0);
  // Taking a claim over removes the old one before the new name is synced: only out of order are both missing.
  complaints.push(...ofB.filter((text) => ordered || text !== 'nobody claims it').map((text) => `b: ${text}`));
  if (has('b claimed') && textOf(join(b, 'claim.2')) !== claimOf(2)) complaints.push('b: claim.2 is not there');
  return complaints;
}
