import { describe, expect, test } from 'vitest';
import { BenchError } from '../../bench/bench-error.ts';
import type { BenchIo } from '../../bench/cli/io.ts';
import { bytesPerStream, runOptions } from '../../bench/cli/options.ts';
import { runProgram } from '../../bench/cli/program.ts';
import { parseTarget, targetText } from '../../bench/cli/target.ts';
import { Progress } from '../../bench/workplace/progress.ts';

const mib = 1 << 20;

function refused(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof BenchError && error.code === 2) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('options of a run', () => {
  test('nothing given: the file store, all modes, the default one as the headline', () => {
    const options = runOptions({});
    expect(options).toMatchObject({
      store: 'file',
      blocks: [64 * mib],
      streams: [1, 4, 16],
      alternations: 7,
      warmUps: 1,
    });
    expect(options.modes).toEqual(['default', 'io-only', 'sums']);
    expect(options.data).toEqual({ dedup: 0, compress: 0, seed: 1 });
    expect(runOptions({ quick: true }).alternations).toBe(2);
    expect(runOptions({ store: 's3' }).streams).toEqual([1, 4]);
  });

  test('lists are swept in the order given, each value once', () => {
    const options = runOptions({ block: '64,16,64', streams: '4, 1', mode: 'io-only', workloads: 'restore,write' });
    expect(options.blocks).toEqual([64 * mib, 16 * mib]);
    expect(options.streams).toEqual([4, 1]);
    expect(options.workloads).toEqual(['restore', 'write']);
  });

  test('other programs: all of the store, those that are named, or none', () => {
    expect(runOptions({}).peers).toEqual(['fio', 'dd', 'rclone', 'restic']);
    expect(runOptions({ store: 's3' }).peers).toEqual(['rclone', 's5cmd', 'mc', 'aws-cli', 'lib-storage']);
    expect(runOptions({ peers: 'dd, fio,dd' }).peers).toEqual(['dd', 'fio']);
    expect(runOptions({ store: 's3', peers: 'mc' }).peers).toEqual(['mc']);
    expect(runOptions({ peers: false }).peers).toEqual([]);
  });

  test('a size holds for all numbers of streams; else images are shorter where there are many', () => {
    expect(bytesPerStream(runOptions({ size: '100' }), 16)).toBe(100 * mib);
    expect(bytesPerStream(runOptions({}), 1)).toBeGreaterThan(bytesPerStream(runOptions({}), 16));
  });

  test('a time is absolute, or from now on', () => {
    const before = Date.now();
    const at = runOptions({ startAt: '+90' }).startAt?.getTime() ?? 0;
    expect(at - before).toBeGreaterThanOrEqual(90_000);
    expect(at - Date.now()).toBeLessThanOrEqual(90_000);
  });

  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ streams: '1,x' }, /^--streams 1,x: numbers from 1 to 64/],
    [{ streams: '' }, /^--streams/],
    [{ streams: '65' }, /^--streams/],
    [{ block: '0' }, /^--block 0: sizes in MiB/],
    [{ block: '1.5' }, /^--block/],
    [{ mode: 'fast' }, /^--mode fast: one or more of io-only, sums, default/],
    [{ workloads: 'write,sleep' }, /^--workloads .*of write, restore/],
    [
      { peers: 'fio,tar' },
      /^--peers fio,tar: one or more of fio, dd, rclone, restic, s5cmd, mc, aws-cli, lib-storage, /,
    ],
    [{ peers: '' }, /^--peers : one or more of fio/],
    [{ peers: 'dd,mc' }, /^--peers mc: not measured on --store file, where there are fio, dd, rclone, restic$/],
    [{ peers: 'mc', target: 's3://bucket?endpoint=http://h' }, /^--peers mc: in a bucket of yours no other program/],
    [{ alternations: '-1' }, /^--alternations -1: .*from 1/],
    [{ maxMinutes: '0' }, /^--max-minutes/],
    [{ maxGb: 'much' }, /^--max-gb much: GB/],
    [{ dedup: '0.5' }, /^--dedup/],
    [{ store: 'tape' }, /^--store tape: file or s3/],
    [{ startAt: 'tomorrow' }, /^--start-at tomorrow: write/],
    [{ startAt: '2001-01-01T00:00:00Z' }, /^--start-at .*is over/],
    [{ set: ['thread_pool_size=3'] }, /^--set .*section\.key=value/],
    [{ set: ['engine.socket=\n[x]'] }, /^--set/],
    [{ diskRate: '0' }, /^--disk-rate 0: GB\/s/],
    [{ diskRate: '1', store: 's3' }, /^--disk-rate holds a disk/],
    [{ macroOnly: true, microOnly: true }, /leave nothing/],
    [{ target: 's3://bucket?endpoint=http://h', store: 'file' }, /--store file: the target is a bucket/],
  ];
  test.each(wrong)('%o is refused, with what it can be', (raw, text) => {
    expect(refused(() => runOptions(raw))).toMatch(text);
  });

  test('settings of the engine go by section', () => {
    const { settings } = runOptions({
      set: ['performance.thread_pool_size=32', 'performance.read_ahead_mb=256', 'engine.cpus=0'],
    });
    expect(settings).toEqual({ performance: { thread_pool_size: '32', read_ahead_mb: '256' }, engine: { cpus: '0' } });
  });
});

describe('a target', () => {
  test('a directory is made absolute', () => {
    expect(parseTarget('/mnt/x/')).toEqual({ kind: 'directory', path: '/mnt/x' });
  });

  test('a bucket has an endpoint, and a prefix that ends with a slash', () => {
    const target = parseTarget('s3://bucket/some/prefix/?endpoint=https://10.0.0.1:9000&region=eu&ca=/x.pem');
    expect(target).toEqual({
      kind: 's3',
      endpoint: 'https://10.0.0.1:9000',
      region: 'eu',
      bucket: 'bucket',
      prefix: 'some/prefix/',
      caFile: '/x.pem',
    });
    expect(targetText(target)).toBe('s3://bucket/some/prefix/');
    expect(parseTarget('s3://bucket?endpoint=http://h')).toMatchObject({
      prefix: '',
      region: 'us-east-1',
      caFile: null,
    });
  });

  test.each([
    's3://bucket/prefix',
    's3://bucket?endpoint=ftp://h',
    's3://bucket?endpoint=http://h/path',
    's3://bucket?endpoint=http://h&acl=x',
    's3:///prefix?endpoint=http://h',
    's3://bucket/a//b?endpoint=http://h',
    's3://bucket/a%0ab?endpoint=http://h',
    'https://bucket/?endpoint=http://h',
    '',
  ])('%s is refused, with the form of a target', (text) => {
    expect(refused(() => parseTarget(text))).toMatch(/^--target: .*s3:\/\/BUCKET/);
  });

  test('a secret in it is never said again', () => {
    for (const text of [
      's3://KEY:hidden@bucket?endpoint=http://h',
      's3://bucket?endpoint=http://KEY:hidden@h',
      's3://bucket?hidden=1',
    ])
      expect(refused(() => parseTarget(text.replace('?hidden', '?secret=hidden&endpoint')))).not.toContain('hidden');
  });
});

function recorded(): { io: BenchIo; out: string[]; err: string[] } {
  const [out, err]: [string[], string[]] = [[], []];
  const progress = new Progress({ write: (text) => void err.push(text), columns: null });
  return { io: { out: (text) => void out.push(text), fail: (line) => void err.push(line), progress }, out, err };
}

describe('the command line', () => {
  test('the help names every option of a run, and the commands', async () => {
    const { io, out } = recorded();
    expect(await runProgram(['run', '--help'], '1.2.3', io)).toBe(0);
    for (const option of [
      '--target',
      '--block',
      '--streams',
      '--max-gb',
      '--start-at',
      '--soak',
      '--peers <name,…>',
      '--no-peers',
      'AWS_ACCESS_KEY_ID',
    ])
      expect(out.join('')).toContain(option);
    expect(await runProgram(['--help'], '1.2.3', io)).toBe(0);
    for (const command of ['compare', 'merge', 'report', 'limits', 'discard', 'clean'])
      expect(out.join('')).toContain(command);
  });

  test('what is wrong ends with 2 and one line that names it', async () => {
    for (const [args, text] of [
      [['--streams', 'many'], /--streams many: numbers/],
      [['--target', '/nowhere/at/all', '--quick'], /no such directory; make it/],
      [['--store', 's3', '--workloads', 'list'], /--workloads list: none of them is measured on --store s3/],
      // Told before anything is measured.
      [['--quick', '--out', '/proc'], /^--out \/proc: results cannot be written there \(/],
      [['--peers', 'tar'], /--peers tar: one or more of fio, dd/],
      [['--no-peers', '--peers', 'mc', '--store', 'file'], /--peers mc: not measured on --store file/],
      [['--unknown'], /unknown option '--unknown'; see .*--help/],
      [['comapre', 'a', 'b'], /unknown command 'comapre'.*compare, merge/],
      [['compare', 'a'], /missing required argument 'b'; see .*compare --help/],
      [['limits', '--only', 'zzz'], /--only zzz: no run has that in its name; there are slow host program, /],
      [['clean', '/nowhere/at/all'], /\/nowhere\/at\/all is not there/],
      [['compare', '/nowhere.json', '/nowhere.json'], /nowhere\.json/],
    ] as const) {
      const { io, err } = recorded();
      expect(await runProgram(args, '1.2.3', io)).toBeGreaterThan(0);
      expect(err.join('\n')).toMatch(text);
      expect(err.join('\n')).not.toMatch(/\n\s+at /);
    }
  });
});
