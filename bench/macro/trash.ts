/** Space comes back before the next sample: what was deleted is removed now, not by the engine's hourly janitor. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The directory itself stays; one that is not there is empty. */
export function emptyTrash(directory: string): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const name of names) rmSync(join(directory, name), { recursive: true, force: true });
}
