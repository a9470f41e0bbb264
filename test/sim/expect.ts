/** Equality for worlds that run without a test runner: says what differs. */
import { isDeepStrictEqual, inspect } from 'node:util';

export function expectEqual<T>(actual: T, expected: T, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: ${inspect(actual)}, expected ${inspect(expected)}`);
}

export function expectTrue(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
