/**
 * Which endpoint takes the next request: the least busy of those that answer, in turn among equals. Small requests and
 * large ones are counted apart, so that both numbers are even: one part weighs more than a hundred questions.
 */
import type { EndpointStatus } from '../../engine/core/bucket-status.ts';
import { originOf, type S3Address, type S3Settings } from '../../engine/core/s3-settings.ts';

export interface Endpoint<Client> extends EndpointStatus {
  readonly client: Client;
  /** Its abilities are those that requests rest on; false: it is to be asked first. */
  known: boolean;
  /** Milliseconds of the clock; before then it is asked only when all others are set aside too. */
  restsUntil: number;
  restMs: number;
  /** A request is under way that was begun to find out whether it answers again. */
  asked: boolean;
  /** Bytes of large requests that are under way. */
  busyBytes: number;
  /** Of its last request, small and large. */
  turn: number;
  largeTurn: number;
}

const largeBytes = 1024 * 1024;

const restMsMin = 500;
const restMsMax = 30_000;

/** Characters of a problem that are kept: an endpoint may say anything. */
const problemMax = 300;

export class Endpoints<Client> {
  readonly all: readonly Endpoint<Client>[];
  readonly #now: () => number;
  #turn = 0;

  constructor(settings: Pick<S3Settings, 'endpoints'>, makeClient: (address: S3Address) => Client, now: () => number) {
    this.#now = now;
    this.all = settings.endpoints.map((address) => ({
      client: makeClient(address),
      known: true,
      origin: originOf(address),
      healthy: true,
      busy: 0,
      requests: 0,
      failures: 0,
      problem: '',
      restsUntil: 0,
      restMs: 0,
      asked: false,
      busyBytes: 0,
      turn: 0,
      largeTurn: 0,
    }));
  }

  /** Begins a request there. `not`: those that have refused this very request; `bytes`: of its body, or its answer's. */
  begin(not: ReadonlySet<Endpoint<Client>>, bytes: number): Endpoint<Client> {
    const now = this.#now();
    const rank = (one: Endpoint<Client>): number =>
      (not.has(one) ? 4 : 0) + (one.restsUntil > now ? 2 : 0) + (one.known ? 0 : 1);
    let best = this.all[0] as Endpoint<Client>;
    for (const one of this.all) {
      const by =
        rank(one) - rank(best) ||
        (isLarge(bytes)
          ? one.busyBytes - best.busyBytes || one.largeTurn - best.largeTurn
          : one.busy - best.busy || one.turn - best.turn);
      if (by < 0) best = one;
    }
    // Of those that rest, the one that is asked first tells for all: the next request goes elsewhere until it has.
    if (best.restMs > 0) {
      best.restsUntil = now + best.restMs;
      best.asked = true;
    }
    if (isLarge(bytes)) {
      best.largeTurn = ++this.#turn;
      best.busyBytes += bytes;
    } else best.turn = ++this.#turn;
    best.busy++;
    best.requests++;
    return best;
  }

  answered(endpoint: Endpoint<Client>, bytes: number): void {
    endOf(endpoint, bytes);
    this.answers(endpoint);
  }

  /** Nothing speaks against it any more. */
  answers(endpoint: Endpoint<Client>): void {
    wake(endpoint);
    endpoint.problem = '';
  }

  /** `own`: it is the endpoint that failed, and not only the request. */
  failed(endpoint: Endpoint<Client>, bytes: number, own: boolean, problem: string): void {
    endOf(endpoint, bytes);
    endpoint.failures++;
    if (!own) {
      wake(endpoint);
      return;
    }
    // Requests that were under way together fail together: that is one failure of the endpoint.
    const known = endpoint.restsUntil > this.#now() && !endpoint.asked;
    if (!known) this.rests(endpoint, problem);
  }

  /** It is left alone for a while, for longer each time. */
  rests(endpoint: Endpoint<Client>, problem: string): void {
    endpoint.healthy = false;
    endpoint.asked = false;
    endpoint.problem = problem.slice(0, problemMax).replace(/\p{C}/gu, ' ');
    endpoint.restMs = Math.min(restMsMax, Math.max(restMsMin, 2 * endpoint.restMs));
    endpoint.restsUntil = this.#now() + endpoint.restMs;
  }

  /** Every one of them rests now. */
  get allRest(): boolean {
    const now = this.#now();
    return this.all.every((one) => one.restsUntil > now);
  }
}

function isLarge(bytes: number): boolean {
  return bytes >= largeBytes;
}

function endOf(endpoint: Endpoint<unknown>, bytes: number): void {
  endpoint.busy--;
  if (isLarge(bytes)) endpoint.busyBytes -= bytes;
}

function wake(endpoint: Endpoint<unknown>): void {
  endpoint.healthy = true;
  endpoint.asked = false;
  endpoint.restMs = 0;
  endpoint.restsUntil = 0;
}
