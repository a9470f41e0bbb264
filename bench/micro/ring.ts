/**
 * The ring: what both ends cost in one thread; records through two threads, with how often the writer had to ring; and
 * the time from publishing to the sleeper having the record, just after it fell asleep and after 2 ms of quiet.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createRing, RingReader, RingWriter, recordWords } from 'sharedarraybuffer-ring';
import { sleepingWord } from '../../engine/ring/layout.ts';
import type { Micro } from '../result/schema.ts';
import { type Group, type MicroOptions, microOfTimes } from './harness.ts';
import { type RingJob, stamp } from './ring-thread.ts';

export function ring(): Group {
  const memory = createRing(64);
  const writer = new RingWriter(memory);
  const reader = new RingReader(memory);
  const record = new Int32Array(recordWords);
  const run = (): void => {
    writer.tryWrite(record);
    writer.publish();
    reader.tryRead(record);
    reader.release();
  };
  return { cases: [{ name: 'ring: write, publish, read, release', batch: 64, run }] };
}

export async function ringThreads({ quick, signal }: MicroOptions): Promise<Micro[]> {
  const found: Micro[] = [];
  for (const batch of [1, 8, 64]) {
    signal.throwIfAborted();
    found.push(...(await through(batch, quick ? 50_000 : 500_000)));
  }
  for (const way of ['wait', 'waitAsync'] as const) {
    for (const [word, quietMs] of [
      ['busy', 0],
      ['idle', 2],
    ] as const) {
      signal.throwIfAborted();
      found.push(
        microOfTimes(`ring: ${way}, wake of a sleeper, ${word}`, await wakes(way, quick ? 200 : 1000, quietMs)),
      );
    }
  }
  return found;
}

interface Thread {
  readonly result: Promise<number[]>;
  end(): Promise<unknown>;
}

async function start(job: RingJob): Promise<Thread> {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./ring-thread.${ending}`, import.meta.url), { workerData: job });
  const ready = Promise.withResolvers<void>();
  const result = new Promise<number[]>((resolve, reject) => {
    worker.on('message', (said: 'ready' | number[]) => (said === 'ready' ? ready.resolve() : resolve(said)));
    worker.on('error', reject);
  });
  await Promise.race([ready.promise, result]);
  return { result, end: () => worker.terminate() };
}

/** Atomics that count how often a bell was rung. */
function counting(): { atomics: Atomics; rung(): number } {
  let rung = 0;
  const atomics: Atomics = Object.create(Atomics);
  Object.defineProperty(atomics, 'notify', {
    value: (words: Int32Array, at: number) => {
      rung++;
      return Atomics.notify(words, at);
    },
  });
  return { atomics, rung: () => rung };
}

/** Rounds of equal parts, each a time per record. */
const rounds = 20;

async function through(batch: number, records: number): Promise<Micro[]> {
  const memory = createRing(1024);
  const thread = await start({ kind: 'throughput', memory, records });
  const { atomics, rung } = counting();
  const writer = new RingWriter(memory, atomics);
  const record = new Int32Array(recordWords);
  const times: number[] = [];
  let published = 0;
  for (let n = 0, round = 0; round < rounds; round++) {
    const until = Math.round(((round + 1) * records) / rounds);
    const [first, begin] = [n, performance.now()];
    while (n < until) {
      const before = n;
      for (let k = 0; k < batch && n < until && writer.tryWrite(record); k++) n++;
      if (n === before) continue; // the ring is full
      writer.publish();
      published++;
    }
    times.push(((performance.now() - begin) * 1e6) / (n - first));
  }
  await thread.result;
  await thread.end();
  const name = `ring: records through two threads, batches of ${batch}`;
  const share = 1 - rung() / published;
  const none = { meanNs: 0, p50Ns: 0, p99Ns: 0, rme: 0, bytes: 0 };
  return [
    { ...microOfTimes(name, times), n: records },
    { name: `ring: publishes without a bell, batches of ${batch}`, ...none, n: published, share },
  ];
}

async function wakes(way: 'wait' | 'waitAsync', records: number, quietMs: number): Promise<number[]> {
  const memory = createRing(2);
  const thread = await start({ kind: way, memory, records });
  const writer = new RingWriter(memory);
  const record = new Int32Array(recordWords);
  for (let n = 0; n < records; n++) {
    // It sleeps when its flag stands and it has taken the record before; busy: a moment for the system call behind the flag.
    while (!isAsleep(memory, writer)) await sleep(0);
    if (quietMs > 0) await sleep(quietMs);
    stamp(record);
    writer.tryWrite(record);
    writer.publish();
  }
  const ages = await thread.result;
  await thread.end();
  return ages;
}

function isAsleep(memory: SharedArrayBuffer, writer: RingWriter): boolean {
  return Atomics.load(new Int32Array(memory), sleepingWord) !== 0 && writer.free === 2;
}
