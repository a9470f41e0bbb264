/** Comparing and merging files: what `bench compare` and `bench merge` do. Errors are ResultFileError, named by file and field. */
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { compare, type ExitCode, exitCode } from './compare.ts';
import { merge } from './merge.ts';
import { ResultFileError, readResult } from './read.ts';
import { type Result, resultSchema } from './schema.ts';
import { comparisonText, mergedText } from './text.ts';

export interface Io {
  out(text: string): void;
}

/** Prints the comparison; gives the exit code (compare.ts). */
export function compareFiles(a: string, b: string, io: Io): ExitCode {
  const comparison = compare(readResult(a), readResult(b));
  io.out(comparisonText(comparison));
  return exitCode(comparison);
}

/** Whole or not at all: a result is never half there under its name. */
export function writeWhole(path: string, text: string): void {
  const part = `${path}.${randomBytes(6).toString('hex')}.part`;
  try {
    writeFileSync(part, text, { flag: 'wx' });
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw new ResultFileError(`${path}: cannot be written: ${(error as Error).message}`);
  }
}

/** Writes the merged result, and prints it. */
export function mergeFiles(files: readonly string[], out: string, io: Io): Result {
  const merged = resultSchema.parse(merge(files.map(readResult)));
  writeWhole(out, `${JSON.stringify(merged, null, 1)}\n`);
  io.out(mergedText(merged));
  return merged;
}
