import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure, skippedFigure } from '../../bench/budget/figures.ts';
import { budgetFile, partsFlags } from '../../bench/budget/run.ts';
import { budgetSchema, readBudget } from '../../bench/budget/schema.ts';
import { judge, passes, verdictText } from '../../bench/budget/verdict.ts';
import { top } from '../../scripts/steps.ts';
import { plantedCopy, plantedDirectory } from '../support/planted-copy.ts';

const entry = { what: 'copied', in: ['backup', 'restore'], unit: 'a byte', limit: 1, kind: 'count', why: 'one' };
const budgetOf = (...entries: object[]) => budgetSchema.parse({ schema: 'vast-ost budget 1', entries });
const both = (backup: number, restore = 1) => [
  figure('backup', 'copied', 'a byte', backup),
  figure('restore', 'copied', 'a byte', restore),
];

describe('the verdict', () => {
  it('passes at the limit, fails above it, and says why the limit is what it is', () => {
    expect(passes(judge(budgetOf(entry), both(1)))).toBe(true);
    const over = judge(budgetOf({ ...entry, why: 'O_DIRECT wants memory of ours' }), both(1, 1.01));
    expect(passes(over)).toBe(false);
    expect(verdictText(over)).toContain('OVER restore: copied: 1.01 a byte, limit 1: O_DIRECT wants memory of ours');
    expect(passes(judge(budgetOf(entry), both(Number.NaN)))).toBe(false);
  });

  it('never fails by a ratio, nor by what a machine cannot count, and names that', () => {
    expect(passes(judge(budgetOf({ ...entry, kind: 'ratio' }), both(100)))).toBe(true);
    const [first, second] = both(1);
    const skipped = skippedFigure(first.run, first.what, first.unit, 'no such counter here');
    const verdict = judge(budgetOf(entry), [skipped, second]);
    expect(passes(verdict)).toBe(true);
    expect(verdictText(verdict)).toMatch(/skipped +copied.*no such counter here/);
  });

  it('fails where figures and entries are not the same', () => {
    const [backup, restore] = both(1);
    const other = figure('backup', 'sends', 'a block', 1);
    for (const figures of [[backup], [backup, restore, other], [backup, { ...restore, unit: 'a block' }]]) {
      expect(passes(judge(budgetOf(entry), figures))).toBe(false);
    }
    expect(passes(judge(budgetOf(entry), [backup], (run) => run === 'backup'))).toBe(true);
  });

  it('takes no budget that judges one figure twice, or a count by nothing', () => {
    expect(() => budgetOf(entry, { ...entry, in: ['restore'] })).toThrow('restore: copied has two entries');
    expect(() => budgetOf({ ...entry, limit: null })).toThrow('a count has a limit');
    expect(readBudget(budgetFile).entries.length).toBeGreaterThan(50);
  });
});

/** Fewer than a run counts, so V8's own steps of 256 KiB weigh more: a record that costs an object more is far above that. */
const rounds = '6000';
const noiseBytes = 100;
const patches = readdirSync(plantedDirectory).filter((name) => name.startsWith('budget-parts-'));
/** Which part has to tell. */
const told: Readonly<Record<string, string>> = {
  'budget-parts-ring-object.patch': 'ring, there and back',
  'budget-parts-codec-copy.patch': 'decode SUBMIT',
  'budget-parts-plan-text.patch': 'write plan',
};

it('every planted bug is one of the code as it is', () => {
  const planted = readdirSync(plantedDirectory).filter((name) => name.startsWith('budget-'));
  for (const name of planted) {
    execFileSync('git', ['apply', '--check', join(plantedDirectory, name)], { cwd: top, stdio: 'pipe' });
  }
  expect(planted.length).toBeGreaterThan(10);
});

describe('objects that a record or a block costs more', () => {
  let copies = '';
  beforeAll(() => {
    copies = mkdtempSync(join(tmpdir(), 'vast-ost-planted-'));
  });
  afterAll(() => rmSync(copies, { recursive: true, force: true }));

  function over(patch: string | null): string[] {
    const copy = join(copies, patch ?? 'clean');
    const needed = [
      'engine/core',
      'engine/lanes',
      'engine/ring',
      'engine/transfer',
      'workers',
      'native/addon/index.ts',
    ];
    plantedCopy(copy, [...needed, 'bench/budget/parts.ts'], patch);
    const out = execFileSync(process.execPath, [...partsFlags, join(copy, 'bench/budget/parts.ts'), rounds]);
    const bytes = JSON.parse(out.toString()) as Record<string, number>;
    const limits = readBudget(budgetFile).entries.filter(({ what }) => what.startsWith('allocated: '));
    return limits
      .map(({ what, limit }) => ({ name: what.replace('allocated: ', ''), limit: limit ?? 0 }))
      .filter(({ name, limit }) => bytes[name] > limit + noiseBytes)
      .map(({ name }) => name);
  }

  it('none are found without a planted one', () => expect(over(null)).toEqual([]));
  it.each(patches)('%s', (patch) => expect(over(patch)).toEqual([told[patch]]));
});
