/** Random tests draw from one number: VAST_OST_SEED, printed by `npm test`; VAST_OST_RUNS multiplies their counts. */
import type { Parameters } from 'fast-check';

export const seed = Number(process.env.VAST_OST_SEED ?? 20260101);
const times = Number(process.env.VAST_OST_RUNS ?? 1);

/** For fast-check's assert: fixed seed, this many runs. */
export function runs(count: number): Parameters<unknown> {
  return { seed, numRuns: Math.ceil(count * times), verbose: 1 };
}
