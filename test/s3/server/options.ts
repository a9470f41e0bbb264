/**
 * Every switch of the server, and the presets that name a kind of endpoint. Plain data, so that a test or a file can
 * say it. A switch may be changed while the server runs (`server.options`): an endpoint that changes its mind.
 */

export type ChecksumAlgorithm = 'crc64nvme' | 'crc32c' | 'crc32' | 'sha256' | 'sha1';
export const checksumAlgorithms: readonly ChecksumAlgorithm[] = ['crc64nvme', 'crc32c', 'crc32', 'sha256', 'sha1'];

/** verify: a wrong one is refused (400 BadDigest), a right one kept · ignore: not even looked at · refuse: 501. */
export type ChecksumSwitch = 'verify' | 'ignore' | 'refuse';
/** honour: 412 · ignore: in silence · refuse: 501. */
export type ConditionSwitch = 'honour' | 'ignore' | 'refuse';

export interface Credential {
  accessKeyId: string;
  secretAccessKey: string;
  /** Asked for as x-amz-security-token where given. */
  sessionToken?: string;
  /** From now on ExpiredToken. */
  isExpired?: boolean;
  /** Operations that this key may not do (AccessDenied); '*' is all. */
  deny?: readonly string[];
}

export interface EndpointOptions {
  protocol?: 'http' | 'https';
  /** Address to listen on: 127.0.0.1 (default) or ::1. */
  address?: string;
  /** 0 (default): any free one. */
  port?: number;
}

export interface Limits {
  /** Highest part number, and most parts of one upload. */
  partsMax: number;
  partBytesMin: number;
  partBytesMax: number;
  putBytesMax: number;
  objectBytesMax: number;
  metadataBytesMax: number;
  keyBytesMax: number;
  /** Most entries of one answer of any list. */
  listMax: number;
  /** Most bytes that all objects and parts may take together. */
  quotaBytes: number;
}

export interface Options {
  mode: ModeName;
  buckets: string[];
  /** '*': any region will do; else another one is refused. */
  region: string;
  credentials: Credential[];
  endpoints: EndpointOptions[];
  pathStyle: boolean;
  /** Bucket in the host name, below the first of these domains that fits; [] switches it off. */
  virtualHostDomains: string[];
  /** False: Authorization is not looked at. */
  verifySignature: boolean;
  /** False: a payload digest in x-amz-content-sha256 is believed. */
  verifyPayloadHash: boolean;
  unsignedPayload: 'allow' | 'tls' | 'refuse';
  contentMd5: ChecksumSwitch;
  checksums: Record<ChecksumAlgorithm, ChecksumSwitch>;
  conditionalPut: ConditionSwitch;
  conditionalComplete: ConditionSwitch;
  conditionalDelete: ConditionSwitch;
  /** Whether x-amz-mp-object-size is compared. */
  verifyObjectSize: boolean;
  /** Whether part ETags and the order of parts are compared at Complete. */
  verifyParts: boolean;
  /** Answer to a second Complete of the same upload. */
  completeAgain: 'NoSuchUpload' | 'success';
  /** What an object's ETag is: MD5 as S3 has it, or an opaque word. */
  etag: 'md5' | 'opaque';
  /** GetBucketLocation's answer; null: the region, as S3 says it. */
  location: string | null;
  limits: Limits;
  /** Added to the clock of the machine: a server whose clock is wrong. */
  clockOffsetMs: number;
  /** Idle connections are closed after this. */
  keepAliveMs: number;
  /** Requests kept in the log. */
  logMax: number;
}

export type ModeName = 'aws-like' | 'vast-like' | 'naive';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const awsLike: Options = {
  mode: 'aws-like',
  buckets: ['test-bucket'],
  region: 'us-east-1',
  credentials: [{ accessKeyId: 'TESTACCESSKEY', secretAccessKey: 'test/secret+key' }],
  endpoints: [{}],
  pathStyle: true,
  // Node takes no certificate for *.localhost, with two labels: so bucket.s3.localhost too.
  virtualHostDomains: ['s3.localhost', 'localhost'],
  verifySignature: true,
  verifyPayloadHash: true,
  unsignedPayload: 'allow',
  contentMd5: 'verify',
  checksums: { crc64nvme: 'verify', crc32c: 'verify', crc32: 'verify', sha256: 'verify', sha1: 'verify' },
  conditionalPut: 'honour',
  conditionalComplete: 'honour',
  conditionalDelete: 'honour',
  verifyObjectSize: true,
  verifyParts: true,
  completeAgain: 'NoSuchUpload',
  etag: 'md5',
  location: null,
  limits: {
    partsMax: 10_000,
    partBytesMin: 5 * MiB,
    partBytesMax: 5 * GiB,
    putBytesMax: 5 * GiB,
    objectBytesMax: 5 * 1024 * GiB,
    metadataBytesMax: 2048,
    keyBytesMax: 1024,
    listMax: 1000,
    quotaBytes: Number.MAX_SAFE_INTEGER,
  },
  clockOffsetMs: 0,
  keepAliveMs: 60_000,
  logMax: 10_000,
};

function allChecksums(to: ChecksumSwitch): Options['checksums'] {
  return { crc64nvme: to, crc32c: to, crc32: to, sha256: to, sha1: to };
}

/**
 * aws-like: verifies all it is told · vast-like: takes no x-amz-checksum header (501), verifies Content-MD5, objects to
 * 1 TiB, any region; conditional writes as AWS, to be switched off by the test that wants it so · naive: answers well
 * and checks nothing, like some servers made for tests.
 */
export const modes: Record<ModeName, Options> = {
  'aws-like': awsLike,
  'vast-like': {
    ...awsLike,
    mode: 'vast-like',
    region: '*',
    checksums: allChecksums('refuse'),
    location: 'N/A',
    limits: { ...awsLike.limits, objectBytesMax: 1024 * GiB },
  },
  naive: {
    ...awsLike,
    mode: 'naive',
    region: '*',
    verifySignature: false,
    verifyPayloadHash: false,
    contentMd5: 'ignore',
    checksums: allChecksums('ignore'),
    conditionalPut: 'ignore',
    conditionalComplete: 'ignore',
    conditionalDelete: 'ignore',
    verifyObjectSize: false,
    verifyParts: false,
    limits: { ...awsLike.limits, partBytesMin: 0 },
  },
};

/** What a test gives: a mode, and what differs from it. */
export type StartOptions = Partial<Omit<Options, 'limits' | 'checksums'>> & {
  limits?: Partial<Limits>;
  checksums?: Partial<Options['checksums']>;
};

export function completeOptions(given: StartOptions): Options {
  const mode = modes[given.mode ?? 'aws-like'];
  return structuredClone({
    ...mode,
    ...given,
    limits: { ...mode.limits, ...given.limits },
    checksums: { ...mode.checksums, ...given.checksums },
  });
}
