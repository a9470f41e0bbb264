/** What the host program measures and makes for benches: pauses, series, latencies, data that repeats or compresses. */
import { beforeAll, expect, test } from 'vitest';
import { buildFake, FakePlace } from '../support/fake-plugin.ts';

beforeAll(buildFake, 300_000);

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
