/**
 * Losing power end to end: an engine does an operation under the shim's log, and every state that its storage may be in
 * afterwards is held against what had been acknowledged at that moment.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeClaim } from '../../../engine/image/claim.ts';
import { imageDirName, lsuDirName } from '../../../engine/image/names.ts';
import { TestEngine } from '../../support/engine.ts';
import { makeStore } from '../../support/store-dir.ts';
import type { ExpectedImage } from '../kill/expected-image.ts';
import { judge, storedProblems } from '../kill/judge.ts';
import { lsu, type Operation } from '../kill/operations.ts';
import { take } from '../kill/steps.ts';
import type { BeginLine, LogLine } from '../shim/log.ts';
import { Shim } from '../shim/shim.ts';
import { materialise } from './materialise.ts';
import { takeSnapshot } from './snapshot.ts';
import { type CrashOptions, crashStates, dataFile, type State } from './states.ts';

const rule = 0;

export interface LoggedRun {
  log: LogLine[];
  /** Syncs that the operation made, without those of its preparation. */
  syncs: BeginLine[];
  options: Pick<CrashOptions, 'base' | 'data'>;
}

/** `dropped`: number of the operation's sync that lies, 0: none. Files are made below `directory`. */
export async function loggedRun(directory: string, operation: Operation, dropped = 0): Promise<LoggedRun> {
  const store = join(directory, 'store');
  makeStore(store, [lsu]);
  const base = takeSnapshot(store);
  using shim = new Shim(directory, 'data');
  await using engine = await TestEngine.start({ directory, env: shim.env(store, 'engine/main.ts') });
  const { images, prepare, run } = operation.round('image');
  const note = (): void => shim.mark(JSON.stringify(images));
  {
    await using host = await engine.script();
    must(await take(host, prepare));
    if (dropped > 0) shim.arm(rule, { action: 'drop', names: ['@sync'], from: dropped });
    note();
    must(await take(host, run, note));
    // While the host program still holds its handles: what it would give up is no part of the operation.
    await engine.kill();
  }
  const log = shim.readLog();
  const begun = log.findIndex((line) => line.kind === 'mark');
  const syncs = log.slice(begun).filter((line): line is BeginLine => line.kind === 'begin' && /sync$/.test(line.name));
  return { log, syncs, options: { base, data: dataFile(shim.data) } };
}

function must(problem: string | null): void {
  if (problem !== null) throw new Error(problem);
}

/** The states of the operation itself: its preparation is another operation's matter. */
export function* statesOf({ log, options }: LoggedRun, choices: Omit<CrashOptions, 'base' | 'data'>): Iterable<State> {
  for (const state of crashStates(log, { ...options, ...choices })) if (state.marks.length > 0) yield state;
}

export function expectedIn(state: State): ExpectedImage[] {
  return JSON.parse(state.marks.at(-1) ?? '[]') as ExpectedImage[];
}

/** What is wrong with the store at `dir`, from its files alone. */
export function lossProblems(dir: string, state: State): string[] {
  return expectedIn(state).flatMap((image) => imageProblems(dir, image).map((text) => `${image.name}: ${text}`));
}

function imageProblems(store: string, image: ExpectedImage): string[] {
  const dir = join(store, lsuDirName(image.lsu), imageDirName(image.name, image.date));
  if (!existsSync(dir)) return image.created === 'yes' && image.deleted === 'no' ? ['was created, and is gone'] : [];
  if (image.deleted === 'yes') return ['was deleted, and is there again'];
  if (image.created === 'no') return ['is there, and was not asked for'];
  // A claim that cannot be read is busy for ever: nobody could resume the image.
  const claims = readdirSync(dir).filter((name) => name.startsWith('claim.'));
  const unreadable = claims.filter((name) => decodeClaim(readFileSync(join(dir, name), 'utf8')) === null);
  const problems = [...storedProblems(store, image), ...unreadable.map((name) => `${name} is damaged`)];
  // The storage may lose power while the engine lives and writes on: to other media servers only the claim tells of it.
  if (image.held && claims.length === 0) problems.push('a writer holds it, and no claim says so');
  return problems;
}

/** Puts the state into `directory`, an empty one, and lets an engine judge it: list, read, resume, complete, delete. */
export async function reopenedProblems(directory: string, state: State): Promise<string[]> {
  materialise(state, join(directory, 'store'));
  await using engine = await TestEngine.start({ directory });
  await using host = await engine.script();
  return await judge(engine, host, expectedIn(state));
}
