/** Versions of the programs that a bench runs beside the engine, by asking each: null where it is not installed. */
import { execFile } from 'node:child_process';
import { plain } from './files.ts';

const waitMs = 10_000;

/** What each is asked; which file systems' and peers' programs there are is decided by bench/subjects and bench/s3. */
export const questions: Readonly<Record<string, readonly string[]>> = {
  fio: ['--version'],
  dd: ['--version'],
  restic: ['version'],
  rclone: ['version'],
  s5cmd: ['version'],
  aws: ['--version'],
  mc: ['--version'],
  perf: ['--version'],
};

export type Ask = (program: string, args: readonly string[]) => Promise<string | null>;

/** First line of what the program prints; null: it is not there, fails or does not end. */
const run: Ask = (program, args) =>
  new Promise((done) => {
    execFile(program, [...args], { timeout: waitMs, killSignal: 'SIGKILL', maxBuffer: 1 << 20 }, (error, out, err) => {
      done(error ? null : out.trim() || err.trim());
    });
  });

export async function toolVersions(ask: Ask = run): Promise<Record<string, string | null>> {
  const asked = Object.entries(questions).map(async ([name, args]) => {
    const answer = await ask(name, args);
    return [name, answer === null ? null : plain(answer.split('\n')[0], 80)] as const;
  });
  return Object.fromEntries(await Promise.all(asked));
}
