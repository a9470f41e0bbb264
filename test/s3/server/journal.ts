/** What happened: a bounded log of requests, counters for each operation, and a way to wait for an entry. */
import type { OperationName } from './call.ts';

export interface LoggedRequest {
  /** null: none that the server knows, or a head that it could not read. */
  op: OperationName | null;
  method: string;
  bucket: string;
  key: string;
  part: number;
  /** Range as asked, '' without. */
  range: string;
  /** 0: no answer was sent, or the client went away before its end. */
  status: number;
  /** S3's code of an error, '' otherwise. */
  code: string;
  /** Bytes of bodies, without heads. */
  bytesIn: number;
  bytesOut: number;
  requestId: string;
  /** Index of the endpoint, and number of the connection (from 1) over all of them. */
  endpoint: number;
  connection: number;
  /** Kind of the fault that took place. */
  fault: string | null;
  /** Headers by lower-case name, without the signature. */
  headers: Readonly<Record<string, string>>;
}

export interface Counter {
  count: number;
  /** Requests that got a status ≥ 400, or no answer. */
  errors: number;
  bytesIn: number;
  bytesOut: number;
}

export class Journal {
  readonly requests: LoggedRequest[] = [];
  /** By operation; 'unknown' for the rest. */
  counters: Partial<Record<OperationName | 'unknown', Counter>> = {};
  requestsAtOnce = 0;
  requestsAtOnceMax = 0;
  connectionsOpened = 0;
  readonly #max: number;
  #waiting: { matches: (one: LoggedRequest) => boolean; resolve: (one: LoggedRequest) => void }[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  begin(): void {
    this.requestsAtOnce++;
    this.requestsAtOnceMax = Math.max(this.requestsAtOnceMax, this.requestsAtOnce);
  }

  end(request: LoggedRequest): void {
    this.requestsAtOnce--;
    this.requests.push(request);
    if (this.requests.length > this.#max) this.requests.shift();
    const counter = this.counter(request.op ?? 'unknown');
    counter.count++;
    if (request.status === 0 || request.status >= 400) counter.errors++;
    counter.bytesIn += request.bytesIn;
    counter.bytesOut += request.bytesOut;
    const due = this.#waiting.filter((one) => one.matches(request));
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    for (const one of due) one.resolve(request);
  }

  /** Counter of an operation, zero before its first request. */
  counter(op: OperationName | 'unknown'): Counter {
    this.counters[op] ??= { count: 0, errors: 0, bytesIn: 0, bytesOut: 0 };
    return this.counters[op];
  }

  /** The next request to end, from now on, that matches. */
  next(matches: (one: LoggedRequest) => boolean): Promise<LoggedRequest> {
    const { promise, resolve } = Promise.withResolvers<LoggedRequest>();
    this.#waiting.push({ matches, resolve });
    return promise;
  }

  /** Forgets log, counters and the highest mark; connections go on counting. */
  clear(): void {
    this.requests.length = 0;
    this.counters = {};
    this.requestsAtOnceMax = this.requestsAtOnce;
  }
}
