/** The files that checks look at: what git tracks, and what it would (new, not ignored). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture, top } from '../steps.ts';

export interface Source {
  /** Path from the top directory. */
  path: string;
  text: string;
}

/** A finding: one line for the reader, beginning with the file. An empty list is a pass. */
export type Findings = string[];

export function sources(endings: readonly string[]): Source[] {
  const listed = capture('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  if (listed.status !== 0) throw new Error(`git ls-files: ${listed.stderr}`);
  return listed.stdout
    .split('\0')
    .filter((path) => path !== '' && (endings.length === 0 || endings.some((ending) => path.endsWith(ending))))
    .filter((path) => existsSync(join(top, path))) // deleted, not yet committed
    .map((path) => ({ path, text: readFileSync(join(top, path), 'utf8') }));
}
