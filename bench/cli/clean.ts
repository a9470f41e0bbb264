/** `bench clean`: what a run left that could not remove it. */
import { BucketPlace } from '../workplace/bucket.ts';
import { removeLeftOver } from '../workplace/directory.ts';
import { parseTarget } from './target.ts';

/** Throws BenchError. */
export async function clean(place: string, force: boolean): Promise<void> {
  const target = parseTarget(place);
  if (target.kind === 's3') await BucketPlace.removeLeftOver(target, force);
  else await removeLeftOver(target.path, force);
}
