import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { encodeMarker, markerName, newMarker } from '../engine/image/marker.ts';
import { CliError, type CliIo, exitCode } from './io.ts';

/**
 * Makes DIR a storage root: its marker, with a new store id, durable. Two that do it at once: one wins, the other hears
 * that there is one. Nothing else in DIR is touched.
 */
export async function initStore(dir: string, io: CliIo): Promise<number> {
  const root = resolve(dir);
  const found = statSync(root, { throwIfNoEntry: false });
  if (!found?.isDirectory()) throw new CliError(`${root} is no directory: mount the storage there first`);
  const path = join(root, markerName);
  const marker = newMarker(io.now());
  const temporary = join(root, `${markerName}.${marker.storeId}`);
  try {
    writeDurably(temporary, encodeMarker(marker));
    try {
      linkSync(temporary, path);
    } finally {
      unlinkSync(temporary);
    }
    syncDirectory(root);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new CliError(`${root} is a storage root already: ${markerName} is there`);
    throw new CliError(`${root} cannot be made a storage root: ${message}`);
  }
  await io.out(`${root} is a storage root now, store id ${marker.storeId}\n`);
  if (lstatSync(root).dev === statSync(join(root, '..')).dev) {
    io.fail(`note: ${root} is no mount point of its own; the engine refuses it unless require_mount = false`);
  }
  const others = readdirSync(root).filter((name) => name !== markerName && name !== 'lost+found');
  if (others.length > 0) io.fail(`note: ${root} was not empty; directories in it are taken for LSUs`);
  return exitCode.ok;
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o644);
  try {
    writeSync(file, text);
    // The engine may run as another user, whatever the umask of this one: there is nothing secret in it.
    fchmodSync(file, 0o644);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
