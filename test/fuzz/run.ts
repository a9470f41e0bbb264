/**
 * Fuzzes the parsers: run.ts [TARGET …] [--seconds CPU-SECONDS each, 10] [--seed N, by the clock].
 * New inputs are kept below test/fuzz/corpus, which `npm test` runs through again. Exit code 1 on a finding, whose input
 * is kept there as well.
 */
import { parseArgs } from 'node:util';
import { Finding, fuzz, keepInput } from './fuzzer.ts';
import { targets } from './targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const unknown = positionals.filter((name) => !targets.some((target) => target.name === name));
if (unknown.length > 0 || !(seconds > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write(`targets: ${targets.map(({ name }) => name).join(' ')}; --seconds N --seed N\n`);
  process.exit(2);
}

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

for (const target of targets) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue;
  const until = cpuSeconds() + seconds;
  try {
    const { runs, fresh } = fuzz(target, seed, (count) => count % 64 !== 0 || cpuSeconds() < until);
    for (const input of fresh) keepInput(target, input);
    process.stdout.write(`${target.name}: seed ${seed}, ${runs} runs, ${fresh.length} new inputs, no finding\n`);
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    keepInput(target, error.input);
    process.stdout.write(`${target.name}: seed ${seed}, FINDING\n${error.message}\n${(error.cause as Error).stack}\n`);
    process.exitCode = 1;
  }
}
