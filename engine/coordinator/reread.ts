/** What does not match its checksum is read once more before it is called damaged: it may only have changed on its way. */

/** Each time another chunk was bad. */
const readsMax = 4;

export interface Verified {
  /** Leading bytes that were read and match their checksums. */
  readonly good: number;
  /** Null: everything was read; what is not good does not match. */
  readonly failure: object | null;
}

/**
 * Reads, and reads again while something does not match: damaged is what is bad twice in a row at the same place. Costs
 * nothing where all is good. `again` is called in front of each further read, with the first byte that is not good.
 */
export async function readSurely<T extends Verified>(
  length: number,
  read: () => Promise<T>,
  again: (good: number) => void,
): Promise<T> {
  let before = -1;
  for (let reads = 1; ; reads++) {
    const outcome = await read();
    const { good, failure } = outcome;
    if (failure !== null || good >= length || good === before || reads === readsMax) return outcome;
    before = good;
    again(good);
  }
}
