/** The reading end of bench/micro/ring.ts, in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { RingReader, recordWords } from 'sharedarraybuffer-ring';

export interface RingJob {
  readonly kind: 'throughput' | 'wait' | 'waitAsync';
  readonly memory: SharedArrayBuffer;
  readonly records: number;
}

/** Monotonic nanoseconds, the same in all threads, as two words. */
export function stamp(record: Int32Array): void {
  const now = process.hrtime.bigint();
  record[0] = Number(now & 0xffff_ffffn) | 0;
  record[1] = Number(now >> 32n) | 0;
}

function ageNs(record: Int32Array): number {
  const sent = (BigInt(record[1] ?? 0) << 32n) | BigInt((record[0] ?? 0) >>> 0);
  return Number(process.hrtime.bigint() - sent);
}

/** Ages of the records, ns; of a throughput none. */
async function serve({ kind, memory, records }: RingJob): Promise<number[]> {
  const reader = new RingReader(memory);
  const record = new Int32Array(recordWords);
  const ages: number[] = [];
  for (let n = 0; n < records; ) {
    if (kind === 'waitAsync') await reader.waitAsync();
    else reader.wait();
    while (reader.tryRead(record)) {
      if (kind !== 'throughput') ages.push(ageNs(record));
      n++;
    }
    reader.release();
  }
  return ages;
}

if (parentPort !== null) {
  const port = parentPort;
  const alive = setInterval(() => undefined, 60_000); // waitAsync keeps no event loop alive
  port.postMessage('ready');
  port.postMessage(await serve(workerData as RingJob));
  clearInterval(alive);
}
