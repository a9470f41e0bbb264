/**
 * Loaded into every thread of a measured engine (node --import): appends to VAST_OST_STALL_FILE how long its event loop
 * stood still, a line of JSON for each second in which it did for 5 ms or more. Only the net thread writes, a thread with
 * sockets that is not the main one: lanes sleep on their rings on purpose, and the coordinator may not touch files.
 */
import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const resolutionMs = 5;
/** Of a young thread: its modules are compiled. */
const startMs = 2000;

const file = process.env.VAST_OST_STALL_FILE;
if (file !== undefined && file !== '' && !isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  const startedAt = Date.now();
  setInterval(() => {
    const ms = delay.max / 1e6 - resolutionMs;
    delay.reset();
    const net = process.getActiveResourcesInfo().some((kind) => /^(TCPSocket|TLS)Wrap$/.test(kind));
    if (ms < 5 || Date.now() - startedAt < startMs || !net) return;
    appendFileSync(file, `${JSON.stringify({ ms })}\n`);
  }, 1000).unref();
}
