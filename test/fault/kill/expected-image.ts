/** What a test may demand of an image after a crash: what was acknowledged, and what was under way. */
import { gen } from '../../support/host-program.ts';

export const chunk = 1 << 20;

/** Stretches of generated data: from each `at` on that of its seed, counted from the image's begin. */
export type Plan = readonly { at: number; seed: number }[];

/** no: not asked for; maybe: asked for, and the engine died before it answered; yes: acknowledged. */
export type Answered = 'no' | 'maybe' | 'yes';

export interface ExpectedImage {
  readonly lsu: string;
  readonly name: string;
  readonly date: number;
  created: Answered;
  completed: Answered;
  deleted: Answered;
  /** A writer has it open, and was told so. */
  held: boolean;
  /** At least so much survives. */
  durable: number;
  /** Bytes that were handed in: nobody may keep more. */
  written: number;
  /** What its bytes may be; the newest last. */
  plans: Plan[];
}

export function expectedImage(lsu: string, name: string, plan: Plan, date = 7): ExpectedImage {
  const nothing = { created: 'no', completed: 'no', deleted: 'no', held: false, durable: 0, written: 0 } as const;
  return { lsu, name, date, ...nothing, plans: [plan] };
}

const generated = new Map<number, Buffer>();

/** Generated data is slow to make: kept, and made anew where more of it is asked for. */
function genUpTo(seed: number, size: number): Buffer {
  let bytes = generated.get(seed);
  if (bytes === undefined || bytes.length < size) {
    bytes = gen(seed, 0, size);
    generated.set(seed, bytes);
  }
  return bytes;
}

/** Where a stretch ends. */
const endOf = (plan: Plan, i: number, size: number): number => Math.min(plan[i + 1]?.at ?? size, size);

/** Offset of the first byte of `data[0, size)` that is not as planned, or not there; −1: none. */
export function firstDifference(data: Buffer, size: number, plan: Plan): number {
  if (data.length < size) return data.length;
  for (const [i, { at, seed }] of plan.entries()) {
    const end = endOf(plan, i, size);
    if (end <= at) continue;
    const expected = genUpTo(seed, end);
    if (data.compare(expected, at, end, at, end) === 0) continue;
    for (let byte = at; byte < end; byte++) if (data[byte] !== expected[byte]) return byte;
  }
  return -1;
}

/** The `expect=` of a read of all `size` bytes. */
export function expectWord(plan: Plan, size: number): string {
  const parts = plan.flatMap(({ at, seed }, i) => {
    const end = endOf(plan, i, size);
    return end > at ? [`${seed}:${end - at}`] : [];
  });
  return `expect=${parts.join(',')}`;
}

/** The calls that write [from, to) as planned. */
export function writeLines(handle: string, plan: Plan, from: number, to: number): string[] {
  return plan.flatMap(({ at, seed }, i) => {
    const start = Math.max(at, from);
    const end = Math.min(endOf(plan, i, to), to);
    return end > start ? [`write ${handle} ${start} ${end - start} ${seed}`] : [];
  });
}
