/**
 * The storage server as the coordinator sees it: the held root, the meta lanes behind it, and the texts of its failures.
 *
 * Not mounted is not a directory: every step that creates or commits checks the marker in its lane. When it is missing
 * the root is opened anew, once: with `bg` in fstab the mount may have come after the engine.
 */
import { Failed, errnoName, status, type Status } from '../core/errors.ts';
import type { RootInfo, Store, StoreMethod } from '../../workers/store.ts';
import { StoreError, storeErrno } from '../../workers/store.ts';
import type { Pool } from '../lanes/pool.ts';

export interface StorageOptions {
  root: string;
  requireMount: boolean;
  direct: boolean;
  kind: 'file' | 'memory';
}

/** errno → STS status; whatever is not here is ESYSTEM. */
const statusOf: Readonly<Record<string, Status>> = {
  ENOSPC: status.ENOSPC,
  EDQUOT: status.ENOSPC,
  EROFS: status.EPERM,
  EACCES: status.EPERM,
  EPERM: status.EPERM,
  ENOENT: status.ENOENT,
  EEXIST: status.EEXIST,
  ENOTEMPTY: status.EEXIST,
  EBUSY: status.EBUSY,
  ENOMEM: status.ENOMEM,
};

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

/** A payload call that failed, as the host program is told. */
export function ioFailure(what: string, step: string, path: string, errno: number): Failed {
  return new Failed(statusOf[errnoName(errno)] ?? status.ESYSTEM, storageText(what, step, path, errno), errno);
}

export class Storage {
  readonly options: StorageOptions;
  readonly #meta: Pool;
  readonly #note: (level: 'info' | 'warn', text: string, more: object) => void;
  #root: RootInfo | null = null;
  #opening: Promise<RootInfo> | null = null;
  #lastProblem = '';

  constructor(options: StorageOptions, meta: Pool, note: (level: 'info' | 'warn', text: string, more: object) => void) {
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
  async probe(): Promise<void> {
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
    what: string, method: M, arg: Parameters<Store[M]>[0],
  ): Promise<ReturnType<Store[M]>> {
    await this.ready();
    try {
      return await this.#meta.call(method, arg);
    } catch (error) {
      if (!(error instanceof StoreError) || error.failure.errno !== storeErrno.notMounted) throw this.#failed(what, error);
    }
    this.#lost();
    await this.ready();
    try {
      return await this.#meta.call(method, arg);
    } catch (error) {
      throw this.#failed(what, error);
    }
  }

  /** Closes what a step of the store opened: also while the storage is not mounted. `what` begins the text in the log. */
  async letGo<M extends 'closeFiles' | 'closeNames'>(what: string, method: M, arg: Parameters<Store[M]>[0]): Promise<void> {
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
    const { errno, step, path, syncFailed } = error.failure;
    if (errno === storeErrno.notMounted) {
      this.#lost();
      return new Failed(
        status.ENOTMOUNTED,
        `${what}: storage not mounted: ${this.options.root}: ${path}; mount it, or prepare a new store with: ` +
          `vast-ost init-store ${this.options.root}`,
      );
    }
    if (errno === storeErrno.sizeDiffers) {
      return new PoisonedFailure(status.EDAMAGED, `${what}: ${path} does not have the size that was written; resume it`);
    }
    const text = storageText(what, step, path, errno);
    const code = statusOf[errnoName(errno)] ?? status.ESYSTEM;
    return syncFailed ? new PoisonedFailure(code, text, errno) : new Failed(code, text, errno);
  }
}

/** A sync failed: what this open wrote may be lost, and nothing of it is believed any more. */
export class PoisonedFailure extends Failed {}
