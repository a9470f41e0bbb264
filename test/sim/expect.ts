/** Equality for worlds that run without a test runner: says what differs. */
import { inspect, isDeepStrictEqual } from 'node:util';

export function expectEqual<T>(actual: T, expected: T, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: ${inspect(actual)}, expected ${inspect(expected)}`);
}

export function expectTrue(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

export function expectThrow(call: () => void, part: string): void {
  let text = 'nothing was thrown';
  try {
    call();
  } catch (error) {
    text = String(error);
  }
  expectTrue(text.includes(part), `${text}; expected: ${part}`);
}
