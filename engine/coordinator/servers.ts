/** All storage servers of the engine: which one a name means, and what each has of its own. */
import type { Logger } from 'pino';
import type { ServerConfig } from '../config-servers.ts';
import { Failed, status } from '../core/errors.ts';
import { displayName } from '../image/names.ts';
import type { Pool } from '../lanes/pool.ts';
import type { BucketWatch } from './bucket-watch.ts';
import type { ServerContext } from './context.ts';
import type { Mounts } from './mounts.ts';

const prefix = 'VastData:';
/** Names without a section that are written to the log, each once. */
const notedMax = 64;

export interface StorageServer {
  /** NAME of VastData:NAME; null: the default server. */
  readonly name: string | null;
  readonly store: 'nfs' | 's3' | 'memory';
  /** Null: the default server, which [general] describes. */
  readonly config: ServerConfig | null;
  readonly ctx: ServerContext;
  readonly mounts: Mounts;
  /** In the order of the configuration, as `mounts` has them. */
  readonly parts: readonly MountParts[];
  /** Null: its store is no bucket. */
  readonly bucket: BucketWatch | null;
}

export interface MountParts {
  /** Where it is; null: it is no directory. */
  readonly path: string | null;
  /** Lanes of its own. */
  readonly pool: Pool;
  /** Of the orders in the engine's io lanes. */
  readonly number: number;
}

/** The lanes that a storage server has for itself. */
export function poolsOf({ parts }: StorageServer): Pool[] {
  return parts.map(({ pool }) => pool);
}

/** For people: as the host program writes it; the default server has no name of its own. */
export function serverLabel(name: string | null): string {
  return name === null ? '[general]' : `${prefix}${name}`;
}

export class StorageServers {
  readonly all: readonly StorageServer[];
  readonly #byName: ReadonlyMap<string, StorageServer>;
  readonly #default: StorageServer | null;
  readonly #log: Logger;
  readonly #noted = new Set<string>();

  constructor(all: readonly StorageServer[], log: Logger) {
    this.all = all;
    this.#log = log;
    this.#byName = new Map(all.flatMap((server) => (server.name === null ? [] : [[server.name, server]])));
    this.#default = all.find(({ name }) => name === null) ?? null;
  }

  /** The one that a HELLO asks for: VastData:NAME. Throws Failed where there is none. */
  find(asked: string): StorageServer {
    const name = asked.startsWith(prefix) ? asked.slice(prefix.length) : '';
    const found = this.#byName.get(name) ?? this.#default;
    if (found !== null) {
      if (found.name === null && this.#byName.size > 0) this.#note(asked);
      return found;
    }
    const known = [...this.#byName.keys()].map(serverLabel);
    const shown = known.length > 5 ? `${known.slice(0, 5).join(', ')} and ${known.length - 5} more` : known.join(', ');
    throw new Failed(
      status.ECLAIM,
      `${displayName(asked)} is no storage server of this engine, which has ${shown}: correct the name, or write ` +
        '[server:NAME] for it in vast-ost.conf and start the engine again',
    );
  }

  /** A name that was misspelt ends up here as well: the log shows it. */
  #note(asked: string): void {
    if (this.#noted.has(asked) || this.#noted.size >= notedMax) return;
    this.#noted.add(asked);
    this.#log.info({ server: displayName(asked) }, 'no section of its own: the storage root of [general] serves it');
  }
}
