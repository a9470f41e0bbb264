/** What a run of the budget yields: one figure a run and kind, or why it could not be taken. */

export interface Figure {
  /** 'backup, io-only', 'a small image', 'parts' … */
  readonly run: string;
  readonly what: string;
  readonly unit: string;
  /** Null: not taken. */
  readonly value: number | null;
  /** Why not; empty where it was. */
  readonly skipped: string;
}

export function figure(run: string, what: string, unit: string, value: number): Figure {
  return { run, what, unit, value, skipped: '' };
}

export function skippedFigure(run: string, what: string, unit: string, why: string): Figure {
  return { run, what, unit, value: null, skipped: why };
}
