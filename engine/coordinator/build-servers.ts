/** From the configuration to storage servers: what each has of its own, and what it shares with the others. */
import type { NfsServerConfig, ServerConfig } from '../config-servers.ts';
import { MountLanes } from '../lanes/mount-lanes.ts';
import type { Context } from './context.ts';
import { OpenImages } from './open-images.ts';
import { s3Parts } from './s3-server.ts';
import { type Own, type Parts, settingsOf } from './server-parts.ts';
import { type StorageServer, serverLabel } from './servers.ts';
import { Storage } from './storage.ts';

/** In the order of the file, the default server first. */
export function buildServers(parts: Parts): readonly StorageServer[] {
  const { config, shared } = parts;
  const configs: readonly (ServerConfig | null)[] = [
    ...(config.general.nfsMountPoint === null ? [] : [null]),
    ...config.servers,
  ];
  return configs.map((server, number) => {
    const label = serverLabel(server?.name ?? null);
    const own =
      server?.store === 's3' ? s3Parts(parts, server, number, label) : mountedParts(parts, server, number, label);
    const { log } = shared;
    const note = (level: 'info' | 'warn', text: string, more: object): void =>
      log[level]({ server: label, ...more }, text);
    const ctx: Context = {
      ...shared,
      server: number,
      settings: own.settings,
      io: own.io,
      storage: new Storage(own.storage, own.steps, note),
      open: new OpenImages(),
    };
    return { name: server?.name ?? null, store: own.store, config: server, ctx, pools: own.pools, mount: own.mount };
  });
}

/** A mounted directory; the memory store stands in for that of [general]. `null`: the default server. */
function mountedParts(parts: Parts, server: NfsServerConfig | null, mount: number, label: string): Own {
  const { engine, general } = parts.config;
  const kind = server === null ? engine.store : 'file';
  const root = (server === null ? general.nfsMountPoint : server.mountPoints[0]) ?? '';
  const steps = parts.metaPool(kind, label);
  return {
    store: kind === 'memory' ? 'memory' : 'nfs',
    pools: [steps],
    mount,
    settings: settingsOf(parts),
    io: new MountLanes(parts.io, mount),
    steps,
    storage: {
      root,
      requireMount: engine.requireMount,
      direct: general.useDirectIo,
      kind,
      remedy: `mount it, or prepare a new store with: vast-ost init-store ${root}`,
    },
  };
}
