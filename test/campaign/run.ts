/**
 * `npm run campaign`: the full counts of every random and exhaustive test, for hours. What has passed for these sources
 * and this seed is not run again, so it can be broken off and taken up. Words choose parts by the beginning of a name:
 *
 *   npm run campaign                      all
 *   npm run campaign -- kills 'bit flips' these
 *   npm run campaign -- --again           also what has passed
 *   npm run campaign -- --list            what there is, and how it stands
 *
 * VAST_OST_SEED chooses other programs, points and inputs. What a part says goes to build/campaign/PART.log.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../../scripts/demo/table.ts';
import { top } from '../../scripts/steps.ts';
import { campaignParts, exitSkipped, type Part } from './parts.ts';
import { campaignDirectory, loadState, type Result, type State, saveState, sourcesNow } from './state.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { again: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } },
});
const seed = Number(process.env.VAST_OST_SEED ?? 20260101);

function logOf(part: Part): string {
  return join(campaignDirectory, `${part.name.replaceAll(/[^a-z0-9]+/gi, '-')}.log`);
}

function run(part: Part): Promise<Result> {
  mkdirSync(campaignDirectory, { recursive: true });
  const log = openSync(logOf(part), 'w');
  const began = performance.now();
  return new Promise((resolve) => {
    const env = { ...process.env, ...part.env };
    const child = spawn(part.command, part.args, { cwd: top, stdio: ['ignore', log, log], env });
    const timer = setTimeout(() => child.kill('SIGKILL'), part.minutesMax * 60_000);
    const end = (code: number | null): void => {
      clearTimeout(timer);
      closeSync(log);
      const outcome = code === 0 ? 'passed' : code === exitSkipped ? 'skipped' : 'failed';
      const seconds = Math.round((performance.now() - began) / 100) / 10;
      resolve({ outcome, seconds, endedAt: new Date().toISOString() });
    };
    child.once('error', () => end(null));
    child.once('exit', (code) => end(code));
  });
}

function show(parts: readonly Part[], state: State): void {
  const rows = parts.map((part) => {
    const result = state.results[part.name];
    return [part.name, part.count, result ? result.seconds.toFixed(1) : '–', result?.outcome ?? 'not run'];
  });
  process.stdout.write(`\n${table(['part', 'count', 'seconds', 'outcome'], rows)}\n`);
}

const all = campaignParts(seed);
const chosen = all.filter(({ name }) => positionals.length === 0 || positionals.some((word) => name.startsWith(word)));
if (chosen.length === 0) {
  process.stderr.write(`campaign: no part begins so; there are: ${all.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}
const state = loadState(sourcesNow(), seed);
if (!values.list) {
  process.stdout.write(`campaign of ${state.sources}, VAST_OST_SEED=${seed}\n`);
  for (const part of chosen) {
    if (state.results[part.name]?.outcome === 'passed' && !values.again) continue;
    process.stdout.write(`${part.name}: ${part.count} … `);
    const result = await run(part);
    state.results[part.name] = result;
    saveState(state);
    const where = result.outcome === 'failed' ? `: see ${logOf(part)}` : '';
    process.stdout.write(`${result.outcome} after ${result.seconds} s${where}\n`);
  }
}
show(chosen, state);
if (!values.list && chosen.some((part) => state.results[part.name]?.outcome === 'failed')) process.exitCode = 1;
