/** How an exchange failed: where, and what may be concluded from it. */
import type { Head } from './head.ts';

export type Stage = 'connect' | 'tls' | 'send' | 'headers' | 'body';

export class HttpFailure extends Error {
  readonly stage: Stage;
  /** As Node names it (ECONNRESET …), or ours: EPROTOCOL, EABORTED, ETIMEDOUT. */
  readonly code: string;
  /** A connection that was kept alive ended before the first byte of an answer: the request may go again on a new one. */
  readonly stale: boolean;
  /** Bytes of the body that lie in the caller's memory. */
  readonly received: number;
  /** Of the answer that broke off: what those bytes are. */
  readonly head: Head | null;

  constructor(
    stage: Stage,
    code: string,
    text: string,
    { stale = false, received = 0, head = null }: { stale?: boolean; received?: number; head?: Head | null } = {},
  ) {
    super(`${stage}: ${text} (${code})`);
    this.name = 'HttpFailure';
    this.stage = stage;
    this.code = code;
    this.stale = stale;
    this.received = received;
    this.head = head;
  }
}

/** The answer breaks HTTP, or what was agreed on. */
export class ProtocolError extends Error {}
