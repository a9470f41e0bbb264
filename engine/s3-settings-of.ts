/** From [server:NAME] to what speaks with its bucket. */
import type { S3ServerConfig } from './config-servers.ts';
import type { S3Settings } from './core/s3-settings.ts';

export function s3SettingsOf(server: S3ServerConfig): S3Settings {
  return {
    endpoints: server.endpoints.map(({ tls, host, port }) => ({ protocol: tls ? 'https' : 'http', host, port })),
    bucket: server.bucket,
    prefix: server.prefix,
    region: server.region,
    addressing: server.addressing,
    credentialsFile: server.credentialsFile ?? '',
    caFile: server.caFile ?? '',
    tlsVerify: server.tlsVerify,
    partBytes: server.partBytes,
    partsInFlight: server.partsInFlight,
    connectMs: server.connectTimeoutS * 1000,
    idleMs: server.idleTimeoutS * 1000,
    retryMs: server.requestRetryS * 1000,
  };
}
