/** A real engine whose storage server `s3` is a bucket of the test's own S3 server. */

import { encodeMarker, newMarker } from '../../engine/image/marker.ts';
import type { EngineOptions } from '../support/engine.ts';
import { TestEngine } from '../support/engine.ts';
import { HostScript } from '../support/host-program.ts';

/** What an S3 server has to tell its clients: ours, versitygw, MinIO. */
export interface BucketOf {
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface S3EngineOptions {
  readonly server: BucketOf & { plant(key: string, bytes: Uint8Array): unknown };
  /** Addresses in front of it; not given: the server's own. */
  readonly endpoints: string;
  /** More keys of [server:s3]. */
  readonly keys?: Record<string, string | number | boolean>;
  readonly config?: EngineOptions['config'];
  readonly directory?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export async function startS3Engine({
  server,
  endpoints,
  keys,
  config,
  directory,
  env,
}: S3EngineOptions): Promise<TestEngine> {
  await server.plant('.vast-ost-store', Buffer.from(encodeMarker(newMarker(new Date(0)))));
  return TestEngine.start({
    directory,
    config: {
      ...config,
      'server:s3': { store: 's3', endpoints, bucket: server.bucket, part_size_mb: 8, request_retry_s: 10, ...keys },
    },
    env: {
      ...env,
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    },
  });
}

/** Its handle `v` is VastData:s3. */
export async function s3Script(engine: TestEngine): Promise<HostScript> {
  const host = new HostScript();
  await host.ok(`init ${engine.config}`);
  await host.ok('session s job');
  await host.ok('open_server s v VastData:s3');
  return host;
}
