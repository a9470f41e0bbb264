/** What makes a block dearer in plug-in, addon, lanes or coordinator is found by the budget, in the count that is meant. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { plantedCopy, plantedDirectory } from '../support/planted-copy.ts';

const ran = 'backup, io-only';
const minute = 60_000;

/** Planted bug → the count that tells of it. Those of parts alone: test/unit/budget.test.ts. */
const told: Readonly<Record<string, string>> = {
  'budget-plugin-copies-twice.patch': 'plug-in: copied',
  'budget-plugin-copies-past-caches-twice.patch': 'plug-in: copied',
  'budget-addon-bounces.patch': 'engine: copied',
  'budget-lane-reads-back.patch': 'engine: file reads',
  'budget-lane-writes-in-halves.patch': 'engine: file writes',
  'budget-data-not-direct.patch': 'engine: through the page cache',
  'budget-sync-a-block.patch': 'engine: syncs',
  'budget-credit-in-two-writes.patch': 'engine: sends',
};

let copies = '';
afterEach(() => rmSync(copies, { recursive: true, force: true }));

/** Counts that are over in a copy with the patch. */
function over(patch: string | null): string[] {
  copies = mkdtempSync(join(tmpdir(), 'vast-ost-planted-'));
  const copy = join(copies, 'copy');
  plantedCopy(copy, ['engine', 'workers', 'native', 'bench', 'cli', 'scripts', 'Makefile'], patch);
  const env = { ...process.env };
  delete env.MAKEFLAGS;
  const make = spawnSync('make', ['-s', 'native', `NODE=${process.execPath}`], { cwd: copy, env, encoding: 'utf8' });
  expect(make.status, make.stderr).toBe(0);
  const { stdout, stderr } = spawnSync(process.execPath, ['bench/run.ts', 'budget', '--only', ran], {
    cwd: copy,
    env,
    encoding: 'utf8',
  });
  expect(stdout, stderr).toMatch(/within the budget/);
  return [...stdout.matchAll(/^OVER ([^:]*: [^:]*: [^:]*): /gm)].map(([, name]) => name);
}

test('a copy without a planted bug is within the budget', { timeout: 3 * minute }, () =>
  expect(over(null)).toEqual([]),
);

test('every planted bug has a count that is to tell of it', () => {
  const patches = readdirSync(plantedDirectory).filter(
    (name) => name.startsWith('budget-') && !name.startsWith('budget-parts-'),
  );
  expect(patches.sort()).toEqual(Object.keys(told).sort());
});

test.each(Object.entries(told))('%s: %s', { timeout: 3 * minute }, (patch, what) => {
  expect(over(patch)).toContain(`${ran}: ${what}`);
});
