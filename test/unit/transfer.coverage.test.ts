import { describe, expect, it } from 'vitest';
import { shipped } from '../sim/transfer-code.ts';
import { checkCoverage, checkHugeHole } from '../sim/transfer-coverage.ts';
import { combineSums, seed } from '../support/property.ts';

describe('coverage', () => {
  it(`agrees with an array of bytes and flags (seed ${seed})`, () => checkCoverage(shipped, 400));

  it('finds a hole of a petabyte without walking through it', () => checkHugeHole(shipped));

  it('refuses to cover twice', () => {
    const coverage = new shipped.Coverage({ crcCombine: combineSums, sums: true });
    coverage.cover(0, 4096, [1n]);
    expect(() => coverage.cover(512, 512, [1n])).toThrow('was not covered');
    expect(() => coverage.cut(0, 512, [])).toThrow('every kept range has its CRC');
  });
});
