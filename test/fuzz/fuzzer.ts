/** Changes good inputs at random, from a seed, and keeps those that the target says something new about. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from './targets.ts';

export const corpusRoot = new URL('./corpus/', import.meta.url).pathname;
const inputBytesMax = 16_384;
/** Kept inputs of one target: more only repeat each other. */
const corpusMax = 80;

export class Finding extends Error {
  readonly input: Buffer;
  constructor(target: string, input: Buffer, cause: unknown) {
    super(`${target}: ${(cause as Error).message}\ninput (base64): ${input.toString('base64')}`, { cause });
    this.input = input;
  }
}

/** mulberry32: small, and the same everywhere. */
export function randomFrom(seed: number): (end: number) => number {
  let state = seed >>> 0;
  return (end) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) % end;
  };
}

export function readCorpus(target: Target): Buffer[] {
  const dir = join(corpusRoot, target.name);
  const kept = existsSync(dir)
    ? readdirSync(dir)
        .sort()
        .map((name) => readFileSync(join(dir, name)))
    : [];
  return [...target.seeds, ...kept];
}

export function keepInput(target: Target, input: Buffer): void {
  const dir = join(corpusRoot, target.name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, createHash('sha256').update(input).digest('hex').slice(0, 16)), input);
}

/** Throws Finding when the target breaks a promise. */
export function tryInput(target: Target, input: Buffer): string {
  try {
    return target.run(input);
  } catch (error) {
    throw new Finding(target.name, input, error);
  }
}

export interface FuzzResult {
  readonly runs: number;
  /** Inputs that are new to the corpus. */
  readonly fresh: readonly Buffer[];
}

/** Runs until `goOn(runs)` says no. */
export function fuzz(target: Target, seed: number, goOn: (runs: number) => boolean): FuzzResult {
  const random = randomFrom(seed);
  const pool = readCorpus(target);
  const known = new Set(pool.map((input) => tryInput(target, input)));
  const fresh: Buffer[] = [];
  let runs = 0;
  for (; goOn(runs); runs++) {
    let input = pool[random(pool.length)] as Buffer;
    for (let changes = 1 + random(4); changes > 0; changes--) input = change(input, target, pool, random);
    if (target.repair && random(2) === 0) input = target.repair(input);
    if (input.length > inputBytesMax) input = input.subarray(0, inputBytesMax);
    const words = tryInput(target, input);
    if (known.has(words) || pool.length >= corpusMax) continue;
    known.add(words);
    pool.push(input);
    fresh.push(input);
  }
  return { runs, fresh };
}

function change(input: Buffer, target: Target, pool: readonly Buffer[], random: (end: number) => number): Buffer {
  const at = random(input.length + 1);
  const length = random(Math.min(40, input.length - at + 1));
  const cut = (middle: Buffer | string, behind: number) =>
    Buffer.concat([input.subarray(0, at), Buffer.from(middle as string, 'latin1'), input.subarray(behind)]);
  switch (random(8)) {
    case 0: {
      const copy = Buffer.from(input);
      if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << random(8));
      return copy;
    }
    case 1: {
      const copy = Buffer.from(input);
      if (at < copy.length) copy[at] = random(256);
      return copy;
    }
    case 2:
      return cut('', at + length);
    case 3:
      return cut(input.subarray(at, at + length), at);
    case 4:
      return cut(target.words[random(target.words.length)] ?? '', at);
    case 5:
      return cut(target.words[random(target.words.length)] ?? '', at + length);
    case 6:
      return Buffer.from(input.subarray(0, at));
    default: {
      const other = pool[random(pool.length)] as Buffer;
      return cut(other.subarray(random(other.length + 1)), input.length);
    }
  }
}
