/** The store on a POSIX directory, in production an NFS mount of the cluster. One per meta lane. */
import { errno } from '../../engine/core/errors.ts';
import { addon, noDir } from '../../native/addon/index.ts';
import { dataName, markerName } from '../layout.ts';
import {
  type Capacity,
  type Claim,
  type FlushArg,
  type OpenFiles,
  type RootInfo,
  type Store,
  StoreError,
  storeErrno,
} from '../store.ts';
import { closeAll, must, O_DIRECTORY, O_EXCL, O_RDONLY, syncFile, writeWhole } from './calls.ts';
import { dropClaim, listClaims, takeClaim } from './claims.ts';
import { createImage, removeImage } from './create.ts';
import { appendSums, commitImage, flushImage, replaceMeta } from './durable.ts';
import { labelLsu, makeLsu, nextNames, openNames, readLsu } from './names.ts';
import { fenceImage, openImage, reopenImage, statImage, sumsFrom } from './open.ts';
import { Root } from './root.ts';
import { sweepList, sweepRemove } from './sweep.ts';

type Arg<M extends keyof Store> = Parameters<Store[M]>[0];
type Answer<M extends keyof Store> = ReturnType<Store[M]>;

export class FileStore implements Store {
  #root: Root | null = null;
  readonly #tidiesLater: boolean;
  #behind: (() => void) | null = null;

  /** `tidiesLater`: the caller calls `behind` after each call, when it has passed on the answer. */
  constructor(tidiesLater = false) {
    this.#tidiesLater = tidiesLater;
  }

  /** What the last call left to be done, for which nobody waits. Never throws. */
  behind(): void {
    const behind = this.#behind;
    this.#behind = null;
    behind?.();
  }

  openRoot(arg: Arg<'openRoot'>): RootInfo {
    // The old one is given up first: after a failure nothing of it may be used.
    this.close();
    this.#root = Root.open(arg);
    return this.#root.info;
  }

  /** Under a temporary name first: a marker is there whole or not at all. */
  initRoot(arg: Arg<'initRoot'>): void {
    const dir = must(addon.openFile(noDir, arg.root, O_RDONLY | O_DIRECTORY, 0), 'open', '');
    const temporary = `${markerName}.${process.pid}`;
    try {
      writeWhole(dir, temporary, arg.text, O_EXCL, temporary);
      const linked = addon.linkFile(dir, temporary, dir, markerName);
      addon.unlinkFile(dir, temporary, 0);
      must(linked, linked === -errno.EEXIST ? 'exists' : 'link', markerName);
      syncFile(dir, '');
    } finally {
      addon.closeFile(dir);
    }
  }

  /** Drops the held root and what hangs on it; open files stay open. */
  close(): void {
    this.#root?.close();
    this.#root = null;
  }

  capacity(): Capacity {
    return this.#open.capacity();
  }
  makeLsu(arg: Arg<'makeLsu'>): void {
    makeLsu(this.#open, arg);
  }
  labelLsu(arg: Arg<'labelLsu'>): void {
    labelLsu(this.#open, arg);
  }
  readLsu(arg: Arg<'readLsu'>): Answer<'readLsu'> {
    return readLsu(this.#open, arg);
  }
  openNames(arg: Arg<'openNames'>): Answer<'openNames'> {
    return openNames(this.#open, arg);
  }
  nextNames(arg: Arg<'nextNames'>): Answer<'nextNames'> {
    return nextNames(this.#open, arg);
  }
  closeNames(arg: Arg<'closeNames'>): void {
    addon.closeList(arg.list);
  }
  createImage(arg: Arg<'createImage'>): OpenFiles {
    return createImage(this.#open, arg);
  }
  openImage(arg: Arg<'openImage'>): Answer<'openImage'> {
    return openImage(this.#open, arg);
  }
  statImage(arg: Arg<'statImage'>): Answer<'statImage'> {
    return statImage(this.#open, arg);
  }
  claims(arg: Arg<'claims'>): { claims: Claim[] } {
    return listClaims(this.#open, arg);
  }
  takeClaim(arg: Arg<'takeClaim'>): { won: boolean } {
    return takeClaim(this.#open, arg);
  }
  dropClaim(arg: Arg<'dropClaim'>): void {
    dropClaim(this.#open, arg);
  }
  reopenImage(arg: Arg<'reopenImage'>): Answer<'reopenImage'> {
    return reopenImage(this.#open, arg);
  }
  fenceImage(arg: Arg<'fenceImage'>): void {
    fenceImage(this.#open, arg);
  }
  readSums(arg: Arg<'readSums'>): { crcs: string } {
    return { crcs: sumsFrom(arg.sums, arg.first, arg.count) };
  }
  fragmentsOf({ size }: Arg<'fragmentsOf'>): Answer<'fragmentsOf'> {
    return { fragments: [{ name: dataName, size }] };
  }
  flushImage(arg: FlushArg): void {
    flushImage(this.#open, arg);
  }
  replaceMeta(arg: Arg<'replaceMeta'>): void {
    replaceMeta(this.#open, arg);
  }
  appendSums(arg: Arg<'appendSums'>): void {
    appendSums(arg);
  }
  commitImage(arg: Arg<'commitImage'>): void {
    this.#behind = commitImage(this.#open, arg);
    if (!this.#tidiesLater) this.behind();
  }
  removeImage(arg: Arg<'removeImage'>): void {
    removeImage(this.#open, arg);
  }
  sweepList(arg: Arg<'sweepList'>): Answer<'sweepList'> {
    return sweepList(this.#open, arg);
  }
  sweepRemove(arg: Arg<'sweepRemove'>): Answer<'sweepRemove'> {
    return sweepRemove(this.#open, arg);
  }
  closeFiles(arg: Arg<'closeFiles'>): void {
    closeAll(arg.files);
  }

  get #open(): Root {
    if (this.#root !== null) return this.#root;
    throw new StoreError({ errno: storeErrno.notMounted, step: 'marker', path: 'the storage root is not open' });
  }
}
