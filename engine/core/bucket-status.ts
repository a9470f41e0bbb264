/** What a net thread tells of its bucket; the coordinator logs it and shows it in the status. */
import type { Integrity } from './passport.ts';

export interface EndpointStatus {
  /** 'https://host:port' */
  origin: string;
  /** Answers, or was not asked yet. */
  healthy: boolean;
  /** Requests under way. */
  busy: number;
  /** Since the thread's start. */
  requests: number;
  failures: number;
  /** Of the last failure that was the endpoint's own; '' since it has answered again. Printable. */
  problem: string;
}

export interface BucketStatus {
  requests: number;
  /** Requests that were sent again. */
  retries: number;
  endpoints: EndpointStatus[];
  /** How bytes are protected on their way, and whether two writers are kept apart; null: not open yet. */
  ways: { integrity: Integrity; conditionalPut: boolean } | null;
}

/** A line for the log. */
export interface BucketNote {
  level: 'info' | 'warn';
  text: string;
  more: object;
}

export type BucketTold = { bucket: BucketStatus } | { note: BucketNote };
