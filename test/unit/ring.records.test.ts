import { describe, expect, test } from 'vitest';
import { createRing, RingReader, RingWriter, recordBytes, recordWords } from '../../engine/ring/index.ts';
import { headWord, tailWord } from '../../engine/ring/layout.ts';

/** A record that tells its number in every word, so that a torn or misplaced copy shows. */
function record(n: number): Int32Array {
  return Int32Array.from({ length: recordWords }, (_, i) => (n * 31 + i * 7) | 0);
}

function ringAt(capacity: number, index: number) {
  const memory = createRing(capacity);
  const words = new Int32Array(memory);
  words[tailWord] = index;
  words[headWord] = index;
  return { memory, writer: new RingWriter(memory), reader: new RingReader(memory) };
}

function readAll(reader: RingReader): Int32Array[] {
  const all: Int32Array[] = [];
  for (let into = new Int32Array(recordWords); reader.tryRead(into); into = new Int32Array(recordWords)) all.push(into);
  return all;
}

describe('capacity', () => {
  test.each([2, 4, 1024, 65_536])('%d is taken', (capacity) => {
    expect(new RingWriter(createRing(capacity)).free).toBe(capacity);
  });

  test.each([0, 1, 3, 6, -4, 2.5, 131_072, Number.NaN, Number.POSITIVE_INFINITY])('%d is refused', (capacity) => {
    expect(() => createRing(capacity)).toThrow(RangeError);
  });

  test('memory that is no ring is refused at both ends', () => {
    for (const bytes of [0, 64, 384, 384 + recordBytes, 384 + 3 * recordBytes, 384 + 2 * recordBytes + 4]) {
      expect(() => new RingWriter(new SharedArrayBuffer(bytes))).toThrow(RangeError);
      expect(() => new RingReader(new SharedArrayBuffer(bytes))).toThrow(RangeError);
    }
  });
});

describe('records', () => {
  test('come out as they went in, in order, over many laps', () => {
    const { writer, reader } = ringAt(4, 0);
    const into = new Int32Array(recordWords);
    for (let n = 0; n < 1000; n++) {
      expect(writer.tryWrite(record(n))).toBe(true);
      writer.publish();
      expect(reader.tryRead(into)).toBe(true);
      expect(into).toEqual(record(n));
      reader.release();
    }
  });

  test('are not seen before publish, and all at once after it', () => {
    const { writer, reader } = ringAt(4, 0);
    for (let n = 0; n < 3; n++) writer.tryWrite(record(n));
    expect(readAll(reader)).toEqual([]);
    writer.publish();
    expect(readAll(reader)).toEqual([record(0), record(1), record(2)]);
  });

  test('keep their place until release, and all places come back at once', () => {
    const { writer, reader } = ringAt(2, 0);
    writer.tryWrite(record(0));
    writer.tryWrite(record(1));
    writer.publish();
    expect(readAll(reader)).toHaveLength(2);
    expect(writer.tryWrite(record(2))).toBe(false);
    expect(writer.free).toBe(0);
    reader.release();
    expect(writer.free).toBe(2);
    expect(writer.tryWrite(record(2))).toBe(true);
  });

  test('are copied: the caller may change its array at once', () => {
    const { writer, reader } = ringAt(2, 0);
    const mine = record(5);
    writer.tryWrite(mine);
    mine.fill(-1);
    writer.publish();
    expect(readAll(reader)).toEqual([record(5)]);
  });

  test('a full ring refuses without touching what is in it', () => {
    const { writer, reader } = ringAt(2, 0);
    expect([0, 1, 2, 3].map((n) => writer.tryWrite(record(n)))).toEqual([true, true, false, false]);
    writer.publish();
    expect(readAll(reader)).toEqual([record(0), record(1)]);
  });

  test('an empty ring leaves the reader’s array untouched', () => {
    const { reader } = ringAt(2, 0);
    const into = record(9);
    expect(reader.tryRead(into)).toBe(false);
    expect(into).toEqual(record(9));
  });

  test.each([0, 15, 17, 32])('an array of %d words is refused at both ends', (words) => {
    const { writer, reader } = ringAt(2, 0);
    expect(() => writer.tryWrite(new Int32Array(words))).toThrow(RangeError);
    expect(() => reader.tryRead(new Int32Array(words))).toThrow(RangeError);
    expect(writer.free).toBe(2);
  });
});

describe('indices', () => {
  test.each([
    ['2^31', 0x7fff_fffd],
    ['2^32', -3],
  ])('wrap at %s without losing or inventing a record', (_, start) => {
    for (const capacity of [2, 8]) {
      const { writer, reader } = ringAt(capacity, start);
      for (let n = 0; n < 10; n++) {
        for (let k = 0; k < capacity; k++) expect(writer.tryWrite(record(n * capacity + k))).toBe(true);
        expect(writer.tryWrite(record(-1))).toBe(false);
        writer.publish();
        expect(readAll(reader)).toEqual(Array.from({ length: capacity }, (_, k) => record(n * capacity + k)));
        expect(writer.free).toBe(0);
        reader.release();
        expect(writer.free).toBe(capacity);
      }
    }
  });

  test('new ends on old memory go on where the published and released ones stopped', () => {
    const { memory, writer, reader } = ringAt(4, -2);
    for (let n = 0; n < 3; n++) writer.tryWrite(record(n));
    writer.publish();
    writer.tryWrite(record(99)); // never published: lost with its writer
    const into = new Int32Array(recordWords);
    reader.tryRead(into);
    reader.release();
    reader.tryRead(into); // never released: read again by the next reader
    const writer2 = new RingWriter(memory);
    writer2.tryWrite(record(3));
    writer2.publish();
    expect(readAll(new RingReader(memory))).toEqual([record(1), record(2), record(3)]);
  });
});
