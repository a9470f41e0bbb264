/**
 * Waiting, all of it. The sleeper waits on the tail word itself, so there is nothing to see but the tail.
 *
 *   writer                        reader
 *   store tail                    store sleeping = 1
 *   load sleeping ── 1: notify    load tail ── moved: do not sleep
 *                                 wait while tail is what was seen
 *
 * Each stores first and looks second, sequentially consistent, so at least one of the two sees the other: no wake-up is
 * lost. The bell costs the writer a system call only when someone sleeps; else one load of a line that stays shared.
 * A ring may come late, for a sleep that is already over: sleepers look again and go on sleeping.
 */
import { type AtomicsLike, sleepingWord, tailWord, type Words } from './layout.ts';

/** Called by the writer behind each store of the tail. */
export function ringBell(words: Words, atomics: AtomicsLike): void {
  if (atomics.load(words, sleepingWord) !== 0) atomics.notify(words, tailWord);
}

/** Blocks until the tail is no longer `seen`, or the time is over; returns the tail. */
export function sleep(words: Words, seen: number, timeoutMs: number, atomics: AtomicsLike): number {
  const deadline = performance.now() + timeoutMs;
  let left = timeoutMs;
  atomics.store(words, sleepingWord, 1);
  let tail = atomics.load(words, tailWord);
  while (tail === seen) {
    const result = atomics.wait(words, tailWord, seen, left);
    tail = atomics.load(words, tailWord);
    if (result === 'timed-out') break;
    left = Math.max(0, deadline - performance.now());
  }
  atomics.store(words, sleepingWord, 0);
  return tail;
}

/** The same for a thread with an event loop. The records may be read by others of this thread meanwhile. */
export async function sleepAsync(words: Words, seen: number, timeoutMs: number, atomics: AtomicsLike): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  let left = timeoutMs;
  atomics.store(words, sleepingWord, 1);
  let tail = atomics.load(words, tailWord);
  while (tail === seen) {
    const waiting = atomics.waitAsync(words, tailWord, seen, left);
    const result = waiting.async ? await waiting.value : waiting.value;
    tail = atomics.load(words, tailWord);
    if (result === 'timed-out') break;
    left = Math.max(0, deadline - performance.now());
  }
  atomics.store(words, sleepingWord, 0);
  return tail;
}
