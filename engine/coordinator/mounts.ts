/**
 * The mounts of one storage server: one export, mounted once for each address of the cluster. Each has its own lanes, its
 * own held root and its own health; which image uses which is transfer/spread.ts.
 *
 * A mount serves when its root is open, no lane is lost on it, and it has answered just now: one that has been silent for
 * a moment is asked before anything new is begun on it. Where none serves, the best one left is used, and waits.
 */
import { Failed, status } from '../core/errors.ts';
import { within } from '../lanes/drain.ts';
import { wayFailed } from '../transfer/retry.ts';
import { ranked } from '../transfer/spread.ts';
import type { Context, Elsewhere, MountChoice } from './context.ts';
import { NotMounted, NotReached } from './storage.ts';

/** After so long without an answer a mount is asked before it is used. */
const freshMs = 250;
/** A mount that takes longer to answer that is left alone. */
const answerMs = 2000;

export type MountState = 'healthy' | 'not mounted' | 'lanes lost' | 'silent';

export interface Mount {
  readonly ctx: Context;
  /** Lanes that hang there. */
  lanesLost(): number;
}

export class Mounts implements MountChoice {
  readonly #mounts: Mount[] = [];

  /** In the order of the configuration, before the first use. */
  add(mount: Mount): void {
    this.#mounts.push(mount);
  }

  get all(): readonly Context[] {
    return this.#mounts.map(({ ctx }) => ctx);
  }

  /** As it is known now: nobody is asked. */
  stateOf(ctx: Context): MountState {
    const mount = this.#mounts.find((one) => one.ctx === ctx);
    return mount === undefined ? 'not mounted' : stateOf(mount);
  }

  async pick(name: string): Promise<Context> {
    return (await this.#pick(name, [])) as Context;
  }

  async run<T>(
    name: string,
    elsewhere: Elsewhere,
    work: (ctx: Context) => Promise<T>,
    without: readonly Context[] = [],
  ): Promise<T> {
    const tried = [...without];
    const failures: Failed[] = [];
    for (;;) {
      const ctx = await this.#pick(name, tried);
      if (ctx === null) throw joined(failures);
      try {
        return await work(ctx);
      } catch (error) {
        if (!(error instanceof Failed) || !mayGoElsewhere(error, elsewhere)) throw error;
        failures.push(error);
        tried.push(ctx);
      }
    }
  }

  async look(): Promise<void> {
    const looks = this.#mounts.map(async ({ ctx }) => {
      await ctx.storage.probe();
      if (ctx.storage.root === null) throw new Failed(status.ENOTMOUNTED, ctx.storage.problem);
    });
    await Promise.any(looks).catch(() => undefined);
  }

  /** Null: all of them are to be left out. */
  async #pick(name: string, without: readonly Context[]): Promise<Context | null> {
    const [only] = this.#mounts;
    if (only !== undefined && this.#mounts.length === 1) return without.includes(only.ctx) ? null : only.ctx;
    const paths = this.#mounts.map(({ ctx }) => ctx.mount ?? '');
    const order = ranked(name, paths)
      .map((place) => this.#mounts[place] as Mount)
      .filter(({ ctx }) => !without.includes(ctx));
    const open = order.filter(({ ctx }) => ctx.storage.root !== null);
    // Of none is known that it is there: one may have come since somebody looked.
    const asked = open.length > 0 ? open : order;
    const serving = await firstToServe(asked);
    const best = serving ?? asked.find(({ ctx }) => ctx.storage.root !== null) ?? order[0];
    return best?.ctx ?? null;
  }
}

/** The best one mostly answers at once. Otherwise all others are asked together, so that nobody waits for each of them. */
async function firstToServe([first, ...others]: readonly Mount[]): Promise<Mount | null> {
  if (first === undefined) return null;
  if (await serves(first)) return first;
  const answers = await Promise.all(others.map(serves));
  return others.find((_, i) => answers[i]) ?? null;
}

async function serves(mount: Mount): Promise<boolean> {
  const { storage } = mount.ctx;
  const state = stateOf(mount);
  if (state === 'lanes lost' || state === 'silent') return false;
  if (state === 'healthy' && !storage.isProbing && storage.silentMs < freshMs) return true;
  await within(storage.probe(), answerMs);
  return storage.silentMs < freshMs && stateOf(mount) === 'healthy';
}

function stateOf({ ctx, lanesLost }: Mount): MountState {
  const { root, probingMs } = ctx.storage;
  if (lanesLost() > 0) return 'lanes lost';
  if (probingMs > answerMs) return 'silent';
  return root === null ? 'not mounted' : 'healthy';
}

function mayGoElsewhere(failure: Failed, elsewhere: Elsewhere): boolean {
  if (failure instanceof NotMounted) return elsewhere === 'always' || !failure.touched;
  if (failure instanceof NotReached) return true;
  return elsewhere === 'always' && wayFailed(failure.errno);
}

/** What the host program hears when no mount would do: of mounts that are all not there, each with its reason. */
function joined(failures: readonly Failed[]): Failed {
  const other = failures.find((failure) => !(failure instanceof NotMounted));
  const [first] = failures;
  if (other !== undefined || first === undefined || failures.length === 1)
    return other ?? first ?? new Failed(status.ENOTMOUNTED, 'storage not mounted: none of mount_points is left to try');
  const [what] = first.message.split(': storage not mounted: ', 1);
  return new NotMounted(what as string, failures.map((failure) => (failure as NotMounted).why).join('; '), false);
}
