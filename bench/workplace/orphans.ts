/**
 * Engines of a run that was killed: they serve on, with their memory, and nobody but `clean` would end them. They are known by
 * their configuration, which lies in the run's own place.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const lookEveryMs = 50;
const looksMax = 100;

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** By whichever way either was named: a link, or where it leads. Of what is not below a directory of that name nothing is asked. */
function isBelow(path: string, directory: string): boolean {
  return path.includes(`/${basename(directory)}/`) && real(path).startsWith(`${real(directory)}/`);
}

/** Those whose `--config` lies below one of the directories. */
export function enginesOf(directories: readonly string[]): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      const config = args[args.indexOf('--config') + 1] ?? '';
      if (args.includes('--config') && directories.some((directory) => isBelow(config, directory)))
        found.push(Number(name));
    } catch {
      // It has just ended, or is somebody else's.
    }
  }
  return found;
}

/** Not in order: what they serve is removed next. Returns when they are gone, or do not go. */
export async function endEnginesOf(directories: readonly string[]): Promise<void> {
  for (const pid of enginesOf(directories)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has just ended, or is somebody else's.
    }
  }
  for (let i = 0; i < looksMax && enginesOf(directories).length > 0; i++) await sleep(lookEveryMs);
}
