/** Fills the report that `vast-ost status` shows. */

import type { Config } from '../config.ts';
import type { StatusJob, StatusMount, StatusPool, StatusReport, StatusServer } from '../core/status-report.ts';
import { layouts, wire } from '../core/wire.ts';
import { displayName } from '../image/names.ts';
import type { Pool, PoolStatus } from '../lanes/pool.ts';
import type { Shared } from './context.ts';
import { storeOf } from './job-end.ts';
import { type MountParts, poolsOf, type StorageServer, type StorageServers, serverLabel } from './servers.ts';
import type { Session } from './session.ts';
import type { Storage } from './storage.ts';

/** One line for all pools of a kind: a storage server has its own meta lanes. */
function poolOf(name: StatusPool['name'], pools: readonly Pool[]): StatusPool {
  const all = pools.map((pool) => pool.status());
  const sum = (of: (status: PoolStatus) => number): number => all.reduce((total, status) => total + of(status), 0);
  return {
    name,
    running: sum(({ lanes }) => lanes),
    busy: sum(({ busy }) => busy),
    lost: sum(({ lost }) => lost),
    max: sum(({ lanesMax }) => lanesMax),
    queued: sum(({ queued }) => queued),
    completed: sum(({ completed }) => completed),
    cpuSeconds: sum(({ cpuNs }) => cpuNs) / 1e9,
    laneSeconds: sum(({ wallNs }) => wallNs) / 1e9,
  };
}

/** Of the first mount that is there, else of the first: the problems of others stand with the mounts. */
function serverOf({ name, store, config, mounts, bucket }: StorageServer): StatusServer {
  const storages = mounts.all.map(({ storage }) => storage);
  const [first = storages[0] as Storage] = storages.filter(({ root }) => root !== null);
  const { root, problem } = first;
  const { options } = storages[0] as Storage;
  const s3 = config?.store === 's3' ? config : null;
  const told = bucket?.status;
  return {
    name: serverLabel(name),
    store,
    root: options.root,
    ready: root !== null,
    problem,
    storeId: root?.storeId ?? null,
    mountPoints: mounts.all.filter(({ mount }) => mount !== null).length,
    healthyMounts: mounts.all.filter((ctx) => ctx.mount !== null && mounts.stateOf(ctx) === 'healthy').length,
    endpoints: told?.endpoints ?? [],
    retries: told?.retries ?? 0,
    integrity: told?.ways?.integrity ?? null,
    conditionalPuts: told?.ways?.conditionalPut ?? null,
    tlsVerify: s3?.tlsVerify ?? true,
  };
}

function mountsOf({ name, mounts, parts }: StorageServer, io: Pool): StatusMount[] {
  return mounts.all.flatMap((ctx, place) => {
    const { path, pool, number } = parts[place] as MountParts;
    if (path === null) return [];
    const { root, problem, options } = ctx.storage;
    const payload = io.mountStatus(number);
    const steps = pool.status();
    return [
      {
        server: serverLabel(name),
        root: options.root,
        mounted: root !== null,
        state: mounts.stateOf(ctx),
        storeId: root?.storeId ?? null,
        fsType: root?.fsType ?? null,
        warnings: [...(root?.warnings ?? []), ...(problem === '' ? [] : [problem])],
        lanesBusy: payload.busy + steps.busy,
        lanesLost: payload.lost + steps.lost,
        stalledSeconds: Math.max(io.oldestSeconds(number), pool.oldestSeconds()),
      },
    ];
  });
}

/** The image that is open on a connection, if any. */
function jobsOf({ link, writer, reader, server }: Session, now: number): StatusJob[] {
  const image = writer ?? reader;
  if (image === null || server === null || link.ended) return [];
  const { account, waitsFor } = image;
  const seconds = (now - account.since) / 1000;
  const idle = (now - account.movedAt) / 1000;
  return [
    {
      job: link.job,
      server: serverLabel(server.name),
      lsu: displayName(image.target.key.lsu),
      image: displayName(image.target.key.basename),
      mode: image === writer ? 'write' : 'read',
      seconds,
      bytes: account.bytes,
      bytesPerSecond: seconds > 0 ? account.bytes / seconds : 0,
      slots: writer === null ? (reader?.slots ?? { held: 0, of: 0 }) : writer.slots.use,
      waitsFor,
      stalledSeconds: waitsFor === 'host program' || waitsFor === null || idle < 1 ? 0 : idle,
      // Mounts of a server are of one export.
      shares: account.sharesSoFar(now, server.mounts.all[0] === undefined ? 'file' : storeOf(server.mounts.all[0])),
    },
  ];
}

export interface ReportSource {
  readonly shared: Shared;
  readonly servers: StorageServers;
  readonly version: string;
  readonly config: Config;
  readonly io: Pool;
  readonly digest: Pool;
  readonly sessions: ReadonlyMap<unknown, Session>;
  readonly instance: Buffer;
  readonly draining: boolean;
}

export function statusReport(engine: ReportSource, log: { dropped: number; failure: string | null }): StatusReport {
  const { shared, config, io, digest } = engine;
  const now = shared.now();
  const jobs = [...engine.sessions.values()].flatMap((session) => jobsOf(session, now));
  const { all } = engine.servers;
  const meta = all.filter(({ store }) => store !== 's3').flatMap(poolsOf);
  const net = all.filter(({ store }) => store === 's3').flatMap(poolsOf);
  const { memory } = shared;
  return {
    engine: {
      version: engine.version,
      pid: process.pid,
      instance: engine.instance.toString('hex'),
      startedAt: new Date(performance.timeOrigin).toISOString(),
      draining: engine.draining,
    },
    memory: {
      budgetBytes: config.engine.maxMemoryBytes,
      usedBytes: memory.usedBytes('write') + memory.usedBytes('read'),
      keptArenas: memory.kept.arenas,
      keptBytes: memory.kept.bytes,
      waiting: memory.waiting,
    },
    handles: { open: jobs.length, max: config.engine.handlesMax },
    jobs,
    finished: [...shared.finished.latest],
    servers: all.map(serverOf),
    mounts: all.flatMap((server) => mountsOf(server, io)),
    pools: [
      poolOf('io', [io]),
      poolOf('meta', meta),
      poolOf('digest', [digest]),
      ...(net.length > 0 ? [poolOf('net', net)] : []),
    ],
    log,
  };
}

/** Where less of each text has room, endpoints are left off. */
const endpointCharactersMin = 64;
const textBytesMax = wire.frameMax - layouts.reply.size;

/**
 * As JSON that fits a frame: of what has ended the oldest goes first; with very many jobs those are left off that do best,
 * and of very many mounts those that do well. `handles.open` counts all, and each server its mounts.
 */
export function statusText(all: StatusReport): string {
  const finished = [...all.finished];
  const report = { ...all, finished };
  const jobs = [...report.jobs].sort((a, b) => b.stalledSeconds - a.stalledSeconds);
  const fits = (text: string): boolean => Buffer.byteLength(text) <= textBytesMax;
  let text = JSON.stringify(report);
  while (!fits(text) && finished.length > 0) {
    finished.length = Math.floor(finished.length * 0.8);
    text = JSON.stringify(report);
  }
  while (!fits(text) && jobs.length > 0) {
    jobs.length = Math.floor(jobs.length * 0.9);
    text = JSON.stringify({ ...report, jobs });
  }
  // Very many storage servers with much to say: each keeps the beginning of it.
  for (let max = 512; !fits(text) && max >= 16; max /= 2) text = JSON.stringify({ ...brief(report, max), jobs });
  const mounts = report.mounts.toSorted((a, b) => Number(a.state === 'healthy') - Number(b.state === 'healthy'));
  while (!fits(text) && mounts.length > 0) {
    mounts.length = Math.floor(mounts.length * 0.9);
    text = JSON.stringify({ ...brief({ ...report, mounts }, 16), jobs });
  }
  return text;
}

function brief(report: StatusReport, charactersMax: number): StatusReport {
  const cut = (text: string): string => text.slice(0, charactersMax);
  return {
    ...report,
    servers: report.servers.map((server) => ({
      ...server,
      root: cut(server.root),
      problem: cut(server.problem),
      endpoints:
        charactersMax < endpointCharactersMin
          ? []
          : server.endpoints.map((one) => ({ ...one, problem: cut(one.problem) })),
    })),
    mounts: report.mounts.map((mount) => ({
      ...mount,
      root: cut(mount.root),
      warnings: mount.warnings.slice(0, 1).map(cut),
    })),
  };
}
