import { describe, expect, test } from 'vitest';
import { type AtomicsLike, createRing, RingReader, RingWriter, recordWords } from '../../engine/ring/index.ts';
import { sleepingWord } from '../../engine/ring/layout.ts';

const record = new Int32Array(recordWords).fill(7);

/** The real Atomics, counting the calls that cost a system call. */
function counting(): { atomics: AtomicsLike; calls: { notify: number; wait: number } } {
  const calls = { notify: 0, wait: 0 };
  const atomics: AtomicsLike = {
    load: (words, index) => Atomics.load(words, index),
    store: (words, index, value) => Atomics.store(words, index, value),
    notify(words, index, count) {
      calls.notify++;
      return Atomics.notify(words, index, count);
    },
    wait(words, index, value, timeout) {
      calls.wait++;
      return Atomics.wait(words, index, value, timeout);
    },
    waitAsync(words, index, value, timeout) {
      calls.wait++;
      return Atomics.waitAsync(words, index, value, timeout);
    },
  };
  return { atomics, calls };
}

function ring() {
  const memory = createRing(2);
  const { atomics, calls } = counting();
  const words = new Int32Array(memory);
  const writer = new RingWriter(memory, atomics);
  return { writer, reader: new RingReader(memory, atomics), calls, asleep: () => words[sleepingWord] };
}

describe('the bell', () => {
  test('is not rung for a reader that is awake', () => {
    const { writer, calls } = ring();
    writer.tryWrite(record);
    writer.publish();
    expect(calls.notify).toBe(0);
  });

  test('is not rung by a publish of nothing', async () => {
    const { writer, reader, calls } = ring();
    const waiting = reader.waitAsync();
    writer.publish();
    expect(calls.notify).toBe(0);
    writer.tryWrite(record);
    writer.publish();
    expect(await waiting).toBe(true);
    expect(calls.notify).toBe(1);
  });
});

describe.each(['wait', 'waitAsync'] as const)('%s', (how) => {
  test('answers at once, without a system call, when a record is there', async () => {
    const { writer, reader, calls } = ring();
    writer.tryWrite(record);
    writer.publish();
    expect(await reader[how]()).toBe(true);
    expect(calls.wait).toBe(0);
  });

  test('answers false when the time is over, and leaves no sleeper behind', async () => {
    const { reader, calls, asleep } = ring();
    const alive = setTimeout(() => {}, 60_000);
    expect(await reader[how](2)).toBe(false);
    clearTimeout(alive);
    expect(calls.wait).toBeGreaterThan(0);
    expect(asleep()).toBe(0);
  });

  test('with no time at all only looks', async () => {
    const { writer, reader } = ring();
    expect(await reader[how](0)).toBe(false);
    writer.tryWrite(record);
    writer.publish();
    expect(await reader[how](0)).toBe(true);
  });

  test('gives the places read back first, so that a full ring cannot hold both ends', async () => {
    const { writer, reader } = ring();
    writer.tryWrite(record);
    writer.publish();
    reader.tryRead(new Int32Array(recordWords));
    expect(writer.free).toBe(1);
    expect(await reader[how](0)).toBe(false);
    expect(writer.free).toBe(2);
  });
});

describe('waitAsync', () => {
  test('is one at a time: further calls get the same promise, and blocking is refused', async () => {
    const { writer, reader } = ring();
    const first = reader.waitAsync();
    expect(reader.waitAsync(1)).toBe(first);
    expect(() => reader.wait(0)).toThrow(/pending/);
    writer.tryWrite(record);
    writer.publish();
    expect(await first).toBe(true);
    expect(reader.wait(0)).toBe(true);
    expect(reader.waitAsync()).not.toBe(first);
  });

  test('answers false when what it was woken for was read meanwhile', async () => {
    const { writer, reader, asleep } = ring();
    const waiting = reader.waitAsync();
    writer.tryWrite(record);
    writer.publish();
    expect(reader.tryRead(new Int32Array(recordWords))).toBe(true);
    expect(await waiting).toBe(false);
    expect(asleep()).toBe(0);
  });

  test('goes on sleeping after a bell that rang for nothing', async () => {
    // The stale ring comes first, and the record only when the reader sleeps again: a second wait tells.
    const memory = createRing(2);
    const bare = new RingWriter(memory);
    let sleeps = 0;
    const again = Promise.withResolvers<void>();
    const sleeper = new RingReader(memory, {
      ...counting().atomics,
      waitAsync(words, index, value, timeout) {
        if (++sleeps === 2) again.resolve();
        return Atomics.waitAsync(words, index, value, timeout);
      },
    });
    const waiting = sleeper.waitAsync();
    Atomics.notify(new Int32Array(memory), 0);
    await again.promise;
    bare.tryWrite(record);
    bare.publish();
    expect(await waiting).toBe(true);
    expect(sleeps).toBe(2);
  });
});
