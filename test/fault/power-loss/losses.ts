/** One operation's power losses: all states from files, some of them with an engine, and each sync left out once. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Operation } from '../kill/operations.ts';
import { randomOf } from './choices.ts';
import { loggedRun, lossProblems, reopenedProblems, statesOf } from './engine-run.ts';
import { checkStates } from './materialise.ts';

export interface LossPlaces {
  /** On a real file system: an engine runs there. */
  directory: string;
  /** Where states are rebuilt; memory is fastest. */
  scratch: string;
  seed: number;
}

let places = 0;

function placeIn(directory: string): string {
  const place = join(directory, `run-${places++}`);
  mkdirSync(place, { recursive: true });
  return place;
}

export interface LossReport {
  states: number;
  syncs: number;
  problems: string[];
}

/** Every state by its files; `reopened`: how many of them an engine looks at as well. */
export async function loseEverywhere(operation: Operation, at: LossPlaces, reopened: number): Promise<LossReport> {
  const run = await loggedRun(placeIn(at.directory), operation);
  const states = () => statesOf(run, { seed: at.seed });
  const checked = await checkStates(states(), at.scratch, lossProblems);
  const problems = checked.complaints.map(({ text, choice, lost }) => `${text} (${choice}; ${lost.join(', ')})`);
  const random = randomOf(at.seed);
  const drawn = new Set(Array.from({ length: reopened }, () => Math.floor(random() * checked.states)));
  let i = 0;
  for (const state of states()) {
    if (!drawn.has(i++)) continue;
    const place = placeIn(at.directory);
    mkdirSync(join(place, 'store'));
    const found = await reopenedProblems(place, state);
    problems.push(...found.map((text) => `reopened: ${text} (${state.choice}; ${state.lost.join(', ')})`));
    rmSync(place, { recursive: true });
  }
  return { states: checked.states, syncs: run.syncs.length, problems };
}

/** The operation's sync of this number lies: null when the checker finds something, else which sync nobody missed. */
export async function loseWithout(operation: Operation, at: LossPlaces, sync: number): Promise<string | null> {
  const run = await loggedRun(placeIn(at.directory), operation, sync);
  const { complaints } = await checkStates(statesOf(run, { seed: at.seed }), at.scratch, lossProblems, 1);
  const { name, path } = run.syncs[sync - 1] ?? { name: 'no sync', path: '' };
  return complaints.length > 0
    ? null
    : `${operation.name}: ${sync}, ${name} of ${path.replace(/-[0-9a-f]{32}.*/, '-…')}`;
}
