/**
 * The storage server as the coordinator sees it: the held root, the meta lanes behind it, and the texts of its failures.
 *
 * Not mounted is not a directory: every step that creates or commits checks the marker in its lane. When it is missing
 * the root is opened anew, once: with `bg` in fstab the mount may have come after the engine.
 */
import { errnoName, Failed, status } from '../core/errors.ts';
import type { RootInfo, Store, StoreMethod } from '../core/store.ts';
import { StoreError, type StoreFailure, storeErrno } from '../core/store.ts';
import { markerName } from '../image/marker.ts';
import { classify, wayFailed } from '../transfer/retry.ts';
import { newBackoff, pause } from './again.ts';
import type { OneStore } from './one-store.ts';

const eio = 5;
/** Steps of a list go on where the last one ended: a second try would leave out what the first one had taken. */
const once: ReadonlySet<StoreMethod> = new Set(['nextNames', 'sweepList']);
/** At the root itself. */
const lookSteps: ReadonlySet<string> = new Set(['open', 'stat', 'realpath']);
/** Stands for whatever is no failure of the store's: a bug, never tried again. */
const noFailure: StoreFailure = { errno: 0, step: '', path: '' };

export interface StorageOptions {
  /** A mounted directory, or the bucket's address with its prefix. */
  root: string;
  requireMount: boolean;
  direct: boolean;
  kind: 'file' | 'memory' | 's3';
  /** What to do when there is no such storage; ends the text of the failure. */
  remedy: string;
  /** One of several mounts: what all of them must show, and which of them this is. */
  among?: { store: OneStore; place: number };
}

/** The lanes that take the steps of a store. `call` throws StoreError. `into`: for what travels packed. */
export interface StoreLanes {
  call<M extends StoreMethod>(
    method: M,
    arg: Parameters<Store[M]>[0],
    into?: BigUint64Array | null,
  ): Promise<ReturnType<Store[M]>>;
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'free space on the storage or expire images',
  EDQUOT: 'raise the quota or expire images',
  EROFS: 'the storage is mounted read-only: check the mount and the view policy',
  EACCES: "check owner and mode of the path for the engine's user, and root squash",
  EPERM: "check owner and mode of the path for the engine's user, and root squash",
  EIO: 'the storage reported an I/O error: check its alarms and the kernel log',
  ESTALE: 'the export changed under the mount: remount it',
};

/** One line that names what, path, errno and the next step. */
export function storageText(what: string, step: string, path: string, errno: number): string {
  const name = errnoName(errno);
  const remedy = remedies[name];
  return `${what}: ${step} of ${path === '' ? 'the storage root' : path} failed with ${name}${remedy ? `; ${remedy}` : ''}`;
}

/** A payload call that failed, as the host program is told; `text`: what its lane knows better. */
export function ioFailure(what: string, step: string, path: string, errno: number, text: string | null = null): Failed {
  // A call that moved less than it was asked for has no errno of its own.
  const number = errno < 0 ? errno : -eio;
  const whole = text === null ? storageText(what, step, path, number) : `${what}: ${text}`;
  return new Failed(classify(number).status, whole, number);
}

export class Storage {
  readonly options: StorageOptions;
  readonly #meta: StoreLanes;
  readonly #note: (level: 'info' | 'warn', text: string, more: object) => void;
  #root: RootInfo | null = null;
  #opening: Promise<RootInfo> | null = null;
  #probing: Promise<void> | null = null;
  #lastProblem = '';
  #answeredAt = -Infinity;
  #probingSince = Infinity;

  constructor(
    options: StorageOptions,
    meta: StoreLanes,
    note: (level: 'info' | 'warn', text: string, more: object) => void,
  ) {
    this.options = options;
    this.#meta = meta;
    this.#note = note;
  }

  /** What is known now; null: not mounted, or not looked at yet. */
  get root(): RootInfo | null {
    return this.#root;
  }
  get problem(): string {
    return this.#lastProblem;
  }
  /** Milliseconds since the storage answered a step in good health. */
  get silentMs(): number {
    return performance.now() - this.#answeredAt;
  }
  get isProbing(): boolean {
    return this.#probing !== null;
  }
  /** Milliseconds that it has been looked at without an answer. */
  get probingMs(): number {
    return Math.max(0, performance.now() - this.#probingSince);
  }

  /** Opens the root unless it is open. Throws Failed: not mounted. */
  ready(): Promise<RootInfo> {
    if (this.#root !== null) return Promise.resolve(this.#root);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** Looks again whether the storage is there, and says when that changed. Never throws. */
  probe(): Promise<void> {
    // One at a time: on a mount that does not answer they would pile up before what others want of it.
    if (this.#probing !== null) return this.#probing;
    this.#probingSince = performance.now();
    this.#probing = this.#probe().finally(() => {
      this.#probing = null;
      this.#probingSince = Infinity;
    });
    return this.#probing;
  }

  async #probe(): Promise<void> {
    try {
      if (this.#root === null) await this.ready();
      else await this.call('the storage root', 'capacity', {});
    } catch {
      // What failed is in #lastProblem and in the log; the calls that need the storage will tell their own callers.
    }
  }

  /**
   * One step of the store. `what` begins the text of a failure: 'image x' or 'LSU y'.
   * Throws Failed; `poisoned` on it tells that a sync failed. `into`: see Pool.call.
   */
  async call<M extends StoreMethod>(
    what: string,
    method: M,
    arg: Parameters<Store[M]>[0],
    into: BigUint64Array | null = null,
  ): Promise<ReturnType<Store[M]>> {
    const backoff = newBackoff();
    let reopened = false;
    let touched = false;
    for (;;) {
      await this.#readyFor(touched);
      try {
        const value = await this.#meta.call(method, arg, into);
        this.#answeredAt = performance.now();
        return value;
      } catch (error) {
        const { errno, syncFailed } = error instanceof StoreError ? error.failure : noFailure;
        this.#noteAnswer(errno);
        if (errno === storeErrno.notMounted && !reopened && !once.has(method)) {
          reopened = true;
          this.#lost();
          continue;
        }
        const before = touched;
        if (errno !== storeErrno.notMounted && !isFirstLook(error)) touched = true;
        const again =
          !once.has(method) && errno !== 0 && classify(errno, { sync: syncFailed ?? false }).kind === 'again';
        if (!again || !(await pause(backoff))) throw this.#failed(what, error, before);
      }
    }
  }

  async #readyFor(touched: boolean): Promise<void> {
    try {
      await this.ready();
    } catch (error) {
      if (!touched || !(error instanceof Failed)) throw error;
      // Whoever asks for the step may not take it to another mount: it may be done already.
      if (error instanceof NotMounted) throw new NotMounted('storage', error.why, true);
      throw error instanceof NotReached ? new Failed(error.status, error.message, error.errno) : error;
    }
  }

  /** "There is no such image" is as good an answer as any; a failure on the way is none. */
  #noteAnswer(errno: number): void {
    const isAnswer = errno !== 0 && errno !== storeErrno.notMounted && !wayFailed(errno);
    this.#answeredAt = isAnswer ? performance.now() : -Infinity;
  }

  /** Something else than a step failed there: it is to be asked before it is used again. */
  doubt(): void {
    this.#answeredAt = -Infinity;
  }

  /** Closes what a step of the store opened: also while the storage is not mounted. `what` begins the text in the log. */
  async letGo<M extends 'closeFiles' | 'closeNames'>(
    what: string,
    method: M,
    arg: Parameters<Store[M]>[0],
  ): Promise<void> {
    try {
      await this.#meta.call(method, arg);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#note('warn', 'something stays open until the engine ends', { what, failure: error.failure });
    }
  }

  async #open(): Promise<RootInfo> {
    try {
      const { root } = this.options;
      const info = await this.#openRoot();
      this.#root = info;
      this.#answeredAt = performance.now();
      this.#lastProblem = '';
      this.#note('info', 'storage root open', { root, ...info });
      for (const warning of info.warnings) this.#note('warn', warning, { root });
      return info;
    } catch (error) {
      const failed = this.#failed('storage', error);
      if (failed.message !== this.#lastProblem) this.#note('warn', failed.message, { root: this.options.root });
      this.#lastProblem = failed.message;
      throw failed;
    }
  }

  async #openRoot(): Promise<RootInfo> {
    const { root, requireMount, direct, among } = this.options;
    const arg = { root, requireMount, direct };
    if (among === undefined) return this.#meta.call('openRoot', arg);
    const { store, place } = among;
    try {
      const storeId = store.id ?? (await store.show(place, (await this.#meta.call('openRoot', arg)).storeId));
      // From here on each lane checks it by itself, however it comes to open the root.
      return await this.#meta.call('openRoot', { ...arg, storeId });
    } finally {
      store.tried(place);
    }
  }

  #lost(): void {
    if (this.#root !== null) this.#note('warn', 'the storage root lost its marker', { root: this.options.root });
    this.#root = null;
  }

  #failed(what: string, error: unknown, touched = false): Failed {
    if (!(error instanceof StoreError)) throw error;
    const { errno, step, path, syncFailed, text: own } = error.failure;
    if (errno === storeErrno.notMounted) {
      this.#lost();
      const { root, remedy, among } = this.options;
      const other = step === 'store' && among !== undefined ? otherStore(root, path, among.store) : null;
      return new NotMounted(what, own ?? other ?? `${root}: ${path}; ${remedy}`, touched);
    }
    if (errno === storeErrno.sizeDiffers) {
      return new PoisonedFailure(
        status.EDAMAGED,
        `${what}: ${path} does not have the size that was written; resume it`,
      );
    }
    if (!touched && isFirstLook(error)) return new NotReached(what, step, path, errno);
    const text = own === undefined ? storageText(what, step, path, errno) : `${what}: ${own}`;
    const { status: code } = classify(errno === 0 ? -eio : errno, { sync: syncFailed ?? false });
    return syncFailed ? new PoisonedFailure(code, text, errno) : new Failed(code, text, errno);
  }
}

/** A sync failed: what this open wrote may be lost, and nothing of it is believed any more. */
export class PoisonedFailure extends Failed {}

function otherStore(root: string, storeId: string, { id, from }: OneStore): string {
  return (
    `${root} shows store ${storeId}, and ${from} shows ${id}: all of mount_points must be mounts of one export; ` +
    'correct the mount, or take the path out of mount_points'
  );
}

/** Steps that change something look at root and marker first: one that failed in that has changed nothing. */
function isFirstLook(error: unknown): boolean {
  if (!(error instanceof StoreError) || !wayFailed(error.failure.errno)) return false;
  const { path, step } = error.failure;
  return path === markerName || (path === '' && lookSteps.has(step));
}

/** The storage did not even tell whether it is mounted; nothing was changed. */
export class NotReached extends Failed {
  constructor(what: string, step: string, path: string, errno: number) {
    super(classify(errno).status, storageText(what, step, path, errno), errno);
  }
}

export class NotMounted extends Failed {
  readonly why: string;
  /** Something of the step may have been done before, in an earlier try. */
  readonly touched: boolean;
  constructor(what: string, why: string, touched: boolean) {
    super(status.ENOTMOUNTED, `${what}: storage not mounted: ${why}`);
    this.why = why;
    this.touched = touched;
  }
}
