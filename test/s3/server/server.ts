/**
 * A small, strict S3 server for tests, inside the process of the test:
 *
 *   await using server = await S3Server.start({ mode: 'vast-like', endpoints: [{ protocol: 'https' }] });
 *
 * Objects lie in a directory of its own, removed on dispose. All endpoints serve the same buckets. It verifies all it
 * can and says which switches do so (options.ts); it breaks on demand (fault-data.ts); it remembers (journal.ts).
 */
import type { OperationName } from './call.ts';
import { Digests } from './digest.ts';
import { Endpoint } from './endpoint.ts';
import { checkFault, type FaultAction } from './fault-data.ts';
import { Faults } from './faults.ts';
import { type Counter, Journal, type LoggedRequest } from './journal.ts';
import { completeOptions, type Options, type StartOptions } from './options.ts';
import { type Serving, serve } from './serve.ts';
import { type Bucket, flipStored, makePiece, readPieces, State, type StoredObject, type Upload } from './state.ts';

export { caPath, otherCaPath } from './endpoint.ts';
export type { StartOptions } from './options.ts';

const bugsMax = 20;

export class S3Server implements AsyncDisposable {
  /** May be changed at any time; requests that come later see it. Endpoints and buckets are fixed at the start. */
  readonly options: Options;
  readonly endpoints: readonly Endpoint[];
  readonly faults = new Faults<FaultAction>(checkFault);
  readonly #state: State;
  readonly #journal: Journal;
  readonly #bugs: unknown[] = [];
  #requestIds = 0;

  private constructor(options: Options) {
    this.options = options;
    this.#state = new State(options.buckets);
    this.#journal = new Journal(options.logMax);
    const serving: Serving = {
      options,
      state: this.#state,
      faults: this.faults,
      journal: this.#journal,
      newRequestId: () => (++this.#requestIds).toString(16).toUpperCase().padStart(16, '0'),
      bug: (error) => {
        if (this.#bugs.length < bugsMax) this.#bugs.push(error);
      },
    };
    const newConnection = (): number => ++this.#journal.connectionsOpened;
    this.endpoints = options.endpoints.map(
      (one, i) => new Endpoint(i, one, options.keepAliveMs, newConnection, (arrival) => serve(serving, arrival)),
    );
  }

  static async start(given: StartOptions = {}): Promise<S3Server> {
    const server = new S3Server(completeOptions(given));
    try {
      for (const endpoint of server.endpoints) await endpoint.up();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Of the first endpoint: http://127.0.0.1:1234 */
  get url(): string {
    return this.endpoints[0]!.url;
  }
  get bucket(): string {
    return this.options.buckets[0]!;
  }
  /** The first credential, as clients want it. */
  get credentials(): { accessKeyId: string; secretAccessKey: string } {
    const { accessKeyId, secretAccessKey } = this.options.credentials[0]!;
    return { accessKeyId, secretAccessKey };
  }

  // --- what is stored; `bucket` is the first one where it is not given ----------------------------------------------
  keys(prefix = '', bucket = this.bucket): string[] {
    const { keys } = this.#bucket(bucket);
    const found: string[] = [];
    for (let at = keys.from(prefix); at < keys.behind(prefix); at++) found.push(keys.at(at)!);
    return found;
  }

  /** Throws where there is none. */
  object(key: string, bucket = this.bucket): StoredObject {
    const object = this.#bucket(bucket).objects.get(key);
    if (object === undefined) throw new RangeError(`the server has no object ${key}`);
    return object;
  }

  has(key: string, bucket = this.bucket): boolean {
    return this.#bucket(bucket).objects.has(key);
  }

  /** The bytes [start, end) as they are stored. */
  bytes(key: string, start = 0, end?: number, bucket = this.bucket): Buffer {
    const object = this.object(key, bucket);
    const to = end ?? object.size;
    const chunks: Buffer[] = [];
    // The buffer of each chunk is used again for the next.
    for (const chunk of readPieces(object.pieces, start, to, 2 ** 20)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }

  /** Unfinished uploads, as they began. */
  uploads(bucket = this.bucket): Upload[] {
    return [...this.#bucket(bucket).uploads.values()];
  }

  /** Bytes of all objects and parts. */
  get storedBytes(): number {
    return this.#state.bytes;
  }

  /** Puts an object past the protocol: quick, for tests with very many. */
  plant(key: string, bytes: Uint8Array, headers: Record<string, string> = {}, bucket = this.bucket): void {
    const digests = new Digests(['md5']);
    digests.update(bytes);
    this.#state.put(this.#bucket(bucket), {
      key,
      pieces: [makePiece(() => this.#state.newPath(), bytes)],
      size: bytes.length,
      etag: digests.take('md5')!.toString('hex'),
      modifiedAt: Date.now() + this.options.clockOffsetMs,
      headers: { 'content-type': 'binary/octet-stream', ...headers },
      checksum: null,
      partsCount: 0,
    });
  }

  /** Removes an object past the protocol. */
  uproot(key: string, bucket = this.bucket): boolean {
    return this.#state.remove(this.#bucket(bucket), key);
  }

  /** Flips one bit of a stored object; ETag and checksums stay: storage that lies. */
  flip(key: string, offset: number, bit: number, bucket = this.bucket): void {
    flipStored(this.object(key, bucket), offset, bit);
  }

  // --- what happened ------------------------------------------------------------------------------------------------
  /** The last `logMax` requests, in the order in which they ended. */
  get requests(): readonly LoggedRequest[] {
    return this.#journal.requests;
  }
  counter(op: OperationName | 'unknown'): Readonly<Counter> {
    return this.#journal.counter(op);
  }
  get requestsAtOnce(): number {
    return this.#journal.requestsAtOnce;
  }
  get requestsAtOnceMax(): number {
    return this.#journal.requestsAtOnceMax;
  }
  get connectionsOpened(): number {
    return this.#journal.connectionsOpened;
  }
  /** The next request to end, from now on, that matches. */
  next(matches: (one: LoggedRequest) => boolean): Promise<LoggedRequest> {
    return this.#journal.next(matches);
  }
  /** Forgets requests, counters and the highest mark. */
  clearLog(): void {
    this.#journal.clear();
  }

  #bucket(name: string): Bucket {
    const bucket = this.#state.buckets.get(name);
    if (bucket === undefined) throw new RangeError(`the server has no bucket ${name}`);
    return bucket;
  }

  /** Resets what is connected. Throws when the server itself had failed: such a test has shown nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.faults.clear();
    await Promise.all(this.endpoints.map((endpoint) => endpoint.down()));
    this.#state[Symbol.dispose]();
    if (this.#bugs.length > 0) throw new AggregateError(this.#bugs, `the test server failed: ${this.#bugs[0]}`);
  }
}
