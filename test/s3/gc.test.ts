/** `vast-ost gc`: what no image owns goes, whoever is dead; what is ours or another one's stays. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeClaim, processStartTime, readIdentity } from '../../engine/image/claim.ts';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';
import { ownedToken } from '../../engine/image/owner.ts';
import { encodeRecord } from '../../workers/s3/upload-record.ts';
import { runVastOst } from '../support/cli.ts';
import { configText, testDirectory } from '../support/engine.ts';
import { S3Server } from './server/server.ts';
import { settingsOf, storeOver } from './store-kit.ts';

const prefix = 'backups/';
const lsu = `${prefix}daily/`;
const identity = readIdentity();
/** A process that has ended, so that its number is known to be nobody's. */
const deadPid = spawnSync('true').pid;

let directory: string;
let config: string;
let server: S3Server;
beforeEach(async () => {
  directory = testDirectory();
  config = join(directory, 'vast-ost.conf');
  server = await S3Server.start();
  settingsOf(server); // credentials into the environment
  const keys = { store: 's3', endpoints: server.url, bucket: server.bucket, prefix };
  writeFileSync(config, configText(directory, { 'server:cloud': keys }));
  server.plant(`${prefix}.vast-ost-store`, Buffer.from(encodeMarker(newMarker(new Date(0)))));
  server.plant(`${lsu}.lsu`, Buffer.from('{"lsu":"daily"}'));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function claimOf(pid: number, startTime: number): Buffer {
  return Buffer.from(encodeClaim({ ...identity, pid, startTime, token: '0'.repeat(32) }));
}
const tombstone = (pid: number, startTime: number): string =>
  JSON.stringify({ token: ownedToken('0'.repeat(32), { ...identity, pid, startTime }) });
const deadClaim = (): Buffer => claimOf(deadPid, 1);
const livingClaim = (): Buffer => claimOf(process.ppid, Number(processStartTime(process.ppid)));

function plant(image: string, objects: Readonly<Record<string, Buffer | string>>): void {
  for (const [name, bytes] of Object.entries(objects)) server.plant(`${lsu}${image}/${name}`, Buffer.from(bytes));
}

async function begin(key: string): Promise<string> {
  const store = storeOver(settingsOf(server));
  const { UploadId = '' } = await store.objects.bucket.send(
    new CreateMultipartUploadCommand({ Bucket: server.bucket, Key: key }),
  );
  await store.close();
  return UploadId;
}

const gc = (...args: string[]) => runVastOst('gc', 'cloud', '--config', config, ...args);

test('what dead writers left goes: objects, uploads, claims; a second time there is nothing', async () => {
  plant('unmade~1', { 'claim.1': deadClaim() });
  plant('deleted~1', { '.deleted': tombstone(deadPid, 1), 'image.data': 'data' });
  plant('begun~1', { '.deleted': tombstone(deadPid, 1), 'image.meta': '{"state":"complete"}', 'image.data': 'data' });
  plant('pending~1', { 'image.meta': '{"state":"pending"}', 'claim.2': deadClaim() });
  plant('complete~1', {
    'image.meta': '{"state":"complete"}',
    'image.data': 'data',
    '.tail-100': 'tail',
    '.sums-0': 'sums',
    '.upload': encodeRecord({ uploadId: 'long-ended', spans: [{ first: 1, last: null }] }),
    'claim.1': deadClaim(),
  });
  await begin(`${lsu}pending~1/image.data`);
  const shown = await gc('--dry-run');
  expect(shown).toMatchObject({ code: 0, errors: '' });
  expect(shown.text).toContain('would remove: daily/unmade~1/ (an image that was never there)');
  expect(shown.text).toContain('7 would be removed');
  expect(server.has(`${lsu}unmade~1/claim.1`)).toBe(true);
  expect((await gc()).text).toContain('removed: daily/complete~1/.remains (what a complete image does not need)');
  expect(server.keys().filter((key) => key.startsWith(`${lsu}`))).toEqual([
    `${lsu}.lsu`,
    `${lsu}complete~1/image.data`,
    `${lsu}complete~1/image.meta`,
    `${lsu}pending~1/image.meta`,
  ]);
  expect(server.uploads()).toEqual([]);
  expect((await gc()).text).toBe('nothing is left over\n');
});

test('what says nothing of its owner waits for its age', async () => {
  plant('lost~1', { 'image.data': 'data', 'image.sums': 'sums' });
  await begin(`${lsu}nowhere~1/image.data`);
  const early = await gc();
  expect(early.text).toContain('left: its owner may live: daily/lost~1/ (objects of an image that lost its meta)');
  expect(early.text).toContain('0 removed; 2 left, whose owners may live');
  expect([server.has(`${lsu}lost~1/image.data`), server.uploads().length]).toEqual([true, 1]);
  server.options.clockOffsetMs = 0;
  const late = await gc('--older-than', '0s');
  expect(late.text).toContain('2 removed');
  expect([server.has(`${lsu}lost~1/image.data`), server.uploads().length]).toEqual([false, 0]);
});

test('what a probe left that was cut short goes by its age', async () => {
  server.plant(`${prefix}.vast-ost-probe/0123/first`, Buffer.from('x'));
  await begin(`${prefix}.vast-ost-probe/0123/plain`);
  expect((await gc()).text).toBe('nothing is left over\n');
  expect((await gc('--older-than', '0s')).text).toContain('2 removed');
  expect(server.keys(`${prefix}.vast-ost-probe/`)).toEqual([]);
  expect(server.uploads()).toEqual([]);
});

test('what a living writer has is left, and so is what its image knows', async () => {
  const uploadId = await begin(`${lsu}running~1/image.data`);
  plant('running~1', {
    'image.meta': '{"state":"pending"}',
    '.upload': encodeRecord({ uploadId, spans: [{ first: 1, last: null }] }),
    '.tail-100': 'tail',
    'claim.1': livingClaim(),
  });
  plant('begun~1', { 'claim.1': livingClaim() });
  plant('going~1', { '.deleted': tombstone(process.ppid, Number(processStartTime(process.ppid))), 'image.data': 'x' });
  // Nobody writes it any more, but it can be gone on with.
  const pendingId = await begin(`${lsu}resumable~1/image.data`);
  plant('resumable~1', {
    'image.meta': '{"state":"pending"}',
    '.upload': encodeRecord({ uploadId: pendingId, spans: [{ first: 1, last: null }] }),
    '.tail-100': 'tail',
  });
  const before = server.keys();
  expect((await gc('--older-than', '1w')).code).toBe(0);
  expect(server.keys()).toEqual(before);
  expect(server.uploads().map(({ id }) => id)).toEqual([uploadId, pendingId]);
});

test('a record that cannot be read may name any upload: none is ended', async () => {
  plant('later~1', { 'image.meta': '{"state":"pending"}', '.upload': '{"format":2}', 'claim.1': deadClaim() });
  await begin(`${lsu}later~1/image.data`);
  expect((await gc('--older-than', '0s')).text).toContain('1 removed');
  expect(server.uploads()).toHaveLength(1);
});

test('what is not ours is never touched, however old', async () => {
  server.plant(`${lsu}photos/cat.jpg`, Buffer.from('cat'));
  server.plant(`${lsu}photos/image.data`, Buffer.from('cat'));
  server.plant(`${lsu}a name with blanks/image.data`, Buffer.from('x'));
  server.plant('elsewhere/daily/unmade~1/claim.1', deadClaim());
  await begin(`${lsu}photos/film.mp4`);
  await begin('elsewhere/daily/x~1/image.data');
  const before = server.keys();
  expect((await gc('--older-than', '0s')).text).toBe('nothing is left over\n');
  expect(server.keys()).toEqual(before);
  expect(server.uploads()).toHaveLength(2);
});

test('as JSON each finding is a line; an age that is none is refused', async () => {
  plant('unmade~1', { 'claim.1': deadClaim() });
  const { text } = await gc('--json');
  expect(JSON.parse(text)).toEqual({ lsu: 'daily', path: 'unmade~1/', kind: 'create', action: 'removed' });
  expect(await gc('--older-than', 'soon')).toMatchObject({ code: 2 });
});

test('many images and uploads are gone through page by page', async () => {
  server.options.limits.listMax = 7;
  for (let i = 0; i < 40; i++) plant(`unmade~${i}`, { 'claim.1': deadClaim(), 'image.data': 'x' });
  for (let i = 0; i < 20; i++) await begin(`${lsu}nowhere~${i}/image.data`);
  expect((await gc('--older-than', '0s')).text).toContain('60 removed');
  expect(server.keys()).toEqual([`${prefix}.vast-ost-store`, `${lsu}.lsu`]);
  expect(server.uploads()).toEqual([]);
});
