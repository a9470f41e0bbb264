/** `vast-ost bench`: the bench in a process of its own. It is no part of the product, which imports nothing of it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { CliError, type CliIo } from './io.ts';

const entry = fileURLToPath(new URL('../bench/run.ts', import.meta.url));
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ends as the bench ends: its exit code, or 128 and the signal's number. Throws CliError. */
export async function bench(args: readonly string[], io: CliIo): Promise<number> {
  if (!existsSync(entry)) throw new CliError(`the bench is not here: ${entry} is missing; install the whole package`);
  const child = spawn(process.execPath, [entry, ...args], { stdio: 'inherit', env: { ...io.env } });
  const handlers = signals.map((signal) => {
    // A terminal sends Ctrl-C to the whole group: handing it on as well would make two of it, and a second one ends at once.
    const pass = (): void => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    process.on(signal, pass);
    return () => process.off(signal, pass);
  });
  try {
    return await new Promise<number>((done, fail) => {
      child.once('error', (error) => fail(new CliError(`${process.execPath} did not start: ${error.message}`)));
      child.once('exit', (code, signal) => done(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
    });
  } finally {
    for (const off of handlers) off();
  }
}
