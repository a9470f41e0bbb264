/** What `vast-ost status` shows. Its shape is documented in docs/operators/status.md. */
import { readFileSync } from 'node:fs';
import type { Engine } from './engine.ts';

/** Resident memory of our own, without the arenas: from /proc, in bytes. */
function anonymousBytes(): number {
  const line = /^RssAnon:\s+([0-9]+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(line?.[1] ?? 0) * 1024;
}

export function statusReport(engine: Engine): object {
  const { ctx, config } = engine;
  const now = performance.now();
  const jobs = [...engine.sessions.values()].flatMap((session) => {
    const image = session.writer ?? session.reader;
    return image === null ? [] : [{ pid: session.link.peer.pid, ...image.describe() }];
  });
  return {
    version: ctx.settings.engineVersion,
    pid: process.pid,
    uptimeS: Math.round(process.uptime()),
    config: config.source,
    socket: config.engine.socket,
    connections: engine.sessions.size,
    jobs,
    stalledSinceS: jobs.length === 0 ? 0 : Math.min(...jobs.map((job) => (job as { movedAgoS?: number }).movedAgoS ?? 0)),
    mounts: [
      {
        root: config.general.nfsMountPoint,
        mounted: ctx.storage.root !== null,
        problem: ctx.storage.problem,
        storeId: ctx.storage.root?.storeId ?? null,
        fsType: ctx.storage.root?.fsType ?? null,
        warnings: ctx.storage.root?.warnings ?? [],
      },
    ],
    memory: {
      maxBytes: config.engine.maxMemoryBytes,
      writerBytes: ctx.memory.usedBytes('write'),
      readerBytes: ctx.memory.usedBytes('read'),
      waiting: ctx.memory.waiting,
      rssAnonBytes: anonymousBytes(),
    },
    pools: [ctx.io.status(), engine.meta.status(), ctx.digest.status()],
    open: engine.counts(),
    bugs: engine.bugs,
    cpuS: process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
    atMs: Math.round(now),
  };
}
