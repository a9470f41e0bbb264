/** --target: a directory, or s3://bucket/prefix?endpoint=URL[&region=…][&ca=FILE]. */
import { resolve } from 'node:path';
import { BenchError } from '../bench-error.ts';

export interface DirectoryTarget {
  readonly kind: 'directory';
  readonly path: string;
}

export interface S3Target {
  readonly kind: 's3';
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** '' or with a slash at its end. */
  readonly prefix: string;
  readonly caFile: string | null;
}

export type Target = DirectoryTarget | S3Target;

const form = 's3://BUCKET[/PREFIX]?endpoint=URL[&region=NAME][&ca=FILE]';
const known = ['endpoint', 'region', 'ca'];

function refuse(why: string): never {
  throw new BenchError(`--target: ${why}; write a directory, or '${form}' in quotation marks`, 2);
}

/** Throws BenchError. The text is never repeated: somebody may have put a secret into it. */
export function parseTarget(text: string): Target {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    if (text === '') refuse('empty');
    return { kind: 'directory', path: resolve(text) };
  }
  if (!URL.canParse(text)) refuse('no address that can be read');
  const url = new URL(text);
  if (url.protocol !== 's3:') refuse(`${url.protocol}// is no kind of target`);
  if (url.username !== '' || url.password !== '') {
    refuse('credentials do not belong there: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment');
  }
  // Not url.hostname: a name of a bucket is no name of a host, and is taken as it is written.
  const bucket = /^s3:\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]{1,254}$/.test(bucket)) refuse('the bucket has no name that a bucket can have');
  for (const name of url.searchParams.keys()) {
    if (!known.includes(name)) refuse(`unknown parameter '${name.slice(0, 40)}' (${known.join(', ')})`);
  }
  const endpoint = url.searchParams.get('endpoint') ?? '';
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    refuse('endpoint= is to be the http:// or https:// address of an S3 service');
  }
  const at = new URL(endpoint);
  if (at.username !== '' || at.password !== '' || at.search !== '' || !/^\/?$/.test(at.pathname)) {
    refuse('endpoint= is to have a protocol, a host and a port alone');
  }
  const path = decodeURIComponent(url.pathname).replace(/^\/+/, '').replace(/\/+$/, '');
  if (/[\p{Cc}]|\/\/|(^|\/)\.\.?(\/|$)/u.test(path)) refuse('the prefix has empty parts, dots or control characters');
  return {
    kind: 's3',
    endpoint: at.origin,
    region: url.searchParams.get('region') ?? 'us-east-1',
    bucket,
    prefix: path === '' ? '' : `${path}/`,
    caFile: url.searchParams.get('ca'),
  };
}

/** For people; without what is in the query. */
export function targetText(target: Target): string {
  return target.kind === 'directory' ? target.path : `s3://${target.bucket}/${target.prefix}`;
}
