/**
 * One image that a host program writes: from SUBMIT frames to bytes on storage, slots handed back, flush and close.
 *
 *   SUBMIT ─► ledger ─► plan ─┬─► io lane    (write, edge)  ─┐
 *                             └─► digest lane               ─┴─► covered, slot free ─► SLOT_FREE
 *
 * A failure that comes late is told once (FAILED); from then on blocks are dropped, and flush and complete close fail.
 */
import { Failed, status } from '../core/errors.ts';
import { op } from '../core/order.ts';
import { closeFlag, encodeBody, encodeFrame, frame, frameText, imageState, type FrameOf, wire } from '../core/wire.ts';
import { addon } from '../../native/addon/index.ts';
import { piecesMax } from '../transfer/coverage.ts';
import { Ledger } from '../transfer/ledger.ts';
import { type Block, type Piece, WritePlan } from '../transfer/write-plan.ts';
import type { StatusJob } from '../core/status-report.ts';
import type { Link } from '../intake/link.ts';
import { Account } from './account.ts';
import type { Context } from './context.ts';
import { encodeInfo, defOf, type ImageInfo } from './image-info.ts';
import { type Arena, type ArenaShape, openArena } from './memory.ts';
import type { OpenWriter } from './open-images.ts';
import { ioFailure } from './storage.ts';
import { digestBlock, rewind } from './write-digest.ts';
import { commitTarget, flushTarget, lowerDurable } from './write-durable.ts';
import { closeTarget, dataName, dropClaim, type WriteTarget } from './write-target.ts';

/** Slots are made ready in steps, so that a lane that does it is soon free for payload again. */
const populateBytes = 4 * 1024 * 1024;

interface WriteBlock extends Block {
  crcs: BigUint64Array | null;
}

export class ImageWriter implements OpenWriter {
  readonly target: WriteTarget;
  readonly account: Account;
  readonly #ctx: Context;
  readonly #link: Link;
  readonly #plan: WritePlan<WriteBlock>;
  #arena: Arena;
  #ledger: Ledger;
  #next: { arena: Arena; dropped: boolean } | null = null;
  #shrinkTo: ArenaShape | null = null;
  #failure: Failed | null = null;
  #idleWaiters: (() => void)[] = [];
  /** Orders under way: what idle() waits for beside the plan. */
  #tasks = 0;
  #writes = 0;
  #populating = false;
  #closed = false;
  readonly #gone = Promise.withResolvers<void>();

  constructor(ctx: Context, link: Link, target: WriteTarget, arena: Arena) {
    this.#ctx = ctx;
    this.#link = link;
    this.target = target;
    this.#arena = arena;
    this.#ledger = new Ledger({ arena: arena.id, slots: arena.slots, slotBytes: arena.slotBytes });
    this.account = new Account(ctx.now());
    this.#plan = new WritePlan({
      blocksInFlight: ctx.settings.blocksInFlight, align: target.files.align, end: target.meta.size,
    });
  }

  get token(): string {
    return this.target.token;
  }

  /** The client waits for what the engine has under way. */
  get owes(): boolean {
    return this.#plan.blocks > 0 || this.#next !== null;
  }

  /** For status: what this job waits for now. */
  get waitsFor(): StatusJob['waitsFor'] {
    if (this.#link.callType === frame.close && this.#plan.idle) return 'commit';
    if (this.#next !== null || this.#shrinkTo !== null) return 'memory';
    if (this.#plan.idle) return 'host program';
    return this.#writes > 0 ? 'device' : 'digest';
  }

  get slots(): StatusJob['slots'] {
    const { free } = this.#ledger.counts();
    return { held: this.#arena.slots - free, of: this.#arena.slots };
  }

  info(): ImageInfo {
    const { meta } = this.target;
    return {
      size: this.#plan.end,
      durableSize: meta.size,
      physicalBytes: this.#plan.end,
      state: imageState.pending | imageState.busyWrite,
      meta: { ...meta, opaque: this.target.opaque },
      def: defOf(meta),
    };
  }

  /** Hands the arena and its credits to the client. */
  begin(): void {
    this.#passArena(this.#arena);
    this.#creditAll();
  }

  // --- frames ---------------------------------------------------------------------------------------------------------

  submit(body: FrameOf<'submit'>): void {
    const refusal = this.#ledger.submit({
      arena: body.arena, slot: body.slot, slotOffset: body.slot_offset, length: body.length, offset: body.offset,
      sequence: body.sequence,
    });
    if (refusal !== null) {
      this.#link.end(`the host program broke the protocol: ${refusal}`);
      return;
    }
    const block: WriteBlock = {
      slot: body.slot, slotOffset: body.slot_offset, offset: body.offset, length: body.length, sequence: body.sequence,
      crcs: null,
    };
    const wrong = this.#failure === null ? this.#refusal(block) : null;
    if (wrong !== null) this.#fail(wrong);
    if (this.#failure !== null || this.#closed) {
      this.#free(block.slot);
      return;
    }
    this.#plan.submit(block);
    this.#pump();
  }

  #refusal(block: WriteBlock): Failed | null {
    const { key, coverage, durable } = this.target;
    const missing = durable.firstWrite(block.offset);
    if (missing !== null) {
      return new Failed(
        status.EINVAL,
        `${key.what}: the first write begins at ${block.offset}, but bytes from ${missing.offset} are missing: go on there`,
      );
    }
    if (coverage.pieceCount >= piecesMax) {
      return new Failed(status.EINVAL, `${key.what}: too many scattered pieces; write in rising order, or close and reopen`);
    }
    return null;
  }

  populate(): void {
    if (this.#populating) return;
    this.#populating = true;
    // No flush or close waits for it: an arena that is closed meanwhile is kept by the call that uses it.
    this.#populateSlots().catch((error) => this.#ctx.bug('populate', error));
  }

  arenaDropped(id: number): void {
    const next = this.#next;
    if (next === null || next.dropped) {
      this.#link.end(`the host program broke the protocol: it dropped arena ${id} unasked`);
      return;
    }
    addon.arenaClose(this.#arena.id);
    this.#next = null;
    this.#arena = next.arena;
    this.#ctx.memory.shrunk(this.#link.id, next.arena);
    this.#ledger = new Ledger({
      arena: next.arena.id, slots: next.arena.slots, slotBytes: next.arena.slotBytes, sequence: this.#ledger.sequence,
    });
    this.#creditAll();
  }

  /** The budget wants memory back: when every slot is free the arena is replaced by a smaller one. */
  shrink(to: ArenaShape): void {
    this.#shrinkTo = to;
    this.#tryShrink();
  }

  writeMetadata(offset: number, bytes: Uint8Array): void {
    if (this.#failure !== null) throw this.#failure;
    const end = offset + bytes.length;
    if (end > wire.metadataMax) {
      throw new Failed(status.EINVAL, `${this.target.key.what}: opaque metadata beyond ${wire.metadataMax} bytes`);
    }
    if (offset > this.target.opaque.length) {
      throw new Failed(status.EINVAL, `${this.target.key.what}: opaque metadata would have a hole at ${this.target.opaque.length}`);
    }
    const all = new Uint8Array(Math.max(end, this.target.opaque.length));
    all.set(this.target.opaque);
    all.set(bytes, offset);
    this.target.opaque = all;
  }

  async flush(sequence: number): Promise<Buffer> {
    await this.#settled(sequence);
    if (this.#failure !== null) throw this.#failure;
    try {
      await flushTarget(this.#ctx, this.target, this.#plan.end);
    } catch (error) {
      throw this.#afterStep(error);
    }
    return this.#closedBody(imageState.pending | imageState.busyWrite);
  }

  /** Frees everything whatever happens; the caller answers with the result or the failure. */
  async close(body: FrameOf<'close'>): Promise<Buffer> {
    this.account.hostWaitNs = body.host_wait_ns;
    this.account.slotWaitNs = body.slot_wait_ns;
    this.account.copyNs = body.copy_ns;
    const complete = (body.flags & closeFlag.complete) !== 0;
    try {
      await this.#settled(body.sequence);
      if (complete) return await this.#complete();
      if (this.#failure === null) await flushTarget(this.#ctx, this.target, this.#plan.end);
      return this.#closedBody(imageState.pending);
    } finally {
      await this.end();
    }
  }

  async #complete(): Promise<Buffer> {
    if (this.#failure !== null) throw this.#failure;
    await commitTarget(this.#ctx, this.target, this.account, this.#plan.end);
    return this.#closedBody(imageState.created);
  }

  #closedBody(state: number): Buffer {
    const { meta } = this.target;
    return encodeBody('closed', { size: meta.size, durable_size: meta.size, state });
  }

  property(): Buffer {
    return encodeInfo(this.info());
  }

  /** Lets go of everything that is on storage and in the engine; memory goes with the link. Safe to call twice. */
  async end(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const block of this.#plan.stop()) this.#free(block.slot);
    await this.#idle();
    const { target } = this;
    await closeTarget(this.#ctx, target);
    if (target.meta.state === 'pending') await dropClaim(this.#ctx, target.key, target.claim);
    this.#gone.resolve();
  }

  giveWay(): Promise<void> {
    this.#link.end('the host program goes on with the image on another connection');
    return this.#gone.promise;
  }

  /** After end() and with the link gone: nobody touches the arena any more. */
  dropArena(): void {
    addon.arenaClose(this.#arena.id);
    if (this.#next !== null) addon.arenaClose(this.#next.arena.id);
  }

  // --- blocks ---------------------------------------------------------------------------------------------------------

  #pump(): void {
    for (let piece = this.#plan.next(); piece !== null; piece = this.#plan.next()) {
      const started = piece;
      this.#ledger.begin(started.block.slot);
      void this.#task(started.kind, () => (started.kind === 'prepare' ? this.#prepare(started) : this.#write(started)));
    }
    for (let block = this.#plan.nextDigest(); block !== null; block = this.#plan.nextDigest()) {
      const started = block;
      this.#ledger.begin(started.slot);
      void this.#task('digest', () => this.#digest(started));
    }
    if (this.#quiet) this.#wakeIdle();
  }

  async #write(piece: Piece<WriteBlock>): Promise<void> {
    const { files, key } = this.target;
    const arena = this.#arena;
    this.#writes++;
    try {
      const result = await this.#ctx.io.run({
        op: piece.kind === 'edge' ? op.writeEdge : op.write,
        file: files.data,
        arena: arena.id,
        memoryOffset: piece.block.slot * arena.slotBytes + piece.slotOffset,
        length: piece.length,
        offset: piece.offset,
        align: files.align,
      }, 0, this.#link.id);
      this.account.device(result);
      if (result.result !== piece.length) {
        this.#fail(ioFailure(`${key.what} at offset ${piece.offset}`, 'write', `${key.id}/${dataName}`, result.result));
      }
    } finally {
      this.#writes--;
      this.#ledger.end(piece.block.slot);
      this.#done(this.#plan.written(piece));
    }
  }

  async #digest(block: WriteBlock): Promise<void> {
    try {
      const at = block.slot * this.#arena.slotBytes + block.slotOffset;
      if (this.#failure === null) {
        block.crcs = await digestBlock(this.#ctx, this.target, this.account, this.#arena.id, at, block);
      }
    } catch (error) {
      this.#fail(this.#asFailed('digest', error));
    } finally {
      this.#ledger.end(block.slot);
      this.#done(this.#plan.digested(block));
    }
  }

  /** Before a block that overwrites: nothing else of this image is under way. */
  async #prepare(piece: Piece<WriteBlock>): Promise<void> {
    const { block } = piece;
    try {
      if (this.#failure === null) await this.#makeRoom(block);
    } catch (error) {
      this.#fail(this.#asFailed('prepare', error));
    } finally {
      this.#ledger.end(block.slot);
      this.#done(this.#plan.prepared(block));
    }
  }

  async #makeRoom(block: WriteBlock): Promise<void> {
    const { target } = this;
    const { coverage, durable } = target;
    const lower = durable.rewriteFrom(block.offset);
    if (lower !== null) await lowerDurable(this.#ctx, target, lower);
    await this.#splitAt(block.offset, block.length);
    const place = rewind(target, block.offset);
    if (place === null) return;
    // The state of a resume may stand inside a chunk, whose CRCs were merged since: reading back begins at a piece.
    coverage.setBorder(place);
    await this.#splitAt(place, 0);
  }

  /** Forgets a range of the coverage. What it holds only partly is read, verified and split first. */
  async #splitAt(offset: number, length: number): Promise<void> {
    const { coverage, key, files, meta } = this.target;
    const splits = [];
    for (const piece of coverage.ragged(offset, length)) {
      if (meta.sums === null) {
        splits.push(...piece.keep.map((keep) => ({ ...keep, crc: 0n })));
        continue;
      }
      const cuts = piece.keep.flatMap((keep) => [BigInt(keep.offset - piece.offset), BigInt(keep.length)]);
      const result = await this.#ctx.io.run({
        op: op.splitPiece, file: files.data, offset: piece.offset, length: piece.length, pieces: piece.keep.length,
        crcs: new BigUint64Array([piece.crc, ...cuts]),
      }, 0, this.#link.id);
      this.account.device(result);
      if (result.result < 0) throw ioFailure(key.what, 'read', `${key.id}/${dataName}`, result.result);
      if (result.result === 0) {
        throw new Failed(status.EDAMAGED, `${key.what}: stored bytes at offset ${piece.offset} are damaged; write them whole`);
      }
      splits.push(...piece.keep.map((keep, i) => ({ ...keep, crc: result.crcs?.[i] ?? 0n })));
    }
    coverage.cut(offset, length, splits);
  }

  /** A block that is written and digested, or given up. */
  #done(block: WriteBlock | null): void {
    if (block !== null) {
      if (this.#failure === null && !this.#closed) {
        this.target.coverage.cover(block.offset, block.length, block.crcs);
        this.account.moved(block.length, this.#ctx.now());
      }
      this.#free(block.slot, block.sequence);
    }
    this.#pump();
  }

  // --- slots ----------------------------------------------------------------------------------------------------------

  #free(slot: number, sequence = 0): void {
    this.#ledger.settle(slot);
    if (this.#closed || this.#link.ended) return;
    if (this.#shrinkTo !== null) this.#tryShrink();
    else this.#credit(slot, sequence);
  }

  #credit(slot: number, sequence: number): void {
    this.#ledger.credit(slot);
    this.#link.send(encodeFrame('slotFree', frame.slotFree, 0, { arena: this.#arena.id, slot, sequence }));
  }

  #creditAll(): void {
    this.#link.batch(() => {
      for (let slot = this.#ledger.nextFree(); slot >= 0; slot = this.#ledger.nextFree()) this.#credit(slot, 0);
    });
  }

  #passArena(arena: Arena): void {
    const { id, slots, slotBytes } = arena;
    this.#link.sendArena(encodeFrame('arena', frame.arena, 0, { arena: id, slots, slot_bytes: slotBytes }), id);
  }

  #tryShrink(): void {
    const to = this.#shrinkTo;
    if (to === null || this.#next !== null || this.#closed || !this.#ledger.allFree) return;
    this.#shrinkTo = null;
    this.#next = { arena: openArena(to), dropped: false };
    this.#passArena(this.#next.arena);
  }

  async #populateSlots(): Promise<void> {
    const arena = this.#arena;
    const end = arena.slots * arena.slotBytes;
    for (let at = 0; at < end && !this.#closed && this.#arena === arena && !this.#link.ended; at += populateBytes) {
      const length = Math.min(populateBytes, end - at);
      // A kernel that cannot is no failure: the pages come when they are touched.
      await this.#ctx.io.run({ op: op.populate, arena: arena.id, memoryOffset: at, length }, 0, this.#link.id);
    }
  }

  // --- failures and waiting -------------------------------------------------------------------------------------------

  #fail(failure: Failed): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#ctx.log.error({ job: this.#link.job, image: this.target.key.id, status: failure.status }, failure.message);
    for (const block of this.#plan.stop()) this.#free(block.slot, block.sequence);
    const text = frameText(failure.message);
    this.#link.send(
      encodeFrame('failed', frame.failed, 0, { status: failure.status, sys_errno: failure.errno, text_length: text.length }, text),
    );
  }

  /** A flush that failed is told by its own reply; what follows fails with the same. A hole can still be filled. */
  #afterStep(error: unknown): unknown {
    if (error instanceof Failed && error.status !== status.EINVAL) this.#failure = error;
    return error;
  }

  #asFailed(where: string, error: unknown): Failed {
    if (error instanceof Failed) return error;
    this.#ctx.bug(`${where} of ${this.target.key.id}`, error);
    return new Failed(status.EINTERNAL, `${this.target.key.what}: internal error in ${where}; see the engine's log`);
  }

  async #task(where: string, work: () => Promise<void>): Promise<void> {
    this.#tasks++;
    try {
      await work();
    } catch (error) {
      this.#fail(this.#asFailed(where, error));
    } finally {
      this.#tasks--;
      if (this.#quiet) this.#wakeIdle();
    }
  }

  get #quiet(): boolean {
    return this.#tasks === 0 && this.#plan.idle;
  }

  #wakeIdle(): void {
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #idle(): Promise<void> {
    if (this.#quiet) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  async #settled(sequence: number): Promise<void> {
    if (sequence !== this.#ledger.sequence) {
      throw new Failed(
        status.EINVAL, `${this.target.key.what}: block ${sequence} was announced as the last, ${this.#ledger.sequence} came`,
      );
    }
    await this.#idle();
  }
}
