/**
 * What each endpoint of a bucket can do, as far as it was asked: passports, made anew when an endpoint contradicts its own
 * or comes back after it was gone. One endpoint is asked at a time, unless it says nothing, and none again and again for the
 * same suspicion.
 *
 *   known ──gone (refused, no such host …)──► unknown ──asked, answers──► known
 *     └──contradicts its passport──► asked ──► known, perhaps with other abilities
 *
 * An endpoint that is not known takes no request that rests on abilities: it might ignore what protects the bytes.
 */

import { errno } from '../../engine/core/errors.ts';
import {
  type Abilities,
  abilitiesOf,
  type Difference,
  type EndpointPassport,
  type Passport,
  passportDiff,
} from '../../engine/core/passport.ts';
import { HttpFailure } from '../http/failure.ts';
import { StoreError } from '../store.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import type { S3Verdict } from './failures.ts';

/** So many times bytes may have changed on their way before the endpoint's passport is doubted. */
const badDigestsInARow = 3;
/** How long an endpoint that is asked may keep others waiting. */
const patienceMs = 1000;
const suspectMsMin = 1000;
const suspectMsMax = 300_000;

interface Suspicion {
  /** Before then it is not asked for one. */
  notBefore: number;
  waitMs: number;
}

export interface InspectorParts<Client> {
  readonly bucket: string;
  readonly prefix: string;
  readonly endpoints: Endpoints<Client>;
  /** Asks one; throws what its first requests failed with. */
  ask(endpoint: Endpoint<Client>): Promise<EndpointPassport>;
  now(): number;
}

/** `differences`: between what was known and what is. */
export type OnLearned = (passport: Passport, differences: readonly Difference[]) => void;

/** The request rests on abilities that are not there any more: to be made anew. */
export class AbilitiesChanged extends StoreError {
  constructor() {
    const text = 'the endpoints changed what they check while a request was under way; try again';
    super({ errno: -errno.EAGAIN, step: 'request', path: '', text });
  }
}

export class Inspector<Client> {
  readonly #parts: InspectorParts<Client>;
  readonly #passports = new Map<Endpoint<Client>, EndpointPassport>();
  readonly #running = new Map<Endpoint<Client>, Promise<void>>();
  readonly #suspicions = new Map<Endpoint<Client>, Suspicion>();
  #last: Promise<void> = Promise.resolve();
  #active = false;
  #abilities: Abilities | null = null;
  /** Another one whenever the abilities are: a request that was made before is made anew. */
  generation = 0;
  /** Told before a request can see the new generation. */
  learned: OnLearned = () => {};

  constructor(parts: InspectorParts<Client>) {
    this.#parts = parts;
  }

  /** The bucket was opened with passports: from then on they are kept true. */
  get active(): boolean {
    return this.#active;
  }

  /** Null: no endpoint is known. */
  get passport(): Passport | null {
    const { bucket, prefix, endpoints } = this.#parts;
    const found = endpoints.all.flatMap((one) => this.#passports.get(one) ?? []);
    if (found.length === 0) return null;
    return { format: 1, bucket, prefix, probedAt: new Date().toISOString(), endpoints: found };
  }

  /** Asks all of them, one after the other; returns what each that did not answer failed with. */
  async askAll(): Promise<{ endpoint: Endpoint<Client>; error: unknown }[]> {
    const failures: { endpoint: Endpoint<Client>; error: unknown }[] = [];
    for (const endpoint of this.#parts.endpoints.all) {
      try {
        await this.inspect(endpoint);
      } catch (error) {
        // What it could do before says nothing of what will be there.
        endpoint.known = false;
        this.#passports.delete(endpoint);
        failures.push({ endpoint, error });
      }
    }
    this.#active = true;
    return failures;
  }

  /** Asked now, or joined where it is being asked. Throws what it failed with. */
  inspect(endpoint: Endpoint<Client>): Promise<void> {
    const running = this.#running.get(endpoint);
    if (running !== undefined) return running;
    const own = this.#last
      .then(() => this.#ask(endpoint))
      .finally(() => {
        this.#running.delete(endpoint);
      });
    this.#running.set(endpoint, own);
    // One that says nothing does not keep the next one waiting.
    this.#last = within(own, patienceMs).catch(() => {});
    return own;
  }

  /**
   * For a request that others may take: as above, and no longer than a moment; it is being asked on. Throws HttpFailure
   * then, as if the request itself had stalled there.
   */
  inspectSoon(endpoint: Endpoint<Client>): Promise<void> {
    const asked = this.inspect(endpoint);
    return this.#parts.endpoints.all.length === 1 ? asked : within(asked, patienceMs);
  }

  /** It is gone: who answers there next may be another one. */
  gone(endpoint: Endpoint<Client>): void {
    if (this.#active) endpoint.known = false;
  }

  /** Endpoints that are not known and may be back are asked, beside the requests that others take; not `but`: it takes one itself. */
  lookAround(but: Endpoint<Client>): void {
    if (!this.#active) return;
    const { endpoints, now } = this.#parts;
    for (const endpoint of endpoints.all) {
      if (endpoint === but || endpoint.known || endpoint.restsUntil > now() || this.#running.has(endpoint)) continue;
      this.inspect(endpoint).catch((error: unknown) => {
        endpoints.rests(endpoint, error instanceof Error ? error.message : String(error));
      });
    }
  }

  /** An answer contradicts its passport: resolves when it was asked again, or was so a moment ago. */
  async suspect(endpoint: Endpoint<Client>): Promise<void> {
    if (!this.#active) return;
    const running = this.#running.get(endpoint);
    if (running !== undefined) {
      await running.catch(() => {});
      return;
    }
    const { now } = this.#parts;
    const { notBefore, waitMs } = this.#suspicions.get(endpoint) ?? { notBefore: 0, waitMs: suspectMsMin };
    if (now() < notBefore) return;
    const before = this.generation;
    await this.inspect(endpoint).catch(() => {});
    const next = this.generation === before ? Math.min(suspectMsMax, 2 * waitMs) : suspectMsMin;
    this.#suspicions.set(endpoint, { notBefore: now() + next, waitMs: next });
  }

  async #ask(endpoint: Endpoint<Client>): Promise<void> {
    endpoint.busy++;
    try {
      this.#learn(endpoint, await this.#parts.ask(endpoint));
    } finally {
      endpoint.busy--;
    }
  }

  #learn(endpoint: Endpoint<Client>, found: EndpointPassport): void {
    const before = this.passport;
    this.#passports.set(endpoint, found);
    const passport = this.passport as Passport;
    const abilities = abilitiesOf(passport);
    this.learned(passport, before === null ? [] : passportDiff(before, passport));
    if (JSON.stringify(abilities) !== JSON.stringify(this.#abilities)) this.generation++;
    this.#abilities = abilities;
    endpoint.known = true;
    this.#parts.endpoints.answers(endpoint);
  }
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new HttpFailure('headers', 'ETIMEDOUT', 'it is being asked what it can do, and says nothing'));
  }, ms);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Nobody is there, or somebody else: what answers next is to be asked what it can do. */
export function isGone({ name, stale }: S3Verdict): boolean {
  return !stale && (name === 'refused' || name === 'unreachable' || name === 'unknownHost' || name === 'certificate');
}

/**
 * A request that was made as the passport says is refused for what it is. Bytes that change on their way are the network's
 * fault, unless that goes on.
 */
export function contradicts({ name, status }: S3Verdict, tries: number): boolean {
  const isRefused = name === 'notImplemented' || (name === 'other' && status === 400);
  return isRefused || (name === 'changedOnTheWay' && tries % badDigestsInARow === 0);
}
