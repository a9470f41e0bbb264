/**
 * Small worlds for the stepper: one writer and one reader on a ring of capacity 2, more records than fit. Each reader
 * checks every word of every record, so that a torn, early, late, lost or repeated one is seen.
 */
import type * as ring from '../../engine/ring/index.ts';
import { headWord, sleepingWord, tailWord } from '../../engine/ring/layout.ts';
import type { Bench, World } from './stepper.ts';

export type Ring = typeof ring;

interface Shape {
  name: string;
  records: number;
  /** Records written before each publish, and read before each release. */
  writeBatch: number;
  readBatch: number;
  how: 'poll' | 'wait' | 'timed' | 'waitAsync' | 'timedAsync';
  /** Leave giving places back to the wait. */
  releaseByWait?: boolean;
}

const both = { writeBatch: 1, readBatch: 1 };
const pairs = { writeBatch: 2, readBatch: 2 };

/** What each `npm test` goes through from every start index. */
export const shapes: Shape[] = [
  { name: 'polling', records: 4, ...both, how: 'poll' },
  { name: 'polling, in pairs', records: 5, ...pairs, how: 'poll' },
  { name: 'sleeping, in pairs', records: 4, ...pairs, how: 'wait' },
  { name: 'sleeping, places given back by the wait', records: 4, ...pairs, how: 'wait', releaseByWait: true },
  { name: 'sleeping for a time', records: 2, ...both, how: 'timed' },
  { name: 'sleeping in an event loop, in pairs', records: 4, ...pairs, how: 'waitAsync' },
  { name: 'sleeping in an event loop for a time', records: 2, ...both, how: 'timedAsync' },
];

/** Two thirds of all states: from one start index, the one that both wraps and changes its sign. */
export const longShapes: Shape[] = [
  { name: 'sleeping', records: 3, ...both, how: 'wait' },
  { name: 'sleeping in an event loop', records: 3, ...both, how: 'waitAsync' },
];

/** All of them from every start index, and with one record more: minutes. */
export const bigShapes: Shape[] = [...shapes, ...longShapes].map((shape) => ({ ...shape, records: shape.records + 1 }));

/** Where the 32-bit indices begin: the sign changes at 2^31, and 2^32 is 0 again. */
export const starts = [
  ['0', 0],
  ['2^31 − 2', 0x7fff_fffe],
  ['2^32 − 2', -2],
] as const;

function writer({ RingWriter, recordWords }: Ring, shape: Shape) {
  return async ({ memory, atomics, pause }: Bench) => {
    const end = new RingWriter(memory, atomics);
    const record = new Int32Array(recordWords);
    for (let n = 0; n < shape.records; ) {
      for (let k = 0; k < shape.writeBatch && n < shape.records; k++) {
        if (!end.tryWrite(record.fill(n + 1))) break;
        n++;
        record.fill(-1);
      }
      end.publish();
      if (n < shape.records && !end.tryWrite(record.fill(n + 1))) pause();
      else n++;
    }
    end.publish();
  };
}

function reader({ RingReader, recordWords }: Ring, shape: Shape) {
  return async ({ memory, atomics, pause }: Bench) => {
    const end = new RingReader(memory, atomics);
    const into = new Int32Array(recordWords);
    /** One wait with a time is enough to meet both of its ends everywhere. */
    let timed = shape.how === 'timed' || shape.how === 'timedAsync';
    async function rest(): Promise<void> {
      if (shape.how === 'poll') return pause();
      const async = shape.how === 'waitAsync' || shape.how === 'timedAsync';
      const timeoutMs = timed ? 1 : undefined;
      const there = async ? await end.waitAsync(timeoutMs) : end.wait(timeoutMs);
      if (!there && !timed) throw new Error('the wait ended and nothing is there');
      timed = false;
    }
    for (let n = 0; n < shape.records; ) {
      let read = 0;
      for (; read < shape.readBatch && n < shape.records && end.tryRead(into); read++, n++) {
        const wrong = into.findIndex((word) => word !== n + 1);
        if (wrong >= 0) throw new Error(`record ${n} has ${into[wrong] - 1} in word ${wrong}`);
      }
      if (!shape.releaseByWait) end.release();
      if (read === 0) await rest();
    }
    if (end.tryRead(into)) throw new Error(`record ${into[0] - 1} came after the last one`);
    end.release();
  };
}

export function worldOf(code: Ring, shape: Shape, startIndex: number): World {
  const start = new Int32Array(code.createRing(2).byteLength / 4);
  start[tailWord] = startIndex;
  start[headWord] = startIndex;
  const threads = [writer(code, shape), reader(code, shape)];
  return { start, atomicWords: [tailWord, headWord, sleepingWord], threads };
}
