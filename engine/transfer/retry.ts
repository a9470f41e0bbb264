/**
 * What a failed system call means, and when to try again. Three kinds, never mixed: *again* (storage will recover),
 * *failed* (tell the host program), *bug* (ours: stop, never retry). This is the only place that decides to retry.
 */
import { assert } from '../core/assert.ts';
import { errno, errnoName, type Status, status, storeErrno } from '../core/errors.ts';

export type FailureKind = 'again' | 'failed' | 'bug';

export interface Verdict {
  kind: FailureKind;
  /** For the reply, once it is told. */
  status: Status;
  /** Positive; 0 for failures that are no system call's. */
  errno: number;
  /** A few words; the caller adds what was done to what. */
  text: string;
}

type Row = readonly [kind: FailureKind, status: Status, text: string];

const table: ReadonlyMap<number, Row> = new Map<number, Row>([
  [errno.ENOSPC, ['failed', status.ENOSPC, 'no space left on the storage']],
  [errno.EDQUOT, ['failed', status.ENOSPC, 'the quota is used up']],
  [errno.EROFS, ['failed', status.EPERM, 'the storage is read-only']],
  [errno.EACCES, ['failed', status.EPERM, 'the storage refuses access']],
  [errno.EPERM, ['failed', status.EPERM, 'the storage refuses access']],
  [errno.EKEYEXPIRED, ['failed', status.EPERM, 'the credentials for the storage have expired']],
  [errno.ENOENT, ['failed', status.ENOENT, 'it does not exist']],
  [errno.ENOTDIR, ['failed', status.ENOENT, 'its directory does not exist']],
  [errno.EEXIST, ['failed', status.EEXIST, 'it exists']],
  [errno.ENOTEMPTY, ['failed', status.EEXIST, 'it exists']],
  [errno.EBUSY, ['failed', status.EBUSY, 'the storage says that it is in use']],
  [errno.EFBIG, ['failed', status.ESYSTEM, 'longer than the file system allows']],
  [errno.ENODATA, ['failed', status.EDAMAGED, 'the data ends early']],
  [errno.ENOMEM, ['again', status.ENOMEM, 'no memory']],
  [errno.ENOBUFS, ['again', status.ENOMEM, 'no memory']],
  [errno.EMFILE, ['again', status.EBUSY, 'no free file descriptor']],
  [errno.ENFILE, ['again', status.EBUSY, 'no free file descriptor on this machine']],
  [errno.EINTR, ['again', status.ESYSTEM, 'interrupted']],
  [errno.EAGAIN, ['again', status.ESYSTEM, 'the storage is not ready']],
  [errno.EALREADY, ['again', status.ESYSTEM, 'the storage is not ready']],
  [errno.ENOLCK, ['again', status.ESYSTEM, 'the storage has no locks left']],
  [errno.ESTALE, ['again', status.ESYSTEM, 'the storage does not know the file handle any more']],
  [errno.ETIMEDOUT, ['again', status.ESYSTEM, 'the storage did not answer in time']],
  [errno.ETIME, ['again', status.ESYSTEM, 'the storage did not answer in time']],
  [errno.ENETDOWN, ['again', status.ESYSTEM, 'the network is down']],
  [errno.ENETUNREACH, ['again', status.ESYSTEM, 'the network does not reach the storage']],
  [errno.EHOSTDOWN, ['again', status.ESYSTEM, 'the network does not reach the storage']],
  [errno.EHOSTUNREACH, ['again', status.ESYSTEM, 'the network does not reach the storage']],
  [errno.ECONNABORTED, ['again', status.ESYSTEM, 'the storage dropped the connection']],
  [errno.ECONNRESET, ['again', status.ESYSTEM, 'the storage dropped the connection']],
  [errno.ECONNREFUSED, ['again', status.ESYSTEM, 'the storage refuses connections']],
  [errno.ENOTCONN, ['again', status.ESYSTEM, 'the storage dropped the connection']],
  [errno.EPIPE, ['again', status.ESYSTEM, 'the storage dropped the connection']],
  [errno.EBADF, ['bug', status.EINTERNAL, 'a file that is not open']],
  [errno.EFAULT, ['bug', status.EINTERNAL, 'memory that is not there']],
  [errno.EINVAL, ['bug', status.EINTERNAL, 'the system call did not take its arguments']],
  [errno.ESPIPE, ['bug', status.EINTERNAL, 'not a file']],
  [storeErrno.notMounted, ['failed', status.ENOTMOUNTED, 'storage not mounted']],
  [storeErrno.sizeDiffers, ['failed', status.EDAMAGED, 'the size on storage is not what was written']],
]);

/**
 * `value`: errno of either sign, or one of the stores' own. `sync`: a sync failed; its pages may be gone and the next
 * sync may succeed for nothing, so that is never tried again, whatever errno says.
 */
export function classify(value: number, options: { sync?: boolean } = {}): Verdict {
  assert(value !== 0, 'a success is not classified');
  const own = value === storeErrno.notMounted || value === storeErrno.sizeDiffers;
  const number = own ? value : Math.abs(value);
  const [kind, verdict, words] = table.get(number) ?? (['failed', status.ESYSTEM, 'the storage failed'] as const);
  return {
    kind: options.sync && kind === 'again' ? 'failed' : kind,
    status: verdict,
    errno: own ? 0 : number,
    text: own ? words : `${words} (${errnoName(number)})`,
  };
}

const wayFailures: ReadonlySet<number> = new Set([
  ...[errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ETIMEDOUT, errno.ETIME, errno.ENETDOWN, errno.ENETUNREACH],
  ...[errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ECONNABORTED, errno.ECONNRESET, errno.ECONNREFUSED],
  ...[errno.ENOTCONN, errno.EPIPE],
]);

/** Perhaps only the way to the storage failed: what may be done twice is worth a try by another one. */
export function wayFailed(value: number): boolean {
  return wayFailures.has(Math.abs(value));
}

export interface BackoffOptions {
  /** Most tries after the first failure. */
  tries: number;
  baseMs: number;
  maxMs: number;
  /** No try begins later than this after the first failure; milliseconds. Default: no such limit. */
  withinMs?: number;
  /** 0 ≤ random() < 1. */
  random: () => number;
  /** Milliseconds. */
  clock: () => number;
}

/** When to try again: the wait doubles from baseMs to maxMs, and half of it is chance, so that lanes do not march. */
export class Backoff {
  readonly #options: BackoffOptions;
  #tried = 0;
  #deadline: number | null = null;

  constructor(options: BackoffOptions) {
    assert(options.baseMs > 0, 'a wait takes time');
    assert(options.maxMs >= options.baseMs, 'waits grow');
    this.#options = { ...options };
  }

  get left(): number {
    return this.#options.tries - this.#tried;
  }

  /** Milliseconds until the next try; null: give up. */
  next(): number | null {
    const { tries, baseMs, maxMs, withinMs, random, clock } = this.#options;
    const now = clock();
    this.#deadline ??= now + (withinMs ?? Infinity);
    if (this.#tried >= tries) return null;
    const wait = Math.min(maxMs, baseMs * 2 ** this.#tried);
    const delay = wait / 2 + (wait / 2) * random();
    if (now + delay > this.#deadline) return null;
    this.#tried += 1;
    return delay;
  }

  /** It worked: the next failure is a first one. */
  reset(): void {
    this.#tried = 0;
    this.#deadline = null;
  }
}
