/** What the demo is asked for. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `usage: npm run demo -- [DIRECTORY] [--endpoint URL[,URL…] --bucket NAME --credentials FILE [--ca FILE]]

  DIRECTORY            where it may work: an empty directory, or an earlier demo's
  --endpoint URL,…     an S3 service of yours, instead of the test endpoint of the checkout
  --bucket NAME        a bucket there; the demo writes below the prefix vast-ost-demo-…/ and nowhere else
  --credentials FILE   mode 0600, [default] with aws_access_key_id and aws_secret_access_key
  --ca FILE            certificates (PEM) that the service's own is verified against
`;

/** An S3 service that the demo did not start. */
export interface OwnEndpoint {
  endpoints: string;
  bucket: string;
  credentialsFile: string;
  caFile: string | null;
}

export interface DemoOptions {
  directory: string | undefined;
  endpoint: OwnEndpoint | null;
}

/** Throws with the usage; null: only the usage was asked for. */
export function readOptions(args: string[]): DemoOptions | null {
  const text = { type: 'string' } as const;
  const options = { endpoint: text, bucket: text, credentials: text, ca: text, help: { type: 'boolean' } } as const;
  let read: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    read = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${usage}`);
  }
  const { endpoint, bucket, credentials, ca, help } = read.values;
  if (help) return null;
  if (read.positionals.length > 1) throw new Error(`one DIRECTORY is enough\n${usage}`);
  const [directory] = read.positionals;
  if (endpoint === undefined && bucket === undefined && credentials === undefined && ca === undefined) {
    return { directory, endpoint: null };
  }
  if (endpoint === undefined || bucket === undefined || credentials === undefined) {
    throw new Error(`--endpoint, --bucket and --credentials go together\n${usage}`);
  }
  for (const value of [endpoint, bucket, credentials, ca ?? '']) {
    if (/[\r\n]/.test(value)) throw new Error('no line breaks, please: these go into a configuration file');
  }
  const caFile = ca === undefined ? null : resolve(ca);
  return { directory, endpoint: { endpoints: endpoint, bucket, credentialsFile: resolve(credentials), caFile } };
}
