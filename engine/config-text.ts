/** A configuration as the text of vast-ost.conf: what `vast-ost check-config` prints, and what loads to the same again. */
import type { Config } from './config.ts';
import { cpusText } from './config-forms.ts';
import { configKeys, configSections } from './config-keys.ts';
import { serverKeys } from './config-server-keys.ts';
import type { S3ServerConfig, ServerConfig } from './config-servers.ts';

const mib = 1_048_576;

/** How each key's value is written; a test holds this against configKeys. */
const written: Readonly<Record<string, (config: Config) => string | number | boolean>> = {
  'general.nfs_mount_point': ({ general }) => general.nfsMountPoint ?? '',
  'general.use_direct_io': ({ general }) => general.useDirectIo,
  'general.block_size_mb': ({ general }) => general.blockBytes / mib,
  'general.metadata_format': ({ general }) => general.metadataFormat,
  'performance.write_buffer_count': ({ performance }) => performance.writeBufferCount,
  'performance.read_ahead_mb': ({ performance }) => performance.readAheadBytes / mib,
  'performance.thread_pool_size': ({ performance }) => performance.threadPoolSize,
  'logging.log_level': ({ logging }) => logging.level,
  'logging.log_file': ({ logging }) => logging.file,
  'engine.socket': ({ engine }) => engine.socket,
  'engine.socket_mode': ({ engine }) => engine.socketMode.toString(8).padStart(4, '0'),
  'engine.connect_wait_s': ({ engine }) => engine.connectWaitS,
  'engine.max_memory_mb': ({ engine }) => engine.maxMemoryBytes / mib,
  'engine.arena_wait_s': ({ engine }) => engine.arenaWaitS,
  'engine.blocks_in_flight': ({ engine }) => engine.blocksInFlight,
  'engine.handles_max': ({ engine }) => engine.handlesMax,
  'engine.meta_lanes': ({ engine }) => engine.metaLanes,
  'engine.digest_lanes': ({ engine }) => engine.digestLanes,
  'engine.cpus': ({ engine }) => (engine.cpus === null ? 'all' : cpusText(engine.cpus)),
  'engine.io_lanes_per_mount': ({ engine }) => engine.ioLanesPerMount,
  'engine.require_mount': ({ engine }) => engine.requireMount,
  'engine.drain_s': ({ engine }) => engine.drainS,
  'engine.lane_overdue_s': ({ engine }) => engine.laneOverdueS,
  'engine.store': ({ engine }) => engine.store,
  'integrity.sums': ({ integrity }) => integrity.sums,
  'integrity.checksum': ({ integrity }) => integrity.checksum,
};

/** The same for the keys of one [server:NAME]. */
const writtenS3: Readonly<Record<string, (server: S3ServerConfig) => string | number | boolean>> = {
  store: ({ store }) => store,
  endpoints: ({ endpoints }) => endpoints.map(({ url }) => url).join(', '),
  bucket: ({ bucket }) => bucket,
  prefix: ({ prefix }) => prefix,
  region: ({ region }) => region,
  addressing: ({ addressing }) => addressing,
  credentials_file: ({ credentialsFile }) => credentialsFile ?? '',
  ca_file: ({ caFile }) => caFile ?? '',
  tls_verify: ({ tlsVerify }) => tlsVerify,
  part_size_mb: ({ partBytes }) => partBytes / mib,
  parts_in_flight: ({ partsInFlight }) => partsInFlight,
  connect_timeout_s: ({ connectTimeoutS }) => connectTimeoutS,
  idle_timeout_s: ({ idleTimeoutS }) => idleTimeoutS,
  request_retry_s: ({ requestRetryS }) => requestRetryS,
};

function serverLines(server: ServerConfig): string[] {
  const lines = ['', `[server:${server.name}]`];
  if (server.store === 'nfs') return [...lines, 'store = nfs', `mount_points = ${server.mountPoints.join(', ')}`];
  for (const { key, stores } of serverKeys) {
    if (stores.includes('s3')) lines.push(`${key} = ${writtenS3[key]?.(server)}`.trimEnd());
  }
  return lines;
}

/** Every key with the value in force; "automatic" is resolved for this machine. */
export function configText(config: Config): string {
  const lines: string[] = [];
  for (const section of configSections) {
    lines.push(...(lines.length > 0 ? [''] : []), `[${section}]`);
    for (const { section: home, key } of configKeys) {
      if (home !== section) continue;
      // No root is no line: an empty one would be wrong, and any other would make a default server.
      if (key === 'nfs_mount_point' && config.general.nfsMountPoint === null)
        lines.push('# no nfs_mount_point: a name without a [server:NAME] is refused');
      else lines.push(`${key} = ${written[`${home}.${key}`]?.(config)}`);
    }
  }
  for (const server of config.servers) lines.push(...serverLines(server));
  return `${lines.join('\n')}\n`;
}
