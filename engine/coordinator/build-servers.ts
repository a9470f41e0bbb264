/** From the configuration to storage servers: what each has of its own, and what it shares with the others. */
import type { NfsServerConfig, ServerConfig } from '../config-servers.ts';
import type { LaneOrder, LaneResult } from '../lanes/lane-order.ts';
import { MountLanes, type PayloadLanes } from '../lanes/mount-lanes.ts';
import { wayFailed } from '../transfer/retry.ts';
import type { Note } from './bucket-watch.ts';
import type { Context, ServerContext } from './context.ts';
import { Fences } from './fence.ts';
import { GiveWay } from './give-way.ts';
import { Mounts } from './mounts.ts';
import { OneStore } from './one-store.ts';
import { OpenImages } from './open-images.ts';
import { s3Parts } from './s3-server.ts';
import { type Own, type OwnMount, type Parts, settingsOf } from './server-parts.ts';
import { type StorageServer, serverLabel } from './servers.ts';
import { Storage } from './storage.ts';

/** In the order of the file, the default server first. */
export function buildServers(parts: Parts): readonly StorageServer[] {
  const { config } = parts;
  const configs: readonly (ServerConfig | null)[] = [
    ...(config.general.nfsMountPoint === null ? [] : [null]),
    ...config.servers,
  ];
  let mountNext = 0;
  const engineMounts: Context[] = [];
  return configs.map((server, number) => {
    const label = serverLabel(server?.name ?? null);
    const note: Note = (level, text, more) => parts.shared.log[level]({ server: label, ...more }, text);
    const own =
      server?.store === 's3'
        ? s3Parts(parts, server, mountNext, label, note)
        : mountedParts(parts, server, mountNext, label);
    mountNext += own.mounts.length;
    const { shared } = parts;
    const mounts = new Mounts();
    const ctx = {
      ...shared,
      server: number,
      settings: own.settings,
      open: new OpenImages(),
      mounts,
      engineMounts,
      giveWay: new GiveWay(),
    };
    for (const mount of own.mounts) {
      const lanesLost = () => mount.pool.mountStatus(0).lost + parts.io.mountStatus(mount.number).lost;
      const held = mountContext(ctx, mount, note);
      mounts.add({ ctx: held, lanesLost });
      if (held.mount !== null) engineMounts.push(held);
    }
    const { store, bucket } = own;
    return { name: server?.name ?? null, store, config: server, ctx, mounts, bucket, parts: own.mounts };
  });
}

function mountContext(ctx: ServerContext, { path, io, storage, steps }: OwnMount, note: Note): Context {
  const held = new Storage(storage, steps, note);
  return { ...ctx, io: new WatchedLanes(io, held), storage: held, mount: path, fences: new Fences() };
}

/** Payload that fails on its way says as much of its mount as a step of the store does. */
class WatchedLanes implements PayloadLanes {
  readonly #lanes: PayloadLanes;
  readonly #storage: Storage;

  constructor(lanes: PayloadLanes, storage: Storage) {
    this.#lanes = lanes;
    this.#storage = storage;
  }

  async run(order: LaneOrder, key: number): Promise<LaneResult> {
    const result = await this.#lanes.run(order, key);
    if (result.result < 0 && wayFailed(result.result)) this.#storage.doubt();
    return result;
  }
}

/** Mounted directories; the memory store stands in for that of [general]. `null`: the default server. */
function mountedParts(parts: Parts, server: NfsServerConfig | null, first: number, label: string): Own {
  const { engine, general } = parts.config;
  const kind = server === null ? engine.store : 'file';
  const paths = server === null ? [general.nfsMountPoint ?? ''] : server.mountPoints;
  const store = paths.length > 1 ? new OneStore(paths) : null;
  const mounts = paths.map((path, place) => {
    const pool = parts.metaPool(kind, paths.length > 1 ? `${label} ${path}` : label);
    const storage = {
      root: path,
      requireMount: engine.requireMount,
      direct: general.useDirectIo,
      kind,
      remedy: `mount it, or prepare a new store with: vast-ost init-store ${path}`,
      ...(store === null ? {} : { among: { store, place } }),
    };
    const number = first + place;
    return { path, pool, number, steps: pool, io: new MountLanes(parts.io, number), storage };
  });
  return { store: kind === 'memory' ? 'memory' : 'nfs', settings: settingsOf(parts), bucket: null, mounts };
}
