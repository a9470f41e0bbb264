/**
 * The main thread makes no file-system call after start: one mount that does not answer must freeze nobody. Always on.
 *
 * Storage is reached through the addon, and node:fs could be reached by a dependency or a slip: both are shut on this
 * thread. What stays open answers without storage: /proc, and the paths that the caller names (the log's file).
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Addon } from '../../native/addon/index.ts';
import { BugError } from '../core/assert.ts';

const storageCalls = [
  'openFile',
  'makeDir',
  'renameFile',
  'linkFile',
  'unlinkFile',
  'syncFile',
  'syncData',
  'startWriteback',
  'truncateFile',
  'changeMode',
  'statFile',
  'statAt',
  'statFileSystem',
  'writeBytes',
  'readBytes',
  'lockFile',
  'openList',
  'nextNames',
  'writeSlot',
  'readSlot',
  'writeEdge',
  'cloneFile',
  'copyRange',
  'digestFile',
  'splitPiece',
] as const satisfies readonly (keyof Addon)[];

const pathCalls = [
  'accessSync',
  'appendFileSync',
  'chmodSync',
  'existsSync',
  'lstatSync',
  'mkdirSync',
  'openSync',
  'opendirSync',
  'readFileSync',
  'readdirSync',
  'readlinkSync',
  'realpathSync',
  'renameSync',
  'rmSync',
  'statSync',
  'statfsSync',
  'unlinkSync',
  'writeFileSync',
] as const;

/** Shuts them on the calling thread, for good. `allowed`: whole paths. */
export function guardFileCalls(addon: Addon, allowed: readonly string[]): void {
  const table = addon as unknown as Record<string, unknown>;
  for (const name of storageCalls) {
    table[name] = () => {
      throw new BugError(`addon.${name} on the main thread`);
    };
  }
  const functions = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of pathCalls) {
    const call = functions[name] as (...args: unknown[]) => unknown;
    functions[name] = (...args) => {
      const path = String(args[0]);
      if (!path.startsWith('/proc/') && !allowed.includes(path))
        throw new BugError(`fs.${name} ${path} on the main thread`);
      return call(...args);
    };
  }
  syncBuiltinESMExports();
}
