/** What the host program measures and makes for benches: pauses, series, latencies, data that repeats or compresses. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { FakePlace } from '../support/fake-plugin.ts';
import { gen, hostDirectory, runHost } from '../support/host-program.ts';

const image = ['--image', 'client_17_C1_F1', '--date', '17'];

test('--rate and --think-us slow the program down by at least what they say', async () => {
  using place = new FakePlace();
  // 8 buffers at 10 MB/s are 0.21 s; 8 pauses of 20 ms are 0.16 s.
  const slow = await place.run(['backup', ...image, '--generate', '2M', '--rate', '10MB']);
  expect(slow.json).toMatchObject({ ok: true, writes: 8 });
  expect(slow.json.seconds).toBeGreaterThanOrEqual(0.2);
  const thinks = await place.run(['restore', ...image, '--discard', '--think-us', '20000']);
  expect(thinks.json).toMatchObject({ ok: true, reads: 8 });
  expect(thinks.json.pause_s).toBeGreaterThanOrEqual(0.16);
  const plain = await place.run(['restore', ...image, '--discard']);
  expect(plain.json).toMatchObject({ ok: true, pause_s: 0 });
});

interface Measures {
  latency: Record<'call' | 'n' | 'p50_us' | 'p90_us' | 'p99_us' | 'p999_us' | 'max_us', number | string>[];
  series_bin_s: number;
  series: number[];
}

const mebi = 1 << 20;
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function check(lines: string[]): Measures {
  const input = lines.join('\n');
  return JSON.parse(execFileSync(join(hostDirectory, 'build/measures-check'), { input, encoding: 'utf8' }));
}

test('percentiles are those of the sorted calls, at most 1/32 too high, whatever their length', () => {
  // Words of the generator, spread over 1 ns to 18 minutes: as many of each power of two.
  const words = gen(11, 0, 16 * 5003);
  const calls = Array.from({ length: 5003 }, (_, i) =>
    Math.ceil(2 ** ((words.readUInt32LE(16 * i) / 2 ** 32) * 39.9) + (words.readUInt32LE(16 * i + 8) % 7)),
  );
  const [write] = check(calls.map((ns) => `call ${ns}`)).latency;
  const sorted = calls.toSorted((a, b) => a - b);
  expect(write).toMatchObject({ call: 'write', n: 5003, max_us: sorted.at(-1)! / 1000 });
  for (const [member, part] of Object.entries({ p50_us: 0.5, p90_us: 0.9, p99_us: 0.99, p999_us: 0.999 })) {
    const exact = sorted[Math.ceil(part * 5003) - 1]! / 1000;
    expect(write?.[member as 'p50_us'], member).toBeGreaterThanOrEqual(exact);
    expect(write?.[member as 'p50_us'], member).toBeLessThanOrEqual(exact * (1 + 1 / 32));
  }
  const [one] = check(['call 40']).latency;
  expect(one).toMatchObject({ n: 1, p50_us: 0.04, p999_us: 0.04, max_us: 0.04 });
});

test('a series of any length keeps its sum and its order in 1024 bins', () => {
  const second = 1e9;
  expect(check(['moved 0 0 1', `moved 1 ${1.5 * second} 2`, `moved 0 ${3 * second - 1} 4`])).toMatchObject({
    series_bin_s: 1,
    series: [1, 2, 4],
  });
  // One stream of 5000 s, the other of 3 s: both in bins of 8 s.
  const lines = Array.from({ length: 5000 }, (_, i) => `moved 0 ${i * second} 10`);
  const long = check([...lines, `moved 1 ${2 * second} 1000`]);
  expect(long.series_bin_s).toBe(8);
  expect(long.series).toEqual([1080, ...Array(624).fill(80)]);
  expect(check(['moved 0 1 1', `moved 0 ${3e6 * second} 1`])).toMatchObject({ series_bin_s: 4096 });
});

test.each([[], ['--streams', '3']])(
  'latencies and series of a run count every call and every byte %s',
  async (...streams) => {
    using place = new FakePlace();
    const times = streams.length > 0 ? 3 : 1;
    const backup = await place.run(['backup', ...image, '--generate', '2M', '--flush-every', '1M', ...streams]);
    const { latency, series } = backup.json as unknown as Measures;
    expect(latency.map(({ call, n }) => [call, n])).toEqual([
      ['create', times],
      ['write', 8 * times],
      ['flush', 2 * times],
      ['close', times],
    ]);
    expect(sum(series)).toBe(2 * mebi * times);
    const restore = await place.run(['restore', ...image, '--discard', ...streams]);
    const read = restore.json as unknown as Measures & { read_max_s?: number };
    expect(read.latency.map(({ call, n }) => [call, n])).toEqual([
      ['open', times],
      ['read', 8 * times],
      ['close', times],
    ]);
    expect(sum(read.series)).toBe(2 * mebi * times);
  },
);

/** The data of --dedup and --compress by the words of shape.h, by another way: BigInt, one word after the other. */
function shaped(seed: bigint, dedup: number, compress: number, offset: number, length: number): Buffer {
  const mask = 2n ** 64n - 1n;
  const word = (x: bigint): bigint => words(~seed & mask, x);
  const out = Buffer.alloc(length);
  const kept = Math.ceil(4096 / compress / 8) * 8;
  for (let i = 0; i < length; i += 8) {
    const at = offset + i;
    const unit = Math.floor(at / mebi);
    const fresh = Math.floor(unit / dedup);
    const repeats = unit > 0 && Math.floor((unit - 1) / dedup) === fresh;
    const content = repeats ? word(2n ** 63n + BigInt(unit)) % BigInt(fresh + 1) : BigInt(fresh);
    if (at % 4096 >= kept) continue;
    const start = (word(2n * content) % 16384n) * 4096n;
    const place = (start + BigInt(at % mebi)) % 2n ** 26n;
    out.writeBigUInt64LE(words(0n, place / 8n) ^ word(2n * content + 1n), i);
  }
  return out;
}

function words(seed: bigint, index: bigint): bigint {
  const mask = 2n ** 64n - 1n;
  const golden = 0x9e37_79b9_7f4a_7c15n;
  const mix = (value: bigint): bigint => {
    let z = value & mask;
    z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & mask;
    return z ^ (z >> 31n);
  };
  return mix(mix(seed + golden) + (index + 1n) * golden);
}

test('--dedup and --compress: as many MiB are fresh, as many bytes do not compress, and no stream is like another', async () => {
  using place = new FakePlace();
  const generate = ['--generate', '12M', '--seed', '7', '--dedup', '4', '--compress', '2', '--streams', '2'];
  expect((await place.run(['backup', ...image, ...generate, '--buffer', '96K'])).json).toMatchObject({ ok: true });
  const seen = new Set<string>();
  for (const stream of [1, 2]) {
    const one = ['--image', `client_17_C1_F1_S${stream}`, '--date', '17'];
    const { out } = await runHost(['restore', ...one], place.env);
    for (const at of [0, 3 * mebi, 4 * mebi + 4096 * 17, 11 * mebi - 4096, 12 * mebi - 8192]) {
      const expected = shaped(7n + BigInt(stream), 4, 2, at, 8192);
      expect(out.subarray(at, at + 8192).equals(expected), `stream ${stream} at ${at}`).toBe(true);
    }
    for (let at = 0; at < out.length; at += 4096) seen.add(out.toString('latin1', at, at + 4096));
    expect(gzipSync(out.subarray(0, mebi)).length / mebi).toBeCloseTo(0.5, 1);
    const verify = ['--discard', '--verify-generated', `${7 + stream}`, '--dedup', '4', '--compress', '2'];
    expect((await place.run(['restore', ...one, ...verify])).json).toMatchObject({ ok: true });
    const wrong = await place.run(['restore', ...one, ...verify], { fault: 'flip 5000000' });
    expect(wrong.err).toContain('differs from the generated data at offset 5000000');
  }
  // Three contents of 256 granules in each of two streams.
  expect(seen.size).toBe(2 * 3 * 256);
  const both = ['--discard', '--verify-generated', '7', '--dedup', '4', '--compress', '2', '--streams', '2'];
  expect((await place.run(['restore', ...image, ...both])).json).toMatchObject({ ok: true, bytes: 24 * mebi });
});

test('--dedup 1 has no 4 KiB twice, a ratio may be a fraction, and reads at odd places see the same', async () => {
  using place = new FakePlace();
  const odd = ['--dedup', '1.5', '--compress', '1.333'];
  await place.run(['backup', ...image, '--generate', '3000001', ...odd]);
  const random = ['--discard', '--random-reads', '300', '--read-max', '9000', '--verify-generated', '1', ...odd];
  expect((await place.run(['restore', ...image, ...random])).json).toMatchObject({ ok: true, reads: 300 });
  expect((await runHost(['restore', ...image, '--offset', '2M', '--length', '4096'], place.env)).out).toEqual(
    shaped(1n, 1.5, 1.333, 2 * mebi, 4096),
  );
  await place.run(['backup', '--image', 'f', '--date', '1', '--generate', '16M', '--dedup', '1']);
  const { out } = await runHost(['restore', '--image', 'f', '--date', '1'], place.env);
  const seen = new Set<string>();
  for (let at = 0; at < out.length; at += 4096) seen.add(out.toString('latin1', at, at + 4096));
  expect(seen.size).toBe(4096);
  expect(gzipSync(out.subarray(0, mebi)).length).toBeGreaterThan(mebi);
});

test('list --count tells how many there are and how long it took, and no names', async () => {
  using place = new FakePlace();
  const none = await place.run(['list', '--count']);
  expect(none.json).toMatchObject({ ok: true, images: [], count: 0, first_s: 0 });
  await place.run(['backup', ...image, '--generate', '1000', '--streams', '3']);
  const { json } = await place.run(['list', '--count', '--details']);
  expect(json).toMatchObject({ ok: true, images: [], count: 3 });
  expect(json.first_s).toBeGreaterThan(0);
  expect(json.seconds).toBeGreaterThanOrEqual(json.first_s as number);
  const text = await runHost(['list', '--count'], place.env);
  expect(text.out.toString()).toMatch(/^3 images, the first after \d+\.\d{3} s, all after \d+\.\d{3} s\n$/);
});

test('--read-bytes reads pieces of one length at multiples of it', async () => {
  using place = new FakePlace();
  await place.run(['backup', ...image, '--generate', '1M']);
  const reads = ['--discard', '--random-reads', '50', '--read-bytes', '4K', '--verify-generated', '1'];
  expect((await place.run(['restore', ...image, ...reads])).json).toMatchObject({ ok: true, bytes: 50 * 4096 });
  const tooLong = ['--discard', '--random-reads', '1', '--read-bytes', '2M'];
  expect((await place.run(['restore', ...image, ...tooLong])).err).toContain('give --read-bytes less than that');
});

test.each([
  ['a ratio below 1', ['--generate', '1M', '--dedup', '0.5'], /ratio from 1 to 1000/],
  ['a ratio that is none', ['--generate', '1M', '--compress', '2x'], /ratio from 1 to 1000/],
  ['too many decimals', ['--generate', '1M', '--compress', '2.0001'], /ratio from 1 to 1000/],
  ['a shape without generated data', ['--dedup', '2'], /without generated data/],
])('usage: %s is refused', async (_name, args, text) => {
  const run = await runHost(['backup', '--image', 'x', ...args]);
  expect(run.code).toBe(2);
  expect(run.err).toMatch(text);
});
