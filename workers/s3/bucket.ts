/**
 * A bucket behind one or more endpoints: the one place where a request is tried again, and where an endpoint is chosen.
 * What has failed is told as StoreError, in a sentence. What was tried in vain until the budget ended is told as EIO, so
 * that nobody above tries it all once more.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { BucketStatus } from '../../engine/core/bucket-status.ts';
import { errno } from '../../engine/core/errors.ts';
import type { Passport } from '../../engine/core/passport.ts';
import type { S3Settings } from '../../engine/core/s3-settings.ts';
import { lengthOf } from '../http/body.ts';
import { StoreError } from '../store.ts';
import { demandAnswer, rangeOf, withoutBare404 } from './answers.ts';
import { CredentialsFile } from './credentials.ts';
import { type CommandOf, EndpointClient } from './endpoint-client.ts';
import { type Endpoint, Endpoints } from './endpoints.ts';
import { Etags } from './etags.ts';
import { failureClasses, isBug, plain, type S3Verdict, verdictOf, WrongAnswer } from './failures.ts';
import type { Transfer } from './handler.ts';
import { AbilitiesChanged, contradicts, Inspector, isGone } from './inspector.ts';
import { probeEndpoint } from './probe.ts';
import { demandStore, type SameStore, shownBy } from './same-store.ts';

export interface Told {
  /** For texts. */
  part?: number;
  /** How long it is tried, milliseconds; not given: as long as the settings say. */
  budgetMs?: number;
  /** Counts its retries. */
  tally?: Tally;
  /** What it asks for rests on abilities: those of this generation. Throws AbilitiesChanged when there are others. */
  generation?: number;
  /** Also of an endpoint that is not known yet. */
  anyEndpoint?: boolean;
}

/** What an order cost beside its bytes. */
export interface Tally {
  retries: number;
}

/** For tests: no clock, no chance. */
export interface BucketHooks {
  now(): number;
  wait(ms: number): Promise<void>;
  random(): number;
}

const realHooks: BucketHooks = {
  now: () => performance.now(),
  wait: (ms) => sleep(ms),
  random: Math.random,
};

const baseMs = 50;
const maxMs = 5000;
/** Connections to one endpoint; more requests wait. */
const connectionsMax = 64;
const waitersMax = 4096;
/** Endpoints end connections that nobody uses after 20 s and more. */
const keptMs = 15_000;
/** Of a small object whose ETag says something else. */
const readsMax = 4;
/** Bytes that a connection sends in one turn of the event loop: some tenths of a millisecond. */
const sliceBytes = { http: 1024 * 1024, https: 512 * 1024 } as const;

/** Of a failure's own words, which may be an endpoint's. */
const problemMax = 400;
type Chosen = Endpoint<EndpointClient>;

export class Bucket {
  readonly name: string;
  readonly keyPrefix: string;
  readonly #retryMs: number;
  readonly #endpoints: Endpoints<EndpointClient>;
  readonly #hooks: BucketHooks;
  readonly #etags = new Etags();
  readonly inspector: Inspector<EndpointClient>;
  #requests = 0;
  #retries = 0;
  /** Something that `status` tells is another now. */
  changed: () => void = () => {};
  /** What an endpoint has to show before it is used; null: the bucket was not opened yet. */
  sameStore: SameStore | null = null;

  /** Throws where ca_file cannot be read. */
  constructor(settings: S3Settings, hooks: BucketHooks = realHooks) {
    this.name = settings.bucket;
    this.keyPrefix = settings.prefix;
    this.#retryMs = settings.retryMs;
    this.#hooks = hooks;
    const ca = settings.caFile === '' ? undefined : readFileSync(settings.caFile, 'utf8');
    const file = settings.credentialsFile === '' ? null : new CredentialsFile(settings.credentialsFile);
    const { region, addressing, connectMs, idleMs, tlsVerify } = settings;
    this.#endpoints = new Endpoints(
      settings,
      (address) =>
        new EndpointClient(address, {
          region,
          addressing,
          credentials: file === null ? undefined : () => file.read(),
          http: {
            connectMs,
            idleMs,
            keptMs,
            sliceBytes: sliceBytes[address.protocol],
            connectionsMax,
            waitersMax,
            tls: { ca, verify: tlsVerify },
          },
        }),
      () => hooks.now(),
    );
    this.inspector = new Inspector({
      bucket: this.name,
      prefix: this.keyPrefix,
      endpoints: this.#endpoints,
      ask: async (endpoint) => {
        const { client, origin } = endpoint;
        if (this.sameStore !== null) await demandStore(client, this.name, this.sameStore);
        const tls = origin.startsWith('http:') ? 'none' : tlsVerify ? 'verified' : 'not verified';
        return probeEndpoint(client, { origin, bucket: this.name, prefix: this.keyPrefix, tls });
      },
      now: () => hooks.now(),
    });
  }

  /**
   * Asks every endpoint that answers what it really does. Throws StoreError when none does, or when the bucket cannot be
   * used at all.
   */
  async probe(): Promise<Passport> {
    const failures = await this.inspector.askAll();
    for (const { endpoint, error } of failures) {
      if (isBug(error)) throw error;
      this.#endpoints.rests(endpoint, problemOf(error));
    }
    const [first] = failures;
    const { passport } = this.inspector;
    if (passport !== null) return passport;
    throw this.#told('probe', `${first?.endpoint.origin}/${this.name}`, verdictOf(first?.error), first?.error);
  }

  status(): Omit<BucketStatus, 'ways'> {
    const endpoints = this.#endpoints.all.map(({ origin, healthy, busy, requests, failures, problem }) => ({
      origin,
      healthy,
      busy,
      requests,
      failures,
      problem,
    }));
    return { requests: this.#requests, retries: this.#retries, endpoints };
  }

  /** Throws StoreError. */
  send<Output>(command: CommandOf<Output>, transfer: Transfer = {}, told: Told = {}): Promise<Output> {
    return this.#attempts(
      () => [command, transfer],
      told,
      (answer) => {
        demandAnswer(command, answer as object);
        return answer;
      },
    );
  }

  /**
   * A range straight into `into`; after a short, reset or stalled answer it goes on from the byte where that stopped.
   * Returns bytes received, fewer only at the object's end. Throws StoreError; EBADMSG when it is not the object of
   * `ifMatch`.
   */
  async read(
    key: string,
    offset: number,
    into: Uint8Array,
    { ifMatch: etag, tally }: { ifMatch?: string; tally?: Tally } = {},
  ): Promise<number> {
    // What came into the tree by another way, such as NFS, may have no ETag at all.
    const ifMatch = etag === '' ? undefined : etag;
    let done = 0;
    const rest = (): [CommandOf<GetObjectCommandOutput>, Transfer] => [
      new GetObjectCommand({
        Bucket: this.name,
        Key: key,
        Range: `bytes=${offset + done}-${offset + into.length - 1}`,
        IfMatch: ifMatch,
      }),
      { into: into.subarray(done) },
    ];
    // Of a range that broke off what came is good, if it is what was asked for.
    const moved = ({ received, headers }: S3Verdict): boolean => {
      const begin = /^bytes (\d+)-/.exec(headers['content-range'] ?? 'bytes 0-')?.[1];
      const isOurs = Number(begin) === offset + done && (ifMatch === undefined || headers.etag === ifMatch);
      if (isOurs) done += received;
      return isOurs;
    };
    let size = Number.POSITIVE_INFINITY;
    while (done < into.length && offset + done < size) {
      const take = (answer: GetObjectCommandOutput): void => {
        const range = rangeOf(answer);
        const requestId = answer.$metadata.requestId ?? '';
        if (range === null || range.begin !== offset + done || range.length > into.length - done) {
          throw new WrongAnswer('WrongRange', `${answer.ContentRange ?? 'all'} came`, requestId);
        }
        if (range.length === 0) throw new WrongAnswer('ShortBody', 'nothing came', requestId);
        if (ifMatch !== undefined && answer.ETag !== ifMatch) {
          throw new WrongAnswer('WrongETag', `${answer.ETag} came`, requestId);
        }
        done += range.length;
        size = range.size;
      };
      await this.#attempts(rest, { tally }, take, moved).catch((error: unknown) => {
        throw ifMatch !== undefined && isExists(error)
          ? new StoreError({ ...error.failure, errno: -errno.EBADMSG })
          : error;
      });
    }
    return done;
  }

  /**
   * A small object, its first `max` bytes. Null: there is none. What its ETag does not agree with is asked for again: it
   * counts when it comes the same twice.
   */
  async get(key: string, max: number, told: Told = {}): Promise<{ bytes: Buffer; etag: string } | null> {
    let before = null as Buffer | null;
    for (let reads = 1; ; reads++) {
      const got = await this.#getOnce(key, told);
      if (got === null) return null;
      const { bytes, etag } = got;
      const isSure = this.#etags.vouchFor(bytes, etag);
      const isTwice = !isSure && before?.equals(bytes) === true;
      if (isTwice) this.#etags.twice();
      if (isSure || isTwice || reads === readsMax) return { bytes: bytes.subarray(0, max), etag };
      before = bytes;
      this.#retries++;
    }
  }

  async #getOnce(key: string, told: Told): Promise<{ bytes: Buffer; etag: string } | null> {
    try {
      const answer = await this.send(new GetObjectCommand({ Bucket: this.name, Key: key }), {}, told);
      return { bytes: Buffer.from((await answer.Body?.transformToByteArray()) ?? []), etag: answer.ETag ?? '' };
    } catch (error) {
      if (error instanceof StoreError && error.failure.errno === -errno.ENOENT) return null;
      throw error;
    }
  }

  /** A small object as each endpoint shows it, asked once. Null: it has none; those that do not answer are left out. */
  async getEverywhere(key: string, timeoutMs: number): Promise<{ origin: string; text: string | null }[]> {
    const shown = await Promise.all(
      this.#endpoints.all.map(async ({ client, origin }) => {
        const text = await shownBy(client, { bucket: this.name, key, timeoutMs });
        return text === undefined ? null : { origin, text };
      }),
    );
    return shown.filter((one) => one !== null);
  }

  async close(): Promise<void> {
    await Promise.all(this.#endpoints.all.map(({ client }) => client.close()));
  }

  /** `make`: the request as it is to be sent now. `moved`: takes the bytes of a failed answer; false: they are not good. */
  async #attempts<Output, Result>(
    make: () => [CommandOf<Output>, Transfer],
    told: Told,
    take: (answer: Output) => Result,
    moved: (verdict: S3Verdict) => boolean = () => false,
  ): Promise<Result> {
    const since = this.#hooks.now();
    const budgetMs = told.budgetMs ?? this.#retryMs;
    const refusedBy = new Set<Chosen>();
    let inARow = 0;
    for (let tries = 1; ; tries++) {
      this.#demandAbilities(told);
      const [command, transfer] = make();
      const bytes = transfer.body === undefined ? (transfer.into?.length ?? 0) : lengthOf(transfer.body);
      const endpoint = this.#endpoints.begin(refusedBy, bytes);
      this.inspector.lookAround(endpoint);
      this.#requests++;
      this.changed();
      let verdict: S3Verdict;
      let failure: unknown;
      try {
        // None is known that could take it: before anything is sent there.
        if (!endpoint.known && told.anyEndpoint !== true) {
          await this.inspector.inspectSoon(endpoint);
          this.#demandAbilities(told);
        }
        const answer = take(await endpoint.client.send(command, transfer));
        this.#endpoints.answered(endpoint, bytes);
        this.changed();
        return answer;
      } catch (error) {
        // Neither the endpoint's nor the way's: told as it is. The memory that was to be sent may be gone.
        if (isBug(error) || error instanceof AbilitiesChanged || error instanceof StoreError) {
          this.#endpoints.failed(endpoint, bytes, false, '');
          throw error;
        }
        verdict = withoutBare404(command, verdictOf(error));
        failure = error;
        const own = failureClasses[verdict.name].endpoint && !verdict.stale;
        this.#endpoints.failed(endpoint, bytes, own, problemOf(error));
        this.changed();
      }
      if (isGone(verdict)) this.inspector.gone(endpoint);
      if (told.generation !== undefined && contradicts(verdict, tries)) {
        await this.inspector.suspect(endpoint);
        this.#demandAbilities(told);
      }
      if (verdict.received > 0 && moved(verdict)) inARow = 0;
      const { kind } = failureClasses[verdict.name];
      if (kind === 'elsewhere') refusedBy.add(endpoint);
      const waitMs = this.#waitMs(verdict, endpoint, ++inARow);
      const elsewhere = kind === 'elsewhere' && refusedBy.size < this.#endpoints.all.length;
      const within = this.#hooks.now() - since + waitMs < budgetMs;
      // Where only a kept connection had ended nothing was tried yet.
      const free = verdict.stale && inARow <= connectionsMax;
      if (!(elsewhere || free || (kind === 'again' && within))) {
        throw this.#failed(command, endpoint, verdict, failure, told, tries, this.#hooks.now() - since);
      }
      this.#retries++;
      if (told.tally !== undefined) told.tally.retries++;
      if (waitMs > 0) await this.#hooks.wait(waitMs);
    }
  }

  /** Throws AbilitiesChanged. */
  #demandAbilities({ generation }: Told): void {
    if (generation !== undefined && generation !== this.inspector.generation) throw new AbilitiesChanged();
  }

  /** At once where another endpoint can do it, or where only a kept connection had ended. */
  #waitMs(verdict: S3Verdict, endpoint: Chosen, inARow: number): number {
    if (verdict.stale && inARow <= connectionsMax) return 0;
    const others = this.#endpoints.all.length > 1 && !this.#endpoints.allRest;
    if (failureClasses[verdict.name].endpoint && others && !this.#endpoints.all.every((one) => one === endpoint))
      return 0;
    const wait = Math.min(maxMs, baseMs * 2 ** Math.min(inARow, 16));
    return Math.max(verdict.waitMs, wait / 2 + (wait / 2) * this.#hooks.random());
  }

  #failed(
    command: CommandOf<unknown>,
    { origin }: Chosen,
    verdict: S3Verdict,
    error: unknown,
    { part }: Told,
    tries: number,
    ms: number,
  ): StoreError {
    const step = command.constructor.name.replace(/Command$/, '');
    const { Key: key = '' } = command.input as { Key?: string };
    const path = `${origin}/${this.name}/${key}${part === undefined ? '' : ` part ${part}`}`;
    const often = tries === 1 ? '' : ` after ${tries} tries in ${Math.round(ms / 1000)} s`;
    return this.#told(step, path, verdict, error, often);
  }

  #told(
    step: string,
    path: string,
    { name, code, status, requestId }: S3Verdict,
    error: unknown,
    often = '',
  ): StoreError {
    const { kind, errno: number, remedy } = failureClasses[name];
    const answer =
      status === 0 ? problemOf(error) : `HTTP ${status}${requestId === '' ? '' : `, request id ${requestId}`}`;
    const text = `${step} of ${path} failed${often}: ${code} (${answer}); ${remedy}`;
    return new StoreError({ errno: kind === 'again' ? -errno.EIO : -number, step, path, text });
  }
}

function problemOf(error: unknown): string {
  return plain(error instanceof Error ? error.message : String(error), problemMax);
}

function isExists(error: unknown): error is StoreError {
  return error instanceof StoreError && error.failure.errno === -errno.EEXIST;
}
