/**
 * Every key of a section [server:NAME] of vast-ost.conf, as config-keys.ts has those of the other sections. A key
 * belongs to the stores that it names, and is refused with another.
 */
import { z } from 'zod';
import {
  choice,
  type KeyForm,
  list,
  parseEndpoint,
  path,
  type S3Endpoint,
  tidyPath,
  truth,
  whole,
} from './config-forms.ts';

export type StoreName = 'nfs' | 's3';

export interface ServerKey extends KeyForm {
  readonly stores: readonly StoreName[];
  /** Without it the section is refused; then this stands in the example file. */
  readonly example?: string;
}

export const serversMax = 64;
/** Mounts or endpoints that one storage server may list. */
export const mountsMax = 16;
/** Of all storage servers together: each has lanes of its own. */
export const engineMountsMax = 128;
export const endpointsMax = 64;
/** The least that every S3 store takes for a part that is not the last, rounded up to our step, MiB. */
export const partMbMin = 8;
const prefixBytesMax = 512;

const orNothing = { form: `${path.form}, or nothing`, schema: z.union([z.literal(''), path.schema]) };

const mountPoints = list<string>(
  mountsMax,
  'absolute paths',
  (text) => text,
  (text) => (path.schema.safeParse(text).success ? tidyPath(text) : null),
);
const endpoints = list<S3Endpoint>(
  endpointsMax,
  'addresses such as https://s3.example.com:9000 or http://[2001:db8::1]',
  ({ url }) => url,
  parseEndpoint,
);

const both = ['nfs', 's3'] as const;
const nfs = ['nfs'] as const;
const s3 = ['s3'] as const;

export const serverKeys: readonly ServerKey[] = [
  {
    stores: both,
    key: 'store',
    byDefault: 'nfs',
    ...choice('nfs', 's3'),
    help: 'Kind of storage: nfs = a mounted file system, s3 = a bucket.',
  },
  {
    stores: nfs,
    key: 'mount_points',
    byDefault: '',
    example: '/mnt/vast-prod',
    ...mountPoints,
    help: 'Storage root: where the VAST cluster is mounted. Several mounts of one export (one per VIP) share its images.',
  },
  {
    stores: s3,
    key: 'endpoints',
    byDefault: '',
    example: 'https://s3.example.com',
    ...endpoints,
    help: 'Addresses of the S3 service, separated by commas: all of one scheme. One DNS name is one VAST node: list them.',
  },
  {
    stores: s3,
    key: 'bucket',
    byDefault: '',
    example: 'netbackup',
    form: 'a name of 3 to 63 letters, digits, - . and _',
    schema: z.string().regex(/^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/),
    help: 'Bucket that holds the images.',
  },
  {
    stores: s3,
    key: 'prefix',
    byDefault: '',
    form: `at most ${prefixBytesMax} bytes of letters, digits and - . _ ! ( ) * ' between slashes, or nothing`,
    schema: z
      .string()
      .max(prefixBytesMax)
      .regex(/^[A-Za-z0-9._!()*'-]*(\/[A-Za-z0-9._!()*'-]+)*\/?$/)
      .refine((text) => !/(^|\/)\.\.?(\/|$)/.test(text))
      // As keys begin with it: nothing, or with a slash behind each name and none in front.
      .transform((text) => text.replace(/^\//, '').replace(/([^/])$/, '$1/')),
    help: 'Where in the bucket the store lies; nothing = at its top.',
  },
  {
    stores: s3,
    key: 'region',
    byDefault: 'us-east-1',
    form: 'a name of letters, digits and -',
    schema: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/),
    help: 'Region that requests are signed for.',
  },
  {
    stores: s3,
    key: 'addressing',
    byDefault: 'path',
    ...choice('path', 'virtual'),
    help: 'path = https://endpoint/bucket, virtual = https://bucket.endpoint.',
  },
  {
    stores: s3,
    key: 'credentials_file',
    byDefault: '',
    ...orNothing,
    help: 'File of mode 0600 with aws_access_key_id and aws_secret_access_key; nothing = environment, then ~/.aws.',
  },
  {
    stores: s3,
    key: 'ca_file',
    byDefault: '',
    ...orNothing,
    help: "Certificates (PEM) that the endpoints' own are verified against; nothing = those of the system.",
  },
  {
    stores: s3,
    key: 'tls_verify',
    byDefault: 'true',
    ...truth,
    help: 'false = any certificate is taken: whoever is in between can read and change everything. Shown in status.',
  },
  {
    stores: s3,
    key: 'part_size_mb',
    byDefault: '0',
    form: `0, or a multiple of 4 from ${partMbMin} to 256`,
    schema: z.union([z.literal('0').transform(() => 0), whole(partMbMin, 256, 4).schema]),
    help: `Bytes of one part of an upload, MiB. A multiple of 4. 0 = block_size_mb, at least ${partMbMin}.`,
  },
  {
    stores: s3,
    key: 'parts_in_flight',
    byDefault: '6',
    ...whole(1, 16),
    help: 'Parts of one image that are sent at the same time. Each takes a slot of part_size_mb, and two more are filled.',
  },
  {
    stores: s3,
    key: 'connect_timeout_s',
    byDefault: '10',
    ...whole(1, 300),
    help: 'How long a connection to an endpoint may take to come up, TLS included, seconds.',
  },
  {
    stores: s3,
    key: 'idle_timeout_s',
    byDefault: '60',
    ...whole(1, 3600),
    help: 'How long a request may stand still, no byte sent or received, before it is given up and tried again, seconds.',
  },
  {
    stores: s3,
    key: 'request_retry_s',
    byDefault: '120',
    ...whole(0, 3600),
    help: 'How long one request is tried again before the job hears of its failure, seconds. 0 = not at all.',
  },
];

/** Lines of the example file: a section of each kind, all of it commented out. */
export function exampleServers(): string[] {
  const lines: string[] = [];
  for (const [store, name] of [
    ['nfs', 'prod-nfs'],
    ['s3', 'prod-s3'],
  ] as const) {
    lines.push('', `#[server:${name}]`);
    for (const { stores, key, byDefault, example, help } of serverKeys) {
      if (!stores.includes(store)) continue;
      lines.push(`# ${help}`, `#${key} = ${key === 'store' ? store : (example ?? byDefault)}`.trimEnd());
    }
  }
  return lines;
}
