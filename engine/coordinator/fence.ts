/**
 * Before an image is taken over from a dead writer on one mount: what its engine left under way on another. After kill -9
 * WRITEs go on in the kernel, and nothing on this mount waits for them; so each mount on which there may be some is
 * brought to rest first. Where there is one mount only, opening the files again does it (reopenImage).
 *
 * It comes before the new claim: as long as the old one stands, it tells the mount. So this very mount too: a takeover
 * that failed behind its claim would leave none, and the next one, on another mount, would wait for nothing.
 */
import { Failed, status } from '../core/errors.ts';
import type { Claim } from '../core/store.ts';
import { decodeClaim, maybeUnderWay } from '../image/claim.ts';
import { within } from '../lanes/drain.ts';
import type { Context } from './context.ts';
import type { ImageKey } from './image-info.ts';

/** A mount that is not at rest by then keeps the image busy; its fence goes on, and the next open finds it done. */
const fenceMs = 5000;

export class Fences {
  readonly #underWay = new Map<string, Promise<void>>();

  /** One at a time of an image and a mount, however often somebody asks for it. */
  run(ctx: Context, key: ImageKey): Promise<void> {
    const name = `${ctx.mount}\0${key.id}`;
    const known = this.#underWay.get(name);
    if (known !== undefined) return known;
    const fence = ctx.storage
      .call(key.what, 'fenceImage', { lsu: key.lsuDir, image: key.imageDir })
      .finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, fence);
    return fence;
  }
}

/** All of `claims` are of dead writers, or of this engine's that have let go. Throws Failed: busy. */
export async function fenceMounts(ctx: Context, key: ImageKey, claims: readonly Claim[]): Promise<void> {
  await Promise.all([...mountsToFence(ctx, key, claims)].map((mount) => fenceMount(mount, key)));
}

function mountsToFence(ctx: Context, key: ImageKey, claims: readonly Claim[]): Set<Context> {
  const found = new Set<Context>();
  const several = ctx.mounts.all.length > 1;
  for (const { text } of claims) {
    const claim = decodeClaim(text);
    if (claim === null || !maybeUnderWay(claim, ctx.self)) continue;
    const { mount: path } = claim;
    // A storage server that shows the same store by another mount has to wait for this one's.
    const named = path === undefined ? ctx.mounts.all : ctx.engineMounts.filter(({ mount }) => mount === path);
    if (named.length === 0) throw busy(key, path ?? '', 'is no mount point of this engine now', 'list it again');
    for (const mount of named) if (several || mount !== ctx) found.add(mount);
  }
  return found;
}

async function fenceMount(mount: Context, key: ImageKey): Promise<void> {
  const path = mount.mount ?? '';
  let failure: unknown = null;
  const fence = mount.fences.run(mount, key).catch((error: unknown) => {
    failure = error;
  });
  if (!(await within(fence, fenceMs))) throw busy(key, path, 'does not answer', 'wait until it does');
  if (failure instanceof Failed) throw busy(key, path, `cannot be waited for (${failure.message})`, 'mend it');
  if (failure !== null) throw failure;
}

function busy(key: ImageKey, mount: string, why: string, remedy: string): Failed {
  const text =
    `${key.what}: its last writer died at ${mount}, which ${why}: what that one wrote may still arrive; ` +
    `${remedy} and try again, or restart this machine: it is then over`;
  return new Failed(status.EBUSY, text);
}
