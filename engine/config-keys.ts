/**
 * Every key of vast-ost.conf: section, name, form, default, and the words that the example file has for it. One table,
 * from which the loader, `vast-ost check-config` and packaging/vast-ost.conf are made. Those of the storage servers'
 * own sections stand in config-server-keys.ts.
 */
import { z } from 'zod';
import { choice, cpuList, type KeyForm, path, truth, whole } from './config-forms.ts';
import { exampleServers, serversMax } from './config-server-keys.ts';

export interface ConfigKey extends KeyForm {
  readonly section: string;
}

/** Longest path of a Unix socket, without its NUL. */
export const socketPathBytesMax = 107;

function define(section: string, rest: Omit<ConfigKey, 'section'>): ConfigKey {
  return { section, ...rest };
}

const general = define.bind(null, 'general');
const performance = define.bind(null, 'performance');
const logging = define.bind(null, 'logging');
const engine = define.bind(null, 'engine');
const integrity = define.bind(null, 'integrity');

export const configKeys: readonly ConfigKey[] = [
  general({
    key: 'nfs_mount_point',
    byDefault: '/mnt/vast-netbackup',
    ...path,
    help: 'Storage root: where the VAST cluster is mounted. Prepare it once: vast-ost init-store DIR',
  }),
  general({
    key: 'use_direct_io',
    byDefault: 'true',
    ...truth,
    help: 'Read and write image data with O_DIRECT, past the page cache.',
  }),
  general({
    key: 'block_size_mb',
    byDefault: '64',
    ...whole(4, 256, 4),
    help: 'Bytes of an image that are written in one go, MiB. A multiple of 4.',
  }),
  general({
    key: 'metadata_format',
    byDefault: 'json',
    ...choice('json'),
    help: 'Form of image.meta. There is one.',
  }),

  performance({
    key: 'write_buffer_count',
    byDefault: '3',
    ...whole(1, 62),
    help: 'Slots of block_size_mb that one writing image has.',
  }),
  performance({
    key: 'read_ahead_mb',
    byDefault: '128',
    ...whole(0, 4096),
    help: 'How far a sequential reader is served ahead, MiB; 0 = not at all.',
  }),
  performance({
    key: 'thread_pool_size',
    byDefault: '16',
    ...whole(1, 64),
    help: 'Lanes (threads) that move data.',
  }),

  logging({
    key: 'log_level',
    byDefault: 'INFO',
    ...choice('ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'),
    help: 'ERROR, WARN, INFO, DEBUG or TRACE.',
  }),
  logging({
    key: 'log_file',
    byDefault: '/usr/openv/logs/vast-ost.log',
    form: 'an absolute path, or - for standard error',
    schema: z.union([z.literal('-'), path.schema]),
    help: 'JSON lines; reopened on SIGHUP. - = standard error.',
  }),

  engine({
    key: 'socket',
    byDefault: '/run/vast-ost/engine.sock',
    form: `an absolute path of at most ${socketPathBytesMax} bytes`,
    schema: path.schema.refine((text) => Buffer.byteLength(text) <= socketPathBytesMax),
    help: 'Where the plug-in finds the engine. Its directory and socket_mode decide who may connect.',
  }),
  engine({
    key: 'socket_mode',
    byDefault: '0660',
    form: 'an octal file mode such as 0660',
    schema: z
      .string()
      .regex(/^0?[0-7]{3}$/)
      .transform((text) => Number.parseInt(text, 8)),
    help: 'File mode of the socket, octal.',
  }),
  engine({
    key: 'connect_wait_s',
    byDefault: '10',
    ...whole(0, 3600),
    help: 'How long the plug-in waits for an engine that is not there (yet), seconds.',
  }),
  engine({
    key: 'max_memory_mb',
    byDefault: '0',
    ...whole(0, 1_048_576),
    help: 'Memory for the slots of all images together, MiB. 0 = a quarter of the memory there is, at most 4096.',
  }),
  engine({
    key: 'arena_wait_s',
    byDefault: '600',
    ...whole(0, 86_400),
    help: 'How long an image waits for memory before it is refused as busy, seconds.',
  }),
  engine({
    key: 'blocks_in_flight',
    byDefault: '2',
    ...whole(1, 8),
    help: 'Blocks of one image that are written at the same time. 1 = one after the other.',
  }),
  engine({
    key: 'handles_max',
    byDefault: '256',
    ...whole(1, 4096),
    help: 'Images open at the same time. Each may need 4 MiB: that much must fit max_memory_mb.',
  }),
  engine({
    key: 'meta_lanes',
    byDefault: '4',
    ...whole(1, 64),
    help: 'Lanes for everything but data: open, rename, fsync of small files, listings.',
  }),
  engine({
    key: 'digest_lanes',
    byDefault: '0',
    ...whole(0, 64),
    help: 'Lanes that compute checksums. 0 = a quarter of the cores, 1 to 16.',
  }),
  engine({
    key: 'cpus',
    byDefault: 'all',
    ...cpuList,
    help: 'Processors that the engine runs on, such as 0-15,32-47: those of one NUMA node, near the network port. all = any.',
  }),
  engine({
    key: 'io_lanes_per_mount',
    byDefault: '0',
    ...whole(0, 64),
    help: 'Of thread_pool_size, how many one mount may hold at a time. 0 = all; where mount_points is a list, three quarters.',
  }),
  engine({
    key: 'require_mount',
    byDefault: 'true',
    ...truth,
    help: 'Refuse a storage root that is no mount point of its own: a lost mount must not fill the system disk.',
  }),
  engine({
    key: 'drain_s',
    byDefault: '30',
    ...whole(0, 3600),
    help: 'At a stop: how long open images may go on, seconds.',
  }),
  engine({
    key: 'lane_overdue_s',
    byDefault: '60',
    ...whole(1, 86_400),
    help: 'A lane that hangs in one system call for so long is given up for lost and replaced, seconds.',
  }),
  engine({
    key: 'store',
    byDefault: 'file',
    ...choice('file', 'memory'),
    help: 'memory = nothing is kept: for tests of the host side only.',
  }),

  integrity({
    key: 'sums',
    byDefault: 'true',
    ...truth,
    help: 'A CRC-64 of every MiB, beside the image: every read is verified before the host program sees it.',
  }),
  integrity({
    key: 'checksum',
    byDefault: 'sha256',
    ...choice('sha256', 'none'),
    help: 'Digest of the whole image in image.meta: sha256 or none. New images only; an image keeps its mode.',
  }),
];

const sectionHelp: Record<string, string> = {
  general: '',
  performance: '',
  logging: '',
  engine: "What follows is this project's own and may be left out.",
  integrity: '',
};

export const configSections: readonly string[] = Object.keys(sectionHelp);

/** packaging/vast-ost.conf: every key with its default and one comment. */
export function exampleConfig(): string {
  const lines = [
    '# vast-ost.conf: configuration of the vast-ost engine and plug-in. Every key stands here with its default.',
    '# Place: /usr/openv/lib/ost-plugins/vast-ost.conf, or $VAST_OST_CONF. Check it: vast-ost check-config',
  ];
  for (const section of configSections) {
    lines.push('', ...(sectionHelp[section] ? [`# ${sectionHelp[section]}`] : []), `[${section}]`);
    for (const { section: home, key, byDefault, help } of configKeys) {
      if (home === section) lines.push(`# ${help}`, `${key} = ${byDefault}`);
    }
  }
  lines.push(
    '',
    `# More storage servers, up to ${serversMax}: the host program's VastData:NAME selects [server:NAME], and every other name`,
    '# the storage root of [general]. Where there are such sections and nfs_mount_point is not written, others are refused.',
    ...exampleServers(),
  );
  return `${lines.join('\n')}\n`;
}
