/** Many small images one after the other: what an engine holds depends on its lanes, not on how much it has done. */
import { expect, test } from 'vitest';
import type { EngineOptions } from '../support/engine.ts';
import { baseline, settled } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { seed } from '../support/seed.ts';
import { lanesOf, rssAnon, rssAnonMax } from './engine-use.ts';
import { lsu } from './stream.ts';
import { startCompiled } from './warm-engine.ts';

const full = process.env.VAST_OST_LOAD === 'full';
const images = full ? 15_000 : 300;
/** From here on nothing grows any more: lanes have started, heaps have their size. */
const settledAt = images / 3;
/** Before either mark memory is looked at so often: what lies between two collections of a heap is no growth. */
const looks = 8;
const betweenLooks = images / 75;
const growthMax = 5e6;
const hostCount = 4;
const imageBytes = 4096;
const config: EngineOptions['config'] = full
  ? { performance: { thread_pool_size: 16 }, logging: { log_level: 'INFO' } }
  : {};

test(`${images} small images by ${hostCount} host programs leave nothing behind in the engine (seed ${seed})`, {
  timeout: full ? 1_800_000 : 120_000,
}, async () => {
  await using engine = await startCompiled(config);
  const from = baseline(engine);
  await using stack = new AsyncDisposableStack();
  const hosts: HostScript[] = [];
  for (let i = 0; i < hostCount; i++) hosts.push(stack.use(await engine.script()));
  const makeImages = async (first: number, end: number): Promise<void> => {
    const each = (end - first) / hostCount;
    await Promise.all(
      hosts.map((host, i) => host.ok(`images v ${lsu} small- ${first + i * each} ${each} ${imageBytes} ${seed}`)),
    );
  };
  /** The lowest RssAnon on the way to a mark, and that at the mark. Nothing of an image is open then. */
  const useUntil = async (first: number, end: number): Promise<{ low: number; anon: number }> => {
    let made = end - looks * betweenLooks;
    await makeImages(first, made);
    const seen: number[] = [];
    for (; made < end; made += betweenLooks) {
      await makeImages(made, made + betweenLooks);
      seen.push(rssAnon(engine.pid));
    }
    await settled(engine, { sockets: from.sockets + hostCount });
    return { low: Math.min(...seen), anon: seen.at(-1) ?? 0 };
  };
  const before = await useUntil(0, settledAt);
  const after = await useUntil(settledAt, images);
  const lanes = lanesOf(await engine.status());
  const growth = after.low - before.low;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(
    `RssAnon ${mb(before.anon)} after ${settledAt} images, ${mb(after.anon)} after ${images}; lowest before each ` +
      `${mb(before.low)}, ${mb(after.low)} (growth ${mb(growth)}); ${mb(rssAnonMax(lanes))} are allowed with ${lanes} lanes`,
  );
  expect((await hosts[0]?.ok(`list_images v ${lsu} complete`))?.count).toBe(images);
  for (const { anon } of [before, after]) expect(anon).toBeLessThanOrEqual(rssAnonMax(lanes));
  // Heaps of an engine that has just started still grow, by more than the bound.
  if (full) expect(growth).toBeLessThanOrEqual(growthMax);
});
