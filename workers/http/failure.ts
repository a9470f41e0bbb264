/** How an exchange failed: where, and what may be concluded from it. */

export type Stage = 'connect' | 'tls' | 'send' | 'headers' | 'body';

export class HttpFailure extends Error {
  readonly stage: Stage;
  /** As Node names it (ECONNRESET …), or ours: EPROTOCOL, EABORTED, ETIMEDOUT. */
  readonly code: string;
  /** A connection that was kept alive ended before the first byte of an answer: the request may go again on a new one. */
  readonly stale: boolean;
  /** Bytes of the body that lie in the caller's memory. */
  readonly received: number;

  constructor(stage: Stage, code: string, text: string, { stale = false, received = 0 } = {}) {
    super(`${stage}: ${text} (${code})`);
    this.name = 'HttpFailure';
    this.stage = stage;
    this.code = code;
    this.stale = stale;
    this.received = received;
  }
}

/** The answer breaks HTTP, or what was agreed on. */
export class ProtocolError extends Error {}
