/**
 * A real S3 server in a process of its own, on loopback, with a bucket: versitygw on a directory, or MinIO. They judge
 * the S3 store where our own server would be the judge of itself. Built by run.ts; use with `await using`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

export type RealKind = 'versitygw' | 'minio';
export const realKinds: readonly RealKind[] = ['versitygw', 'minio'];

const top = join(import.meta.dirname, '../../..');
const fixtures = join(import.meta.dirname, '../../../bench/s3/fixtures');
const bytesOfKey = 12;
const startMs = 30_000;
const lookMs = 50;

export function realProgram(kind: RealKind): string {
  return join(top, 'build/s3-servers', kind);
}

/** Has `npm run s3-real` built it? */
export function isBuilt(kind: RealKind): boolean {
  return existsSync(realProgram(kind));
}

export interface RealOptions {
  readonly kind: RealKind;
  readonly tls?: boolean;
  /** '127.0.0.1' or '::1'. */
  readonly host?: string;
  /** versitygw: a directory whose subdirectory `bucket` is the bucket; what is in it already are its objects. */
  readonly directory?: string;
  readonly bucket?: string;
}

export class RealServer {
  readonly url: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly caPath: string | undefined;
  readonly #child: ChildProcess;
  readonly #scratch: string;
  readonly #client: S3Client;
  #said = '';

  private constructor(child: ChildProcess, scratch: string, url: string, bucket: string, key: string, tls: boolean) {
    this.#child = child;
    this.#scratch = scratch;
    this.url = url;
    this.bucket = bucket;
    this.credentials = { accessKeyId: key, secretAccessKey: key };
    this.caPath = tls ? join(fixtures, 'ca.pem') : undefined;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#said = (this.#said + chunk.toString()).slice(-4096);
      });
    }
    this.#client = new S3Client({
      endpoint: url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: this.credentials,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      // What the tests prove goes through our own client; making the bucket goes through Node's.
      requestHandler: { httpsAgent: new Agent({ ca: readFileSync(join(fixtures, 'ca.pem')) }) },
    });
  }

  static async start({
    kind,
    tls = false,
    host = '127.0.0.1',
    directory,
    bucket = 'store',
  }: RealOptions): Promise<RealServer> {
    const base = join(top, 'build/test');
    mkdirSync(base, { recursive: true });
    const scratch = mkdtempSync(join(base, `${kind}-`));
    const root = directory ?? join(scratch, 'data');
    mkdirSync(join(root, kind === 'versitygw' ? bucket : ''), { recursive: true });
    const port = await freePort(host);
    const shown = host.includes(':') ? `[${host}]` : host;
    const url = `${tls ? 'https' : 'http'}://${shown}:${port}`;
    const key = randomBytes(bytesOfKey).toString('hex');
    const child = spawn(realProgram(kind), argumentsOf(kind, { root, scratch, tls, address: `${shown}:${port}` }), {
      env: {
        PATH: process.env.PATH,
        HOME: scratch,
        ROOT_ACCESS_KEY: key,
        ROOT_SECRET_KEY: key,
        MINIO_ROOT_USER: key,
        MINIO_ROOT_PASSWORD: key,
        MINIO_UPDATE: 'off',
        MINIO_BROWSER: 'off',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new RealServer(child, scratch, url, bucket, key, tls);
    try {
      await server.#ready(kind);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** An object as anybody may put it. */
  async plant(key: string, bytes: Uint8Array): Promise<void> {
    await this.#client.send(new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: bytes }));
  }

  /** Asks until it answers. */
  async #ready(kind: RealKind): Promise<void> {
    const until = performance.now() + startMs;
    for (;;) {
      try {
        await this.#client.send(new ListBucketsCommand({}));
        break;
      } catch (error) {
        if (this.#child.exitCode !== null || performance.now() > until) {
          throw new Error(`${kind} does not answer at ${this.url}: ${String(error)}\n${this.#said}`);
        }
        await sleep(lookMs);
      }
    }
    if (kind === 'minio') await this.#client.send(new CreateBucketCommand({ Bucket: this.bucket }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

function argumentsOf(
  kind: RealKind,
  { root, scratch, tls, address }: { root: string; scratch: string; tls: boolean; address: string },
): string[] {
  const [cert, key] = [join(fixtures, 'server.pem'), join(fixtures, 'server.key')];
  if (kind === 'versitygw') {
    return [
      ...['--port', address, '--quiet', '--keep-alive'],
      ...(tls ? ['--cert', cert, '--key', key] : []),
      ...['posix', '--file-perms', '0640', '--dir-perms', '0750', root],
    ];
  }
  const certs = join(scratch, 'certs');
  mkdirSync(certs);
  if (tls) {
    copyFileSync(cert, join(certs, 'public.crt'));
    copyFileSync(key, join(certs, 'private.key'));
  }
  return ['server', '--quiet', '--address', address, '--certs-dir', certs, root];
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
