/** Sixteen streams into a bucket and back, over http and over TLS: their bytes lie in arenas, and nowhere else in the engine. */
import { expect, test } from 'vitest';
import { s3Script, startS3Engine } from '../s3/engine-kit.ts';
import { caPath, S3Server } from '../s3/server/server.ts';
import { seed } from '../support/seed.ts';
import { Peaks, rssAnon } from './engine-use.ts';
import { lsu, Stream } from './stream.ts';

const mib = 1 << 20;
const count = 16;
/** What the product promises, over an engine at rest. */
const growthMax = 150e6;

/** VAST_OST_LOAD=full: the product's own defaults. All bytes that are under way are more than may be seen to grow. */
const { imageBytes, partMb, engine, timeout } =
  process.env.VAST_OST_LOAD === 'full'
    ? { imageBytes: 192 * mib, partMb: 64, engine: { max_memory_mb: 4096, handles_max: 128 }, timeout: 1_800_000 }
    : { imageBytes: 12 * mib, partMb: 8, engine: { max_memory_mb: 512, handles_max: 64 }, timeout: 120_000 };

test.each(['http', 'https'] as const)(`${count} streams over %s hold their bytes in arenas (seed ${seed})`, {
  timeout,
}, async (protocol) => {
  await using server = await S3Server.start({ endpoints: [{ protocol }] });
  const keys = { part_size_mb: partMb, ...(protocol === 'https' ? { ca_file: caPath } : {}) };
  const config = { general: { block_size_mb: partMb }, engine };
  await using started = await startS3Engine({ server, endpoints: server.url, keys, config });
  await using hosts = new AsyncDisposableStack();
  // The first image: what a thread needs for its work once, it has then.
  const first = hosts.use(await s3Script(started));
  await first.ok(`create_lsu v ${lsu}`);
  const warm = new Stream(first, count, seed);
  await warm.write(2 * partMb * mib, 2 * partMb * mib, () => true);
  expect(await warm.check()).toBeNull();
  const idle = rssAnon(started.pid);

  const streams: Stream[] = [];
  for (let i = 0; i < count; i++) streams.push(new Stream(hosts.use(await s3Script(started)), i, seed));
  const peaks = new Peaks();
  let working = true;
  const sampling = peaks.until(started, () => !working);
  const work = async (): Promise<(string | null)[]> => {
    try {
      await Promise.all(streams.map((stream) => stream.write(imageBytes, imageBytes, () => true)));
      return await Promise.all(streams.map((stream) => stream.check()));
    } finally {
      working = false;
    }
  };
  const [checks] = await Promise.all([work(), sampling]);
  console.log(`${count} streams over ${protocol}, idle ${(idle / 1e6).toFixed(1)} MB; ${peaks}`);
  expect(checks.filter((problem) => problem !== null)).toEqual([]);
  expect(peaks.rssAnon - idle).toBeLessThan(growthMax);
  expect(peaks.arenaBytes).toBeLessThanOrEqual(peaks.budgetBytes);
});
