/** Commands that scripts run one after the other. They start in the top directory of the checkout. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Top directory of the checkout (or package), without a slash at its end. */
export const top: string = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** Formatter and linter: the bare program, so that no other platform's package is asked for. */
export const biome: string = join(top, `node_modules/@biomejs/cli-linux-${process.arch}/biome`);

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end and hands back what it said; status 127 when it could not be started. */
export function capture(command: string, args: string[], input = ''): Outcome {
  const result = spawnSync(command, args, { cwd: top, input, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
  if (result.error && result.status === null) return { status: 127, stdout: '', stderr: result.error.message };
  return { status: result.status ?? 128, stdout: result.stdout, stderr: result.stderr };
}

/** Runs a command with our streams; ends this process with its status when it fails. */
export function step(name: string, command: string, args: string[]): void {
  const result = spawnSync(command, args, { cwd: top, stdio: 'inherit' });
  if (result.error) process.stderr.write(`${name}: ${command} did not start: ${result.error.message}\n`);
  else if (result.status !== 0) process.stderr.write(`${name}: failed\n`);
  else return;
  process.exit(result.status === null || result.status === 0 ? 1 : result.status);
}
