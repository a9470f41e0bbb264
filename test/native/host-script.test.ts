/** The command `script`: its data, its checks, and that what it cannot carry out is said, against the fake plug-in. */
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { FakePlace } from '../support/fake-plugin.ts';
import { type Answer, gen, HostScript, hex, runHost } from '../support/host-program.ts';

async function opened(place: FakePlace, fault?: string): Promise<HostScript> {
  const script = new HostScript(fault === undefined ? place.env : { ...place.env, FAKE_FAULT: fault });
  await script.ok('init');
  await script.ok('session s job-1');
  await script.ok('open_server s srv VastData:x');
  return script;
}

/** An image of 8 KiB of seed 7, with 512 bytes of seed 9 at 4096, open for reading as `r`. */
async function withImage(script: HostScript): Promise<void> {
  await script.ok('create_image srv w default name 17');
  await script.ok('write w 0 4096 7 times=2');
  await script.ok('write w 4096 512 9');
  await script.ok('close w complete');
  await script.ok('open_image srv r default name 17 read');
}

test('gen and CRC-32 are what their definitions say, at any offset and length', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  for (const [seed, offset, length] of [
    [0, 0, 8],
    [1, 1, 1],
    [7, 4093, 9000],
    [123, 8, 17],
    [9, 3, 4],
    [5, 0, 0],
  ] as const) {
    const answer = await script.ok(`crc ${seed} ${offset} ${length}`);
    expect(answer.crc32, `${seed} ${offset} ${length}`).toBe(crc32(gen(seed, offset, length)));
  }
  expect((await script.ok('crc 18446744073709551615 0 64')).crc32).toBe(crc32(gen(0xffff_ffff_ffff_ffffn, 0, 64)));
  expect((await script.ok('crc zero 0 100')).crc32).toBe(crc32(Buffer.alloc(100)));
});

test('reads answer length, CRC-32 and bytes, and say whether they are what is expected', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  await withImage(script);
  const whole = Buffer.concat([gen(7, 0, 4096), gen(9, 4096, 512), gen(7, 4608, 3584)]);
  const read = await script.ok('read r 0 1M expect=7:4096,9:512,7:3584');
  expect(read).toMatchObject({ got: 8192, crc32: crc32(whole), match: true, overrun: false });
  const part = await script.ok('read r 4090 20 hex=1 expect=7:6,9:14');
  expect(part).toMatchObject({ got: 20, match: true, hex: whole.subarray(4090, 4110).toString('hex') });
  expect(await script.ok('read r 0 1000 times=20')).toMatchObject({ got: 8192, done: 9, crc32: crc32(whole) });
  const wrong: [string, number][] = [
    ['7', 4096],
    ['7:4096,9', 4608],
    ['7:4096,9:512,7:3585', 8192],
    ['7:4096,9:512,7:100', 4708],
    ['8', 0],
    ['zero:1,7', 0],
  ];
  for (const [parts, at] of wrong) {
    expect(await script.ok(`read r 0 1M expect=${parts}`), parts).toMatchObject({ match: false, mismatch_at: at });
  }
  expect(await script.ok('read r 8192 10 expect=7:0')).toMatchObject({ got: 0, match: true });
  expect((await script.call('read r 0 10 expect=7:x')).name).toBe('SCRIPT');
});

test('a read that touches bytes behind its length, or gives other bytes, is seen', async () => {
  using place = new FakePlace();
  await using over = await opened(place, 'overrun');
  await withImage(over);
  expect(await over.ok('read r 0 512')).toMatchObject({ overrun: true });
  await using flip = await opened(place, 'flip 5000');
  await flip.ok('open_image srv r default name 17 read');
  expect(await flip.ok('read r 0 8K expect=7:4096,9:512,7')).toMatchObject({ match: false, mismatch_at: 5000 });
});

test('writes repeat at a step, with data from elsewhere, and stop at the first failure', async () => {
  using place = new FakePlace();
  await using script = await opened(place, 'write 6 203');
  await script.ok('create_image srv w default name 17');
  expect(await script.ok('write w 0 512 3 times=4 step=1024 from=0')).toMatchObject({ done: 4, written: 2048 });
  expect(await script.call('write w 4096 512 3 times=4')).toMatchObject({ status: 203, done: 1, written: 512 });
  await script.ok(`write_bytes w 512 ${hex(gen(5, 0, 512))}`);
  await script.ok('close w complete');
  await script.ok('open_image srv r default name 17 read');
  expect(await script.ok('read r 0 1536 expect=3:512')).toMatchObject({ match: false, mismatch_at: 512 });
  expect((await script.ok('read r 512 512')).crc32).toBe(crc32(gen(5, 0, 512)));
  expect((await script.ok('read r 1024 512')).crc32).toBe(crc32(gen(3, 1024, 512)));
});

test('names of any bytes, NULL pointers and numbers at the limits reach the plug-in', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  const name = Buffer.from([1, 0x0a, 0x2f, 0xff, 0x2e, 0x20, 0x3d]);
  await script.ok(`create_image srv w default ${hex(name)} 18446744073709551615 policy=hex:ff opaque=text:a=b`);
  const made = await script.ok('prop w');
  expect(made).toMatchObject({ image_hex: name.toString('hex'), opaque: '613d62', state: 'busy' });
  for (const line of [
    'create_image srv x default null 1',
    'create_image srv x null name 1',
    'create_image null x default name 1',
    'create_image srv x default name 1 image=null',
    `create_image srv x default hex:${'61'.repeat(1024)} 1`,
    'create_image srv x default "" 1',
    'open_image srv x default name 1 7',
    'open_server null x VastData:x',
    'close null complete',
    'flush null',
    'prop w info=null',
    'write w 0 512 1 buffer=null',
    'write w 512 18446744073709551104 1',
    'write w 18446744073709551104 512 1',
    'write w 0 0 1',
    'read null 0 1',
    'list_lsu null',
    'close_image_list null',
  ]) {
    const answer = await script.call(line);
    expect([1, 17], `${line}: ${JSON.stringify(answer)}`).toContain(answer.status);
  }
  expect(await script.call('init abi=2')).toMatchObject({ name: 'STS_EVERSION', error: 'wrong ABI version' });
  expect(await script.call('init abi=2 error=null')).toMatchObject({ name: 'STS_EVERSION', error: '' });
});

test('a child answers until end_fork, on the handles of its parent', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  await script.ok('create_image srv w default name 17');
  expect(await script.call('fork')).toMatchObject({ child: true, line: 5 });
  expect(await script.call('flush w')).toMatchObject({
    name: 'STS_ESTATE',
    text: 'the handle belongs to another process',
  });
  await script.ok('end_fork');
  expect(await script.next()).toMatchObject({ child: false, exit: 0, line: 5 });
  expect(await script.call('flush w')).toMatchObject({ status: 0, line: 8 });
  await script.ok('fork');
  script.child.stdin?.write('die\n');
  expect(await script.next()).toMatchObject({ child: false, signal: 9 });
  const idle = await script.ok('fork_idle 100');
  process.kill(idle.pid as number, 'SIGKILL');
  expect((await script.call('end_fork')).name).toBe('SCRIPT');
  await script.ok('close w incomplete');
  await script.ok('close_server srv');
  expect(await script.end()).toBe(2);
});

test('lists, LSUs and properties', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  await script.ok('create_lsu srv two');
  expect((await script.call('create_lsu srv two')).name).toBe('STS_EEXIST');
  const { lsus } = await script.ok('list_lsus srv');
  expect((lsus as string[]).sort()).toEqual([hex('default').slice(4), hex('two').slice(4)]);
  await script.ok('open_lsu_list srv ll');
  await script.ok('list_lsu ll');
  await script.ok('list_lsu ll');
  expect((await script.call('list_lsu ll')).name).toBe('STS_ENOENT');
  await script.ok('close_lsu_list ll');
  await withImage(script);
  await script.ok('create_image srv p default other 18');
  const images = async (states: string) => (await script.ok(`list_images srv default ${states}`)).images as Answer[];
  expect((await images('all')).map((one) => one.image).sort()).toEqual(['name', 'other']);
  expect((await images('pending')).map((one) => one.image)).toEqual(['other']);
  await script.ok('open_image_list srv il default complete');
  expect(await script.ok('list_image il')).toMatchObject({ image: 'name', date: 17 });
  expect((await script.call('list_image il')).name).toBe('STS_ENOENT');
  await script.ok('close_image_list il');
  expect(await script.ok('prop_byname srv default name 17')).toMatchObject({ size: 8192, state: 'complete' });
  expect(await script.ok('copy srv two new 5 default name 17')).toMatchObject({ method: 'lanes' });
  await script.ok('delete srv two new 5');
  expect((await script.call('delete srv default other 18')).name).toBe('STS_EBUSY');
  expect(await script.ok('lsu_prop srv two')).toMatchObject({ capacity: 1000, active: true });
  expect(await script.ok('server_prop srv')).toMatchObject({ store: 'fake', block_size: 512 });
  expect(await script.ok('server_prop_byname s VastData:y')).toMatchObject({ server: 'VastData:y' });
});

test('metadata by bytes and by seed', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  await script.ok('create_image srv w default name 17');
  await script.ok('meta_write w 0 100 4');
  await script.ok('meta_write_bytes w 10 hello');
  const bytes = gen(4, 0, 100);
  bytes.write('hello', 10);
  expect(await script.ok('meta_read w 0 1000')).toMatchObject({ got: 100, hex: bytes.toString('hex'), overrun: false });
  expect(await script.ok('meta_read w 20 8 expect=4:8')).toMatchObject({ got: 8, match: true });
  expect((await script.call('meta_write w 4294967296 1 4')).name).toBe('SCRIPT');
  expect((await script.call('meta_write w 4294967295 1 4')).name).toBe('STS_EINVAL');
});

test('repeat runs a line many times with its number in it, up to the first failure, and tells the times', async () => {
  using place = new FakePlace();
  await using script = await opened(place, 'write 5 203');
  await script.ok('repeat 3 create_image srv w%d default name%d 17');
  expect((await script.ok('list_images srv default')).count).toBe(3);
  const writes = await script.call('repeat 9 write w0 %d512 512 1');
  expect(writes).toMatchObject({ status: 1, repeated: 1 }); // offset 1512 is no multiple of 512
  expect(await script.call('repeat 9 write w1 512 512 1')).toMatchObject({ status: 203, repeated: 2 });
  const times = await script.ok('repeat 20 prop w0');
  expect(times).toMatchObject({ repeated: 20, image: 'name0' });
  const { min_us, p50_us, p99_us, p999_us, max_us, total_us } = times as unknown as Record<string, number>;
  const told = [min_us, p50_us, p99_us, p999_us, max_us];
  expect(told.every(Number.isFinite)).toBe(true);
  expect(told).toEqual(told.toSorted((a, b) => a! - b!));
  expect(total_us).toBeGreaterThanOrEqual(max_us!);
  for (const line of ['repeat', 'repeat x prop w0', 'repeat 0 prop w0', 'repeat 2 die', 'repeat 2 repeat 2 prop w0']) {
    expect((await script.call(line)).name, line).toBe('SCRIPT');
  }
});

test('images makes many small images, and stops at the first failure with its text', async () => {
  using place = new FakePlace();
  await using script = await opened(place, 'write 6 203');
  expect(await script.ok('images srv default n 0 5 4096 7')).toMatchObject({ done: 5 });
  expect(await script.call('images srv default m 0 5 4096 7')).toMatchObject({
    status: 203,
    done: 0,
    text: 'planted failure of write 6',
  });
  expect((await script.ok('list_images srv default pending')).count).toBe(1);
  await script.ok('open_image srv r default n4 1 read');
  expect(await script.ok('read r 0 8K expect=7:4096')).toMatchObject({ got: 4096, match: true });
});

test('no answer is lost while signals interrupt every wait', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  await script.ok('images srv default n 0 1500 512 7');
  await script.ok('timer 1');
  for (let i = 0; i < 5; i++) expect((await script.ok('list_images srv default')).images).toHaveLength(1500);
  await script.ok('timer 0');
});

test('lines that are wrong are answered, counted, and end in exit code 2', async () => {
  using place = new FakePlace();
  const lines = ['bogus', 'write w', 'read r 0 1 foo=1', 'crc x 0 1', 'close nobody 0', '# comment', '', 'echo end'];
  const run = await runHost(['script'], place.env, lines.join('\n'));
  const answers = run.out
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer);
  expect(answers.map((one) => one.name)).toEqual(['SCRIPT', 'SCRIPT', 'SCRIPT', 'SCRIPT', 'SCRIPT', 'STS_EOK']);
  expect(answers.map((one) => one.line)).toEqual([1, 2, 3, 4, 5, 8]);
  expect(answers[2]!.text).toContain('it takes: times expect');
  expect(run.code).toBe(2);
});

test('a line longer than the limit is refused and the next one is read', async () => {
  using place = new FakePlace();
  const long = `echo ${'x'.repeat(600_000)}\necho behind\n`;
  const run = await runHost(['script'], place.env, long);
  const answers = run.out
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer);
  expect(answers).toHaveLength(2);
  expect(answers[0]!.text).toContain('longer than 262144 bytes');
  expect(answers[1]).toMatchObject({ echo: 'behind', line: 2 });
});

test('the plug-in can be unloaded and loaded again, and the process counts its descriptors', async () => {
  using place = new FakePlace();
  await using script = await opened(place);
  const before = await script.ok('process');
  await withImage(script);
  await script.ok('close r 0');
  await script.ok('close_server srv');
  await script.ok('terminate');
  await script.ok('unload');
  expect((await script.call('version')).name).toBe('SCRIPT');
  expect((await script.call('flush null')).text).toContain('not loaded');
  await script.ok('load');
  expect(await script.ok('version')).toMatchObject({ version: 'fake 1.0' });
  const after = await script.ok('process');
  expect(after.descriptors).toBe(before.descriptors);
  expect(after.threads).toBe(1);
});

test('the help names every command with its usage', async () => {
  const help = (await runHost(['script', '--help'])).out.toString();
  for (const command of ['init', 'create_image', 'write', 'read', 'fork', 'meta_read', 'copy']) {
    expect(help).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  }
});
