/**
 * The store contract: what a meta lane does to storage, in whole steps, so that one crossing buys all the system calls
 * of a step. Payload does not pass here: open files are ids of the addon, and the io lanes write and read them.
 *
 * Two stores keep these promises: `file/` on a POSIX directory, and `mem/`, their plainest reading. One suite,
 * test/contract/store.*, runs on both. The coordinator decides (names, meta text, claims); a store never parses a meta.
 *
 * Names: `lsu` and `image` are directory names as engine/image/names.ts makes them, ASCII, ≤ 200 bytes. An image
 * directory holds image.data[.NNNN], image.meta, image.sums, claim.<n>. Temporaries begin with `.`.
 *
 * Failures: a call throws StoreError; nothing that it had acknowledged is undone. A failed fsync is reported with
 * `syncFailed` and never tried again. After any failure of a step its temporaries are gone, or are left for the janitor
 * where removing them fails too.
 */
export interface StoreFailure {
  /** Negative errno of the failing system call, or 0 where no system call failed. */
  errno: number;
  /** 'open', 'fsync', 'rename' …; or 'marker', 'exists', 'size'. */
  step: string;
  /** Path below the storage root. */
  path: string;
  /** The data or meta of this open may be lost: the handle is poisoned. */
  syncFailed?: boolean;
  /** A whole sentence that replaces the usual one: what failed where, and the next step. */
  text?: string;
}

export class StoreError extends Error {
  readonly failure: StoreFailure;
  constructor(failure: StoreFailure) {
    super(`${failure.step} ${failure.path}: ${failure.errno}`);
    this.failure = failure;
  }
}

export { storeErrno } from './errors.ts';

/** CRCs that one answer carries at most: 256 KiB as base64. */
export const crcsPerCall = 24_576;
/** An image.meta is never longer; of a longer one only the beginning is answered, which no reader takes for whole. */
export const metaBytesMax = 224 * 1024;

export interface RootInfo {
  storeId: string;
  /** 'ext4', 'nfs' …, from /proc/self/mountinfo; 'memory'. */
  fsType: string;
  mountPoint: string;
  mountOptions: string;
  /** NFS `soft` mounts are refused before this; slow or risky options are told here. */
  warnings: string[];
}

export interface Capacity {
  capacity: number;
  free: number;
  available: number;
}

/** Bytes in an arena's slot that nobody has written yet. */
export interface LastBytes {
  arena: number;
  memoryOffset: number;
  offset: number;
  length: number;
  /** 1: aligned. Else of the sectors that are read and merged. */
  align: number;
}

/** An image that is open: ids of the addon, to be closed with closeFiles. −1 where there is no such file. */
export interface OpenFiles {
  /** The fragment that is written or read, opened for direct I/O where that is on and works. */
  data: number;
  sums: number;
  /** The image's directory. */
  dir: number;
  /** Alignment of offset, length and memory for direct I/O on `data`; 1: any. */
  align: number;
}

export interface ImageStat {
  dataSize: number;
  physicalBytes: number;
  sumsSize: number;
}

/** What an object of the image's data says of it to people and tools: ASCII, 2 KiB in all. Files have no such place. */
export type Labels = Readonly<Record<string, string>>;

export interface Claim {
  n: number;
  text: string;
}

/** Something that a dead owner may have left. */
export interface SweepItem {
  /** Below the LSU: '.trash', '.new-<token>', '<image>/.meta-<token>', '<image>/claim.<n>' … */
  path: string;
  kind:
    | 'trash'
    /** Of a bucket: an image that is being removed; `claim` is the text of its tombstone. */
    | 'removal'
    /** An image without its meta: being made. */
    | 'create'
    /** Of a bucket: objects of an image that lost its meta; nothing tells how. */
    | 'orphan'
    | 'metaTemporary'
    | 'claimTemporary'
    | 'labelTemporary'
    | 'claim'
    /** Of a bucket: what only a pending image needs, beside a complete one. */
    | 'remains'
    /** Of a bucket: a multipart upload that no image knows. */
    | 'upload';
  /** The token that its name, or a tombstone, carries; '' for trash and claims. */
  token: string;
  /** The claim that tells its owner: its own text, or claim.1 of an unfinished create. Null: it does not say. */
  claim: string | null;
  /** All claims of the image's directory, highest first; empty outside of one. */
  claims: Claim[];
  /** Seconds since 1970 by the storage's clock. */
  modifiedAt: number;
}

export interface Store {
  /**
   * Holds the root, reads its marker, checks the mount. Called first, and again after "not mounted". With `storeId`
   * another store is "not mounted" too: step 'store', path its id.
   */
  openRoot(arg: { root: string; requireMount: boolean; direct: boolean; storeId?: string }): RootInfo;
  /** Writes the marker with a new store id, fsynced. EEXIST when there is one. */
  initRoot(arg: { root: string; text: string }): void;
  capacity(arg: Record<string, never>): Capacity;

  makeLsu(arg: { lsu: string; text: string }): void;
  /** Replaces the LSU's own file (`.lsu`: JSON with name and label). */
  labelLsu(arg: { lsu: string; text: string; token: string }): void;
  readLsu(arg: { lsu: string }): { text: string | null };

  /** Directory names, in the storage's order, each that exists throughout exactly once. `lsu` null: the LSUs. */
  openNames(arg: { lsu: string | null }): { list: number };
  /**
   * Up to `max` names that do not begin with '.'; none: the end. With `meta`, each with its image.meta text, or packed with
   * its bytes: see packed-names.ts. It is good until the next call.
   */
  nextNames(arg: { list: number; lsu: string | null; max: number; meta: boolean }): {
    names: { name: string; meta: string | null }[];
    packed?: Uint8Array;
  };
  closeNames(arg: { list: number }): void;

  /** DESIGN §6 create. EEXIST when the name is taken. `sumsHeader`: base64, null with `sums = false`. */
  createImage(arg: {
    lsu: string;
    image: string;
    token: string;
    meta: string;
    claim: string;
    sumsHeader: string | null;
    labels?: Labels;
  }): OpenFiles;
  /** For reading: meta text, data and sums opened. ENOENT when there is no such image; meta null when it has none. */
  openImage(arg: { lsu: string; image: string; data: string[]; sums: boolean }): OpenFiles &
    ImageStat & {
      meta: string | null;
      /** Of each of `data`: −1 and 0 where there is no such file. */
      dataFiles: number[];
      dataSizes: number[];
    };
  /** Only the meta and sizes. */
  statImage(arg: { lsu: string; image: string }): ImageStat & { meta: string | null; claims: Claim[] };
  claims(arg: { lsu: string; image: string }): { claims: Claim[] };
  /**
   * Makes claim.<n>: temporary, fsync, link, then reads the directory back. `won` when the text there is ours, nothing
   * higher is there, and everything lower is one of `over`: the claims that the caller found dead. (Without `over`, one
   * who was slow to count could win n+1 above a claim that was made, dropped and made anew meanwhile.) Lower claims are
   * then removed, and the directory is synced. Two that try at once may both lose; never do both win.
   */
  takeClaim(arg: { lsu: string; image: string; n: number; claim: string; token: string; over: Claim[] }): {
    won: boolean;
  };
  /** Removes claim.<n> if its text is this one. ENOENT is success. */
  dropClaim(arg: { lsu: string; image: string; n: number; claim: string }): void;
  /**
   * For write after the claim was won: opens, fences late writes of a killed engine (changeMode to the same mode, then
   * the size again), reads the sums below `wholeChunks`, at most `crcsPerCall` of them: the rest by readSums.
   * `partStart`: bytes below it lie in parts of an upload, and cannot be read back while the image is pending.
   */
  reopenImage(arg: {
    lsu: string;
    image: string;
    /** The last fragment of the meta, and those in front of it, which are full. */
    data: string;
    before?: { name: string; size: number }[];
    sums: boolean;
    labels?: Labels;
    /** Durable size of the image, as the meta has it. */
    size: number;
    wholeChunks: number;
  }): OpenFiles & ImageStat & { crcs: string; partStart?: number };
  /**
   * Of another mount than the one that reopenImage is about to use: returns when nothing is under way on it that a killed
   * engine wrote into the image. What is written in the kernel is sent, and waited for.
   */
  fenceImage(arg: { lsu: string; image: string }): void;
  /** Reads `count` CRCs of `sums` from chunk `first`: base64, short at the end and at `crcsPerCall`. */
  readSums(arg: { sums: number; first: number; count: number }): { crcs: string };

  /**
   * The fragments of the bytes of a pending image below `size`, all of which were written: what a meta of this durable
   * size says. Asks no storage.
   */
  fragmentsOf(arg: { files: OpenFiles; size: number }): { fragments: { name: string; size: number }[] };
  /**
   * DESIGN §6 flush and incomplete close: data sync, sums at `sumsAt` (bytes) replaced by `crcs` (base64) and cut
   * behind them, sync, meta by temporary and rename, directory sync.
   */
  flushImage(arg: FlushArg): void;
  /** The meta alone, durably: before a write below the durable size. */
  replaceMeta(arg: { lsu: string; image: string; dir: number; token: string; meta: string }): void;
  /** Appends sums without syncing: for images whose tail of sums does not fit one call. */
  appendSums(arg: { sums: number; at: number; crcs: string }): void;
  /**
   * DESIGN §6 complete; `size` is checked after the sync. When it succeeds, it has closed `files`. `last`: bytes that are
   * written first, those of a small image whose lane is the commit's; stores in files only.
   */
  commitImage(arg: FlushArg & { claim: string; claimN: number; last?: LastBytes }): void;

  /** Renames the directory into .trash, syncs. ENOENT when there is no such image. */
  removeImage(arg: { lsu: string; image: string; token: string }): void;
  /**
   * One bounded step of looking for what dead owners left below an LSU. `list` −1 begins; the answer's `list` goes into
   * the next call, −1: the end (closeNames gives it up before). Looks at about `max` entries, and where each costs calls at
   * no other one after `ms`. Nothing is removed here: the coordinator decides who is dead and hands what may go to
   * sweepRemove.
   */
  sweepList(arg: { lsu: string; list: number; max: number; ms?: number }): { list: number; items: SweepItem[] };
  /**
   * Removes what sweepList found and the coordinator condemned, at most `max` entries; what changed since is left.
   * `removed`: paths that are gone, for '.trash' also each of its entries, so that a step that got on shows it; `left`:
   * how many of `items` are there still. `token`: whose these removals are.
   */
  sweepRemove(arg: { lsu: string; items: { path: string; claim: string | null }[]; max: number; token: string }): {
    removed: string[];
    left: number;
  };

  closeFiles(arg: { files: number[] }): void;
}

export interface FlushArg {
  lsu: string;
  image: string;
  files: OpenFiles;
  token: string;
  meta: string;
  /** Bytes of the image that become durable, all of which were written. */
  size: number;
  /** Byte offset in the sums file where `crcs` go; −1: no sums. */
  sumsAt: number;
  crcs: string;
}

/** The same promises, kept by requests that take their time: a net lane's store. */
export type AsyncStore = {
  [M in StoreMethod]: (arg: Parameters<Store[M]>[0]) => Promise<ReturnType<Store[M]>>;
};

export type StoreMethod = keyof Store;
export type StoreRequest<M extends StoreMethod = StoreMethod> = { method: M; arg: Parameters<Store[M]>[0] };
export type StoreAnswer<M extends StoreMethod = StoreMethod> =
  | { ok: true; value: ReturnType<Store[M]> }
  | { ok: false; failure: StoreFailure };
