/** What runs at this moment: one line that changes on a terminal, plain lines of what is new anywhere else. */
import type { Step } from '../run-context.ts';

export interface Screen {
  write(text: string): void;
  /** Columns; null: no terminal. */
  readonly columns: number | null;
}

export function minutes(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export class Progress {
  readonly #screen: Screen;
  readonly #now: () => number;
  #began: number;
  #points = 0;
  #endsAt = Number.POSITIVE_INFINITY;
  #done = 0;
  #within = 0;
  #rate = '';
  #plain = '';
  #shown = false;

  constructor(screen: Screen, now: () => number = () => performance.now() / 1000) {
    this.#screen = screen;
    this.#now = now;
    this.#began = now();
  }

  /**
   * Comparisons that the run now begins to make: what is left is estimated by them, and not by what it did before.
   * `secondsMax`: it is ended then.
   */
  expect(points: number, secondsMax: number | null = null): void {
    this.#points = points;
    this.#began = this.#now();
    if (secondsMax !== null) this.#endsAt = this.#began + secondsMax;
  }

  /** One comparison is complete. */
  pointDone(): void {
    this.#done++;
    this.#within = 0;
    this.#plain = '';
  }

  /** Null before there is anything to estimate from. */
  remaining(): number | null {
    const most = Math.max(0, this.#endsAt - this.#now());
    const left = this.#estimated();
    if (left === null) return Number.isFinite(most) ? most : null;
    return Math.min(left, most);
  }

  #estimated(): number | null {
    const part = this.#points === 0 ? 0 : (Math.min(this.#done, this.#points) + this.#within) / this.#points;
    if (part < 0.01) return null;
    return ((this.#now() - this.#began) * (1 - Math.min(1, part))) / part;
  }

  step(step: Step): void {
    const { alternation = 0, of = 0 } = step;
    // Warm-up rounds take their time too, so the first alternation that counts is not the first part.
    if (of > 0) this.#within = Math.min(0.99, Math.max(0, alternation) / (of + 1));
    if (step.rate !== undefined) this.#rate = step.rate;
    const text = this.#text(step);
    if (this.#screen.columns !== null) {
      this.#screen.write(`\r${text.slice(0, this.#screen.columns - 1)}\x1b[K`);
      this.#shown = true;
      return;
    }
    // Only what is new in kind: a line for each subject of each alternation would bury the rest.
    const plain = `${step.what.replace(/^[\w-]+, /, '')} ${step.alternation ?? ''}`;
    if (plain === this.#plain) return;
    this.#plain = plain;
    this.#screen.write(`${text}\n`);
  }

  #text({ what, subject, alternation, of }: Step): string {
    const round =
      alternation === undefined ? '' : alternation < 1 ? ', warming up' : `, alternation ${alternation} of ${of}`;
    const left = this.remaining();
    const parts = [
      `${what}${round}`,
      ...(subject === undefined ? [] : [subject]),
      ...(this.#rate === '' ? [] : [`last ${this.#rate}`]),
      ...(left === null ? [] : [`about ${minutes(left)} left`]),
    ];
    return parts.join(' | ');
  }

  /** A line that stays. */
  note(text: string): void {
    this.clear();
    this.#screen.write(`${text}\n`);
  }

  clear(): void {
    if (this.#shown) this.#screen.write('\r\x1b[K');
    this.#shown = false;
  }
}
