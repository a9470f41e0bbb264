/** Fills the report that `vast-ost status` shows. */

import type { Config } from '../config.ts';
import type { StatusJob, StatusPool, StatusReport } from '../core/status-report.ts';
import { layouts, wire } from '../core/wire.ts';
import { displayName } from '../image/names.ts';
import type { Pool } from '../lanes/pool.ts';
import type { Context } from './context.ts';
import type { Session } from './session.ts';

function poolOf(name: StatusPool['name'], pool: Pool): StatusPool {
  const { lanes, busy, lost, lanesMax, queued, completed, cpuNs, wallNs } = pool.status();
  const work = { completed, cpuSeconds: cpuNs / 1e9, laneSeconds: wallNs / 1e9 };
  return { name, running: lanes, busy, lost, max: lanesMax, queued, ...work };
}

/** The image that is open on a connection, if any. */
function jobsOf({ link, writer, reader }: Session, now: number): StatusJob[] {
  const image = writer ?? reader;
  if (image === null || link.ended) return [];
  const { account, waitsFor } = image;
  const seconds = (now - account.since) / 1000;
  const idle = (now - account.movedAt) / 1000;
  return [
    {
      job: link.job,
      lsu: displayName(image.target.key.lsu),
      image: displayName(image.target.key.basename),
      mode: image === writer ? 'write' : 'read',
      seconds,
      bytes: account.bytes,
      bytesPerSecond: seconds > 0 ? account.bytes / seconds : 0,
      slots: writer === null ? (reader?.slots ?? { held: 0, of: 0 }) : writer.slots.use,
      waitsFor,
      stalledSeconds: waitsFor === 'host program' || waitsFor === null || idle < 1 ? 0 : idle,
    },
  ];
}

export interface ReportSource {
  readonly ctx: Context;
  readonly config: Config;
  readonly meta: Pool;
  readonly sessions: ReadonlyMap<unknown, Session>;
  readonly instance: Buffer;
  readonly draining: boolean;
}

export function statusReport(engine: ReportSource, log: { dropped: number; failure: string | null }): StatusReport {
  const { ctx, config } = engine;
  const now = ctx.now();
  const jobs = [...engine.sessions.values()].flatMap((session) => jobsOf(session, now));
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
        root: config.general.nfsMountPoint ?? '',
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

const textBytesMax = wire.frameMax - layouts.reply.size;

/** As JSON that fits a frame: with very many jobs those are left off that do best. `handles.open` counts all. */
export function statusText(report: StatusReport): string {
  const jobs = [...report.jobs].sort((a, b) => b.stalledSeconds - a.stalledSeconds);
  let text = JSON.stringify(report);
  while (Buffer.byteLength(text) > textBytesMax && jobs.length > 0) {
    jobs.length = Math.floor(jobs.length * 0.9);
    text = JSON.stringify({ ...report, jobs });
  }
  return text;
}
