/**
 * How an endpoint is addressed × scheme × what its host is × what is trusted: every cell. A legal one does the main job
 * through plug-in and engine; an illegal one is refused by check-config; one that trusts nobody who signed the endpoint's
 * certificate is refused with the sentence of the error table.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureClasses } from '../../workers/s3/failures.ts';
import { runVastOst } from '../support/cli.ts';
import { configText, TestEngine, testDirectory } from '../support/engine.ts';
import { HostScript } from '../support/host-program.ts';
import { caPath, otherCaPath, S3Server } from './server/server.ts';
import { settingsOf } from './store-kit.ts';

const mib = 1 << 20;
const size = 9 * mib + 512;
const addressings = ['path', 'virtual'] as const;
const schemes = ['http', 'https'] as const;
const hosts = ['localhost', '127.0.0.1', '[::1]'] as const;
/** Keys over the defaults: nothing, a CA that signed the endpoint's certificate, one that did not, nobody is asked. */
const trusts = {
  nothing: {},
  'its CA': { ca_file: caPath },
  'another CA': { ca_file: otherCaPath },
  everybody: { tls_verify: false },
} as const;

interface Cell {
  server: string;
  title: string;
  addressing: (typeof addressings)[number];
  scheme: (typeof schemes)[number];
  host: (typeof hosts)[number];
  trust: keyof typeof trusts;
}

const cells: Cell[] = addressings.flatMap((addressing) =>
  schemes.flatMap((scheme) =>
    hosts.flatMap((host) =>
      (Object.keys(trusts) as (keyof typeof trusts)[]).map((trust) => ({
        ...{ addressing, scheme, host, trust },
        server: [addressing, scheme, hosts.indexOf(host), Object.keys(trusts).indexOf(trust)].join('-'),
        title: `${addressing}, ${scheme}://${host}, trusts ${trust}`,
      })),
    ),
  ),
);

/** What check-config says against it; []: it is legal. */
function refusals({ addressing, scheme, host, trust }: Cell): RegExp[] {
  return [
    ...(addressing === 'virtual' && host !== 'localhost'
      ? [/cannot carry the bucket in its name.*write addressing = path/]
      : []),
    ...(scheme === 'http' && (trust === 'its CA' || trust === 'another CA')
      ? [/ca_file says nothing about endpoints of http.*write https:\/\/, or remove ca_file/]
      : []),
    ...(scheme === 'http' && trust === 'everybody'
      ? [/tls_verify says nothing about endpoints of http.*write https:\/\/, or remove tls_verify/]
      : []),
  ];
}

const legal = cells.filter((cell) => refusals(cell).length === 0);
const illegal = cells.filter((cell) => refusals(cell).length > 0);
const isTrusted = ({ scheme, trust }: Cell): boolean =>
  scheme === 'http' || trust === 'its CA' || trust === 'everybody';
const trusted = legal.filter(isTrusted);
const untrusted = legal.filter((cell) => !isTrusted(cell));

let server: S3Server;
let engine: TestEngine;
let host: HostScript;
let directory: string;
let config: string;

/** `*.localhost` has no address on many machines: connections go to the endpoint's own name, which has one. */
function keysOf(cell: Cell): Record<string, string | boolean> {
  const at = server.endpoints.find(
    ({ protocol, address }) => protocol === cell.scheme && (address === '::1') === (cell.host === '[::1]'),
  );
  return {
    ...{ store: 's3', endpoints: `${cell.scheme}://${cell.host}:${at?.port}`, bucket: server.bucket },
    ...{ prefix: cell.server, addressing: cell.addressing, ...trusts[cell.trust] },
  };
}

function configOf(file: string, list: readonly Cell[]): string {
  const servers = Object.fromEntries(
    list.map((cell) => [`server:${cell.server}`, { part_size_mb: 8, ...keysOf(cell) }]),
  );
  const path = join(directory, file);
  writeFileSync(path, configText(directory, servers));
  return path;
}

beforeAll(async () => {
  server = await S3Server.start({
    endpoints: schemes.flatMap((protocol) => ['127.0.0.1', '::1'].map((address) => ({ protocol, address }))),
  });
  settingsOf(server); // credentials into the environment
  directory = testDirectory();
  mkdirSync(directory, { recursive: true });
  config = configOf('cells.conf', legal);
});
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

test('all cells are there, and of each kind some', () => {
  expect([cells.length, illegal.length, trusted.length, untrusted.length]).toEqual([48, 28, 12, 8]);
});

test.each(illegal)('refused by check-config: $title', async (cell) => {
  const { code, errors } = await runVastOst('check-config', configOf('one.conf', [cell]));
  expect(code).not.toBe(0);
  for (const text of refusals(cell)) expect(errors).toMatch(text);
});

test('check-config takes all others at once', async () => {
  expect(await runVastOst('check-config', config)).toMatchObject({ code: 0, errors: '' });
});

test.each(untrusted)('init-store is refused with what to do: $title', async (cell) => {
  const { code, errors } = await runVastOst('init-store', '--server', cell.server, '--config', config);
  expect(code).toBe(1);
  expect(errors).toContain(failureClasses.certificate.remedy);
  expect(errors).toContain(`${cell.scheme}://${cell.host}`);
});

test.each(trusted)('init-store: $title', async (cell) => {
  const { code, errors } = await runVastOst('init-store', '--server', cell.server, '--config', config);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(server.has(`${cell.server}/.vast-ost-store`)).toBe(true);
});

test('an engine serves all cells, and does not need those that it cannot trust', async () => {
  const servers = Object.fromEntries(
    legal.map((cell) => [`server:${cell.server}`, { part_size_mb: 8, ...keysOf(cell) }]),
  );
  engine = await TestEngine.start({ directory, config: servers });
  host = new HostScript();
  await host.ok(`init ${engine.config}`);
  await host.ok('session s job');
});

test.each(trusted)('backup, restore, list, delete: $title', async (cell) => {
  server.clearLog();
  const prefix = `${cell.server}/lsu/image~7/`;
  await host.ok(`open_server s v VastData:${cell.server}`);
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  await host.ok(`write i 0 ${size} 5`);
  await host.ok('close i 1');
  await host.ok('open_image v r lsu image 7 1');
  expect(await host.ok(`read r 0 ${2 * size} expect=5`)).toMatchObject({ got: size, match: true });
  await host.ok('close r 0');
  expect((await host.ok('list_images v lsu all')).images).toMatchObject([{ image: 'image' }]);
  expect(server.keys(prefix)).toHaveLength(3);
  await host.ok('delete v lsu image 7');
  expect((await host.ok('list_images v lsu all')).images).toEqual([]);
  expect(server.keys(prefix)).toEqual([]);
  await host.ok('close_server v');
  const requests = server.requests.filter(({ key }) => key.startsWith(prefix));
  const named = `${cell.addressing === 'virtual' ? `${server.bucket}.` : ''}${cell.host}:`;
  expect(requests.length).toBeGreaterThan(10);
  for (const { headers } of requests) expect(headers.host?.startsWith(named), headers.host).toBe(true);
  for (const { endpoint } of requests) expect(server.endpoints[endpoint]?.protocol).toBe(cell.scheme);
});

test.each(untrusted)('the engine refuses with what to do: $title', async (cell) => {
  await host.ok(`open_server s v VastData:${cell.server}`);
  const { status, text } = await host.call('create_lsu v lsu');
  expect(status).not.toBe(0);
  expect(text).toContain(failureClasses.certificate.remedy);
  expect(text).toContain(`${cell.scheme}://${cell.host}`);
  await host.ok('close_server v');
});

test('who trusts everybody is shown, in status and log, and nobody else', async () => {
  const open = legal.filter(({ trust }) => trust === 'everybody').map((cell) => `VastData:${cell.server}`);
  const { servers } = await engine.status();
  expect(
    servers
      .filter(({ tlsVerify }) => !tlsVerify)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(open.sort());
  const warned = engine.log().filter(({ msg }) => String(msg).startsWith('tls_verify = false'));
  expect(warned.map((line) => line.server).sort()).toEqual(open);
  const { text } = await runVastOst('status', '--config', engine.config);
  for (const name of open) expect(text).toContain(`${name}: tls_verify = false`);
  expect(engine.bugs()).toEqual([]);
  expect(existsSync(engine.config)).toBe(true);
});
