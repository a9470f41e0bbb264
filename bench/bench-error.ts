/** What a user can do something about: told without a stack, with the next step in its text. */
export class BenchError extends Error {
  /** 1: failed; 2: wrong usage. */
  readonly code: number;

  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}

/** A run ends before it is complete; what was measured until then is its result. */
export class CutShort extends Error {
  /** Of the process; 0 for a limit that the user has set. */
  readonly code: number;

  constructor(message: string, code = 0) {
    super(message);
    this.code = code;
  }
}
