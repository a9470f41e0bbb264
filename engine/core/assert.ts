/** A bug of ours was met: whoever catches this stops what it was doing, and never retries. */
export class BugError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'BugError';
  }
}

/** Stays on in production: a wrong state must stop before it reaches storage. One condition a call. */
export function assert(condition: boolean, text: string): asserts condition {
  if (!condition) throw new BugError(text);
}

/** For the branch that no legal state leads to. */
export function unreachable(text: string): never {
  throw new BugError(text);
}
