/** The corpora of test/fuzz, run through again, and some thousand inputs more from the run's seed. */
import { describe, expect, test } from 'vitest';
import { Finding, fuzz, readCorpus, tryInput } from '../fuzz/fuzzer.ts';
import { targets } from '../fuzz/targets.ts';
import { seed } from '../support/property.ts';

const runs = 3000 * Number(process.env.VAST_OST_RUNS ?? 1);

describe.each(targets.map((target) => [target.name, target] as const))('%s', (_, target) => {
  test('every kept input', () => {
    for (const input of readCorpus(target)) tryInput(target, input);
  });

  test(`changed inputs, seed ${seed}`, () => {
    expect(fuzz(target, seed, (count) => count < runs).runs).toBe(runs);
  });
});

test('a parser that breaks its promise is found, with the input', () => {
  const careless = {
    name: 'careless',
    seeds: [Buffer.from('{"a": 1}')],
    words: ['null', '"'],
    run: (input: Buffer) => String(Object.keys(JSON.parse(input.toString('latin1'))).length),
  };
  expect(() => fuzz(careless, seed, () => true)).toThrow(Finding);
});
