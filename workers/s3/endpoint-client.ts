/** The SDK's client for one endpoint of a bucket. It tries nothing again: that is decided in one place, for all endpoints. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { lengthOf } from '../http/body.ts';
import type { ClientSettings, Endpoint } from '../http/client.ts';
import { HttpClient } from '../http/client.ts';
import { SlotHandler, type Transfer } from './handler.ts';

export interface EndpointSettings {
  readonly region: string;
  readonly addressing: 'path' | 'virtual';
  /** Not given: the SDK's own chain, the environment first. */
  readonly credentials?: S3ClientConfig['credentials'];
  readonly http: ClientSettings;
}

/** Stands in the place of a body's SHA-256: what protects the bytes is the checksum that goes with them. */
const unsignedPayload = 'UNSIGNED-PAYLOAD';

/** What the SDK's commands have in common, as far as it matters here. */
export interface CommandOf<Output> {
  readonly input: object;
  resolveMiddleware(...args: never[]): (...args: never[]) => Promise<{ output: Output }>;
}
type Sent = Parameters<S3Client['send']>;

/** The signature is made over this hash, in place of that of the body, which the SDK does not see. */
function signPayload(command: object, payloadSha256: string): void {
  const { middlewareStack } = command as { middlewareStack: S3Client['middlewareStack'] };
  middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = payloadSha256;
      return next(args);
    },
    { step: 'build', priority: 'low', name: 'signedPayload', override: true },
  );
}

export class EndpointClient {
  readonly #http: HttpClient;
  readonly #sdk: S3Client;

  constructor(endpoint: Endpoint, { region, addressing, credentials, http }: EndpointSettings) {
    this.#http = new HttpClient(endpoint, http);
    const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
    this.#sdk = new S3Client({
      endpoint: `${endpoint.protocol}://${host}:${endpoint.port}`,
      region,
      credentials,
      forcePathStyle: addressing === 'path',
      // Else taken from the environment and ~/.aws/config, where they are meant for other programs.
      useFipsEndpoint: false,
      useDualstackEndpoint: false,
      disableS3ExpressSessionAuth: true,
      maxAttempts: 1,
      requestHandler: new SlotHandler(this.#http) as unknown as S3ClientConfig['requestHandler'],
      // VAST and others refuse the checksums that the SDK adds by itself.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    this.#sdk.middlewareStack.add(
      (next) => (args) => {
        const request = args.request as { headers: Record<string, string>; body?: unknown };
        // A body that the SDK does not see cannot be hashed by it either. Never without a checksum of its own.
        const checked = Object.keys(request.headers).some((name) => /^(x-amz-checksum-|content-md5$)/i.test(name));
        if (checked && request.body === undefined) request.headers['x-amz-content-sha256'] = unsignedPayload;
        return next(args);
      },
      { step: 'build', name: 'payloadBesideTheRequest' },
    );
  }

  /** Throws HttpFailure, and the SDK's service exceptions. A transfer's body gives the command its length. */
  send<Output>(command: CommandOf<Output>, transfer: Transfer = {}): Promise<Output> {
    const { body, payloadSha256 } = transfer;
    if (payloadSha256 !== undefined) signPayload(command, payloadSha256);
    if (body !== undefined) Object.assign(command.input, { ContentLength: lengthOf(body) });
    return this.#sdk.send(command as unknown as Sent[0], transfer as Sent[1] & object) as Promise<Output>;
  }

  async close(): Promise<void> {
    this.#sdk.destroy();
    await this.#http.close();
  }
}
