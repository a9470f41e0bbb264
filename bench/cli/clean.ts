/** `bench clean`: what a run left that could not remove it. */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BenchError } from '../bench-error.ts';
import { removeDiskOf } from '../conditions/held-disk.ts';
import { removeNetworkOf } from '../limits/network.ts';
import { BucketPlace } from '../workplace/bucket.ts';
import { removeLeftOver } from '../workplace/directory.ts';
import { isNumberFree } from '../workplace/marker.ts';
import { endEnginesOf } from '../workplace/orphans.ts';
import { parseTarget } from './target.ts';

/** Of a run in a bucket the engines' own files lie on this machine, under the name that its prefix has. */
function temporaryOf(prefix: string): string[] {
  const name = prefix.split('/').at(-2) ?? '';
  const entries = readdirSync(tmpdir(), { withFileTypes: true });
  const own = entries.filter((entry) => entry.isDirectory() && entry.name.startsWith(`${name}-`));
  return own.map((entry) => join(tmpdir(), entry.name));
}

/** The slow disk and the slow network of a run, which have the number of its process in their names. */
async function removeFromKernel(pid: number): Promise<void> {
  try {
    await removeDiskOf(pid);
    removeNetworkOf(pid);
  } catch (error) {
    throw new BenchError(`its directory is gone, but not its slow disk or network: ${(error as Error).message}`);
  }
}

/** Throws BenchError. */
export async function clean(place: string, force: boolean): Promise<void> {
  const target = parseTarget(place);
  if (target.kind === 'directory') {
    const marker = await removeLeftOver(target.path, force);
    if (isNumberFree(marker)) await removeFromKernel(marker.pid);
    return;
  }
  // While the marker is there: a removal that fails can be tried again.
  await BucketPlace.removeLeftOver(target, force, async () => {
    const own = temporaryOf(target.prefix);
    await endEnginesOf(own);
    for (const path of own) await rm(path, { recursive: true, force: true });
  });
}
