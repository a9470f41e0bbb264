/**
 * Every operation that changes a store, as calls of the host program with what each one's answer promises: prepared
 * first, then run while the engine may be killed at any of its calls on storage.
 */
import { chunk, type ExpectedImage, expectedImage, type Plan } from './expected-image.ts';
import { creation, deleting, ending, opening, type Step, writing } from './steps.ts';

export const lsu = 'lsu';

export interface Round {
  images: ExpectedImage[];
  prepare: Step[];
  run: Step[];
}

export interface Operation {
  name: string;
  /** A new round with images of its own: `tag` stands in their names. */
  round: (tag: string) => Round;
}

const plain: Plan = [{ at: 0, seed: 5 }];
/** Writes over what is durable, in the middle of the second chunk. */
const rewritten: Plan = [
  { at: 0, seed: 5 },
  { at: chunk + 4096, seed: 6 },
  { at: chunk + 8192, seed: 5 },
];
/** The first flush ends inside the second chunk, and inside its page. */
const flushed = chunk + 512;

/** An image as it is after create, writes and this end; with what it takes. */
function made(image: ExpectedImage, to: number, end: 'flush i' | 'close i 0' | 'close i 1' | null): Step[] {
  return [creation(image), ...writing(image, 0, to), ...(end === null ? [] : [ending(image, end, to)])];
}

function one(tag: string, prepare: (i: ExpectedImage) => Step[], run: (i: ExpectedImage) => Step[]): Round {
  const image = expectedImage(lsu, tag, plain);
  return { images: [image], prepare: prepare(image), run: run(image) };
}

/** Above a chunk the durable size is lowered to its begin before anything is written below it. */
function rewriting(image: ExpectedImage, size: number): Step[] {
  const lower = () => {
    image.plans.push(rewritten);
    image.durable = chunk;
  };
  const kept = () => {
    image.plans = [rewritten];
  };
  const flush = ending(image, 'flush i', size);
  const both = (): void => {
    kept();
    flush.after?.();
  };
  return [
    { line: `write i ${chunk + 4096} 4096 6`, before: lower },
    { ...flush, after: both },
  ];
}

function copying(from: ExpectedImage, to: ExpectedImage): Step {
  return {
    line: `copy v ${to.lsu} ${to.name} ${to.date} ${from.lsu} ${from.name} ${from.date}`,
    before: () => {
      Object.assign(to, { created: 'maybe', completed: 'maybe', written: from.written });
    },
    after: () => {
      Object.assign(to, { created: 'yes', completed: 'yes', durable: from.durable });
    },
  };
}

/** `size`: of the images, in whole chunks and a rest that ends inside a page; more than a block's is good. */
export function operationsOf(size: number): Operation[] {
  return [
    {
      name: 'create',
      round: (tag) =>
        one(
          tag,
          () => [],
          (i) => [creation(i)],
        ),
    },
    {
      name: 'write and flush',
      round: (tag) =>
        one(
          tag,
          (i) => [creation(i)],
          (i) => [
            ...writing(i, 0, flushed),
            ending(i, 'flush i', flushed),
            ...writing(i, flushed, size),
            ending(i, 'flush i', size),
          ],
        ),
    },
    {
      name: 'write below the durable size',
      round: (tag) =>
        one(
          tag,
          (i) => made(i, size, 'flush i'),
          (i) => rewriting(i, size),
        ),
    },
    {
      name: 'incomplete close',
      round: (tag) =>
        one(
          tag,
          (i) => made(i, size, null),
          (i) => [ending(i, 'close i 0', size)],
        ),
    },
    {
      name: 'complete close',
      round: (tag) =>
        one(
          tag,
          (i) => made(i, size, null),
          (i) => [ending(i, 'close i 1', size)],
        ),
    },
    {
      name: 'resume and complete',
      round: (tag) =>
        one(
          tag,
          (i) => made(i, flushed, 'close i 0'),
          (i) => [opening(i), ...writing(i, flushed, size), ending(i, 'close i 1', size)],
        ),
    },
    {
      name: 'delete',
      round: (tag) =>
        one(
          tag,
          (i) => made(i, flushed, 'close i 1'),
          (i) => [deleting(i)],
        ),
    },
    {
      name: 'copy',
      round: (tag) => {
        const from = expectedImage(lsu, `${tag}-from`, plain);
        const to = expectedImage(lsu, `${tag}-to`, plain);
        return { images: [from, to], prepare: made(from, size, 'close i 1'), run: [copying(from, to)] };
      },
    },
    { name: 'label', round: () => ({ images: [], prepare: [], run: [{ line: `label_lsu v ${lsu} text` }] }) },
  ];
}

/** With a block's border in each image. */
export const operations: readonly Operation[] = operationsOf(5 * chunk + 1536);
