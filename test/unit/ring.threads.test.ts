import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createRing } from '../../engine/ring/index.ts';
import { headWord, tailWord } from '../../engine/ring/layout.ts';
import type { EchoData } from './ring.worker.ts';

/** Runs both ends; the first that fails ends the other, which would wait for ever. */
async function run(ends: EchoData[]): Promise<string[]> {
  const workers = ends.map((data) => new Worker(new URL('./ring.worker.ts', import.meta.url), { workerData: data }));
  const complaints: string[] = [];
  await Promise.all(
    workers.map(async (worker, i) => {
      worker.on('message', (text) => complaints.push(text));
      worker.on('error', (error) => complaints.push(String(error)));
      const [code] = await once(worker, 'exit');
      if (code === 0) return;
      complaints.push(`${ends[i].role} ended with ${code}`);
      for (const other of workers) if (other !== worker) await other.terminate();
    }),
  );
  return complaints;
}

test.each([
  { records: 1_000_000, capacity: 64, inFlightMax: 64, async: false },
  { records: 30_000, capacity: 2, inFlightMax: 2, async: false },
  { records: 100_000, capacity: 16, inFlightMax: 16, async: true },
])('two threads echo $records records, capacity $capacity, async $async', async (shape) => {
  const { records, capacity, inFlightMax } = shape;
  const seed = 20_260_101;
  console.log(`seed ${seed}`);
  const down = createRing(capacity);
  const up = createRing(capacity);
  // Both index wraps happen on the way: 2^32 in the one ring, 2^31 in the other.
  new Int32Array(down).fill(-1000, tailWord, tailWord + 1).fill(-1000, headWord, headWord + 1);
  new Int32Array(up).fill(0x7fff_ff00, tailWord, tailWord + 1).fill(0x7fff_ff00, headWord, headWord + 1);
  const shared = { down, up, records, inFlightMax, async: shape.async };
  const complaints = await run([
    { ...shared, role: 'ask', seed },
    { ...shared, role: 'echo', seed: seed + 1 },
  ]);
  expect(complaints).toEqual([]);
  for (const [memory, start] of [
    [down, -1000],
    [up, 0x7fff_ff00],
  ] as const) {
    const words = new Int32Array(memory);
    expect(words[tailWord]).toBe((start + records) | 0);
    expect(words[headWord]).toBe((start + records) | 0);
  }
});
