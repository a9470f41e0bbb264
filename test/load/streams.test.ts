/** More streams than the memory has room for at their full arenas: all work at once, in what the budget allows. */
import { expect, test } from 'vitest';
import type { StatusReport } from '../../engine/core/status-report.ts';
import { baseline, settled } from '../support/engine-state.ts';
import { seed } from '../support/seed.ts';
import { Peaks } from './engine-use.ts';
import { Stream } from './stream.ts';
import { startCompiled } from './warm-engine.ts';

const mib = 1 << 20;

/** VAST_OST_LOAD=full: what the product promises, with its own defaults. */
const full = {
  streams: 64,
  imageBytes: 160 * mib,
  config: {
    general: { block_size_mb: 64 },
    performance: { thread_pool_size: 16, read_ahead_mb: 128 },
    logging: { log_level: 'INFO' },
    engine: { max_memory_mb: 2048, handles_max: 256 },
  },
  timeout: 1_800_000,
};
/**
 * Each stream would take 48 MiB; writers may have 180 together. handles_max counts connections: a stream's server, its
 * image, and for a moment the image that it has just closed.
 */
const reduced = {
  streams: 20,
  imageBytes: 8 * mib,
  config: { general: { block_size_mb: 16 }, engine: { max_memory_mb: 240, handles_max: 60 } },
  timeout: 120_000,
};
const { streams: count, imageBytes, config, timeout } = process.env.VAST_OST_LOAD === 'full' ? full : reduced;
/** A bound for the failed case: what a stream may write before the last one has moved. */
const imageBytesMax = 32 * imageBytes;

/** True once every stream has moved bytes since a moment when all were open. */
function allMoveAtOnce(): (status: StatusReport) => boolean {
  let before: Map<string, number> | null = null;
  return ({ jobs }) => {
    if (jobs.length < count) return false;
    const since = before;
    before ??= new Map(jobs.map(({ image, bytes }) => [image, bytes]));
    return since !== null && jobs.every(({ image, bytes }) => bytes > (since.get(image) ?? bytes));
  };
}

test(`${count} streams that want more memory than there is all move at once, and all finish (seed ${seed})`, {
  timeout,
}, async () => {
  await using engine = await startCompiled(config);
  const from = baseline(engine);
  const peaks = new Peaks();
  {
    await using hosts = new AsyncDisposableStack();
    const streams: Stream[] = [];
    for (let i = 0; i < count; i++) streams.push(new Stream(hosts.use(await engine.script()), i, seed));

    // No stream finishes before: one that needs another's end to go on is never seen.
    let seen = false;
    let working = true;
    const allMove = allMoveAtOnce();
    const sampling = peaks.until(engine, (status) => {
      seen ||= allMove(status);
      return !working;
    });
    const work = async (): Promise<(string | null)[]> => {
      try {
        await Promise.all(streams.map((stream) => stream.write(imageBytes, imageBytesMax, () => seen)));
        return await Promise.all(streams.map((stream) => stream.check()));
      } finally {
        working = false;
      }
    };
    const [checks] = await Promise.all([work(), sampling]);
    const written = streams.reduce((sum, { size }) => sum + size, 0);
    console.log(`${count} streams, ${(written / 1e9).toFixed(2)} GB; ${peaks}`);
    expect(checks.filter((problem) => problem !== null)).toEqual([]);
  }
  expect(peaks.wrong).toEqual([]);
  await settled(engine, from);
});
