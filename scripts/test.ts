/**
 * `npm test`: everything that a change must pass, with reduced counts, under five minutes on two cores.
 * Arguments go to vitest (a part of a file name, -t NAME). Random tests draw from VAST_OST_SEED, printed here; give the
 * same number to see the same run.
 */
import { spawnSync } from 'node:child_process';
import { top } from './steps.ts';

const seed = process.env.VAST_OST_SEED ?? '20260101';
process.stdout.write(`VAST_OST_SEED=${seed}\n`);
const result = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], {
  cwd: top,
  stdio: 'inherit',
  env: { ...process.env, VAST_OST_SEED: seed },
});
process.exit(result.status ?? 1);
