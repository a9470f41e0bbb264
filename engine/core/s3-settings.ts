/** One address of a bucket. */
export interface S3Address {
  readonly protocol: 'http' | 'https';
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** As texts and logs name it: 'https://[::1]:443'. */
export function originOf({ protocol, host, port }: S3Address): string {
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** What a net lane needs to know of its bucket: from [server:NAME], resolved. It holds no secret: credentials are read by the lane. */
export interface S3Settings {
  /** At least one: addresses of one and the same bucket. */
  readonly endpoints: readonly S3Address[];
  readonly bucket: string;
  /** '' or a path that ends with '/': keys begin with it. */
  readonly prefix: string;
  readonly region: string;
  readonly addressing: 'path' | 'virtual';
  /** An AWS credentials file of mode 0600; '': the usual chain. */
  readonly credentialsFile: string;
  /** PEM; '': the system's authorities. */
  readonly caFile: string;
  readonly tlsVerify: boolean;
  /** Bytes of the parts that are read back or copied; parts written are as long as the blocks that come. */
  readonly partBytes: number;
  readonly partsInFlight: number;
  readonly connectMs: number;
  readonly idleMs: number;
  /** How long one request is tried again, all endpoints together. */
  readonly retryMs: number;
}
