/**
 * `npm test`: everything that a change must pass, with reduced counts, under five minutes on two cores.
 * Arguments go to vitest (a part of a file name, -t NAME). Random tests draw from VAST_OST_SEED, printed here; give the
 * same number to see the same run.
 */
import { spawn } from 'node:child_process';
import { top } from './steps.ts';

/** A test that hangs in a native call cannot be ended by vitest: then this ends the run, as failed. */
const limitMinutes = 20;

const seed = process.env.VAST_OST_SEED ?? '20260101';
process.stdout.write(`VAST_OST_SEED=${seed}\n`);
const vitest = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], {
  cwd: top,
  stdio: 'inherit',
  env: { ...process.env, VAST_OST_SEED: seed },
});
const timer = setTimeout(() => {
  process.stderr.write(`npm test: no end after ${limitMinutes} minutes: a test hangs; the last lines tell where\n`);
  vitest.kill('SIGTERM');
}, limitMinutes * 60_000);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // A terminal sends Ctrl-C to vitest too.
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) vitest.kill(signal);
  });
}
vitest.on('exit', (code) => {
  clearTimeout(timer);
  process.exit(code ?? 1);
});
