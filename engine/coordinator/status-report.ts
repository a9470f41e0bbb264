/** Fills the report that `vast-ost status` shows. */
import type { StatusPool, StatusReport } from '../core/status-report.ts';
import type { Pool } from '../lanes/pool.ts';
import type { Engine } from './engine.ts';

function poolOf(name: StatusPool['name'], pool: Pool): StatusPool {
  const { lanes, busy, lost, lanesMax, queued } = pool.status();
  return { name, running: lanes, busy, lost, max: lanesMax, queued };
}

export function statusReport(engine: Engine, log: { dropped: number; failure: string | null }): StatusReport {
  const { ctx, config } = engine;
  const now = ctx.now();
  const jobs = [...engine.sessions.values()].flatMap((session) => session.jobs(now));
  const pools = [poolOf('io', ctx.io), poolOf('meta', engine.meta), poolOf('digest', ctx.digest)];
  const storagePools = pools.filter(({ name }) => name !== 'digest');
  const { root } = ctx.storage;
  return {
    engine: {
      version: ctx.settings.engineVersion,
      pid: process.pid,
      instance: engine.instance.toString('hex'),
      startedAt: new Date(performance.timeOrigin).toISOString(),
      draining: engine.draining,
    },
    memory: {
      budgetBytes: config.engine.maxMemoryBytes,
      usedBytes: ctx.memory.usedBytes('write') + ctx.memory.usedBytes('read'),
      waiting: ctx.memory.waiting,
    },
    handles: { open: jobs.length, max: config.engine.handlesMax },
    jobs,
    mounts: [
      {
        root: config.general.nfsMountPoint,
        mounted: root !== null,
        storeId: root?.storeId ?? null,
        fsType: root?.fsType ?? null,
        warnings: [...(root?.warnings ?? []), ...(ctx.storage.problem === '' ? [] : [ctx.storage.problem])],
        lanesBusy: storagePools.reduce((sum, { busy }) => sum + busy, 0),
        lanesLost: storagePools.reduce((sum, { lost }) => sum + lost, 0),
        stalledSeconds: Math.max(ctx.io.oldestSeconds(), engine.meta.oldestSeconds()),
      },
    ],
    pools,
    log,
  };
}
