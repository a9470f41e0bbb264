/** A configuration as the text of vast-ost.conf: what `vast-ost check-config` prints, and what loads to the same again. */
import type { Config } from './config.ts';
import { configKeys, configSections } from './config-keys.ts';

const mib = 1_048_576;

/** How each key's value is written; a test holds this against configKeys. */
const written: Readonly<Record<string, (config: Config) => string | number | boolean>> = {
  'general.nfs_mount_point': ({ general }) => general.nfsMountPoint,
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
  'engine.io_lanes_per_mount': ({ engine }) => engine.ioLanesPerMount,
  'engine.require_mount': ({ engine }) => engine.requireMount,
  'engine.drain_s': ({ engine }) => engine.drainS,
  'engine.lane_overdue_s': ({ engine }) => engine.laneOverdueS,
  'engine.store': ({ engine }) => engine.store,
  'integrity.sums': ({ integrity }) => integrity.sums,
  'integrity.checksum': ({ integrity }) => integrity.checksum,
};

/** Every key with the value in force; "automatic" is resolved for this machine. */
export function configText(config: Config): string {
  const lines: string[] = [];
  for (const section of configSections) {
    lines.push(...(lines.length > 0 ? [''] : []), `[${section}]`);
    for (const { section: home, key } of configKeys) {
      if (home === section) lines.push(`${key} = ${written[`${home}.${key}`]?.(config)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
