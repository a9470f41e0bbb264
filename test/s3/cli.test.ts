/** `vast-ost probe` and `init-store --server` before a bucket. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { passport } from '../../engine/core/passport.ts';
import { runVastOst } from '../support/cli.ts';
import { configText, testDirectory } from '../support/engine.ts';
import { S3Server } from './server/server.ts';
import { settingsOf } from './store-kit.ts';

let directory: string;
let config: string;
beforeEach(() => {
  directory = testDirectory();
  config = join(directory, 'vast-ost.conf');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function configure(server: S3Server): void {
  settingsOf(server); // credentials into the environment
  const keys = { store: 's3', endpoints: server.url, bucket: server.bucket, prefix: 'backups/' };
  writeFileSync(
    config,
    configText(directory, { 'server:cloud': keys, 'server:files': { mount_points: '/mnt/files' } }),
  );
}

test('a bucket is prepared once, and then is a storage root', async () => {
  await using server = await S3Server.start();
  configure(server);
  const first = await runVastOst('init-store', '--server', 'cloud', '--config', config);
  expect(first).toMatchObject({ code: 0, errors: '' });
  expect(first.text).toMatch(/^bucket test-bucket, prefix backups\/ is a storage root now, store id [0-9a-f]{32}\n$/);
  expect(server.keys()).toEqual(['backups/.vast-ost-store']);
  const again = await runVastOst('init-store', '--server', 'cloud', '--config', config);
  expect(again.code).toBe(1);
  expect(again.errors).toContain('is a storage root already');
});

test('a passport is shown, written, and compared later', async () => {
  await using server = await S3Server.start();
  configure(server);
  const file = join(directory, 'passport.json');
  const shown = await runVastOst('probe', 'cloud', '--config', config, '--out', file);
  expect(shown).toMatchObject({ code: 0, errors: '' });
  expect(shown.text).toContain('crc64nvmePut     verified');
  expect(shown.text).toContain('bytes are protected by CRC-64/NVME of every part');
  expect(passport.parse(JSON.parse(readFileSync(file, 'utf8'))).bucket).toBe('test-bucket');
  expect(await runVastOst('probe', 'cloud', '--config', config, '--diff', file)).toMatchObject({ code: 0 });
  server.options.conditionalPut = 'ignore';
  const changed = await runVastOst('probe', 'cloud', '--config', config, '--diff', file);
  expect(changed.code).toBe(1);
  expect(changed.text).toContain('ifNoneMatch: honoured -> ignored');
  const warned = await runVastOst('probe', 'cloud', '--config', config);
  expect(warned.errors).toContain('only one engine may write to this bucket');
});

test.each([
  [['probe', 'none'], 1, /has no \[server:none\] with store = s3; those with store = s3: cloud/],
  [['probe', 'files'], 1, /\[server:files\] in .* is mounted and no bucket; .*init-store \//],
  [['init-store'], 2, /needs a directory, or --server/],
  [['init-store', '/x', '--server', 'cloud'], 2, /needs a directory, or --server/],
])('%j is refused with what to write instead', async (args, exitCode, text) => {
  await using server = await S3Server.start();
  configure(server);
  const { code, errors } = await runVastOst(...args, ...(args.length > 1 ? ['--config', config] : []));
  expect(code).toBe(exitCode);
  expect(errors).toMatch(text);
});

test('an endpoint that does not answer is told, with its address and what to check', async () => {
  await using server = await S3Server.start();
  configure(server);
  await server.endpoints[0]?.down();
  const { code, errors } = await runVastOst('probe', 'cloud', '--config', config);
  expect(code).toBe(1);
  expect(errors).toContain(server.url);
  expect(errors).toContain('ECONNREFUSED');
  expect(errors).toContain('check endpoints');
});
