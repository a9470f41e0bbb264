/**
 * One end of the echo of ring.threads.test.ts: 'ask' sends numbered records down and checks that each comes back, 'echo'
 * sends every record back. Batches vary with the seed, so that full, empty and asleep are all met.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { RingReader, RingWriter, recordWords } from '../../engine/ring/index.ts';

export interface EchoData {
  role: 'ask' | 'echo';
  down: SharedArrayBuffer;
  up: SharedArrayBuffer;
  records: number;
  inFlightMax: number;
  seed: number;
  async: boolean;
}

const { role, down, up, records, inFlightMax, seed, async } = workerData as EchoData;
const writer = new RingWriter(role === 'ask' ? down : up);
const reader = new RingReader(role === 'ask' ? up : down);
const record = new Int32Array(recordWords);
let random = seed >>> 0 || 1;

/** 1 … max, xorshift32. */
function batch(max: number): number {
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  return 1 + ((random >>> 0) % max);
}

function check(n: number): void {
  for (let i = 0; i < recordWords; i++) {
    if (record[i] !== ((n * 16 + i) | 0)) throw new Error(`${role}: word ${i} of record ${n} is ${record[i]}`);
  }
}

async function ask(): Promise<void> {
  let sent = 0;
  let back = 0;
  while (back < records) {
    const wanted = Math.min(sent + batch(inFlightMax), back + inFlightMax, records);
    for (; sent < wanted; sent++) {
      for (let i = 0; i < recordWords; i++) record[i] = (sent * 16 + i) | 0;
      if (!writer.tryWrite(record)) break;
    }
    writer.publish();
    if (async) await reader.waitAsync();
    else reader.wait();
    for (let max = batch(inFlightMax); max > 0 && reader.tryRead(record); max--) check(back++);
    reader.release();
  }
}

async function echo(): Promise<void> {
  for (let n = 0; n < records; ) {
    if (async) await reader.waitAsync();
    else reader.wait();
    for (let max = batch(inFlightMax); max > 0 && reader.tryRead(record); max--) {
      check(n++);
      // Never full: the asking side has at most a ring's worth under way.
      if (!writer.tryWrite(record)) throw new Error('echo: the ring up is full');
    }
    reader.release();
    writer.publish();
  }
}

// Atomics.waitAsync keeps no event loop alive: the open port does.
parentPort?.on('message', () => {});
(role === 'ask' ? ask() : echo()).then(
  () => process.exit(0),
  (error) => {
    parentPort?.postMessage(String(error));
    process.exit(1);
  },
);
