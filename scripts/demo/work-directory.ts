/** Where the demo works: an empty directory, or what an earlier demo left. */
import { accessSync, constants, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { megabytes } from './table.ts';

const markFile = '.vast-ost-demo';

export interface WorkFiles {
  dir: string;
  /** Tar streams that go in, and what comes back. */
  source: string;
  restored: string;
  /** Storage root. */
  root: string;
  config: string;
  log: string;
  socket: string;
}

function writable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * `asked`: a directory of the user's choice; else `checkout` (null in a package) or a directory for temporary things.
 * Throws where other things lie there, or less than `bytes` are free.
 */
export function workDirectory(asked: string | undefined, checkout: string | null, bytes: number): WorkFiles {
  const temporary = join(process.env.TMPDIR ? tmpdir() : '/var/tmp', `vast-ost-demo-${process.getuid?.()}`);
  const dir = resolve(asked ?? (checkout !== null && writable(checkout) ? join(checkout, 'out', 'demo') : temporary));
  mkdirSync(dir, { recursive: true });
  const there = readdirSync(dir);
  if (there.length > 0 && !there.includes(markFile)) {
    throw new Error(`${dir} is not empty and no earlier demo's; name an empty directory: npm run demo -- DIRECTORY`);
  }
  for (const name of there) rmSync(join(dir, name), { recursive: true, force: true });
  writeFileSync(join(dir, markFile), 'Made by the vast-ost demo; its next run removes all that is here.\n');
  const { bavail, bsize } = statfsSync(dir);
  if (bavail * bsize < bytes) {
    const [has, wants] = [megabytes(bavail * bsize), megabytes(bytes)];
    throw new Error(
      `${dir} has ${has} MB free, the demo wants ${wants}; name another directory: npm run demo -- DIRECTORY`,
    );
  }
  const [source, restored, root] = ['source', 'restored', 'store'].map((name) => join(dir, name));
  for (const below of [source, restored, root]) mkdirSync(below);
  // A socket's path is at most 107 bytes; in a deep checkout it would be longer.
  const here = join(dir, 'engine.sock');
  const socket = Buffer.byteLength(here) < 100 ? here : join('/var/tmp', `vast-ost-demo-${process.pid}.sock`);
  return { dir, source, restored, root, config: join(dir, 'vast-ost.conf'), log: join(dir, 'engine.log'), socket };
}
