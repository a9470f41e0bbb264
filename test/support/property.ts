/** What property tests share: one seed for the run, counts that grow with VAST_OST_RUNS, and a stream of decisions. */
import * as fc from 'fast-check';

/** Seed of this run: VAST_OST_SEED, else a fixed one. fast-check prints it with the shrunk case when a property fails. */
export const seed = Number(process.env.VAST_OST_SEED ?? 20260);

/** Times `count` of runs; the campaign raises it. */
const factor = Number(process.env.VAST_OST_RUNS ?? 1);

/** `shrink` off: a failure ends at once, for tests that only ask whether one is found. */
export const effort = { shrink: true };

/** Checks the property; throws with seed, path and the smallest failing case. */
export function check<T>(property: fc.IProperty<T>, runs: number): void {
  fc.assert(property, { seed, numRuns: Math.ceil(runs * factor), endOnFailure: !effort.shrink });
}

/** Decisions of a simulated world, drawn by fast-check so that it can shrink them; 0 once they are used up. */
export class Decisions {
  readonly #words: readonly number[];
  #at = 0;
  constructor(words: readonly number[]) {
    this.#words = words;
  }
  [fc.toStringMethod](): string {
    return `Decisions(${JSON.stringify(this.#words)})`;
  }
  get left(): number {
    return this.#words.length - this.#at;
  }
  /** 0 … end − 1 */
  below(end: number): number {
    const word = this.#words[this.#at] ?? 0;
    this.#at += 1;
    return word % end;
  }
  /** True in one of `n` cases; false once decisions are used up. */
  oneIn(n: number): boolean {
    return this.below(n) === n - 1;
  }
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

export function decisions(max: number): fc.Arbitrary<Decisions> {
  // No bias: towards its bounds it would make most worlds short and most decisions alike.
  const words = fc.noBias(fc.array(fc.nat({ max: 0xffff }), { maxLength: max, size: 'max' }));
  return words.map((drawn) => new Decisions(drawn));
}

/** A checksum that combines like a CRC does, and is plain to read: a polynomial modulo a prime below 2^26. Empty: 0n. */
const modulus = 67_108_859;
const base = 48_271_693;
export function sumOf(bytes: Uint8Array, from = 0, to = bytes.length): bigint {
  let sum = 0;
  for (let at = from; at < to; at += 1) sum = (sum * base + (bytes[at] ?? 0) + 1) % modulus;
  return BigInt(sum);
}
function power(exponent: number): number {
  let result = 1;
  let square = base;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
export function combineSums(left: bigint, right: bigint, rightLength: number): bigint {
  return BigInt((Number(left) * power(rightLength) + Number(right)) % modulus);
}
