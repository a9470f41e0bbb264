/**
 * The storage server as the coordinator sees it: the held root, the meta lanes behind it, and the texts of its failures.
 *
 * Not mounted is not a directory: every step that creates or commits checks the marker in its lane. When it is missing
 * the root is opened anew, once: with `bg` in fstab the mount may have come after the engine.
 */
import { errnoName, Failed, status } from '../core/errors.ts';
import type { RootInfo, Store, StoreMethod } from '../core/store.ts';
import { StoreError, type StoreFailure, storeErrno } from '../core/store.ts';
import { classify } from '../transfer/retry.ts';
import { newBackoff, pause } from './again.ts';

const eio = 5;
/** Steps of a list go on where the last one ended: a second try would leave out what the first one had taken. */
const once: ReadonlySet<StoreMethod> = new Set(['nextNames', 'sweepList']);
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
}

/** The lanes that take the steps of a store. `call` throws StoreError. */
export interface StoreLanes {
  call<M extends StoreMethod>(method: M, arg: Parameters<Store[M]>[0]): Promise<ReturnType<Store[M]>>;
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
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = null;
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
   * Throws Failed; `poisoned` on it tells that a sync failed.
   */
  async call<M extends StoreMethod>(
    what: string,
    method: M,
    arg: Parameters<Store[M]>[0],
  ): Promise<ReturnType<Store[M]>> {
    const backoff = newBackoff();
    let reopened = false;
    for (;;) {
      await this.ready();
      try {
        return await this.#meta.call(method, arg);
      } catch (error) {
        const { errno, syncFailed } = error instanceof StoreError ? error.failure : noFailure;
        if (errno === storeErrno.notMounted && !reopened && !once.has(method)) {
          reopened = true;
          this.#lost();
          continue;
        }
        const again =
          !once.has(method) && errno !== 0 && classify(errno, { sync: syncFailed ?? false }).kind === 'again';
        if (!again || !(await pause(backoff))) throw this.#failed(what, error);
      }
    }
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
      const { root, requireMount, direct } = this.options;
      const info = await this.#meta.call('openRoot', { root, requireMount, direct });
      this.#root = info;
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

  #lost(): void {
    if (this.#root !== null) this.#note('warn', 'the storage root lost its marker', { root: this.options.root });
    this.#root = null;
  }

  #failed(what: string, error: unknown): Failed {
    if (!(error instanceof StoreError)) throw error;
    const { errno, step, path, syncFailed, text: own } = error.failure;
    if (errno === storeErrno.notMounted) {
      this.#lost();
      const why = own ?? `${this.options.root}: ${path}; ${this.options.remedy}`;
      return new Failed(status.ENOTMOUNTED, `${what}: storage not mounted: ${why}`);
    }
    if (errno === storeErrno.sizeDiffers) {
      return new PoisonedFailure(
        status.EDAMAGED,
        `${what}: ${path} does not have the size that was written; resume it`,
      );
    }
    const text = own === undefined ? storageText(what, step, path, errno) : `${what}: ${own}`;
    const { status: code } = classify(errno === 0 ? -eio : errno, { sync: syncFailed ?? false });
    return syncFailed ? new PoisonedFailure(code, text, errno) : new Failed(code, text, errno);
  }
}

/** A sync failed: what this open wrote may be lost, and nothing of it is believed any more. */
export class PoisonedFailure extends Failed {}
