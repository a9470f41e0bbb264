/**
 * What the ring costs: `node engine/ring/bench.ts`. Prints one line a case, and with --json one JSON object.
 *
 *   records    million records a second through two threads, each batch published and released once;
 *              five runs, because two threads on few cores meet other work
 *   wake       µs from publish to the sleeper having the record, p50 and p99: `busy` just after it fell asleep,
 *              `idle` after 2 ms of quiet
 */
import { cpus } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createRing, RingReader, RingWriter, recordWords } from './index.ts';
import { sleepingWord } from './layout.ts';

interface Job {
  kind: 'throughput' | 'wake' | 'wakeAsync';
  memory: SharedArrayBuffer;
  records: number;
}

/** Monotonic nanoseconds, the same in all threads, as two words. */
function stamp(record: Int32Array): void {
  const now = process.hrtime.bigint();
  record[0] = Number(now & 0xffff_ffffn) | 0;
  record[1] = Number(now >> 32n) | 0;
}

function ageUs(record: Int32Array): number {
  const sent = (BigInt(record[1] >>> 0) << 32n) | BigInt(record[0] >>> 0);
  return Number(process.hrtime.bigint() - sent) / 1000;
}

async function serve({ kind, memory, records }: Job): Promise<number[]> {
  const reader = new RingReader(memory);
  const record = new Int32Array(recordWords);
  const ages: number[] = [];
  for (let n = 0; n < records; ) {
    if (kind === 'wakeAsync') await reader.waitAsync();
    else reader.wait();
    while (reader.tryRead(record)) {
      if (kind !== 'throughput') ages.push(ageUs(record));
      n++;
    }
    reader.release();
  }
  return ages;
}

function start(job: Job): Promise<{ worker: Worker; result: Promise<number[]> }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  const result = new Promise<number[]>((resolve, reject) => {
    worker.on('message', (ages) => ages !== 'ready' && resolve(ages));
    worker.on('error', reject);
  });
  return new Promise((resolve) => worker.once('message', () => resolve({ worker, result })));
}

/** Million records a second. */
async function throughput(records: number, batch: number): Promise<number> {
  const memory = createRing(1024);
  const { worker, result } = await start({ kind: 'throughput', memory, records });
  const writer = new RingWriter(memory);
  const record = new Int32Array(recordWords);
  const began = process.hrtime.bigint();
  for (let n = 0; n < records; ) {
    for (let k = 0; k < batch && n < records && writer.tryWrite(record); k++) n++;
    writer.publish();
  }
  await result;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  await worker.terminate();
  return records / seconds / 1e6;
}

async function wake(kind: 'wake' | 'wakeAsync', records: number, quietMs: number): Promise<[number, number]> {
  const memory = createRing(2);
  const words = new Int32Array(memory);
  const { worker, result } = await start({ kind, memory, records });
  const writer = new RingWriter(memory);
  const record = new Int32Array(recordWords);
  const quiet = new Int32Array(new SharedArrayBuffer(4));
  for (let n = 0; n < records; n++) {
    while (Atomics.load(words, sleepingWord) === 0 || writer.free < 2);
    // The flag comes a little before the sleep itself; without this the reader would often not sleep yet.
    Atomics.wait(quiet, 0, 0, quietMs);
    stamp(record);
    writer.tryWrite(record);
    writer.publish();
  }
  const ages = (await result).sort((a, b) => a - b);
  await worker.terminate();
  return [ages[Math.floor(ages.length * 0.5)], ages[Math.floor(ages.length * 0.99)]];
}

async function main(): Promise<void> {
  const rows: { name: string; value: string }[] = [];
  for (const batch of [1, 8, 64]) {
    await throughput(200_000, batch); // warms up
    const rates: number[] = [];
    for (let i = 0; i < 5; i++) rates.push(await throughput(1_000_000, batch));
    rates.sort((a, b) => a - b);
    const shown = `median ${rates[2].toFixed(1)}, best ${rates[4].toFixed(1)} M/s`;
    rows.push({ name: `records, batches of ${batch}`, value: shown });
  }
  for (const kind of ['wake', 'wakeAsync'] as const) {
    for (const [word, quietMs] of [
      ['busy', 0.02],
      ['idle', 2],
    ] as const) {
      const [p50, p99] = await wake(kind, word === 'busy' ? 20_000 : 1_000, quietMs);
      rows.push({ name: `${kind}, ${word}`, value: `p50 ${p50.toFixed(1)} µs, p99 ${p99.toFixed(1)} µs` });
    }
  }
  const machine = `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`;
  if (process.argv.includes('--json')) console.log(JSON.stringify({ machine, rows }));
  else console.log(`${machine}\n${rows.map((row) => `${row.name.padEnd(24)}${row.value}`).join('\n')}`);
}

if (isMainThread) await main();
else {
  const alive = setInterval(() => {}, 60_000); // waitAsync keeps no event loop alive
  parentPort?.postMessage('ready');
  parentPort?.postMessage(await serve(workerData as Job));
  clearInterval(alive);
}
