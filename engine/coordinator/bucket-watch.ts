/** What is known of a bucket's endpoints, as its net thread told it last: nobody waits for a dead one to answer. */
import type { BucketStatus, BucketTold, EndpointStatus } from '../core/bucket-status.ts';
import { originOf, type S3Settings } from '../core/s3-settings.ts';

/** Of one endpoint: what changes faster is told with the next snapshot, which comes at the latest with the next look at the storage. */
const tellMsMin = 1000;

export type Note = (level: 'info' | 'warn', text: string, more: object) => void;

interface Told {
  healthy: boolean;
  at: number;
}

export class BucketWatch {
  readonly #note: Note;
  readonly #now: () => number;
  readonly #told = new Map<string, Told>();
  #status: BucketStatus;

  constructor({ endpoints }: Pick<S3Settings, 'endpoints'>, note: Note, now: () => number) {
    this.#note = note;
    this.#now = now;
    const unasked = (origin: string): EndpointStatus => ({
      origin,
      healthy: true,
      busy: 0,
      requests: 0,
      failures: 0,
      problem: '',
    });
    this.#status = {
      requests: 0,
      retries: 0,
      endpoints: endpoints.map((one) => unasked(originOf(one))),
      ways: null,
    };
  }

  get status(): BucketStatus {
    return this.#status;
  }

  /** Of the net thread. */
  take(told: BucketTold): void {
    if ('note' in told) {
      const { level, text, more } = told.note;
      this.#note(level, text, more);
      return;
    }
    this.#status = told.bucket;
    for (const endpoint of this.#status.endpoints) this.#tell(endpoint);
  }

  #tell({ origin, healthy, problem }: EndpointStatus): void {
    const now = this.#now();
    const before = this.#told.get(origin) ?? { healthy: true, at: Number.NEGATIVE_INFINITY };
    if (before.healthy === healthy || now - before.at < tellMsMin) return;
    this.#told.set(origin, { healthy, at: now });
    if (healthy) this.#note('info', 'an endpoint answers again', { endpoint: origin });
    else
      this.#note('warn', 'an endpoint fails: others take its requests until it answers', { endpoint: origin, problem });
  }
}
