/**
 * The bytes of one image that is being written: parts straight from the slots, one after the other in the image, several
 * under way at once.
 *
 *   write ─► its turn ─► [stash + block] ─┬─► part, up to the last chunk border ─► UploadPart
 *                                         └─► the rest waits in the stash for the next block, a flush or the end
 *
 * An upload of several parts is made only when there is a part for it. A part ends where a chunk ends, so that the chunk
 * in which a durable size lies can always be read back: it is in the stash. An object that has as many parts as the
 * endpoint takes is a fragment, and the image goes on in the next one: borders of fragments are ends of parts.
 */
import { assert } from '../../engine/core/assert.ts';
import { errno } from '../../engine/core/errors.ts';
import { fragmentName, fragmentsMax, partEnd } from '../../engine/core/parts.ts';
import type { Labels } from '../../engine/core/store.ts';
import type { Piece } from '../http/body.ts';
import { type StoreError, storeErrno } from '../store.ts';
import { BlockCrcs } from './block-crcs.ts';
import type { Tally } from './bucket.ts';
import { failed } from './failures.ts';
import { type FragmentStart, FragmentUpload, freshFragment } from './fragment-upload.ts';
import type { ImageKeys } from './keys.ts';
import type { Objects } from './objects.ts';
import { joined, Stash } from './stash.ts';

export const chunkBytes = 1024 * 1024;
/** Blocks that wait for the one in front of them. */
const parkedMax = 64;

/** What is there when an image is opened: nothing for a new one. */
export interface UploadStart {
  /** One at least. */
  fragments: readonly FragmentStart[];
  /** Bytes behind the parts. */
  tail: Uint8Array;
}

export const nothingYet: UploadStart = { fragments: [freshFragment(1, 0)], tail: new Uint8Array(0) };

export interface FragmentSize {
  name: string;
  size: number;
}

export class Upload {
  readonly keys: ImageKeys;
  readonly #objects: Objects;
  readonly #labels: Labels;
  /** In the image's order; the last one takes parts as long as it has room. */
  readonly #fragments: FragmentUpload[];
  readonly #stash = new Stash();
  readonly #parked = new Map<number, PromiseWithResolvers<void>>();
  readonly #underWay = new Set<Promise<unknown>>();
  #failure: unknown = null;
  /** The image was sent as one object. */
  #whole = false;
  /** What the last meta was told. */
  #told: { size: number; list: readonly FragmentSize[] } | null = null;

  constructor(objects: Objects, keys: ImageKeys, labels: Labels, from: UploadStart = nothingYet) {
    this.#objects = objects;
    this.keys = keys;
    this.#labels = labels;
    this.#fragments = from.fragments.map((start) => new FragmentUpload(objects, keys, labels, start));
    this.#stash.add(from.tail, null);
  }

  /** Bytes that were taken so far, from the image's begin. */
  get end(): number {
    return this.start + this.#stash.length;
  }
  /** Bytes below are in parts, sent or on their way: they cannot be read back before the image is complete. */
  get start(): number {
    return this.#last.end;
  }

  /** The fragments of the image's bytes below `size`, which were all taken: a meta is going to say so. */
  fragments(size: number): FragmentSize[] {
    const list = this.#cuts(size);
    this.#told = { size, list };
    return list;
  }

  #cuts(size: number): FragmentSize[] {
    const list: FragmentSize[] = [];
    for (const fragment of this.#fragments) {
      const { n, start, end } = fragment;
      if (start >= size && n > 1) break;
      list.push({ name: fragmentName(n), size: Math.min(size, this.#goesOn(fragment) ? this.end : end) - start });
    }
    const behind = size - this.start;
    if (behind > 0 && !this.#last.hasRoom) list.push({ name: fragmentName(this.#last.n + 1), size: behind });
    return list;
  }

  /** Bytes of the stash, copied; null: not all of them are there. */
  read(offset: number, length: number): Buffer | null {
    if (offset < this.start || offset + length > this.end) return null;
    return this.#stash.slice(offset - this.start, length);
  }

  /**
   * Takes the bytes of one block, in their order; resolves when they are at the endpoint or in the stash, and `bytes` is
   * not needed any more. `sole`: nothing follows. `crcs`: of the bytes between chunk borders, where they were made before;
   * parts are sealed with them. Throws StoreError; then the upload is at its end.
   */
  async write(
    offset: number,
    bytes: Piece,
    sole: boolean,
    tally?: Tally,
    crcs: BigUint64Array | null = null,
  ): Promise<void> {
    if (offset > this.end) await this.#turn(offset);
    this.#check();
    if (offset !== this.end || this.#whole) failed('UploadPart', this.keys.data, errno.EINVAL);
    const known = crcs === null ? null : BlockCrcs.of(crcs, offset, bytes.length, chunkBytes);
    await this.#track(this.#take(bytes, sole, tally, known));
  }

  /** Everything below `size` is kept by the endpoint when this resolves; a tail that is in no part in an object of its own. */
  async flush(size: number): Promise<void> {
    this.#check();
    // As it stands now: what is written meanwhile belongs to a later flush.
    const tail = size === this.end ? this.#stash.bytes : [];
    if (size === this.end) await this.#settled();
    else {
      const kept = this.#fragments.find(({ start, end }) => start < size && size <= end)?.isKept(size);
      assert(kept === true, 'a flush ends at the last byte, or with a part');
    }
    if (tail.length > 0) await this.#objects.put(this.keys.tail(size), tail);
  }

  /**
   * The image is durable below `size`: fragments that are full and end there become objects, while the next one is
   * written. Not before: what stands in an object above the durable size would have to be copied out of it at a resume.
   */
  finish(size: number): void {
    for (const fragment of this.#fragments) {
      if (this.#goesOn(fragment) || fragment.isDone || fragment.end > size) continue;
      // One that fails is tried again at the next durable size, and at the end, which tells.
      fragment.complete().catch(() => {});
    }
  }

  /** Makes the objects. Throws StoreError. */
  async complete(size: number): Promise<void> {
    await this.#settled();
    if (size !== this.end) failed('size', this.keys.data, storeErrno.sizeDiffers);
    if (this.#whole) return;
    // Else a meta would say complete of objects that are cut otherwise.
    if (this.#told?.size === size && JSON.stringify(this.#cuts(size)) !== JSON.stringify(this.#told.list))
      failed('the endpoints take another number of parts now; try again: commit', this.keys.data, errno.EPROTO);
    if (this.#stash.length > 0 || (this.end === 0 && !this.#last.isDone)) await this.#sendLast();
    for (const fragment of this.#fragments) await fragment.complete();
  }

  /** Lets go of blocks that wait; nothing of the upload is undone. Resolves when no object is being made any more. */
  async close(): Promise<void> {
    this.#fail(this.#failure ?? new Error('the image is closed'));
    await Promise.allSettled(this.#fragments.map(({ completing }) => completing));
  }

  get #last(): FragmentUpload {
    const last = this.#fragments.at(-1);
    assert(last !== undefined, 'there is a fragment always');
    return last;
  }

  /** It takes the next part. Only the last one does: endpoints may take more parts now than when another one was full. */
  #goesOn(fragment: FragmentUpload): boolean {
    return fragment === this.#last && fragment.hasRoom;
  }

  /** The fragment that the next part goes to. Throws StoreError. */
  #roomy(): FragmentUpload {
    const last = this.#last;
    if (last.hasRoom) return last;
    const n = last.n + 1;
    if (n > fragmentsMax) {
      const { partsMax } = this.#objects.abilities;
      const text = `an image of ${fragmentsMax} objects of ${partsMax} parts is full; raise part_size_mb: UploadPart`;
      failed(text, this.keys.fragment(last.n), errno.EFBIG);
    }
    const fragment = new FragmentUpload(this.#objects, this.keys, this.#labels, freshFragment(n, last.end));
    this.#fragments.push(fragment);
    return fragment;
  }

  /** Everything up to the first await happens at once. */
  async #take(bytes: Piece, sole: boolean, tally: Tally | undefined, crcs: BlockCrcs | null): Promise<void> {
    const begin = this.end;
    const end = begin + bytes.length;
    if (sole && this.end === 0) {
      this.#whole = true;
      return this.#last.put([bytes], tally);
    }
    const border = partEnd(this.start, end);
    if (border === this.start) {
      this.#stash.add(bytes, crcs?.between(begin, end) ?? null);
      this.#wake();
      return;
    }
    const fromBytes = border - begin;
    const crc = joined(this.#stash.crc, crcs?.between(begin, border) ?? null, fromBytes);
    const before = this.#stash.take();
    // Before anything is sent: it may fail, and nobody would wait for the request then.
    this.#stash.add(bytes.subarray(fromBytes), crcs?.between(border, end) ?? null);
    const sent = this.#send([...before, bytes.subarray(0, fromBytes)], crc, tally);
    this.#wake();
    return sent;
  }

  /** Everything up to the first await happens at once: numbers and offsets are in order. */
  async #send(bytes: readonly Piece[], crc: bigint | null, tally?: Tally): Promise<void> {
    await this.#roomy().send(bytes, crc, tally);
  }

  /** What is in the stash, as the last part, or as an object by itself. */
  async #sendLast(): Promise<void> {
    const fragment = this.#roomy();
    const { crc } = this.#stash;
    const bytes = this.#stash.take();
    if (!fragment.isFresh) return this.#track(fragment.send(bytes, crc));
    try {
      await fragment.put(bytes);
    } catch (error) {
      for (const piece of bytes) this.#stash.add(piece, null);
      throw error;
    }
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits until the bytes before `offset` have been taken. */
  async #turn(offset: number): Promise<void> {
    if (this.#parked.has(offset) || this.#parked.size >= parkedMax) failed('UploadPart', this.keys.data, errno.EINVAL);
    const turn = Promise.withResolvers<void>();
    this.#parked.set(offset, turn);
    await turn.promise;
  }

  #wake(): void {
    const next = this.#parked.get(this.end);
    this.#parked.delete(this.end);
    next?.resolve();
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#underWay.add(work);
    try {
      await work;
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#underWay.delete(work);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error as StoreError;
    for (const turn of this.#parked.values()) turn.resolve();
    this.#parked.clear();
  }

  async #settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
    this.#check();
  }
}
