import { describe, expect, test } from 'vitest';
import { type Config, ConfigError, parseConfig } from '../../engine/config.ts';
import { parseEndpoint } from '../../engine/config-forms.ts';
import { exampleConfig } from '../../engine/config-keys.ts';
import { serverKeys, serversMax } from '../../engine/config-server-keys.ts';
import type { S3ServerConfig } from '../../engine/config-servers.ts';
import { configText } from '../../engine/config-text.ts';

const mib = 1_048_576;
const machine = { cores: 8, memoryBytes: 64 * 1024 * mib, cgroupBytes: Infinity };
const parse = (text: string | Uint8Array): Config => parseConfig(text, 'vast-ost.conf', machine);
function problemsOf(text: string | Uint8Array) {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

/** What a section of each kind cannot do without. */
const least = { nfs: 'mount_points = /m', s3: 'store = s3\nendpoints = https://a\nbucket = bucket' };
/** One S3 server with this key instead of what it has of it. */
function s3With(key: string, value: string): string {
  const others = least.s3.split('\n').filter((line) => !line.startsWith(`${key} =`));
  return `[server:x]\n${others.join('\n')}\n${key} = ${value}\n`;
}
const s3Of = (text: string): S3ServerConfig => parse(text).servers[0] as S3ServerConfig;
const url = (text: string) => parseEndpoint(text)?.url ?? null;

describe('a section', () => {
  test('of nfs with what it needs', () => {
    expect(parse('[server:prod-1.x_Y]\nmount_points =  /a//b/ \n').servers).toEqual([
      { store: 'nfs', name: 'prod-1.x_Y', mountPoints: ['/a/b'] },
    ]);
  });

  test('of s3 with what it needs: all else has a default', () => {
    expect(parse(`[server:cloud]\n${least.s3}\n`).servers).toEqual([
      {
        store: 's3',
        name: 'cloud',
        endpoints: [{ url: 'https://a', tls: true, host: 'a', port: 443, isAddress: false }],
        bucket: 'bucket',
        prefix: '',
        region: 'us-east-1',
        addressing: 'path',
        credentialsFile: null,
        caFile: null,
        tlsVerify: true,
        partBytes: 64 * mib,
        partsInFlight: 6,
        connectTimeoutS: 10,
        idleTimeoutS: 60,
        requestRetryS: 120,
      },
    ]);
  });

  test('servers stand in the order of the file, frozen', () => {
    const { servers } = parse(`[server:b]\n${least.s3}\n[server:a]\n${least.nfs}\n`);
    expect(servers.map(({ name }) => name)).toEqual(['b', 'a']);
    expect(Object.isFrozen(servers) && servers.every((server) => Object.isFrozen(server))).toBe(true);
  });

  test('case counts in names', () => {
    const { servers } = parse('[server:a]\nmount_points = /m\n[server:A]\nmount_points = /n\n');
    expect(servers.map(({ name }) => name)).toEqual(['a', 'A']);
  });

  test('without a part size has that of a block, but never less than S3 takes', () => {
    expect(s3Of(`[general]\nblock_size_mb = 4\n[server:x]\n${least.s3}`).partBytes).toBe(8 * mib);
    expect(s3Of(`[general]\nblock_size_mb = 128\n[server:x]\n${least.s3}`).partBytes).toBe(128 * mib);
  });
});

describe('each key', () => {
  test.each<[string, string, (server: S3ServerConfig) => unknown, unknown]>([
    ['store', 's3', (s) => s.store, 's3'],
    [
      'endpoints',
      'http://a:80,http://[::1]:9000/',
      (s) => s.endpoints.map((one) => one.url),
      ['http://a', 'http://[::1]:9000'],
    ],
    ['bucket', 'a.b-c_D', (s) => s.bucket, 'a.b-c_D'],
    ['prefix', '/backups/prod', (s) => s.prefix, 'backups/prod/'],
    ['prefix', '', (s) => s.prefix, ''],
    ['prefix', '/', (s) => s.prefix, ''],
    ['region', 'eu-central-1', (s) => s.region, 'eu-central-1'],
    ['addressing', 'virtual', (s) => s.addressing, 'virtual'],
    ['credentials_file', '/etc/keys', (s) => s.credentialsFile, '/etc/keys'],
    ['credentials_file', '', (s) => s.credentialsFile, null],
    ['ca_file', '/etc/ca.pem', (s) => s.caFile, '/etc/ca.pem'],
    ['tls_verify', 'false', (s) => s.tlsVerify, false],
    ['part_size_mb', '16', (s) => s.partBytes, 16 * mib],
    ['parts_in_flight', '16', (s) => s.partsInFlight, 16],
    ['connect_timeout_s', '1', (s) => s.connectTimeoutS, 1],
    ['idle_timeout_s', '3600', (s) => s.idleTimeoutS, 3600],
    ['request_retry_s', '0', (s) => s.requestRetryS, 0],
  ])('%s = %s is taken', (key, value, read, wanted) => {
    expect(read(s3Of(s3With(key, value)))).toEqual(wanted);
  });

  test('refuses nonsense with its line, its form and its default', () => {
    for (const { key, stores, form, byDefault, example } of serverKeys) {
      for (const nonsense of ['non sense', '-1', '1.5', '../x', '99999999999999999999', ...(example ? [''] : [])]) {
        // A long number is a bucket's or a region's name like any other.
        if (['bucket', 'region', 'prefix'].includes(key) && /^[0-9.]+$/.test(nonsense)) continue;
        if (key === 'prefix' && nonsense === '-1') continue;
        const store = stores.includes('s3') ? 's3' : 'nfs';
        const others = least[store].split('\n').filter((line) => !line.startsWith(`${key} =`));
        const problems = problemsOf(`[server:x]\n${key} = ${nonsense}\n${others.join('\n')}\n`);
        expect(problems, `${key} = ${nonsense}`).toHaveLength(1);
        expect(problems[0]).toMatchObject({ line: 2, text: expect.stringContaining(key) });
        expect(problems[0]?.remedy).toContain(form);
        expect(problems[0]?.remedy).toContain(byDefault);
      }
    }
  });

  test.each([
    ['bucket', ['ab', 'a..b', '-ab', 'ab-', 'a b', 'a/b', 'x'.repeat(64)], ['abc', 'x'.repeat(63)]],
    ['prefix', ['a//b', '..', 'a/./b', 'ä', 'a b', '//'], ['a', 'a/b/', '/a/', '.hidden/x']],
    ['part_size_mb', ['4', '9', '260', '1'], ['0', '8', '256']],
    ['parts_in_flight', ['0', '17'], ['1']],
    ['connect_timeout_s', ['0', '301'], ['300']],
    ['endpoints', ['https://a,', 'https://a, https://a:443', 'https://a https://b', ','], ['https://a, https://a:444']],
  ])('%s refuses %j and takes %j', (key, wrong, right) => {
    for (const value of wrong) expect(problemsOf(s3With(key, value)), value).toHaveLength(1);
    for (const value of right) expect(problemsOf(s3With(key, value)), value).toEqual([]);
  });

  test('mount_points refuses what is no list of different absolute paths', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `/m${i}`).join(',');
    for (const value of ['m', '/a,b', '/a,', '/a,/a/', '/a/../b', many(17)]) {
      expect(problemsOf(`[server:x]\nmount_points = ${value}\n`), value).toHaveLength(1);
    }
    expect(parse('[server:x]\nmount_points = /a, /b/\n').servers).toMatchObject([{ mountPoints: ['/a', '/b'] }]);
    expect(problemsOf(`[server:x]\nmount_points = ${many(16)}\n`)).toEqual([]);
  });

  test('of several mount points none may be longer than a claim can name', () => {
    const long = `/${'ä'.repeat(90)}`;
    expect(problemsOf(`[server:x]\nmount_points = ${long}\n`)).toEqual([]);
    expect(problemsOf(`[server:x]\nmount_points = /a, ${long}\n`)).toMatchObject([
      {
        line: 2,
        text: expect.stringContaining('longer than the 512 bytes'),
        remedy: expect.stringContaining('shorter'),
      },
    ]);
  });

  test('all storage servers together have no more mounts than an engine has', () => {
    const section = (name: number, count: number) =>
      `[server:s${name}]\nmount_points = ${Array.from({ length: count }, (_, i) => `/m${name}/${i}`).join(',')}\n`;
    const full = Array.from({ length: 8 }, (_, i) => section(i, 16)).join('');
    expect(problemsOf(full)).toEqual([]);
    expect(problemsOf(full + section(8, 1) + section(9, 1))).toMatchObject([
      { line: 18, text: expect.stringContaining('[server:s8]: 129 mounts are more than the 128') },
    ]);
    expect(problemsOf(`[general]\nnfs_mount_point = /m\n${full}`)).toHaveLength(1);
  });

  test('several mounts leave io lanes to each other, unless their number is written', () => {
    const lanes = (text: string): number => parse(text).engine.ioLanesPerMount;
    expect(lanes('[server:x]\nmount_points = /a\n[server:y]\nmount_points = /b\n')).toBe(16);
    expect(lanes('[server:x]\nmount_points = /a, /b\n')).toBe(12);
    expect(lanes('[performance]\nthread_pool_size = 1\n[server:x]\nmount_points = /a, /b\n')).toBe(1);
    expect(lanes('[engine]\nio_lanes_per_mount = 16\n[server:x]\nmount_points = /a, /b\n')).toBe(16);
  });
});

describe('an endpoint', () => {
  test.each([
    ['http://a', 'http://a'],
    ['http://a:80/', 'http://a'],
    ['https://S3.Example.com:443', 'https://s3.example.com'],
    ['https://a:80', 'https://a:80'],
    ['http://10.0.0.1:9000', 'http://10.0.0.1:9000'],
    ['http://[2001:DB8::1]', 'http://[2001:db8::1]'],
    ['https://[::ffff:10.0.0.1]:1', 'https://[::ffff:10.0.0.1]:1'],
    ['http://under_score.lan', 'http://under_score.lan'],
  ])('%s is %s', (text, wanted) => {
    expect(url(text)).toBe(wanted);
  });
  test.each([
    'a',
    'a:9000',
    'ftp://a',
    'HTTP://a',
    'http://',
    'http://a:',
    'http://a:0',
    'http://a:65536',
    'http://a/b',
    'http://a?b',
    'http://user@a',
    'http://a..b',
    'http://2001:db8::1',
    'http://[2001:db8::1',
    'http://[fe80::1%eth0]',
    'http://[10.0.0.1]',
    'http://10.0.0.256',
    'http://10.0.1',
    `http://${'x'.repeat(254)}`,
  ])('%s is none', (text) => {
    expect(parseEndpoint(text)).toBeNull();
  });
});

describe('what is wrong', () => {
  test.each<[string, string, number, string, string]>([
    [
      'a key of the other store',
      '[server:x]\nmount_points = /m\nbucket = abc',
      3,
      'bucket is a key of store = s3',
      'remove it, or write store = s3',
    ],
    [
      'the other way round',
      `[server:x]\n${least.s3}\nmount_points = /m`,
      5,
      'mount_points is a key of store = nfs',
      'store = nfs',
    ],
    [
      'a key nobody knows',
      '[server:x]\nmount_points = /m\nmount_point = /m',
      3,
      'mount_point is no key of [server:x]',
      'is mount_points meant?',
    ],
    ['no mounts', '\n[server:x]\n', 2, '[server:x] has no mount_points', 'write mount_points ='],
    ['no name', '[server:]\nmount_points = /m', 1, '[server:] names no storage server', '[server:NAME]'],
    ['only the word', '[server]\nmount_points = /m', 1, '[server] names no storage server', '[server:NAME]'],
    ['a name with a colon', '[server:a:b]\nmount_points = /m', 1, 'names no storage server', 'letters, digits'],
    ['a name that no HELLO can carry', `[server:${'x'.repeat(247)}]\nmount_points = /m`, 1, 'names no', 'at most 246'],
    ['a section that is nearly one', '[servers:x]\n', 1, '[servers:x] is unknown', '[server:NAME]'],
    [
      'a key of ours elsewhere',
      '[general]\nbucket = b',
      2,
      'bucket is no key of [general]',
      'it belongs into [server:NAME]',
    ],
    [
      'a mount of two servers',
      '[server:a]\nmount_points = /m\n[server:b]\nmount_points = /m/',
      4,
      '/m is in [server:a] already',
      'one mount',
    ],
    [
      'the mount of the default',
      '[general]\nnfs_mount_point = /m/\n[server:b]\nmount_points = /m',
      4,
      '/m is in nfs_mount_point already',
      'one mount',
    ],
    [
      'a bucket of two servers',
      `[server:a]\n${least.s3}\n[server:b]\n${least.s3}`,
      8,
      'bucket bucket with this prefix is in [server:a]',
      'of its own',
    ],
    ['http and https', s3With('endpoints', 'http://a,https://b'), 4, 'mixes http and https', 'one scheme'],
    ['a CA for http', `${s3With('endpoints', 'http://a')}ca_file = /ca`, 5, 'ca_file says nothing', 'https://'],
    [
      'no check for http',
      `${s3With('endpoints', 'http://a')}tls_verify = false`,
      5,
      'tls_verify says nothing',
      'https://',
    ],
    [
      'a bucket before an address',
      `${s3With('endpoints', 'https://[::1]')}addressing = virtual`,
      5,
      'https://[::1] cannot carry the bucket',
      'addressing = path',
    ],
    [
      'a bucket that is no host name',
      `${s3With('bucket', 'Abc')}addressing = virtual`,
      5,
      'bucket Abc cannot be part',
      'addressing = path',
    ],
    [
      'more read-ahead than slots',
      `[performance]\nread_ahead_mb = 4032\n${s3With('part_size_mb', '8')}`,
      7,
      '63 parts of 8 MiB',
      'raise part_size_mb',
    ],
    [
      'parts that do not fit the memory',
      `[engine]\nmax_memory_mb = 300\nhandles_max = 1\n${s3With('part_size_mb', '152')}`,
      8,
      'more than half',
      'lower part_size_mb',
    ],
    ['bytes that are no text', '[server:x]\nmount_points = /m\xff', 2, 'the value is not UTF-8', 'UTF-8'],
  ])('%s', (_, text, line, wrong, remedy) => {
    const bytes = Buffer.from(text, 'latin1');
    const problems = problemsOf(bytes);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({
      line,
      text: expect.stringContaining(wrong),
      remedy: expect.stringContaining(remedy),
    });
  });

  test('is told at once, by line, over all sections', () => {
    const text =
      '[server:a]\nstore = tape\nbucket = b b\nnonsense = 1\n[server:b]\nbucket = abc\n[server:c]\nstore = s3\n';
    expect(problemsOf(text).map(({ line, text: found }) => `${line} ${found}`)).toEqual([
      '2 store = tape cannot be used',
      '3 bucket = b b cannot be used',
      '4 nonsense is no key of [server:a]',
      '5 [server:b] has no mount_points',
      '6 bucket is a key of store = s3, and [server:b] has store = nfs',
      '7 [server:c] has no endpoints',
      '7 [server:c] has no bucket',
    ]);
  });

  test('too many servers: told at the first one that is too many', () => {
    const servers = (count: number) =>
      Array.from({ length: count }, (_, i) => `[server:s${i}]\nmount_points = /m${i}`).join('\n');
    expect(parse(servers(serversMax)).servers).toHaveLength(serversMax);
    expect(problemsOf(servers(serversMax + 2))).toMatchObject([{ line: 2 * serversMax + 1 }]);
  });

  test('a full set of keys for all servers is a file that can be read', () => {
    const one = (i: number) =>
      ['store = s3', 'endpoints = http://a', `bucket = b${i}x`, ...['prefix', 'region', 'addressing'].map(keyLine)]
        .concat(['part_size_mb', 'parts_in_flight', 'connect_timeout_s', 'idle_timeout_s'].map(keyLine))
        .concat(['request_retry_s', 'credentials_file', 'ca_file', 'tls_verify'].map(keyLine))
        .join('\n');
    const text = Array.from({ length: serversMax }, (_, i) => `[server:s${i}]\n${one(i)}`).join('\n');
    expect(parse(text).servers).toHaveLength(serversMax);
  });
});

function keyLine(key: string): string {
  return `${key} = ${serverKeys.find((one) => one.key === key)?.byDefault}`;
}

describe('the default server', () => {
  const section = `[server:x]\n${least.nfs}\n`;
  test('is that of [general] where it is written, or where nothing else is', () => {
    expect(parse('').general.nfsMountPoint).toBe('/mnt/vast-netbackup');
    expect(parse(`[general]\nnfs_mount_point = /d\n${section}`).general.nfsMountPoint).toBe('/d');
    expect(parse(`[engine]\nstore = memory\n${section}`).general.nfsMountPoint).toBe('/mnt/vast-netbackup');
  });
  test('is none where there are other servers and nobody wrote it', () => {
    expect(parse(section).general.nfsMountPoint).toBeNull();
    // Then its default is nobody's either.
    expect(problemsOf('[server:x]\nmount_points = /mnt/vast-netbackup\n')).toEqual([]);
  });
});

describe('as text', () => {
  const nfs = '[server:files]\nmount_points = /a\n';
  const cloud = `[server:cloud]\n${least.s3}\nprefix = a/b\npart_size_mb = 8\ntls_verify = false\ncredentials_file = /k\n`;
  test.each([
    ['with a default server', `[general]\nnfs_mount_point = /d\n${nfs}${cloud}`],
    ['without', `${cloud}${nfs}`],
  ])('loads to the same again: %s', (_, text) => {
    const config = parse(text);
    expect(parse(configText(config))).toEqual(config);
    for (const { key } of serverKeys) expect(configText(config)).toMatch(new RegExp(`^${key} =(?! undefined)`, 'm'));
  });

  test('the example has each key of each kind, and can be used when its marks are taken away', () => {
    const example = exampleConfig();
    expect(parse(example).servers).toEqual([]);
    const open = example.replace(/^#(?=\S)/gm, '');
    const { servers } = parse(open);
    expect(servers.map(({ store }) => store)).toEqual(['nfs', 's3']);
    const lines = open.slice(open.indexOf('[server:')).split('\n');
    for (const { key, stores } of serverKeys) {
      expect(lines.filter((line) => line.startsWith(`${key} =`))).toHaveLength(stores.length);
    }
  });
});
