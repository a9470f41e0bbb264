/** Engines before buckets: null servers, of which one discards what is uploaded and one keeps it, or the user's own. */
import { fileURLToPath } from 'node:url';
import type { Sections } from '../../scripts/programs/ini-text.ts';
import { EngineProcess } from '../engine-process.ts';
import type { BucketTarget, ModeName, Run } from '../run-context.ts';
import { bucket, caFile, credentials, type NullServer } from './servers.ts';

export interface Buckets {
  /** Sections [server:NAME]. */
  readonly sections: Sections;
  readonly servers: { readonly write: string; readonly restore: string };
  /** Of the engine; the user's own are in this process's environment. */
  readonly env: NodeJS.ProcessEnv;
}

export function nullBuckets(discards: NullServer, keeps: NullServer, tls: boolean): Buckets {
  const section = ({ port, tlsPort }: NullServer): Sections[string] => ({
    store: 's3',
    bucket,
    endpoints: tls ? `https://localhost:${tlsPort}` : `http://127.0.0.1:${port}`,
    ...(tls ? { ca_file: caFile } : {}),
  });
  return {
    sections: { 'server:discards': section(discards), 'server:keeps': section(keeps) },
    servers: { write: 'discards', restore: 'keeps' },
    env: credentials,
  };
}

export function ownBucket({ endpoint, region, bucket: name, prefix, caFile: ca }: BucketTarget): Buckets {
  const section = {
    store: 's3',
    bucket: name,
    prefix,
    region,
    endpoints: endpoint,
    ...(ca === null ? {} : { ca_file: ca }),
  };
  return { sections: { 'server:bench': section }, servers: { write: 'bench', restore: 'bench' }, env: {} };
}

/** With settings of a storage server as shipped; a probe in each of its threads writes to `stallFile`. */
export function startS3Engine(
  run: Run,
  options: { directory: string; mode: ModeName; blockBytes: number; buckets: Buckets; stallFile: string },
): Promise<EngineProcess> {
  const { directory, mode, blockBytes, buckets, stallFile } = options;
  return EngineProcess.start({
    directory,
    mode,
    blockBytes,
    streams: Math.max(...run.streams),
    settings: { ...buckets.sections, ...run.settings },
    env: {
      ...buckets.env,
      NODE_OPTIONS: `--import=${fileURLToPath(new URL('./stall-probe.ts', import.meta.url))}`,
      VAST_OST_STALL_FILE: stallFile,
    },
  });
}
