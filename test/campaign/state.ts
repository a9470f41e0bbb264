/** Which parts have passed, and for which state of the sources: build/campaign/state.json. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture, top } from '../../scripts/steps.ts';

export const campaignDirectory = join(top, 'build/campaign');
const stateFile = join(campaignDirectory, 'state.json');

export interface Result {
  outcome: 'passed' | 'failed' | 'skipped';
  seconds: number;
  /** ISO 8601, UTC. */
  endedAt: string;
}

export interface State {
  /** Commit, and a digest of what was changed since; 'unknown' outside of git: then nothing is skipped. */
  sources: string;
  seed: number;
  results: Record<string, Result>;
}

/** Fuzzers add to their corpora while the campaign runs: those are no change of the sources. */
export function sourcesNow(): string {
  const commit = capture('git', ['rev-parse', 'HEAD']);
  if (commit.status !== 0) return 'unknown';
  const apart = ['--', '.', ':!test/fuzz/corpus'];
  const changed = capture('git', ['diff', 'HEAD', ...apart]).stdout;
  const added = capture('git', ['ls-files', '--others', '--exclude-standard', ...apart]).stdout;
  const head = commit.stdout.trim();
  if (changed + added === '') return head;
  const hash = createHash('sha256').update(changed);
  for (const path of added.split('\n').filter(Boolean)) {
    const full = join(top, path);
    hash.update(path).update(statSync(full, { throwIfNoEntry: false })?.isFile() ? readFileSync(full) : '');
  }
  return `${head}+${hash.digest('hex').slice(0, 12)}`;
}

/** The stored state when it is of these sources and this seed; else an empty one. */
export function loadState(sources: string, seed: number): State {
  const fresh: State = { sources, seed, results: {} };
  if (!existsSync(stateFile) || sources === 'unknown') return fresh;
  const stored = JSON.parse(readFileSync(stateFile, 'utf8')) as State;
  return stored.sources === sources && stored.seed === seed ? stored : fresh;
}

export function saveState(state: State): void {
  mkdirSync(campaignDirectory, { recursive: true });
  writeFileSync(`${stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${stateFile}.new`, stateFile);
}
