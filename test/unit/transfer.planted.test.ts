import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBudget, checkDuplications, checkManyWriters, checkOtherClass } from '../sim/transfer-budget-world.ts';
import { codeFrom, type TransferCode } from '../sim/transfer-code.ts';
import { checkCoverage } from '../sim/transfer-coverage.ts';
import { checkLedgerMoves } from '../sim/transfer-ledger.ts';
import { checkHungLane, checkRandomReader, checkReadWorld } from '../sim/transfer-read-world.ts';
import { checkDurableMoves } from '../sim/transfer-sums.ts';
import { checkBackoff } from '../sim/transfer-turns.ts';
import { checkWriteWorld } from '../sim/transfer-write-world.ts';
import { effort, seed } from '../support/property.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const planted = join(root, 'test/planted');
const patches = readdirSync(planted).filter((name) => name.startsWith('transfer-') && name.endsWith('.patch'));

const writeWorld = (code: TransferCode): void => checkWriteWorld(code, 150);

/** The properties that must see a bug planted in a module; the second word of a patch's name says which. */
const properties: Readonly<Record<string, (code: TransferCode) => void>> = {
  ledger: (code) => {
    checkLedgerMoves(code);
    writeWorld(code);
  },
  plan: writeWorld,
  coverage: (code) => checkCoverage(code, 200),
  sha: writeWorld,
  durable: (code) => {
    checkDurableMoves(code);
    writeWorld(code);
  },
  read: (code) => {
    checkReadWorld(code, 1000);
    checkRandomReader(code, 200);
    checkHungLane(code);
  },
  budget: (code) => {
    checkBudget(code, 1000);
    checkManyWriters(code);
    checkDuplications(code, 100);
    checkOtherClass(code);
  },
  retry: (code) => checkBackoff(code, 300),
};

describe(`bugs planted in engine/transfer are found by its properties (seed ${seed})`, () => {
  let copies = '';
  beforeAll(() => {
    copies = mkdtempSync(join(tmpdir(), 'vast-ost-planted-'));
    effort.shrink = false;
  });
  afterAll(() => rmSync(copies, { recursive: true, force: true }));

  async function copyWith(patch: string | null): Promise<TransferCode> {
    const copy = join(copies, patch ?? 'clean');
    for (const part of ['engine/core', 'engine/transfer', 'package.json']) {
      cpSync(join(root, part), join(copy, part), { recursive: true });
    }
    const env = { ...process.env, GIT_CEILING_DIRECTORIES: copies };
    if (patch !== null) {
      execFileSync('git', ['apply', join(planted, patch)], { cwd: copy, env, stdio: ['ignore', 'ignore', 'pipe'] });
    }
    return codeFrom(pathToFileURL(`${copy}/`));
  }

  it('there are some for every module', () => {
    for (const module of Object.keys(properties)) {
      expect(
        patches.some((name) => name.startsWith(`transfer-${module}-`)),
        module,
      ).toBe(true);
    }
  });

  it('none is found in a copy without one', async () => {
    const code = await copyWith(null);
    for (const property of new Set(Object.values(properties))) property(code);
  });

  it.each(patches)('%s', async (patch) => {
    const code = await copyWith(patch);
    const property = properties[patch.split('-')[1] ?? ''];
    expect(() => property?.(code)).toThrow();
  });
});
