/**
 * Where the lanes' answers to lists are kept until they are told. Each is a quarter of a megabyte: new ones for each answer
 * would be garbage faster than V8 collects what lies outside of its heap.
 */
import { packedBytesMax } from '../core/packed-names.ts';

/** Two of a list that is read, for two lists at a time. */
const idleMax = 4;

export class AnswerBuffers {
  readonly #idle: BigUint64Array[] = [];

  take(): BigUint64Array {
    return this.#idle.pop() ?? new BigUint64Array(packedBytesMax / BigUint64Array.BYTES_PER_ELEMENT);
  }

  /** Nothing looks at its bytes any more. */
  giveBack(buffer: BigUint64Array): void {
    if (this.#idle.length < idleMax) this.#idle.push(buffer);
  }
}
