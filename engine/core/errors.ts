/**
 * Words for failures: the status that a reply carries, the system's errno, and the one class that joins them with a
 * text. Numbers of `status` are those of enum wire_status in native/wire/reply-status.h; a test compares them.
 */
export const status = {
  OK: 0,
  EINVAL: 1,
  ENOMEM: 2,
  ENOENT: 13,
  EABORT: 14,
  ESYSTEM: 17,
  ESOCKET: 19,
  EINTERNAL: 22,
  EPERM: 37,
  ECLAIM: 201,
  ECONNECT: 202,
  ENOSPC: 203,
  EBUSY: 204,
  EEXIST: 205,
  ENOTMOUNTED: 206,
  EDAMAGED: 207,
  EVERSION: 208,
  ESTATE: 209,
  EGONE: 210,
  ENOTSUP: 211,
} as const;
export type Status = (typeof status)[keyof typeof status];

/** Linux errno values, positive, the same on x86-64 and arm64. Calls of the addon return them negated. */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  ETIME: 62,
  EREMOTE: 66,
  ECOMM: 70,
  EPROTO: 71,
  EBADMSG: 74,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  ESTALE: 116,
  EREMOTEIO: 121,
  EDQUOT: 122,
  ECANCELED: 125,
  EKEYEXPIRED: 127,
} as const;

/** errno values that the stores make themselves; no system call returns them. */
export const storeErrno = { notMounted: -10001, sizeDiffers: -10002 } as const;

const errnoNames = new Map<number, string>(Object.entries(errno).map(([name, value]) => [value, name]));
const statusNames = new Map<number, string>(Object.entries(status).map(([name, value]) => [value, name]));

/** 'EIO' for 5 and for −5; 'errno 999' for a number that the table lacks. */
export function errnoName(value: number): string {
  if (value === storeErrno.notMounted) return 'not mounted';
  if (value === storeErrno.sizeDiffers) return 'size differs';
  return errnoNames.get(Math.abs(value)) ?? `errno ${Math.abs(value)}`;
}

/** 'EDAMAGED' for 207. */
export function statusName(value: number): string {
  return statusNames.get(value) ?? `status ${value}`;
}

/** A failure that is told to the host program: what a reply needs. `errno` ≥ 0, 0 where no system call failed. */
export class Failed extends Error {
  readonly status: Status;
  readonly errno: number;
  readonly text: string;
  constructor(failure: Status, text: string, systemErrno = 0) {
    super(text);
    this.name = 'Failed';
    this.status = failure;
    this.errno = Math.abs(systemErrno);
    this.text = text;
  }
}
