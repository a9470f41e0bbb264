import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type Config, ConfigError, loadConfig, parseConfig } from '../../engine/config.ts';
import { cpusText, parseCpus } from '../../engine/config-forms.ts';
import { configKeys, exampleConfig } from '../../engine/config-keys.ts';
import { configText } from '../../engine/config-text.ts';
import { allowedCpus, cgroupLimit, type MachineFacts, machineFacts } from '../../engine/machine.ts';
import { check } from '../support/property.ts';

const mib = 1_048_576;
const machine = { cores: 8, memoryBytes: 64 * 1024 * mib, cgroupBytes: Infinity };
const parse = (text: string, facts: MachineFacts = machine) => parseConfig(text, 'vast-ost.conf', facts);
function problemsOf(text: string, facts: MachineFacts = machine) {
  try {
    parse(text, facts);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

/** Section 8 of the specification, word for word. */
const specified = `# /usr/openv/lib/ost-plugins/vast-ost.conf
[general]
nfs_mount_point = /mnt/vast-netbackup
use_direct_io = true
block_size_mb = 64
metadata_format = json

[performance]
write_buffer_count = 3
read_ahead_mb = 128
thread_pool_size = 16

[logging]
log_level = INFO
log_file = /usr/openv/logs/vast-ost.log
`;

const defaults: Omit<Config, 'source'> = {
  general: { nfsMountPoint: '/mnt/vast-netbackup', useDirectIo: true, blockBytes: 64 * mib, metadataFormat: 'json' },
  performance: { writeBufferCount: 3, readAheadBytes: 128 * mib, threadPoolSize: 16 },
  logging: { level: 'INFO', file: '/usr/openv/logs/vast-ost.log' },
  engine: {
    socket: '/run/vast-ost/engine.sock',
    socketMode: 0o660,
    connectWaitS: 10,
    maxMemoryBytes: 4096 * mib,
    arenaWaitS: 600,
    blocksInFlight: 2,
    handlesMax: 256,
    metaLanes: 4,
    digestLanes: 2,
    cpus: null,
    ioLanesPerMount: 16,
    requireMount: true,
    drainS: 30,
    laneOverdueS: 60,
    store: 'file',
  },
  integrity: { sums: true, checksum: 'sha256' },
  servers: [],
};

describe('defaults', () => {
  test('nothing, the specified file and the example file all give them', () => {
    const example = readFileSync(new URL('../../packaging/vast-ost.conf', import.meta.url), 'utf8');
    expect(parse('')).toEqual({ source: 'vast-ost.conf', ...defaults });
    expect(parse(specified)).toEqual({ source: 'vast-ost.conf', ...defaults });
    expect(parse(example)).toEqual({ source: 'vast-ost.conf', ...defaults });
  });

  test('the example file is the one that the table of keys makes, with every key once', () => {
    const example = readFileSync(new URL('../../packaging/vast-ost.conf', import.meta.url), 'utf8');
    expect(example).toBe(exampleConfig());
    for (const { key, byDefault } of configKeys) {
      expect(example.split('\n').filter((line) => line === `${key} = ${byDefault}`)).toHaveLength(1);
    }
  });

  test('are frozen', () => {
    const config = parse('');
    expect(() => Object.assign(config.engine, { handlesMax: 1 })).toThrow(TypeError);
    expect(Object.isFrozen(config) && Object.values(config).every((part) => Object.isFrozen(part))).toBe(true);
  });
});

describe('each key', () => {
  test.each<[string, string, string, (config: Config) => unknown, unknown]>([
    ['general', 'nfs_mount_point', '/a//b/', (c) => c.general.nfsMountPoint, '/a/b'],
    ['general', 'use_direct_io', 'false', (c) => c.general.useDirectIo, false],
    ['general', 'block_size_mb', '256', (c) => c.general.blockBytes, 256 * mib],
    ['general', 'metadata_format', 'json', (c) => c.general.metadataFormat, 'json'],
    ['performance', 'write_buffer_count', '62', (c) => c.performance.writeBufferCount, 62],
    ['performance', 'read_ahead_mb', '0', (c) => c.performance.readAheadBytes, 0],
    [
      'performance',
      'thread_pool_size',
      '64',
      (c) => [c.performance.threadPoolSize, c.engine.ioLanesPerMount],
      [64, 64],
    ],
    ['logging', 'log_level', 'TRACE', (c) => c.logging.level, 'TRACE'],
    ['logging', 'log_file', '-', (c) => c.logging.file, '-'],
    ['engine', 'socket', '/x.sock', (c) => c.engine.socket, '/x.sock'],
    ['engine', 'socket_mode', '600', (c) => c.engine.socketMode, 0o600],
    ['engine', 'connect_wait_s', '0', (c) => c.engine.connectWaitS, 0],
    ['engine', 'max_memory_mb', '2048', (c) => c.engine.maxMemoryBytes, 2048 * mib],
    ['engine', 'arena_wait_s', '1', (c) => c.engine.arenaWaitS, 1],
    ['engine', 'blocks_in_flight', '8', (c) => c.engine.blocksInFlight, 8],
    ['engine', 'handles_max', '1024', (c) => c.engine.handlesMax, 1024],
    ['engine', 'meta_lanes', '1', (c) => c.engine.metaLanes, 1],
    ['engine', 'digest_lanes', '7', (c) => c.engine.digestLanes, 7],
    ['engine', 'cpus', '2, 0,5-7', (c) => [c.engine.cpus, c.engine.digestLanes], [[0, 2, 5, 6, 7], 1]],
    ['engine', 'io_lanes_per_mount', '3', (c) => c.engine.ioLanesPerMount, 3],
    ['engine', 'require_mount', 'false', (c) => c.engine.requireMount, false],
    ['engine', 'drain_s', '0', (c) => c.engine.drainS, 0],
    ['engine', 'lane_overdue_s', '5', (c) => c.engine.laneOverdueS, 5],
    ['engine', 'store', 'memory', (c) => c.engine.store, 'memory'],
    ['integrity', 'sums', 'false', (c) => c.integrity.sums, false],
    ['integrity', 'checksum', 'none', (c) => c.integrity.checksum, 'none'],
  ])('[%s] %s = %s is taken', (section, key, value, read, wanted) => {
    expect(read(parse(`[${section}]\n${key} = ${value}\n`))).toEqual(wanted);
  });

  test('has such a test, and refuses nonsense with its line, its form and its default', () => {
    for (const { section, key, byDefault, form } of configKeys) {
      for (const nonsense of ['', 'nonsense', '-1', '1.5', '1e3', 'TRUE', '0x10', '../x', '99999999999999999999']) {
        const [problem, ...more] = problemsOf(`\n[${section}]\n${key} = ${nonsense}\n`);
        expect(more).toEqual([]);
        expect(problem, `${key} = ${nonsense}`).toMatchObject({ line: 3, text: expect.stringContaining(key) });
        expect(problem?.remedy).toContain(form);
        expect(problem?.remedy).toContain(byDefault);
      }
    }
  });

  test.each([
    ['general', 'block_size_mb', ['0', '3', '66', '260'], ['4', '12', '64']],
    ['general', 'nfs_mount_point', ['mnt', '/a/../b', '/a/./b', '/..'], ['/', '/a.b/..c', '/größe']],
    ['general', 'metadata_format', ['xml', 'JSON'], ['json']],
    ['performance', 'write_buffer_count', ['0', '63'], ['1', '62']],
    ['performance', 'read_ahead_mb', ['4097'], ['4032']],
    ['performance', 'thread_pool_size', ['0', '65'], ['64']],
    ['logging', 'log_level', ['info', 'WARNING'], ['ERROR', 'DEBUG']],
    ['engine', 'socket', [`/${'x'.repeat(107)}`, 'engine.sock'], [`/${'x'.repeat(106)}`]],
    ['engine', 'socket_mode', ['0888', '66', '10660'], ['0777', '0000']],
    ['engine', 'blocks_in_flight', ['0', '9'], ['1', '8']],
    ['engine', 'cpus', ['3-1', '1,1', '0-2,2', '1-', '-', '8192', '0;1', 'ALL'], ['all', '0', '8191', '0-3,8']],
    ['integrity', 'checksum', ['SHA256', 'blake3', 'false'], ['none']],
  ])('[%s] %s refuses %j and takes %j', (section, key, wrong, right) => {
    for (const value of wrong) expect(problemsOf(`[${section}]\n${key} = ${value}\n`), value).toHaveLength(1);
    for (const value of right) expect(problemsOf(`[${section}]\n${key} = ${value}\n`), value).toEqual([]);
  });
});

describe('everything that is wrong is told at once', () => {
  test('by line, with remedies', () => {
    const problems = problemsOf(
      [
        'stray = 1',
        '[general]',
        'block_size_mb = 63',
        'blok_size_mb = 64',
        'socket = /x',
        'use_direct_io = true',
        'use_direct_io = false',
        '[engin]',
        'handles_max = 1',
        '[engine]',
        'handles_max = 4000',
        'max_memory_mb = 64',
        'frobnicate = 1',
        'no sense',
      ].join('\n'),
    );
    expect(problems.map(({ line }) => line)).toEqual([1, 3, 4, 5, 7, 8, 11, 12, 13, 14]);
    const remedy = (line: number) => problems.find((problem) => problem.line === line)?.remedy;
    expect(remedy(4)).toBe('is block_size_mb meant?');
    expect(remedy(5)).toBe('it belongs into [engine]');
    expect(remedy(8)).toContain('[engine]');
    expect(remedy(13)).toContain('handles_max');
  });

  test('the error names file and line of each', () => {
    expect(() => parse('[general]\nx = 1\ny = 2\n')).toThrow(
      /^vast-ost\.conf:2: x is no key.*\nvast-ost\.conf:3: y is no key/,
    );
  });

  test('a value that is not UTF-8 is no path', () => {
    const bytes = Buffer.from('[general]\nnfs_mount_point = /mnt/\xff\n', 'latin1');
    expect(() => parseConfig(bytes, 'x', machine)).toThrow('x:2: nfs_mount_point: the value is not UTF-8');
  });

  test('whatever text comes, the answer is a configuration or a ConfigError', () => {
    const word = fc.constantFrom(
      '[',
      ']',
      '=',
      '\n',
      '#',
      ...configKeys.flatMap(({ section, key, byDefault }) => [`[${section}]\n`, `${key} = `, byDefault]),
    );
    check(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 40 }), (words) => {
        for (const { line, text, remedy } of problemsOf(words.join(''))) {
          expect(line).toBeGreaterThanOrEqual(0);
          expect(text !== '' && remedy !== '').toBe(true);
        }
      }),
      1000,
    );
  });
});

describe('totals', () => {
  test.each([
    [
      'handles that do not fit the memory',
      2,
      '[engine]\nhandles_max = 256\nmax_memory_mb = 1023',
      /write handles_max = 255/,
    ],
    [
      'a block of more than half of the memory',
      2,
      '[general]\nblock_size_mb = 256\n[engine]\nmax_memory_mb = 511',
      /lower block_size_mb/,
    ],
    [
      'more read-ahead than an arena has slots',
      2,
      '[performance]\nread_ahead_mb = 256\n[general]\nblock_size_mb = 4',
      /at most 252/,
    ],
    ['more lanes for a mount than there are', 2, '[engine]\nio_lanes_per_mount = 17', /write 0/],
    ['more memory than there is', 2, '[engine]\nmax_memory_mb = 65537', /lower it/],
  ])('%s: refused at line %d', (_, line, text, remedy) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ line, remedy: expect.stringMatching(remedy) });
  });

  test('at the edge they are accepted', () => {
    expect(problemsOf('[engine]\nhandles_max = 256\nmax_memory_mb = 1024')).toEqual([]);
    expect(problemsOf('[general]\nblock_size_mb = 256\n[engine]\nmax_memory_mb = 512\n')).toEqual([]);
    expect(problemsOf('[performance]\nread_ahead_mb = 252\n[general]\nblock_size_mb = 4')).toEqual([]);
  });

  test('automatic values follow the machine', () => {
    const small = { cores: 1, memoryBytes: 2048 * mib, cgroupBytes: Infinity };
    expect(parse('', small).engine).toMatchObject({ maxMemoryBytes: 512 * mib, handlesMax: 128, digestLanes: 1 });
    const caged = { cores: 128, memoryBytes: 256 * 1024 * mib, cgroupBytes: 1024 * mib };
    expect(parse('', caged).engine).toMatchObject({ maxMemoryBytes: 256 * mib, handlesMax: 64, digestLanes: 16 });
    expect(problemsOf('[engine]\nmax_memory_mb = 1025', caged)[0]?.text).toContain('control group allows 1024');
    expect(problemsOf('', { ...small, memoryBytes: 256 * mib })[0]).toMatchObject({ line: 0 });
  });
});

describe('processors', () => {
  const caged = { ...machine, allowedCpus: [0, 1, 2, 3, 8, 9] };

  test('that the process may not run on are named with those that it may', () => {
    expect(problemsOf('[engine]\ncpus = 0-2,9', caged)).toEqual([]);
    expect(problemsOf('\n[engine]\ncpus = 2-9', caged)).toMatchObject([
      { line: 3, text: 'cpus names 4-7, but this process may run on 0-3,8-9' },
    ]);
  });

  test('come back as text, and are read from the kernel', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 300 }), { minLength: 1 }), (cpus) => {
        const sorted = cpus.toSorted((a, b) => a - b);
        expect(parseCpus(cpusText(sorted))).toEqual(sorted);
      }),
    );
    const status = (text: string | null) => allowedCpus(() => text);
    expect(status('Cpus_allowed:\tff\nCpus_allowed_list:\t0-3,6\n')).toEqual([0, 1, 2, 3, 6]);
    expect(status(null)).toBeUndefined();
    expect(machineFacts().allowedCpus?.length).toBeGreaterThanOrEqual(machineFacts().cores);
  });
});

describe('the effective configuration as text', () => {
  test('loads to the same again', () => {
    const config = parse('[engine]\nmax_memory_mb = 100\nsocket_mode = 0640\n[general]\nblock_size_mb = 8\n');
    const again = parse(configText(config), { ...machine, cores: 1 });
    expect(again).toEqual(config);
    for (const { key } of configKeys) expect(configText(config)).toMatch(new RegExp(`^${key} = (?!undefined)`, 'm'));
  });
});

describe('the file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vast-ost-config-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'a.conf');

  test('is the argument, else $VAST_OST_CONF, else the default place, which may be missing', () => {
    writeFileSync(path, '[logging]\nlog_level = WARN\n');
    const other = join(dir, 'b.conf');
    writeFileSync(other, '[logging]\nlog_level = ERROR\n');
    expect(loadConfig(path, { VAST_OST_CONF: other }, machine)).toMatchObject({
      source: path,
      logging: { level: 'WARN' },
    });
    expect(loadConfig(null, { VAST_OST_CONF: other }, machine)).toMatchObject({
      source: other,
      logging: { level: 'ERROR' },
    });
  });

  test('that was named must be there', () => {
    expect(() => loadConfig(join(dir, 'none'), {}, machine)).toThrow(/none: cannot be read \(ENOENT\)/);
    expect(() => loadConfig(null, { VAST_OST_CONF: dir }, machine)).toThrow(/EISDIR/);
  });
});

describe('the machine', () => {
  test('has cores and memory', () => {
    const facts = machineFacts();
    expect(facts.cores).toBeGreaterThan(0);
    expect(facts.memoryBytes).toBeGreaterThan(mib);
    expect(facts.cgroupBytes).toBeGreaterThan(mib);
  });

  test.each<[string, Record<string, string>, number]>([
    ['no control group', {}, Infinity],
    ['version 2, unlimited', { '/proc/self/cgroup': '0::/a/b\n', '/sys/fs/cgroup/a/b/memory.max': 'max\n' }, Infinity],
    [
      'version 2, a parent is tighter',
      {
        '/proc/self/cgroup': '0::/a/b\n',
        '/sys/fs/cgroup/a/memory.max': '1000\n',
        '/sys/fs/cgroup/a/b/memory.max': '2000\n',
      },
      1000,
    ],
    ['version 2 in a container', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': '500\n' }, 500],
    [
      'version 1',
      {
        '/proc/self/cgroup': '5:cpu,memory:/x\n3:cpuset:/y\n',
        '/sys/fs/cgroup/memory/x/memory.limit_in_bytes': '700\n',
        '/sys/fs/cgroup/memory/y/memory.limit_in_bytes': '1\n',
      },
      700,
    ],
    ['nonsense', { '/proc/self/cgroup': 'x\n0::/a\n', '/sys/fs/cgroup/a/memory.max': 'many\n' }, Infinity],
  ])('memory limit: %s', (_, files, limit) => {
    expect(cgroupLimit((path) => files[path] ?? null)).toBe(limit);
  });
});
