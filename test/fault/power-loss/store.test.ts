/** Losing power at any moment of any step of the file store; and that each of its syncs is needed for that. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BeginLine, LogLine } from '../shim/log.ts';
import { Shim } from '../shim/shim.ts';
import { type Complaint, checkStates } from './materialise.ts';
import { takeSnapshot } from './snapshot.ts';
import { crashStates, dataFile } from './states.ts';
import { complaintsOf } from './store-story.ts';

const program = fileURLToPath(new URL('./store-run.ts', import.meta.url));
const seed = 20_260_101;
let dir = '';

/** In memory where that is possible: what a sync costs is not asked here, and there are hundreds. */
function scratchPlace(): string {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK);
    return '/dev/shm';
  } catch {
    return realpathSync(tmpdir());
  }
}

beforeEach(() => {
  dir = mkdtempSync(join(scratchPlace(), 'power-loss-store-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** One run under the shim, and all states that it may leave; `dropped`: number of the sync that lies. */
async function run(name: string, dropped = 0): Promise<{ log: LogLine[]; states: number; complaints: Complaint[] }> {
  const [root, own, scratch] = ['root', 'shim', 'states'].map((part) => join(dir, name, part));
  for (const path of [root, own, scratch]) mkdirSync(path, { recursive: true });
  const base = takeSnapshot(root);
  using shim = new Shim(own, 'data');
  if (dropped > 0) shim.arm(0, { action: 'drop', names: ['@sync'], from: dropped });
  const env = { ...process.env, ...shim.env(root, 'store-run.ts') };
  const ran = spawnSync(process.execPath, [program, root], { env, encoding: 'utf8' });
  expect(ran.stderr).toBe('');
  expect(ran.status).toBe(0);
  const log = shim.readLog();
  const states = crashStates(log, { base, data: dataFile(shim.data), seed });
  return { log, ...(await checkStates(states, scratch, complaintsOf, dropped > 0 ? 1 : 10)) };
}

function syncsOf(log: LogLine[]): BeginLine[] {
  return log.filter((line): line is BeginLine => line.kind === 'begin' && /sync$/.test(line.name));
}

test('nothing acknowledged is lost, nothing is damaged', { timeout: 120_000 }, async () => {
  console.log(`seed ${seed}`);
  const { log, states, complaints } = await run('whole');
  console.log(`${syncsOf(log).length} syncs, ${states} states`);
  expect(complaints).toEqual([]);
  expect(states).toBeGreaterThan(150);
  expect(log.filter((line) => line.kind === 'mark').at(-1)).toMatchObject({ text: 'b gone' });
});

test('with any one sync dropped, something is', { timeout: 240_000 }, async () => {
  const { log } = await run('all');
  const missed: string[] = [];
  for (const [i, sync] of syncsOf(log).entries()) {
    const { complaints } = await run(`without-${i + 1}`, i + 1);
    if (complaints.length === 0) missed.push(`${i + 1} ${sync.name} ${sync.path}`);
  }
  expect(missed).toEqual([]);
});
