/** Each key of [server:NAME] does what it says: one test for each, seen from outside. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serverKeys } from '../../engine/config-server-keys.ts';
import { TestEngine, testDirectory } from '../support/engine.ts';
import { makeRoot, serverStatus } from './servers-kit.ts';

/**
 * Their effect is on requests to a bucket: test/s3/config-effect.test.ts. Named one by one, so that a key that nobody
 * thought of fails here.
 */
const ofTheDataPath: ReadonlySet<string> = new Set([
  'prefix',
  'region',
  'addressing',
  'credentials_file',
  'ca_file',
  'part_size_mb',
  'parts_in_flight',
  'connect_timeout_s',
  'idle_timeout_s',
  'request_retry_s',
]);

/** One engine with a server of each kind; nobody listens at those endpoints. */
let engine: TestEngine;
const directory = testDirectory();
const cloud = { store: 's3', endpoints: 'https://127.0.0.1:1, https://[::1]:1', bucket: 'the-bucket' };

beforeAll(async () => {
  engine = await TestEngine.start({
    directory,
    env: { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' },
    config: {
      'server:files': { mount_points: makeRoot(directory, 'files') },
      'server:cloud': cloud,
      'server:open': { ...cloud, bucket: 'other-bucket', tls_verify: false },
    },
  });
});
afterAll(async () => {
  await engine.stop();
  await engine[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const effects: Record<string, () => Promise<void>> = {
  store: async () => {
    expect((await serverStatus(engine, 'VastData:files'))?.store).toBe('nfs');
    expect((await serverStatus(engine, 'VastData:cloud'))?.store).toBe('s3');
    await using host = await engine.script();
    expect((await host.ok('server_prop_byname s VastData:files')).store).toBe('file');
    expect((await host.ok('server_prop_byname s VastData:cloud')).store).toBe('s3');
  },
  mount_points: async () => {
    await using host = await engine.script();
    await host.ok('open_server s f VastData:files');
    await host.ok('create_lsu f lsu');
    expect(existsSync(join(directory, 'files/lsu'))).toBe(true);
    expect(existsSync(join(engine.store, 'lsu'))).toBe(false);
  },
  endpoints: async () => {
    const { endpoints } = (await serverStatus(engine, 'VastData:cloud')) ?? {};
    expect(endpoints?.map(({ origin }) => origin)).toEqual(['https://127.0.0.1:1', 'https://[::1]:1']);
    await using host = await engine.script();
    await host.ok('open_server s c VastData:cloud');
    const answer = await host.call('create_lsu c lsu');
    expect(answer.status).not.toBe(0);
    expect(answer.text).toMatch(/https:\/\/(127\.0\.0\.1|\[::1\]):1/);
    expect(answer.text).toContain('ECONNREFUSED');
  },
  bucket: async () => {
    expect((await serverStatus(engine, 'VastData:cloud'))?.root).toContain('the-bucket');
    expect((await serverStatus(engine, 'VastData:open'))?.root).toContain('other-bucket');
  },
  tls_verify: async () => {
    expect((await serverStatus(engine, 'VastData:cloud'))?.tlsVerify).toBe(true);
    expect((await serverStatus(engine, 'VastData:open'))?.tlsVerify).toBe(false);
    const warned = engine.log().filter(({ msg }) => String(msg).startsWith('tls_verify = false'));
    expect(warned).toMatchObject([{ level: 'WARN', server: 'VastData:open' }]);
  },
};

test.each(serverKeys.map(({ key }) => key).filter((key) => !ofTheDataPath.has(key)))('%s', async (key) => {
  const effect = effects[key];
  expect(effect, `a test for ${key}`).toBeDefined();
  await effect?.();
});
