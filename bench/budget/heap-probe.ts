/**
 * To be imported before the engine (node --import): tells on SIGUSR2 what its main thread's heap has ever allocated, in a
 * new file VAST_HEAP_DIR/heap.N. Lanes have heaps of their own; what an order costs them is counted alone, in parts.ts.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { isMainThread } from 'node:worker_threads';

// Kept from before the engine forbids its main thread to touch files.
const { renameSync, writeFileSync } = fs;
const directory = process.env.VAST_HEAP_DIR;

if (isMainThread && directory !== undefined) {
  let told = 0;
  process.on('SIGUSR2', () => {
    const { total_allocated_bytes: bytes } = getHeapStatistics();
    const file = join(directory, `heap.${++told}`);
    writeFileSync(`${file}.new`, String(bytes));
    renameSync(`${file}.new`, file);
  });
}
