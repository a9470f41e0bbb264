/** The host program's commands, against the fake plug-in: what it hands in, what it makes of what comes back. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FakePlace } from '../support/fake-plugin.ts';
import { gen, HostScript, hex, hostDirectory, pattern, runHost } from '../support/host-program.ts';

const image = ['--image', 'client_17_C1_F1', '--date', '17'];

test('a file whose length is no multiple of 512 comes back as it was, padded with zeros on storage', async () => {
  using place = new FakePlace();
  const data = gen(1, 0, 700_001);
  writeFileSync(place.file('in'), data);
  const backup = await place.run(['backup', ...image, place.file('in')]);
  expect(backup.json).toMatchObject({ ok: true, bytes: 700_001, length: 700_001, size: 700_416, state: 'complete' });
  expect(backup.json).toMatchObject({ writes: 3, offset: 0 });
  const restore = await runHost(['restore', ...image], place.env);
  expect(restore.code).toBe(0);
  expect(restore.out.equals(data)).toBe(true);
  const raw = await runHost(['restore', ...image, '--raw'], place.env);
  expect(raw.out.equals(Buffer.concat([data, Buffer.alloc(415)]))).toBe(true);
});

test.each([0, 1, 511, 512, 513, 262_144, 262_145])('%i bytes from a pipe come back through a file', async (length) => {
  using place = new FakePlace();
  const data = gen(2, 0, length);
  const backup = await place.run(['backup', ...image, '-'], { input: data });
  expect(backup.json).toMatchObject({ ok: true, bytes: length, state: 'complete' });
  const restore = await place.run(['restore', ...image, '--output', place.file('out')]);
  expect(restore.json).toMatchObject({ ok: true, bytes: length, length });
  expect(readFileSync(place.file('out')).equals(data)).toBe(true);
});

test('ranges of a restore are cut at the true length', async () => {
  using place = new FakePlace();
  const data = gen(3, 0, 10_000);
  await place.run(['backup', ...image], { input: data });
  for (const [offset, length] of [
    [0, 1],
    [777, 4096],
    [9_999, 5],
    [10_000, 1],
    [20_000, 1],
  ] as const) {
    const run = await runHost(['restore', ...image, '--offset', `${offset}`, '--length', `${length}`], place.env);
    expect(run.code).toBe(0);
    expect(run.out.equals(data.subarray(offset, offset + length)), `${offset}+${length}`).toBe(true);
  }
});

test.each(['file', 'pipe'])('an incomplete backup is resumed from a %s at its durable size', async (kind) => {
  using place = new FakePlace();
  const data = gen(4, 0, 1_000_001);
  writeFileSync(place.file('in'), data);
  const source = kind === 'file' ? [place.file('in')] : ['-'];
  const input = kind === 'file' ? '' : data;
  const first = await place.run(['backup', ...image, ...source, '--incomplete-at', '300032'], { input });
  expect(first.json).toMatchObject({ ok: true, state: 'pending', size: 300_032, bytes: 300_032 });
  const second = await place.run(['backup', ...image, ...source, '--resume'], { input });
  expect(second.json).toMatchObject({
    ok: true,
    state: 'complete',
    offset: 300_032,
    bytes: 699_969,
    length: 1_000_001,
  });
  const restore = await runHost(['restore', ...image], place.env);
  expect(restore.out.equals(data)).toBe(true);
});

test.each([
  '{"length":5}',
  '{"length":1025}',
  '{"length":18446744073709551616}',
  '{"size":1000}',
  '\x00{"length":1000}',
])('metadata %j that is no length of this image is left alone: the whole image is restored', async (note) => {
  using place = new FakePlace();
  await using script = new HostScript(place.env);
  for (const line of ['init', 'session s', 'open_server s srv VastData:x', 'create_image srv w default n 1']) {
    await script.ok(line);
  }
  await script.ok('write w 0 1024 7');
  await script.ok(`meta_write_bytes w 0 ${hex(note)}`);
  await script.ok('close w complete');
  const run = await runHost(['restore', '--image', 'n', '--date', '1'], place.env);
  expect(run.out.equals(gen(7, 0, 1024))).toBe(true);
});

test('a resume whose input ended in the padding of the last durable block completes', async () => {
  using place = new FakePlace();
  const data = gen(5, 0, 1_000);
  await place.run(['backup', ...image, '--incomplete-at', '1M'], { input: data });
  const second = await place.run(['backup', ...image, '--resume'], { input: data });
  expect(second.json).toMatchObject({ ok: true, state: 'complete', bytes: 0, length: 1_000, size: 1_024 });
  expect((await runHost(['restore', ...image], place.env)).out.equals(data)).toBe(true);
});

test('a resume with a shorter input is refused and the image stays pending', async () => {
  using place = new FakePlace();
  await place.run(['backup', ...image, '--incomplete-at', '64K'], { input: gen(6, 0, 100_000) });
  const second = await place.run(['backup', ...image, '--resume'], { input: gen(6, 0, 60_000) });
  expect(second.code).toBe(1);
  expect(second.json).toMatchObject({ ok: false, name: 'HOST_FAILED' });
  expect(second.err).toMatch(/holds 60000 bytes, but 65536 of image client_17_C1_F1 are durable/);
  expect((await place.run(['info', ...image])).json).toMatchObject({ state: 'pending', size: 65_536 });
});

test('--flush-every makes what was written before --die-at durable', async () => {
  using place = new FakePlace();
  const args = ['backup', ...image, '--generate', '4M', '--flush-every', '512K', '--die-at', '1408K'];
  const dead = await place.run(args);
  expect(dead.signal).toBe('SIGKILL');
  expect((await place.run(['info', ...image])).json).toMatchObject({ state: 'pending', size: 1_048_576 });
  const resumed = await place.run(['backup', ...image, '--generate', '4M', '--resume']);
  expect(resumed.json).toMatchObject({ ok: true, state: 'complete', offset: 1_048_576 });
  const check = await place.run(['restore', ...image, '--discard', '--verify-generated', '1']);
  expect(check.json).toMatchObject({ ok: true, bytes: 4_194_304 });
});

test('--hold waits for a line before close', async () => {
  using place = new FakePlace();
  const run = await place.run(['backup', ...image, '--generate', '64K', '--hold', '--hold-at', '4K'], {
    input: '\n\n',
  });
  const lines = run.out.toString().trim().split('\n');
  expect(JSON.parse(lines[0]!)).toEqual({ event: 'holding', stream: 0, offset: 4096 });
  expect(JSON.parse(lines[1]!)).toEqual({ event: 'holding', stream: 0, offset: 65_536 });
  expect(run.json).toMatchObject({ ok: true, state: 'complete' });
});

test('generated data is what pattern.h says, for a buffer that fits its units and one that does not', async () => {
  using place = new FakePlace();
  const length = 2_500_000;
  const expected = pattern(9, 0, length);
  for (const buffer of ['256K', '1536K']) {
    const args = [
      'backup',
      '--image',
      buffer,
      '--date',
      '1',
      '--generate',
      `${length}`,
      '--seed',
      '9',
      '--buffer',
      buffer,
    ];
    expect((await place.run(args)).json).toMatchObject({ ok: true });
    const restore = await runHost(['restore', '--image', buffer, '--date', '1'], place.env);
    expect(restore.out.equals(expected)).toBe(true);
  }
});

test('--random-writes writes every block once, in another order', async () => {
  using place = new FakePlace();
  const data = gen(7, 0, 200_001);
  writeFileSync(place.file('in'), data);
  const args = ['backup', place.file('in'), '--buffer', '4K', '--random-writes', '8', '--date', '1'];
  expect((await place.run([...args, '--image', 'all'])).json).toMatchObject({ ok: true, writes: 49, length: 200_001 });
  expect((await runHost(['restore', '--image', 'all', '--date', '1'], place.env)).out.equals(data)).toBe(true);
  const part = await place.run([...args, '--image', 'part', '--incomplete-at', '40K']);
  expect(part.json).toMatchObject({ ok: true, writes: 10, state: 'pending' });
  expect(part.json.size).toBeGreaterThan(40_960);
});

test('one wrong bit is found by --verify-generated, --compare and random reads, with its offset', async () => {
  using place = new FakePlace();
  await place.run(['backup', ...image, '--generate', '1M']);
  writeFileSync(place.file('same'), pattern(1, 0, 1 << 20));
  const checks = [
    ['--verify-generated', '1'],
    ['--compare', place.file('same')],
  ];
  for (const check of checks) {
    for (const more of [[], ['--random-reads', '200', '--seed', '5']]) {
      const args = ['restore', ...image, '--discard', ...check, ...more];
      expect((await place.run(args)).json).toMatchObject({ ok: true, name: 'STS_EOK' });
      const bad = await place.run(args, { fault: 'flip 654321' });
      expect(bad.code).toBe(1);
      expect(bad.json).toMatchObject({ ok: false, name: 'HOST_MISMATCH' });
      expect(bad.err).toMatch(/image client_17_C1_F1 differs from .* at offset 654321/);
    }
    const last = await place.run(['restore', ...image, '--discard', ...check], { fault: 'flip 1048575' });
    expect(last.err).toContain('at offset 1048575');
  }
});

test('a file that is longer or shorter than the image is a mismatch only where bytes are missing', async () => {
  using place = new FakePlace();
  await place.run(['backup', ...image, '--generate', '64K']);
  writeFileSync(place.file('short'), pattern(1, 0, 65_535));
  const run = await place.run(['restore', ...image, '--discard', '--compare', place.file('short')]);
  expect(run.err).toContain('at offset 65535');
});

test('streams are processes with an image each, and %d in a path is their number', async () => {
  using place = new FakePlace();
  for (const i of [1, 2, 3]) writeFileSync(place.file(`in.${i}`), gen(i, 0, 100_000 + i));
  const backup = await place.run(['backup', '--image', 'm', '--date', '1', '--streams', '3', place.file('in.%d')]);
  expect(backup.json).toMatchObject({ ok: true, bytes: 300_006 });
  expect(backup.json.streams).toHaveLength(3);
  const restore = ['restore', '--image', 'm', '--date', '1', '--streams', '3', '--output', place.file('out.%d')];
  expect((await place.run(restore)).json).toMatchObject({ ok: true, bytes: 300_006 });
  for (const i of [1, 2, 3]) expect(readFileSync(place.file(`out.${i}`)).equals(gen(i, 0, 100_000 + i))).toBe(true);
  const list = (await place.run(['list'])).json.images as { image: string }[];
  expect(list.map((one) => one.image).sort()).toEqual(['m_S1', 'm_S2', 'm_S3']);
});

test('a stream that fails or dies is named, and the others are carried to their end', async () => {
  using place = new FakePlace();
  writeFileSync(place.file('in.1'), 'x');
  writeFileSync(place.file('in.3'), 'z');
  const run = await place.run(['backup', '--image', 'm', '--date', '1', '--streams', '3', place.file('in.%d')]);
  expect(run.code).toBe(1);
  const streams = run.json.streams as { name: string; state: string }[];
  expect(streams.map((one) => one.name)).toEqual(['STS_EOK', 'HOST_FAILED', 'STS_EOK']);
  expect(run.err).toMatch(/cannot open .*in\.2: No such file/);
  const dead = await place.run([
    'backup',
    '--image',
    'd',
    '--date',
    '1',
    '--streams',
    '2',
    '--generate',
    '1M',
    '--die-at',
    '0',
  ]);
  expect(dead.code).toBe(1);
  expect(dead.err).toContain('the process of stream 1 was ended by signal 9');
});

test('a failed write closes the image incomplete and is printed with number, name and text', async () => {
  using place = new FakePlace();
  const run = await place.run(['backup', ...image, '--generate', '1M'], { fault: 'write 3 203' });
  expect(run.code).toBe(1);
  expect(run.err).toBe('status 203 (STS_ENOSPC): planted failure of write 3\n');
  expect(run.json).toMatchObject({ ok: false, status: 203, name: 'STS_ENOSPC', text: 'planted failure of write 3' });
  expect((await place.run(['info', ...image])).json).toMatchObject({ state: 'pending' });
});

test.each([
  ['create 1 205', 'STS_EEXIST'],
  ['meta 1 22', 'STS_EINTERNAL'],
  ['close 1 203', 'STS_ENOSPC'],
])('a backup with the failure "%s" does not succeed', async (fault, name) => {
  using place = new FakePlace();
  const run = await place.run(['backup', ...image, '--generate', '1M'], { fault });
  expect(run.code).toBe(1);
  expect(run.json).toMatchObject({ ok: false, name });
  expect((await place.run(['info', ...image])).json.state).not.toBe('complete');
});

test('a plug-in that loses or withholds bytes without a failure is found out', async () => {
  using place = new FakePlace();
  const lost = await place.run(['backup', ...image, '--generate', '1M'], { fault: 'lose' });
  expect(lost.err).toContain('took 131072 of 262144 bytes at offset 0 without a failure');
  expect((await place.run(['backup', '--image', 'b', '--date', '1', '--generate', '1M'])).code).toBe(0);
  const short = await place.run(['restore', '--image', 'b', '--date', '1', '--discard'], { fault: 'short' });
  expect(short.code).toBe(1);
  expect(short.err).toContain('gave 262143 of 262144 bytes at offset 0');
});

test('definition, list, info, copy, delete and metadata', async () => {
  using place = new FakePlace();
  const name = Buffer.from('ff2f0a2e2e', 'hex');
  const key = ['--image-hex', name.toString('hex'), '--date', '123456789012'];
  const fields = ['--policy', 'p"1', '--schedule', 'full', '--client', 'c.example', '--opaque-hex', '00ff'];
  expect(
    (await place.run(['backup', ...key, ...fields, '--generate', '1000', '--create-lsu', '--lsu', 'two'])).code,
  ).toBe(0);
  expect((await place.run(['backup', ...key, '--generate', '1000', '--lsu', 'two'])).json.name).toBe('STS_EEXIST');
  expect((await place.run(['info', ...key, '--lsu', 'two'])).json).toMatchObject({
    image_hex: name.toString('hex'),
    date: 123_456_789_012,
    policy: 'p"1',
    schedule: 'full',
    client: 'c.example',
    opaque: '00ff',
    state: 'complete',
    size: 1024,
  });
  expect((await runHost(['meta-read', ...key, '--lsu', 'two'], place.env)).out.toString()).toBe('{"length":1000}');
  const copy = ['copy', ...key, '--lsu', 'two', '--to-lsu', 'default', '--to-image', 'copy', '--to-date', '5'];
  expect((await place.run(copy)).json).toMatchObject({ ok: true, method: 'lanes' });
  expect(
    (await place.run(['restore', '--image', 'copy', '--date', '5', '--discard', '--verify-generated', '1'])).json,
  ).toMatchObject({ ok: true, bytes: 1000 });
  await place.run(['backup', '--image', 'open', '--date', '5', '--generate', '512', '--incomplete-at', '512']);
  expect((await place.run(['meta-write', '--image', 'open', '--date', '5', '--text', 'hello'])).code).toBe(0);
  expect((await place.run(['info', '--image', 'open', '--date', '5'])).json).toMatchObject({ metadata_length: 5 });
  const names = async (state: string) =>
    ((await place.run(['list', '--state', state])).json.images as { image: string }[]).map((one) => one.image);
  expect(await names('complete')).toEqual(['copy']);
  expect(await names('pending')).toEqual(['open']);
  expect((await place.run(['delete', '--image', 'copy', '--date', '5'])).code).toBe(0);
  expect((await place.run(['delete', '--image', 'copy', '--date', '5'])).json.name).toBe('STS_ENOENT');
  const lsus = (await place.run(['lsus'])).json.lsus as { lsu: string; free: number }[];
  expect(lsus.map((one) => one.lsu).sort()).toEqual(['default', 'two']);
  expect((await place.run(['server'])).json).toMatchObject({
    store: 'fake',
    mounted: true,
    plugin_version: 'fake 1.0',
  });
});

test('a restore that finds no image leaves the output file as it was', async () => {
  using place = new FakePlace();
  writeFileSync(place.file('out'), 'precious');
  const run = await place.run(['restore', ...image, '--output', place.file('out')]);
  expect(run.json.name).toBe('STS_ENOENT');
  expect(readFileSync(place.file('out'), 'utf8')).toBe('precious');
});

test('output that cannot be written fails the restore', async () => {
  using place = new FakePlace();
  await place.run(['backup', ...image, '--generate', '1M']);
  const run = await place.run(['restore', ...image, '--output', '/dev/full']);
  expect(run.code).toBe(1);
  expect(run.err).toContain('cannot write /dev/full: No space left on device');
});

test('the result goes to --result, and beside data to standard error', async () => {
  using place = new FakePlace();
  await place.run(['backup', ...image, '--generate', '1000']);
  const both = await runHost(['restore', ...image, '--json'], place.env);
  expect(both.out.equals(pattern(1, 0, 1000))).toBe(true);
  expect(JSON.parse(both.err)).toMatchObject({ ok: true, bytes: 1000 });
  await runHost(['restore', ...image, '--json', '--result', place.file('result')], place.env);
  expect(JSON.parse(readFileSync(place.file('result'), 'utf8'))).toMatchObject({ ok: true, bytes: 1000 });
});

const usages: [string, string[], RegExp][] = [
  ['no command', [], /Usage: vast-ost-host COMMAND/],
  ['an unknown command', ['backpu'], /no command backpu/],
  ['an unknown option', ['backup', '--imge', 'x'], /unknown option --imge/],
  ['an option of another command', ['list', '--generate', '1'], /unknown option --generate/],
  ['a missing value', ['backup', '--image'], /no value behind --image/],
  ['a value for a flag', ['backup', '--resume=1'], /takes no value/],
  ['no image', ['restore', '--date', '1'], /no name of the image/],
  ['no date', ['restore', '--image', 'x'], /no date of the image/],
  ['no rate', ['backup', '--image', 'x', '--rate', '0'], /1 byte a second/],
  ['a pause too long', ['backup', '--image', 'x', '--think-us', '60000001'], /at most 60000000/],
  ['a negative number', ['backup', '--image', 'x', '--date', '-1'], /takes a whole number, not "-1"/],
  ['an odd buffer', ['backup', '--image', 'x', '--buffer', '1000'], /multiple of 512/],
  ['an odd stop', ['backup', '--image', 'x', '--die-at', '1'], /blocks of 512/],
  ['a size too great', ['backup', '--image', 'x', '--generate', '99999999T'], /number of bytes/],
  ['a name too long', ['info', '--image', 'x'.repeat(1024), '--date', '1'], /longer than 1023 bytes/],
  ['hex that is none', ['info', '--image-hex', 'abc', '--date', '1'], /hex digits/],
  ['streams from one pipe', ['backup', '--image', 'x', '--streams', '2'], /standard input cannot be shared/],
  ['streams to one pipe', ['restore', '--image', 'x', '--date', '1', '--streams', '2'], /cannot share standard output/],
  ['streams to one file', ['restore', '--image', 'x', '--date', '1', '--streams', '2', '--output', 'o'], /put %d/],
  ['an unknown state', ['list', '--state', 'done'], /complete or pending/],
];
test.each(usages)('usage: %s is refused with code 2', async (_name, args, text) => {
  const run = await runHost(args);
  expect(run.code).toBe(2);
  expect(run.err).toMatch(text);
});

test('every command has a help of its own', async () => {
  const help = await runHost(['--help']);
  const commands = [...help.out.toString().matchAll(/^ {2}([a-z-]+) {2,}/gm)].map((match) => match[1]!);
  expect(commands.length).toBe(13);
  for (const command of commands) {
    const run = await runHost([command, '--help']);
    expect(run.code).toBe(0);
    expect(run.out.toString()).toContain(`Usage: vast-ost-host ${command} [OPTION...]`);
  }
});

test('a plug-in that cannot be loaded, a server that is not ours, an engine that is not there', async () => {
  using place = new FakePlace();
  const missing = await runHost(['lsus', '--plugin', '/nowhere/lib.so']);
  expect(missing.code).toBe(1);
  expect(missing.err).toMatch(/status -1 \(HOST_FAILED\): cannot load the plug-in: \/nowhere\/lib\.so/);
  expect((await place.run(['lsus', '--server', 'PureDisk:x'])).json.name).toBe('STS_ECLAIM');
  expect((await place.run(['lsus', '--server', 'VastData:gone'])).json.name).toBe('STS_ECONNECT');
  expect((await place.run(['lsus', '--config', '/missing'])).err).toContain('/missing: no such file');
});

test('the program needs no symbol newer than GLIBC_2.17', () => {
  execFileSync('make', ['-s', '-C', hostDirectory, 'symbols'], { stdio: 'inherit' });
});

test('HostScript throws when its process ends instead of answering', async () => {
  using place = new FakePlace();
  await using script = new HostScript(place.env);
  await expect(script.call('die')).rejects.toThrow('SIGKILL');
});
