/** Sixteen streams into a bucket and back, over http and over TLS: their bytes lie in arenas, and nowhere else in the engine. */
import { expect, test } from 'vitest';
import { s3Script, startS3Engine } from '../s3/engine-kit.ts';
import { caPath, S3Server } from '../s3/server/server.ts';
import type { TestEngine } from '../support/engine.ts';
import { seed } from '../support/seed.ts';
import { Peaks, rssAnon } from './engine-use.ts';
import { lsu, Stream } from './stream.ts';
import { compileCache } from './warm-engine.ts';

const mib = 1 << 20;
const count = 16;
/** What the product promises, over an engine at rest. */
const growthMax = 150e6;

/**
 * VAST_OST_LOAD=full: the product's own defaults. All bytes that are under way are more than may be seen to grow. Images are
 * whole parts: a rest smaller than a part waits in the heap, as it should.
 */
const { imageBytes, partMb, engine, timeout } =
  process.env.VAST_OST_LOAD === 'full'
    ? { imageBytes: 192 * mib, partMb: 64, engine: { max_memory_mb: 4096, handles_max: 128 }, timeout: 1_800_000 }
    : { imageBytes: 16 * mib, partMb: 8, engine: { max_memory_mb: 512, handles_max: 64 }, timeout: 120_000 };

/** One image, alone. */
async function work(engine: TestEngine, lsuName: string): Promise<void> {
  await using host = await s3Script(engine);
  await host.ok(`create_lsu v ${lsuName}`);
  await host.ok(`create_image v i ${lsuName} image 7`);
  await host.ok(`write i 0 ${partMb * mib} ${seed} times=2`);
  await host.ok('close i complete');
  await host.ok(`open_image v r ${lsuName} image 7 read`);
  await host.ok(`read r 0 ${partMb * mib} times=2`);
  await host.ok('close r 0');
}

test.each(['http', 'https'] as const)(
  `${count} streams over %s hold their bytes in arenas (seed ${seed})`,
  {
    timeout,
  },
  async (protocol) => {
    await using server = await S3Server.start({ endpoints: [{ protocol }] });
    const keys = { part_size_mb: partMb, ...(protocol === 'https' ? { ca_file: caPath } : {}) };
    const config = { general: { block_size_mb: partMb }, engine };
    const env = { NODE_COMPILE_CACHE: compileCache };
    await using started = await startS3Engine({ server, endpoints: server.url, keys, config, env });
    // Twice: the second engine has its code compiled, as a delivered one has, and its threads what they need for their work.
    await work(started, 'first');
    await started.stop();
    await started.launch();
    await work(started, lsu);
    await using hosts = new AsyncDisposableStack();
    const idle = rssAnon(started.pid);

    const streams: Stream[] = [];
    for (let i = 0; i < count; i++) streams.push(new Stream(hosts.use(await s3Script(started)), i, seed));
    const peaks = new Peaks();
    let working = true;
    const sampling = peaks.until(started, () => !working);
    const all = async (): Promise<(string | null)[]> => {
      try {
        await Promise.all(streams.map((stream) => stream.write(imageBytes, imageBytes, () => true)));
        return await Promise.all(streams.map((stream) => stream.check()));
      } finally {
        working = false;
      }
    };
    const [checks] = await Promise.all([all(), sampling]);
    console.log(`${count} streams over ${protocol}, idle ${(idle / 1e6).toFixed(1)} MB; ${peaks}`);
    expect(checks.filter((problem) => problem !== null)).toEqual([]);
    expect(peaks.rssAnon - idle).toBeLessThan(growthMax);
    expect(peaks.arenaBytes).toBeLessThanOrEqual(peaks.budgetBytes);
  },
);
