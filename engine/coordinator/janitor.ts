/** Cleans up what dead owners left: at start and every hour, in bounded steps, one LSU after the other. */
import { Failed } from '../core/errors.ts';
import type { SweepItem } from '../core/store.ts';
import { isCondemned, ownerlessAgeS } from '../image/condemned.ts';
import { parseLsuDirName } from '../image/names.ts';
import { ownedToken } from '../image/owner.ts';
import type { Context, ServerContext } from './context.ts';
import type { Storage } from './storage.ts';
import type { Alive } from './write-target.ts';

const entriesPerStep = 64;
/** A list that comes meanwhile waits for the step. */
const stepMs = 3;
const removalsPerStep = 64;
const hourMs = 3_600_000;

export class Janitor {
  readonly #ctx: ServerContext;
  readonly #alive: Alive;
  #timer: NodeJS.Timeout | null = null;
  /** By the mount that a round stays on. */
  readonly #running = new Map<Context, Promise<void>>();
  #stopping = false;

  constructor(ctx: ServerContext, alive: Alive) {
    this.#ctx = ctx;
    this.#alive = alive;
  }

  start(): void {
    this.#timer = setInterval(() => void this.run(), hourMs);
    this.#timer.unref();
    void this.run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await Promise.all(this.#running.values());
  }

  /**
   * One round; a second call while one runs there waits for that. A round stays on its mount: where that does not answer
   * any more, the next hour's round takes another, so there are at most as many as mounts.
   */
  async run(): Promise<void> {
    const ctx = await this.#ctx.mounts.pick('');
    if (this.#stopping) return;
    const known = this.#running.get(ctx);
    if (known !== undefined) return known;
    const round = this.#round(ctx)
      .catch((error) => {
        // Not mounted is told where it matters; the next hour tries again.
        if (!(error instanceof Failed)) this.#ctx.bug('janitor', error);
      })
      .finally(() => this.#running.delete(ctx));
    this.#running.set(ctx, round);
    return round;
  }

  async #round({ storage }: Context): Promise<void> {
    const { giveWay } = this.#ctx;
    const { list } = await giveWay.step(() => storage.call('the LSU list', 'openNames', { lsu: null }));
    try {
      for (;;) {
        const next = { list, lsu: null, max: 128, meta: false };
        const { names } = await giveWay.step(() => storage.call('the LSU list', 'nextNames', next));
        if (names.length === 0 || this.#stopping) return;
        for (const { name } of names)
          if (parseLsuDirName(name) !== null && !this.#stopping) await this.#sweep(storage, name);
      }
    } finally {
      await storage.letGo('the LSU list', 'closeNames', { list });
    }
  }

  /** An LSU that cannot be swept does not keep the others from it. */
  async #sweep(storage: Storage, lsu: string): Promise<void> {
    const at = { list: -1 };
    try {
      await this.#sweepFrom(storage, lsu, at);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      this.#ctx.log.warn({ lsu, problem: error.message }, 'not swept');
    } finally {
      if (at.list >= 0) await storage.letGo(`LSU ${lsu}`, 'closeNames', { list: at.list });
    }
  }

  async #sweepFrom(storage: Storage, lsu: string, at: { list: number }): Promise<void> {
    const { log, giveWay } = this.#ctx;
    const token = ownedToken(this.#ctx.newToken(), this.#ctx.self);
    do {
      const from = { lsu, list: at.list, max: entriesPerStep, ms: stepMs };
      const step = await giveWay.step(() => storage.call(`LSU ${lsu}`, 'sweepList', from));
      at.list = step.list;
      let items = step.items
        .filter((item) => this.#condemned(item))
        .map((item) => ({ path: item.path, claim: item.claim }));
      while (items.length > 0 && !this.#stopping) {
        const condemned = { lsu, items, max: removalsPerStep, token };
        const { removed, left } = await giveWay.step(() => storage.call(`LSU ${lsu}`, 'sweepRemove', condemned));
        if (removed.length > 0) log.info({ lsu, removed }, 'left over, removed');
        if (left === 0 || removed.length === 0) break;
        const gone = new Set(removed);
        items = items.filter((item) => !gone.has(item.path));
      }
    } while (at.list >= 0 && !this.#stopping);
  }

  /** What writes into a bucket writes through no mount. */
  get #severalMounts(): boolean {
    const { mounts, engineMounts } = this.#ctx;
    return engineMounts.length > 1 && mounts.all.some(({ mount }) => mount !== null);
  }

  #condemned(item: SweepItem): boolean {
    return isCondemned(item, {
      self: this.#ctx.self,
      alive: this.#alive,
      now: Date.now() / 1000,
      ownerlessAgeS,
      severalMounts: this.#severalMounts,
      byHand: false,
    });
  }
}
