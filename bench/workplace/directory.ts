/** The place of a run in a directory: one directory of its own, removed with all that is in it; nothing beside it is touched. */
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BenchError } from '../bench-error.ts';
import {
  encodeMarker,
  isPlaceName,
  type Marker,
  markerFile,
  newMarker,
  ownerState,
  parseMarker,
  placeName,
} from './marker.ts';
import { endEnginesOf } from './orphans.ts';
import { quoted, typed } from './typed.ts';

const leftOverMax = 20;

/** Throws BenchError when it is not there, no directory, or cannot be written to. */
export function requireDirectory(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new BenchError(`--target ${path}: there is no such directory; make it, or mount it, first: mkdir ${path}`);
  }
  if (!stat.isDirectory()) throw new BenchError(`--target ${path}: that is no directory; name one`);
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const how = code === 'EROFS' ? 'mount it for writing' : 'run as its owner';
    throw new BenchError(`--target ${path}: cannot be written to (${code}); ${how}, or name another one`);
  }
}

export class DirectoryPlace {
  readonly path: string;
  readonly #marker: string;
  #there = true;

  private constructor(path: string, marker: string) {
    this.path = path;
    this.#marker = marker;
  }

  /** Makes it below `target`, which must be there. */
  static create(target: string, run: string): DirectoryPlace {
    const path = join(target, placeName(run));
    const marker = encodeMarker(newMarker(run));
    // Not recursive: what is there already is not ours.
    mkdirSync(path, { mode: 0o700 });
    try {
      writeFileSync(join(path, markerFile), marker, { flag: 'wx' });
    } catch (error) {
      // Without its marker, whole, nothing would ever remove it: no space, no quota.
      rmSync(path, { recursive: true, force: true });
      throw new BenchError(`${path}: nothing can be written there: ${(error as Error).message}`);
    }
    return new DirectoryPlace(path, marker);
  }

  /** What it is now: somebody may have put another directory in its place. */
  #isOurs(): boolean {
    const stat = lstatSync(this.path, { throwIfNoEntry: false });
    return stat?.isDirectory() === true && readFileSync(join(this.path, markerFile), 'utf8') === this.#marker;
  }

  /** With all that is in it; may be called again. Throws BenchError, which tells how to go on. */
  async remove(): Promise<void> {
    if (!this.#there) return;
    try {
      if (this.#isOurs()) await removeTree(this.path);
      this.#there = false;
    } catch (error) {
      const { message } = error as Error;
      throw new BenchError(`${this.path} could not be removed (${message}); remove it: ${removal(this.path)}`);
    }
  }

  /** For who ends without having removed it. */
  left(): string | null {
    return this.#there ? `left: ${this.path}; remove it: ${removal(this.path)}` : null;
  }
}

/** The marker goes last: what is left of a removal that was cut short can be removed by its command as well. */
async function removeTree(path: string): Promise<void> {
  for (const name of readdirSync(path)) {
    if (name !== markerFile) await rm(join(path, name), { recursive: true, force: true, maxRetries: 3 });
  }
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

function removal(path: string): string {
  return typed(`clean ${quoted(path)}`);
}

/** Places of runs that are over, each a line for people; those of other machines may still be running. */
export function leftOvers(target: string): string[] {
  const lines: string[] = [];
  for (const name of readdirSync(target)) {
    if (!isPlaceName(name)) continue;
    const path = join(target, name);
    const marker = markerOf(path);
    const state = marker === null ? null : ownerState(marker);
    if (marker === null || state === 'lives') continue;
    const whose = state === 'dead' ? 'which has ended' : `on ${marker.host}, which may still run`;
    lines.push(`${path} is of a run of ${marker.startedAt}, ${whose}; to remove it: ${removal(path)}`);
    if (lines.length === leftOverMax) break;
  }
  return lines;
}

function markerOf(path: string): Marker | null {
  try {
    return parseMarker(readFileSync(join(path, markerFile), 'utf8'));
  } catch {
    return null;
  }
}

/** `clean DIRECTORY`: what a run left that is over; its marker. Throws BenchError for all else. */
export async function removeLeftOver(path: string, force: boolean): Promise<Marker> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new BenchError(`${path} is not there; nothing was removed`);
  const marker = stat.isDirectory() ? markerOf(path) : null;
  if (marker === null || !isPlaceName(path.replace(/\/+$/, '').split('/').at(-1) ?? '')) {
    throw new BenchError(`${path} was made by no bench: it has no ${markerFile}; nothing was removed`);
  }
  const state = ownerState(marker);
  if (state === 'lives') throw new BenchError(`${path} is of a run that lives, process ${marker.pid}; end that first`);
  if (state === 'elsewhere' && !force) {
    throw new BenchError(`${path} is of a run on ${marker.host}, which may live; when it does not: add --force`);
  }
  await endEnginesOf([path.replace(/\/+$/, '')]);
  await removeTree(path);
  return marker;
}
