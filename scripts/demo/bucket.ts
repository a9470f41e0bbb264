/** The bucket of the demo: at an endpoint of the reader's, else at the checkout's own test server; a package has none. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { keepRunning } from '../programs/running.ts';
import type { OwnEndpoint } from './options.ts';

/** A section of vast-ost.conf. */
export const section = 'demo-bucket';
const startMs = 30_000;
const stopMs = 5000;

export interface DemoBucket {
  endpoints: string;
  bucket: string;
  /** Ends with a slash, or empty. */
  prefix: string;
  credentialsFile: string;
  caFile: string | null;
  /** The port of the test server; null: the endpoint is the reader's own. */
  testPort: number | null;
  /** Of the test server: what it holds goes with it. */
  stop(): Promise<void>;
}

/** What the server is started with: it behaves as far as is known like a VAST cluster, and checks all it is told. */
export function testServerOptions(port: number): string {
  return JSON.stringify({ mode: 'vast-like', buckets: ['demo'], endpoints: [{ port }] });
}

/** Where the test server keeps its objects while it runs. */
export function testServerDirectory(dir: string): string {
  return join(dir, 'endpoint');
}

interface Announced {
  endpoints: string[];
  bucket: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

export function ownBucket(own: OwnEndpoint, date: number): DemoBucket {
  return { ...own, prefix: `vast-ost-demo-${date}/`, testPort: null, stop: () => Promise.resolve() };
}

/** A process of its own on loopback. It ends when its input does: with this process, however that ends. */
export async function startTestEndpoint(program: string, dir: string): Promise<DemoBucket> {
  const objects = testServerDirectory(dir);
  mkdirSync(objects);
  const child = spawn(process.execPath, [program, testServerOptions(0)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: objects },
    // Ctrl-C reaches the terminal's whole group: the engine wants to put its work down there first.
    detached: true,
  });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-10_000);
  });
  const exit = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      words += error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const stop = async (): Promise<void> => {
    forget();
    child.stdin.destroy();
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await exit;
    clearTimeout(timer);
  };
  const forget = keepRunning(stop);
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([
    once(lines, 'line', { signal: AbortSignal.timeout(startMs) }).then(([text]) => text as string),
    exit.then(() => ''),
  ]).catch(() => '');
  if (line === '') {
    child.kill('SIGKILL');
    await exit;
    throw new Error(`the S3 endpoint of the checkout (${program}) did not start: ${words}`);
  }
  const { endpoints, bucket, credentials } = JSON.parse(line) as Announced;
  const credentialsFile = join(dir, 'bucket.credentials');
  const { accessKeyId, secretAccessKey } = credentials;
  const text = `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
  writeFileSync(credentialsFile, text, { mode: 0o600 });
  const testPort = Number(new URL(endpoints[0]).port);
  return { endpoints: endpoints[0], bucket, prefix: '', credentialsFile, caFile: null, testPort, stop };
}

/** Its part of vast-ost.conf. */
export function bucketSection({ endpoints, bucket, prefix, credentialsFile, caFile }: DemoBucket): string {
  const lines = [
    `[server:${section}]`,
    'store = s3',
    `endpoints = ${endpoints}`,
    `bucket = ${bucket}`,
    ...(prefix === '' ? [] : [`prefix = ${prefix}`]),
    `credentials_file = ${credentialsFile}`,
    ...(caFile === null ? [] : [`ca_file = ${caFile}`]),
    "# Small, as the demo's images are: so that each is sent in several parts.",
    'part_size_mb = 16',
  ];
  return `${lines.join('\n')}\n`;
}
