/**
 * The bridge to the native addon: a few functions, plain numbers, no policy.
 *
 * Conventions: every call is synchronous and runs on the calling thread. A result ≥ 0 is a count or an id; a negative
 * result is −errno. Nothing throws but for arguments of the wrong type or out of their range (a bug of the caller).
 * Ids are generation-checked: an id that was closed is answered with −EBADF, never with another file. Tables of files,
 * arenas and SHA states are one per process and shared by all its threads. `null` means "not given".
 * Sizes and offsets are bytes, as numbers up to 2^53.
 */
import { createRequire } from 'node:module';

/** Slots of the Float64Array that `statFile` and `statAt` fill. */
export const statField = {
  size: 0,
  /** Bytes that the storage says it uses. */
  physicalBytes: 1,
  inode: 2,
  deviceMajor: 3,
  deviceMinor: 4,
  mode: 5,
  links: 6,
  /** Seconds since 1970, with fraction. */
  modifiedAt: 7,
  changedAt: 8,
  /** STATX_ATTR_MOUNT_ROOT: 1, 0, or −1 where the kernel does not tell. */
  mountRoot: 9,
  /** From STATX_DIOALIGN: 0 where the kernel does not tell. */
  directMemoryAlign: 10,
  directOffsetAlign: 11,
} as const;
export const statFields = 12;

/** Slots of the Float64Array that `statFileSystem` fills. */
export const fsField = { capacity: 0, free: 1, available: 2, type: 3, inodesFree: 4 } as const;
export const fsFields = 5;

/** `dir` argument: the path stands for itself. */
export const noDir = -1;

export interface Addon {
  // --- files. Paths are relative to the directory id `dir`, or absolute with noDir; else −EINVAL. EINTR is restarted
  // in here, but for the two syncs: an interrupted sync counts as failed. -----------------------------------------------
  /**
   * Opens with O_CLOEXEC added; returns a file id. Without O_DIRECTORY only files are opened, and nothing else is waited for:
   * −EISDIR, −ENXIO (a FIFO, a device, a socket), with O_NOFOLLOW −ELOOP.
   */
  openFile(dir: number, path: string, flags: number, mode: number): number;
  closeFile(file: number): number;
  makeDir(dir: number, path: string, mode: number): number;
  /** flags: 0 or RENAME_NOREPLACE (1). */
  renameFile(fromDir: number, from: string, toDir: number, to: string, flags: number): number;
  linkFile(fromDir: number, from: string, toDir: number, to: string): number;
  /** flags: 0 or AT_REMOVEDIR (0x200). */
  unlinkFile(dir: number, path: string, flags: number): number;
  syncFile(file: number): number;
  syncData(file: number): number;
  /** sync_file_range: begins to write what the page cache holds, waits for nothing, promises nothing. */
  startWriteback(file: number): number;
  truncateFile(file: number, size: number): number;
  /** fchmod: over NFS also the fence that waits for late writes of a killed engine. */
  changeMode(file: number, mode: number): number;
  statFile(file: number, out: Float64Array): number;
  /** Follows symbolic links. */
  statAt(dir: number, path: string, out: Float64Array): number;
  /** The same of a symbolic link itself. */
  statLink(dir: number, path: string, out: Float64Array): number;
  statFileSystem(file: number, out: Float64Array): number;
  /** Writes all of `bytes[0, length)` at `position`; short writes go on. Returns length, or −errno. For small things. */
  writeBytes(file: number, bytes: Uint8Array, length: number, position: number): number;
  /** Reads until `length` or the end of the file. Returns the count. */
  readBytes(file: number, bytes: Uint8Array, length: number, position: number): number;
  /** flock(LOCK_EX | LOCK_NB). −EWOULDBLOCK when held. */
  lockFile(file: number): number;

  // --- directory listing; names come as latin1 strings, "." and ".." left out ---------------------------------------
  openList(dir: number, path: string): number;
  /** Up to `max` names; empty at the end; −errno. */
  nextNames(list: number, max: number): string[] | number;
  /**
   * Looks at up to `max` names that are next, and reads `name/suffix` of each that is a directory, into `out`, which
   * PackedNames reads (engine/core/packed-names.ts). Returns how many names that is; 0 at the end; −errno. skipNames takes
   * them from the list. Side by side where storage is slow.
   */
  readListed(list: number, suffix: string, max: number, out: Uint8Array): number;
  /** Returns how many there were. */
  skipNames(list: number, count: number): number;
  closeList(list: number): number;

  // --- payload: between a slot of an arena and a file. `file` opened with or without O_DIRECT. -----------------------
  /** pwrite until all is written. Returns length, or −errno (−EIO when a write makes no progress). */
  writeSlot(file: number, arena: number, memoryOffset: number, length: number, fileOffset: number): number;
  /** pread until length or end of file. Returns the count. */
  readSlot(file: number, arena: number, memoryOffset: number, length: number, fileOffset: number): number;
  /**
   * Writes a range that is not aligned: reads the sectors of `align` bytes around it into scratch memory of this
   * thread, merges, writes them whole. Bytes behind the end of the file are zero. Returns length, or −errno.
   */
  writeEdge(
    file: number,
    arena: number,
    memoryOffset: number,
    length: number,
    fileOffset: number,
    align: number,
  ): number;
  /** ioctl FICLONE of the whole file. */
  cloneFile(to: number, from: number): number;
  /** copy_file_range until length; the same offset in both. Returns the count. */
  copyRange(to: number, from: number, offset: number, length: number): number;

  // --- checksums. CRC-64/NVME values are bigints; SHA states live in the addon under an id. -------------------------
  /** CRC of `bytes[0, length)` continued from `crc` (0n to begin). */
  crcBytes(crc: bigint, bytes: Uint8Array, length: number): bigint;
  /** CRC of A‖B from CRC(A), CRC(B) and B's length. */
  crcCombine(crcA: bigint, crcB: bigint, lengthB: number): bigint;
  /** 'vpclmul' | 'pclmul' | 'portable' */
  crcKind(): string;
  /** Tests only: force the portable CRC. */
  forcePortable(on: boolean): void;
  /**
   * One pass over slot memory in strides of 256 KiB: CRC of each piece between chunk borders (image offset multiples of
   * `chunkBytes`) into `crcs[0…]`, and SHA-256 goes on in `sha` (0: none). Returns the number of pieces, or −errno.
   */
  digestSlot(
    arena: number,
    memoryOffset: number,
    length: number,
    imageOffset: number,
    chunkBytes: number,
    sha: number,
    crcs: BigUint64Array,
  ): number;
  /**
   * Reads file range [offset, offset + length) through scratch memory of this thread (1 MiB, aligned) and goes on with
   * SHA-256 in `sha` (0: none). `pieces` = number of pairs (length, crc) in `expect` [l0, c0, l1, c1 …] that partition
   * the range; the first piece whose CRC differs ends it. Returns the number of good pieces (all of them: success), or
   * −errno; −ENODATA when the file ends early. No piece is longer than 1 MiB. Without pieces nothing is verified.
   */
  digestFile(file: number, offset: number, length: number, expect: BigUint64Array, pieces: number, sha: number): number;
  /**
   * Like digestFile for one piece: verifies it as a whole, then writes the CRC of its sub-ranges, given in `cuts` as
   * pairs (offset, length) relative to the piece, into `crcs`. Returns 1 when good, 0 when damaged, −errno.
   */
  splitPiece(
    file: number,
    offset: number,
    length: number,
    expect: bigint,
    cuts: BigUint64Array,
    count: number,
    crcs: BigUint64Array,
  ): number;
  /**
   * Verifies slot memory that begins at a chunk border against one CRC a chunk. Returns the number of leading bytes
   * that are good (= length: all), or −errno.
   */
  verifySlot(arena: number, memoryOffset: number, length: number, chunkBytes: number, expect: BigUint64Array): number;
  /** A new SHA-256 state; id > 0. */
  shaOpen(): number;
  /** Offset must be a multiple of 64: `state` takes eight 32-bit words, big-endian, 32 bytes. */
  shaSave(sha: number, state: Uint8Array): number;
  /** Goes on from a state saved at byte `offset` (multiple of 64). */
  shaRestore(sha: number, state: Uint8Array, offset: number): number;
  /** 32 bytes of digest; the state is left as it was. */
  shaDigest(sha: number, out: Uint8Array): number;
  shaClose(sha: number): number;

  // --- arenas -------------------------------------------------------------------------------------------------------
  /** memfd, sized, sealed with SHRINK, GROW and SEAL, mapped, MADV_DONTFORK | MADV_DONTDUMP; id > 0. */
  arenaOpen(bytes: number): number;
  /** Huge pages where the kernel makes them of what is there, MADV_POPULATE_WRITE for the rest, or touching. */
  arenaPopulate(arena: number, offset: number, length: number): number;
  /** The first part of it alone, which takes 0.1 ms a MiB and changes nothing where it cannot be. Each place once. */
  arenaMakeHuge(arena: number, offset: number, length: number): number;
  /** sendmsg of one frame with the arena's descriptor. −EAGAIN when the socket is full; nothing was sent then. */
  arenaSend(socket: number, frame: Uint8Array, arena: number): number;
  /** Drops the engine's reference; memory goes when no call uses it. */
  arenaClose(arena: number): number;
  /** The same arena under another id, while no call uses it (−EBUSY): a late order with the old one finds nothing. */
  arenaRenew(arena: number): number;
  /** Its size; −EBADF when it is not open. */
  arenaBytes(arena: number): number;
  /**
   * The arena's own bytes as an array, for requests that are sent from them or received into them: −EBADF, −EFAULT where
   * they do not lie inside. It keeps the mapping alive, so it is to be detached when nobody uses it any more.
   */
  arenaView(arena: number, offset: number, length: number): Uint8Array<ArrayBuffer> | number;
  /**
   * The view has no bytes any more, and its hold on the arena ends with this turn of the loop. No system call may be
   * reading or filling it: the memory may be gone behind it. Once more is no failure. Only for what arenaView gave.
   */
  arenaDetach(view: Uint8Array): number;
  /** For tests and the memory store: the slot's bytes copied out or in. */
  arenaPeek(arena: number, offset: number, out: Uint8Array): number;
  arenaPoke(arena: number, offset: number, bytes: Uint8Array): number;

  // --- sockets ------------------------------------------------------------------------------------------------------
  /**
   * Sends slot memory on a socket that is open and not for TLS, by a thread with a descriptor of its own. The connection
   * and the memory stay until `ended` is called, on this thread's loop and always: with `length`, or −errno (−ETIMEDOUT:
   * fewer than `leastBytes` were taken in `idleMs`, or none), and with the CPU time of that thread. Nobody else may write to the socket
   * meanwhile. Returns an id; or −errno, then nothing is sent and `ended` is not called.
   */
  sendSlot(
    socket: number,
    arena: number,
    memoryOffset: number,
    length: number,
    idleMs: number,
    leastBytes: number,
    ended: (result: number, cpuNs: number) => void,
  ): number;
  /** Shuts the connection down: the send ends soon, and tells. −EBADF when it has ended. */
  stopSend(send: number): number;
  /** 1: the last of its bytes (1 MiB at most) are being handed to the socket, or have been; 0: more are to follow. −EBADF. */
  sendIsLast(send: number): number;

  // --- processes ----------------------------------------------------------------------------------------------------
  /** SO_PEERCRED into [pid, uid, gid]. */
  peerCredentials(socket: number, out: Int32Array): number;
  /** Calls back once, on this thread's loop, when the process is gone. Returns a watch id; does not keep the loop alive. */
  watchProcess(pid: number, gone: () => void): number;
  unwatchProcess(watch: number): number;
  /** Tests: `false` acts like a kernel before 5.3 (pidfd), before 5.14 (MADV_POPULATE_WRITE), before 6.1 (MADV_COLLAPSE). */
  pretendKernel(pidfd: boolean, populate: boolean, collapse: boolean): void;
  /** CPU time of the calling thread, nanoseconds. */
  threadCpuNs(): number;
  /** CPU time of a process and of its threads, ended ones included, nanoseconds. −ESRCH: it is not there. */
  processCpuNs(pid: number): number;
  /** Nice value of the calling thread. */
  threadNice(nice: number): number;
  /** sched_setaffinity of every thread of this process, and so of those that they start. */
  setAffinity(cpus: Int32Array): number;
  /** B/s that one core copies past the caches, measured here and now in one or two milliseconds; −errno, −ENOTSUP but on x86. */
  copyRate(): number;
  /** SIGKILL to this process: the way out when a lane hangs in a system call. */
  killSelf(): never;
  /** [files, lists, arenas, SHA states, watches] that exist, closed ones still in use included: for tests and status. */
  counts(out: Float64Array): number;
}

const require = createRequire(import.meta.url);

function load(): Addon {
  const path = process.env.VAST_OST_ADDON ?? new URL('./build/vast_ost_addon.node', import.meta.url).pathname;
  try {
    return require(path) as Addon;
  } catch (error) {
    throw new Error(
      `the native addon did not load from ${path}: ${(error as Error).message}; build it with: npm run build`,
      { cause: error },
    );
  }
}

export const addon: Addon = load();
