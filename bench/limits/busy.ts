/**
 * Loaded into an engine (node --import): keeps the coordinator's thread at work for a share VAST_OST_BUSY of the time, in
 * slices of VAST_OST_BUSY_MS, as a storm of calls or long collections of garbage would. Lanes are left alone.
 */
import { isMainThread } from 'node:worker_threads';

const share = Number(process.env.VAST_OST_BUSY ?? 0);
const sliceMs = Number(process.env.VAST_OST_BUSY_MS ?? 10);

function burn(): void {
  const end = performance.now() + sliceMs;
  while (performance.now() < end);
  setTimeout(burn, (sliceMs * (1 - share)) / share).unref();
}
if (isMainThread && share > 0 && share < 1) setTimeout(burn, 0).unref();
