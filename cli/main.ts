/** Entry of `vast-ost`. */
import { readFileSync } from 'node:fs';
import type { CliIo } from './io.ts';
import { runCli } from './program.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const io: CliIo = {
  out: (chunk) =>
    new Promise((resolve, reject) => {
      process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
    }),
  fail: (line) => process.stderr.write(`${line}\n`),
  env: process.env,
  now: () => new Date(),
};

// The write that failed tells its caller; without a listener the event would end the process with a stack.
process.stdout.on('error', () => {});
process.exitCode = await runCli(process.argv.slice(2), version, io);
