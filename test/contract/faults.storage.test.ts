/**
 * System calls on storage that fail, one kind after the other, under a real engine: each has its status and text, nothing
 * acknowledged is lost, nothing is left behind, and once the storage works again so does the image.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Rule } from '../fault/shim/shim.ts';
import { type Baseline, baseline, leftovers, settled } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { clear, errno, type Faulty, startFaulty } from './faults-kit.ts';

const mib = 1 << 20;
/** What is durable before the fault. */
const durable = mib + 512;

let faulty: Faulty;
let from: Baseline;
let host: HostScript;
let number = 0;
let name = '';

beforeAll(async () => {
  faulty = await startFaulty();
  from = baseline(faulty.engine);
  host = await faulty.engine.script();
  await host.ok('create_lsu v lsu');
});
beforeEach(() => {
  name = `image${number++}`;
});
afterEach(() => clear(faulty.shim));
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await settled(faulty.engine, from);
  await faulty[Symbol.asyncDispose]();
});

/** Fails the first match and all that follow, until cleared. */
function fail(names: string, path: string, number: number, over: Partial<Rule> = {}): void {
  faulty.shim.arm(0, { action: 'fail', argument: number, count: 0, names: names.split(','), path, ...over });
}

function acted(): number {
  const { acted } = faulty.shim.counts(0);
  clear(faulty.shim);
  return acted;
}

const words: Readonly<Record<string, { status: string; number: number }>> = {
  ENOSPC: { status: 'STS_ENOSPC', number: errno.ENOSPC },
  EDQUOT: { status: 'STS_ENOSPC', number: errno.EDQUOT },
  EROFS: { status: 'STS_EPERM', number: errno.EROFS },
  EACCES: { status: 'STS_EPERM', number: errno.EACCES },
  EIO: { status: 'STS_ESYSTEM', number: errno.EIO },
};

/** A step of the storage protocol and a failure that it may meet: names of calls, path, errno. */
type Failing = [step: string, calls: string, path: string, errno: keyof typeof words];

const creating: Failing[] = [
  ['the directory', 'mkdir', '*/.new-*', 'ENOSPC'],
  ['the directory', 'mkdir', '*/.new-*', 'EDQUOT'],
  ['the directory', 'mkdir', '*/.new-*', 'EROFS'],
  ['the directory', 'mkdir', '*/.new-*', 'EACCES'],
  ['the claim', 'write', '*/claim.1', 'ENOSPC'],
  ['the claim', 'fsync,fdatasync', '*/claim.1', 'EIO'],
  ['the meta', 'open', '*/image.meta', 'EDQUOT'],
  ['the meta', 'write', '*/image.meta', 'ENOSPC'],
  ['the meta', 'fsync,fdatasync', '*/image.meta', 'EIO'],
  ['the data', 'open', '*/image.data', 'ENOSPC'],
  ['the sums', 'write', '*/image.sums', 'EDQUOT'],
  ['the name', 'rename', '*', 'ENOSPC'],
  ['the name', 'rename', '*', 'EIO'],
  ["the directory's sync", 'fsync', '*/.new-*', 'EIO'],
  ["the LSU's sync", 'fsync', 'lsu', 'EIO'],
];

test.each(creating)('create: %s: %s of %s fails with %s', async (_, calls, path, word) => {
  const { status, number } = words[word]!;
  fail(calls, path, number);
  const answer = await host.call(`create_image v i lsu ${name} 7`);
  expect(answer).toMatchObject({ name: status, text: expect.stringContaining(word) });
  expect(answer.text).toContain(`image ${name} (7) in LSU lsu`);
  expect(acted()).toBeGreaterThan(0);
  expect((await host.call(`prop_byname v lsu ${name} 7`)).name).toBe('STS_ENOENT');
  expect(leftovers(faulty.engine.store)).toEqual([]);
  await host.ok(`create_image v i lsu ${name} 7`);
  await host.ok('close i 1');
});

async function begun(): Promise<void> {
  await host.ok(`create_image v i lsu ${name} 7`);
  await host.ok(`write i 0 ${durable} 3`);
  await host.ok('flush i');
}

/** Pending, at the size that was durable, not damaged, and can be completed. */
async function resumes(): Promise<void> {
  expect(await host.ok(`prop_byname v lsu ${name} 7`)).toMatchObject({ state_bits: 1, size: durable });
  await host.ok(`open_image v i lsu ${name} 7 write`);
  await host.ok(`write i ${durable} ${2 * mib} 3`);
  await host.ok('close i 1');
  await whole(durable + 2 * mib);
}

async function whole(size: number): Promise<void> {
  expect(await host.ok(`prop_byname v lsu ${name} 7`)).toMatchObject({ state_bits: 2, size });
  await host.ok(`open_image v r lsu ${name} 7 read`);
  expect(await host.ok('read r 0 16M expect=3')).toMatchObject({ got: size, match: true });
  await host.ok('close r 0');
}

describe('data that cannot be written', () => {
  test.each(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES'] as const)(
    '%s is told by the next call and by every one that follows; the image resumes at its durable size',
    async (word) => {
      const { status, number } = words[word]!;
      await begun();
      fail('write', '*/image.data', number);
      await host.call(`write i ${durable} ${5 * mib} 3`); // full: on its way; the failure may or may not be back yet
      const text = expect.stringContaining(word);
      expect(await host.call('flush i')).toMatchObject({ name: status, text });
      expect(acted()).toBeGreaterThan(0);
      expect(await host.call(`write i ${durable} 512 3`)).toMatchObject({ name: status, text });
      expect(await host.call('flush i')).toMatchObject({ name: status, text });
      expect(await host.call('close i 1')).toMatchObject({ name: status, text });
      expect((await host.call('close i 1')).name).toBe('STS_EINVAL');
      await resumes();
    },
  );
});

const flushing: Failing[] = [
  ['data', 'fdatasync,fsync', '*/image.data', 'EIO'],
  ['data', 'fdatasync,fsync', '*/image.data', 'ENOSPC'],
  ['data', 'fdatasync,fsync', '*/image.data', 'EDQUOT'],
  ['sums', 'write', '*/image.sums', 'ENOSPC'],
  ['sums', 'fsync', '*/image.sums', 'EIO'],
  ['meta', 'open', '*/.meta-*', 'EACCES'],
  ['meta', 'write', '*/.meta-*', 'ENOSPC'],
  ['meta', 'fsync', '*/.meta-*', 'EIO'],
  ['meta', 'rename', '*/.meta-*', 'EDQUOT'],
  ['meta', 'rename', '*/.meta-*', 'EROFS'],
];

describe.each(flushing)('%s: %s of %s fails with %s', (_, calls, path, word) => {
  const { status, number } = words[word]!;
  const text = expect.stringContaining(word);

  test('flush fails, and so does all that would build on it', async () => {
    await begun();
    await host.ok(`write i ${durable} ${mib} 3`);
    fail(calls, path, number);
    expect(await host.call('flush i')).toMatchObject({ name: status, text });
    expect(acted()).toBeGreaterThan(0);
    // The storage works again: what failed is not believed all the same.
    expect(await host.call(`write i ${durable + mib} 512 3`)).toMatchObject({ name: status, text });
    expect(await host.call('flush i')).toMatchObject({ name: status, text });
    expect(await host.call('close i 1')).toMatchObject({ name: status, text });
    await resumes();
  });

  test('a complete close fails and frees the handle; the image stays pending', async () => {
    await begun();
    await host.ok(`write i ${durable} ${mib} 3`);
    fail(calls, path, number);
    expect(await host.call('close i 1')).toMatchObject({ name: status, text });
    expect(acted()).toBeGreaterThan(0);
    expect((await host.call('close i 0')).name).toBe('STS_EINVAL');
    expect(leftovers(faulty.engine.store)).toEqual([]);
    await resumes();
  });

  test('an incomplete close fails and frees the handle', async () => {
    await begun();
    await host.ok(`write i ${durable} ${mib} 3`);
    fail(calls, path, number);
    expect(await host.call('close i 0')).toMatchObject({ name: status, text });
    acted();
    await resumes();
  });
});

test('a sync of the directory that fails behind the commit leaves an image that is whole or resumes', async () => {
  await begun();
  fail('fsync', `lsu/${name}~7`, errno.EIO);
  expect(await host.call('close i 1')).toMatchObject({ name: 'STS_ESYSTEM', text: expect.stringContaining('EIO') });
  expect(acted()).toBeGreaterThan(0);
  const { state_bits } = await host.ok(`prop_byname v lsu ${name} 7`);
  if (state_bits === 2) await whole(durable);
  else await resumes();
});

test('a full disk at truncate fails the complete close', async () => {
  await begun();
  await host.ok(`write i ${durable} 512 3`);
  fail('truncate', '*/image.data', errno.ENOSPC);
  const answer = await host.call('close i 1');
  // Where the data ends at a sector nothing is cut off.
  if (acted() > 0) expect(answer).toMatchObject({ name: 'STS_ENOSPC' });
  else expect(answer.status).toBe(0);
});

describe('a complete image', () => {
  async function complete(): Promise<void> {
    await begun();
    await host.ok('close i 1');
  }

  test.each(['EIO', 'EACCES'] as const)('whose data cannot be read (%s) fails that read and no other', async (word) => {
    const { status, number } = words[word]!;
    await complete();
    await host.ok(`open_image v r lsu ${name} 7 read`);
    fail('read', '*/image.data', number);
    expect(await host.call('read r 0 1M')).toMatchObject({ name: status, text: expect.stringContaining(word) });
    expect(acted()).toBeGreaterThan(0);
    expect(await host.ok('read r 0 2M expect=3')).toMatchObject({ got: durable, match: true });
    await host.ok('close r 0');
  });

  test('whose sums cannot be read fails the read', async () => {
    await complete();
    await host.ok(`open_image v r lsu ${name} 7 read`);
    fail('read', '*/image.sums', errno.EIO);
    expect(await host.call('read r 0 1M')).toMatchObject({ name: 'STS_ESYSTEM', text: expect.stringContaining('EIO') });
    expect(acted()).toBeGreaterThan(0);
    await host.ok('close r 0');
    await whole(durable);
  });

  test.each(['EROFS', 'EACCES', 'EIO'] as const)('that cannot be deleted (%s) is there still', async (word) => {
    const { status, number } = words[word]!;
    await complete();
    fail('rename', '*', number);
    expect(await host.call(`delete v lsu ${name} 7`)).toMatchObject({
      name: status,
      text: expect.stringContaining(word),
    });
    expect(acted()).toBeGreaterThan(0);
    await whole(durable);
    await host.ok(`delete v lsu ${name} 7`);
  });

  test.each([
    ['write', '*copy*/image.data', 'ENOSPC'],
    ['fdatasync,fsync', '*copy*/image.data', 'EIO'],
    ['rename', '*.meta-*', 'EDQUOT'],
  ] as const)('whose copy meets a failing %s of %s (%s) is copied not at all', async (calls, path, word) => {
    const { status, number } = words[word]!;
    await complete();
    if (calls === 'write') {
      faulty.shim.arm(1, { action: 'fail', argument: errno.EOPNOTSUPP, count: 0, names: ['clone', 'copy'] });
    }
    fail(calls, path, number);
    expect(await host.call(`copy v lsu ${name}copy 7 lsu ${name} 7`)).toMatchObject({
      name: status,
      text: expect.stringContaining(word),
    });
    expect(acted()).toBeGreaterThan(0);
    expect((await host.call(`prop_byname v lsu ${name}copy 7`)).name).toBe('STS_ENOENT');
    expect(leftovers(faulty.engine.store)).toEqual([]);
    await host.ok(`copy v lsu ${name}copy 7 lsu ${name} 7`);
  });
});

describe('calls that are carried out otherwise than wished', () => {
  async function life(): Promise<void> {
    await begun();
    await host.ok(`write i ${durable} ${5 * mib} 3`);
    await host.ok('close i 0');
    await host.ok(`open_image v i lsu ${name} 7 write`);
    await host.ok(`write i ${durable + 5 * mib} 512 3`);
    await host.ok('close i 1');
    await whole(durable + 5 * mib + 512);
    await host.ok(`copy v lsu ${name}copy 7 lsu ${name} 7`);
    await host.ok(`delete v lsu ${name} 7`);
  }

  test('interrupted ones are made again', async () => {
    const names = ['open', 'write', 'read', 'truncate'];
    names.forEach((call, slot) => {
      faulty.shim.arm(slot, { action: 'fail', argument: errno.EINTR, count: 2, names: [call] });
    });
    await life();
    const hit = names.map((_, slot) => faulty.shim.counts(slot).acted);
    clear(faulty.shim);
    // Some of these the kernel never interrupts on this path; those that move bytes it does.
    expect(hit[1]! > 0 && hit[2]! > 0, String(hit)).toBe(true);
  });

  // Multiples of what direct I/O takes: the shim cuts the call itself. One that ends inside a sector is made once only.
  test.each([
    [512, 1],
    [4096, 40],
    [69_632, 40],
  ])('writes and reads cut short at %i bytes go on where they ended', async (argument, count) => {
    faulty.shim.arm(0, { action: 'short', argument, count, names: ['write', 'read', 'copy'], path: '*image.data' });
    await life();
    expect(acted()).toBeGreaterThan(0);
  });

  test('an interrupted sync is a failed one: it is never made again', async () => {
    await begun();
    fail('fdatasync', '*/image.data', errno.EINTR, { count: 1 });
    expect(await host.call('flush i')).toMatchObject({ name: 'STS_ESYSTEM', text: expect.stringContaining('EINTR') });
    expect(acted()).toBe(1);
    expect((await host.call('close i 1')).name).toBe('STS_ESYSTEM');
    await resumes();
  });

  test.each(['ESTALE', 'ETIMEDOUT', 'EAGAIN', 'ENOMEM'] as const)('%s is tried again and not told', async (word) => {
    await begun();
    fail('write', '*/image.data', errno[word], { count: 1 });
    await host.ok(`write i ${durable} ${mib} 3`);
    await host.ok('flush i');
    expect(acted()).toBe(1);
    await host.ok('close i 1');
    await host.ok(`open_image v r lsu ${name} 7 read`);
    fail('read', '*/image.data', errno[word], { count: 1 });
    expect(await host.ok('read r 0 16M expect=3')).toMatchObject({ got: durable + mib, match: true });
    expect(acted()).toBe(1);
    await host.ok('close r 0');
  });

  test('ESTALE that stays is told in the end', async () => {
    await begun();
    fail('write', '*/image.data', errno.ESTALE);
    await host.ok(`write i ${durable} ${mib} 3`);
    expect(await host.call('flush i')).toMatchObject({ name: 'STS_ESYSTEM', text: expect.stringContaining('ESTALE') });
    acted();
    await host.call('close i 0');
    await resumes();
  });
});
