/**
 * Loaded into every thread of a measured engine (node --import): appends to VAST_OST_STALL_FILE how long its event loop
 * stood still, a line of JSON for each second in which it did for 5 ms or more: in all, and without the time in which the
 * thread waited for a processor that others had. Only the net thread writes, a thread with sockets that is not the main
 * one: lanes sleep on their rings on purpose, and the coordinator may not touch files.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const resolutionMs = 5;
/** Of a young thread: its modules are compiled. */
const startMs = 2000;

/** How long this thread was ready to run and had no processor. */
function waitedMs(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6;
}

const file = process.env.VAST_OST_STALL_FILE;
if (file !== undefined && file !== '' && !isMainThread) {
  const startedAt = performance.now();
  let secondAt = startedAt;
  let at = startedAt;
  let waited = waitedMs();
  let worst = { ms: 0, ownMs: 0 };
  setInterval(() => {
    const ms = performance.now() - at - resolutionMs;
    const ownMs = Math.max(0, ms - (waitedMs() - waited));
    worst = { ms: Math.max(worst.ms, ms), ownMs: Math.max(worst.ownMs, ownMs) };
    if (performance.now() - secondAt > 1000) {
      const net = process.getActiveResourcesInfo().some((kind) => /^(TCPSocket|TLS)Wrap$/.test(kind));
      if (worst.ms >= 5 && performance.now() - startedAt > startMs && net)
        appendFileSync(file, `${JSON.stringify(worst)}\n`);
      worst = { ms: 0, ownMs: 0 };
      secondAt = performance.now();
    }
    at = performance.now();
    waited = waitedMs();
  }, resolutionMs).unref();
}
