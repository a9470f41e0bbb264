/**
 * A bucket behind one or more endpoints: the one place where a request is tried again, and where an endpoint is chosen.
 * What has failed for good is told as StoreError, in a sentence; what was tried in vain is told as EIO, so that nobody
 * above tries once more.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { errno } from '../../engine/core/errors.ts';
import type { S3Settings } from '../../engine/core/s3-settings.ts';
import { HttpFailure } from '../http/client.ts';
import { StoreError } from '../store.ts';
import { type CommandOf, EndpointClient } from './endpoint-client.ts';
import { isBug, type S3Verdict, verdictOf } from './failures.ts';
import type { Transfer } from './handler.ts';

export interface Told {
  /** For texts. */
  part?: number;
  /** Never tried again. */
  once?: boolean;
}

export class Bucket {
  readonly name: string;
  readonly keyPrefix: string;
  readonly #settings: S3Settings;
  readonly #clients: { client: EndpointClient; origin: string; busy: number; setAsideUntil: number }[];

  constructor(settings: S3Settings) {
    this.#settings = settings;
    this.name = settings.bucket;
    this.keyPrefix = settings.prefix;
    const ca = settings.caFile === '' ? undefined : readFileSync(settings.caFile, 'utf8');
    this.#clients = settings.endpoints.map((endpoint) => ({
      client: new EndpointClient(endpoint, {
        region: settings.region,
        addressing: settings.addressing,
        credentials: {
          accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? '',
          secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? '',
        },
        http: {
          connectMs: settings.connectMs,
          idleMs: settings.idleMs,
          sliceBytes: 512 * 1024,
          connectionsMax: 64,
          waitersMax: 4096,
          tls: { ca, verify: settings.tlsVerify },
        },
      }),
      origin: `${endpoint.protocol}://${endpoint.host}:${endpoint.port}`,
      busy: 0,
      setAsideUntil: 0,
    }));
  }

  /** Throws StoreError. */
  async send<Output>(command: CommandOf<Output>, transfer: Transfer = {}, told: Told = {}): Promise<Output> {
    const until = performance.now() + this.#settings.retryMs;
    for (let tries = 1; ; tries++) {
      const now = performance.now();
      const [chosen] = [...this.#clients].sort(
        (a, b) => Number(a.setAsideUntil > now) - Number(b.setAsideUntil > now) || a.busy - b.busy,
      );
      if (chosen === undefined) throw new Error('a bucket has an endpoint');
      chosen.busy++;
      try {
        const answer = await chosen.client.send(command, transfer);
        chosen.setAsideUntil = 0;
        return answer;
      } catch (error) {
        if (isBug(error)) throw error;
        const verdict = verdictOf(error);
        if (verdict.endpoint) chosen.setAsideUntil = performance.now() + 1000;
        const stale = error instanceof HttpFailure && error.stale;
        const wait = stale ? 0 : Math.max(verdict.waitMs, Math.min(2000, 50 * 2 ** tries) * (0.5 + Math.random() / 2));
        const again = verdict.kind === 'again' && told.once !== true && performance.now() + wait < until;
        if (!again) throw this.#failed(command, chosen.origin, verdict, told, tries, error);
        await sleep(wait);
      } finally {
        chosen.busy--;
      }
    }
  }

  async read(
    key: string,
    offset: number,
    into: Uint8Array,
    { ifMatch }: { ifMatch?: string } = {},
  ): Promise<{ length: number; etag: string; size: number }> {
    const answer: GetObjectCommandOutput = await this.send(
      new GetObjectCommand({
        Bucket: this.name,
        Key: key,
        Range: `bytes=${offset}-${offset + into.length - 1}`,
        IfMatch: ifMatch,
      }),
      { into },
    );
    const size = Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? 0);
    return { length: answer.ContentLength ?? 0, etag: answer.ETag ?? '', size };
  }

  /** Null: there is no such object. */
  async get(key: string, max: number): Promise<{ bytes: Buffer; etag: string } | null> {
    try {
      const answer = await this.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
      const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
      return { bytes: bytes.subarray(0, max), etag: answer.ETag ?? '' };
    } catch (error) {
      if (error instanceof StoreError && error.failure.errno === -errno.ENOENT) return null;
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(({ client }) => client.close()));
  }

  #failed(
    command: CommandOf<unknown>,
    origin: string,
    verdict: S3Verdict,
    told: Told,
    tries: number,
    error: unknown,
  ): StoreError {
    const step = command.constructor.name.replace(/Command$/, '');
    const { Key: key = '' } = command.input as { Key?: string };
    const path = `${origin}/${this.name}/${key}${told.part === undefined ? '' : ` part ${told.part}`}`;
    const detail = error instanceof Error ? error.message : String(error);
    const text = `${step} of ${path} failed after ${tries} tries: ${verdict.code} (HTTP ${verdict.status}, request id ${verdict.requestId}): ${detail}`;
    return new StoreError({ errno: verdict.kind === 'again' ? -errno.EIO : -verdict.errno, step, path, text });
  }
}
