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
import type { StatusJob } from '../core/status-report.ts';
import { closeFlag, type FrameOf, imageState } from '../core/wire.ts';
import type { Link } from '../intake/link.ts';
import type { JobClock, JobOrder, Waiting } from '../transfer/job-clock.ts';
import { type Block, type Piece, WritePlan } from '../transfer/write-plan.ts';
import type { Account } from './account.ts';
import { runOrder } from './again.ts';
import type { Context } from './context.ts';
import { closedBody, failedFrame } from './image-frames.ts';
import { defOf, encodeInfo, type ImageInfo } from './image-info.ts';
import { jobEnded, storeOf } from './job-end.ts';
import type { Arena } from './memory.ts';
import type { OpenWriter } from './open-images.ts';
import { ioFailure } from './storage.ts';
import { WriteCheckpoints } from './write-checkpoint.ts';
import { asFailed, demandLast, refusalOf, withMetadata } from './write-checks.ts';
import { digestBlock } from './write-digest.ts';
import { commitTarget, flushTarget } from './write-durable.ts';
import { holdBytes, lastBytes } from './write-last.ts';
import { makeRoom } from './write-prepare.ts';
import { closeTarget, dataName, dropClaim, type WriteTarget } from './write-target.ts';
import { WriterSlots } from './writer-slots.ts';

interface WriteBlock extends Block {
  crcs: BigUint64Array | null;
  /** Its orders, the last of each. */
  move: JobOrder | null;
  digest: JobOrder | null;
}

export class ImageWriter implements OpenWriter {
  readonly target: WriteTarget;
  readonly account: Account;
  readonly slots: WriterSlots;
  readonly #ctx: Context;
  readonly #link: Link;
  readonly #plan: WritePlan<WriteBlock>;
  readonly #checkpoints: WriteCheckpoints | null;
  #failure: Failed | null = null;
  #idleWaiters: (() => void)[] = [];
  /** Orders under way: what idle() waits for beside the plan. */
  #tasks = 0;
  /** The block under way is all there is of the image. */
  #sole = false;
  /** The piece that the commit writes; its slot is held until then. */
  #last: Piece<WriteBlock> | null = null;
  #closed = false;
  readonly #gone = Promise.withResolvers<void>();

  constructor(ctx: Context, link: Link, target: WriteTarget, arena: Arena, account: Account) {
    this.#ctx = ctx;
    this.#link = link;
    this.target = target;
    this.slots = new WriterSlots(ctx, link, arena);
    this.account = account;
    this.#plan = new WritePlan({
      blocksInFlight: ctx.settings.blocksInFlight,
      align: target.files.align,
      end: target.meta.size,
      holdFirstBytes: target.meta.size === 0 ? holdBytes(ctx) : 0,
      digestFirst: ctx.settings.sequential,
    });
    this.#checkpoints = ctx.settings.sequential ? new WriteCheckpoints(ctx, target) : null;
    account.attach(this);
  }

  get token(): string {
    return this.target.token;
  }

  /** The client waits for what the engine has under way. One that has a slot may not read for hours. */
  get owes(): boolean {
    return this.slots.clientHasNone && (this.#plan.blocks > 0 || this.slots.replacing);
  }

  /** For status: what this job waits for now. The same as its clock counts, in the words of an operator. */
  get waitsFor(): StatusJob['waitsFor'] {
    const waiting = this.#waiting;
    if (waiting === null) return 'host program';
    const { oldest } = this.#plan;
    if (oldest === null) return waiting === 'call' ? 'commit' : 'memory';
    return oldest.digest?.isOut && !oldest.move?.isOut ? 'digest' : 'device';
  }

  waitsNow(clock: JobClock): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    const { oldest } = this.#plan;
    const idle = waiting === 'call' ? 'commit' : 'memory';
    clock.waits(waiting, oldest?.move ?? null, oldest?.digest ?? null, oldest === null ? idle : 'device');
  }

  /** Null: the client is not waiting, whatever the engine has under way for it. */
  get #waiting(): Waiting | null {
    if (this.#link.callType !== 0) return 'call';
    return this.owes ? 'slot' : null;
  }

  /** Its summary, and the same for status. */
  ended(): object {
    const { slots, account } = this;
    const slotsWanted = this.#ctx.settings.writeBufferCount;
    const facts = { mode: 'write', store: storeOf(this.#ctx), slots: slots.use.of, slotsWanted } as const;
    return jobEnded({ ctx: this.#ctx, link: this.#link, image: this.target.key.id, account, facts });
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

  // --- frames ---------------------------------------------------------------------------------------------------------

  submit(body: FrameOf<'submit'>): void {
    if (!this.slots.submit(body)) return;
    const block: WriteBlock = {
      slot: body.slot,
      slotOffset: body.slot_offset,
      offset: body.offset,
      length: body.length,
      sequence: body.sequence,
      crcs: null,
      move: null,
      digest: null,
    };
    const wrong = this.#failure === null ? refusalOf(this.#ctx, this.target, this.#plan.end, block) : null;
    if (wrong !== null) this.#fail(wrong);
    if (this.#failure !== null || this.#closed) {
      this.slots.free(block.slot, block.sequence);
      return;
    }
    this.#plan.submit(block);
    this.#checkpoints?.submitted(this.#plan.end);
    // Without a slot the client brings no second block.
    if (this.slots.clientHasNone) this.#plan.release();
    this.#pump();
  }

  writeMetadata(offset: number, bytes: Uint8Array): void {
    if (this.#failure !== null) throw this.#failure;
    this.target.opaque = withMetadata(this.target, offset, bytes);
  }

  async flush(sequence: number): Promise<Buffer> {
    this.slots.stopPopulating();
    this.#plan.release();
    this.#pump();
    await this.#settled(sequence);
    if (this.#failure !== null) throw this.#failure;
    try {
      await flushTarget(this.#ctx, this.target, this.#plan.end);
    } catch (error) {
      throw this.#afterStep(error);
    }
    return closedBody(this.target.meta.size, imageState.pending | imageState.busyWrite);
  }

  /** Frees everything whatever happens; the caller answers with the result or the failure. */
  async close(body: FrameOf<'close'>): Promise<Buffer> {
    this.slots.stopPopulating();
    this.account.told(body);
    const complete = (body.flags & closeFlag.complete) !== 0;
    this.#sole = this.#plan.release() && complete && body.sequence === this.slots.sequence;
    if (this.#sole && !this.#ctx.settings.sequential) this.#leaveToCommit();
    this.#pump();
    try {
      await this.#settled(body.sequence);
      if (complete) return await this.#complete();
      if (this.#failure === null) await flushTarget(this.#ctx, this.target, this.#plan.end);
      return closedBody(this.target.meta.size, imageState.pending);
    } finally {
      await this.end();
    }
  }

  async #complete(): Promise<Buffer> {
    if (this.#failure !== null) throw this.#failure;
    const { arena } = this.slots;
    const { files } = this.target;
    const last = this.#last === null ? undefined : lastBytes(this.#last, arena, files.align);
    try {
      await commitTarget(this.#ctx, this.target, this.account, this.#plan.end, last);
    } catch (error) {
      if (last !== undefined) this.account.spoiled();
      throw error;
    }
    return closedBody(this.target.meta.size, imageState.created);
  }

  /**
   * A small image's only block is written by the lane that commits it: one lane less to wake. Where it has an edge beside
   * its aligned part it goes the usual way.
   */
  #leaveToCommit(): void {
    const piece = this.#plan.next();
    if (piece === null) return;
    if (piece.length === piece.block.length) {
      this.#last = piece;
      this.#done(this.#plan.written(piece));
    } else this.#start(piece);
  }

  property(): Buffer {
    return encodeInfo(this.info());
  }

  /** Lets go of everything that is on storage and in the engine; memory goes with the link. Safe to call twice. */
  async end(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.slots.close();
    for (const block of this.#plan.stop()) this.#free(block);
    await this.#idle();
    if (this.#last !== null) this.slots.free(this.#last.block.slot, this.#last.block.sequence);
    const { target } = this;
    try {
      const closing = closeTarget(this.#ctx, target).catch((error) => this.#ctx.bug('close of files', error));
      if (target.meta.state !== 'pending') return;
      // A complete image needs nobody to wait for its descriptors; the next writer of a pending one does.
      await closing;
      await dropClaim(this.#ctx, target.key, target.claim);
    } finally {
      this.#gone.resolve();
    }
  }

  giveWay(): Promise<void> {
    this.#link.end('the host program goes on with the image on another connection');
    return this.#gone.promise;
  }

  // --- blocks ---------------------------------------------------------------------------------------------------------

  #pump(): void {
    this.account.clock.tick(); // a block came, or is done: the client has one slot less, or more
    for (let piece = this.#next(); piece !== null; piece = this.#next()) {
      this.#start(piece);
    }
    for (let block = this.#plan.nextDigest(); block !== null; block = this.#plan.nextDigest()) {
      const started = block;
      this.slots.begun(started.slot);
      void this.#task('digest', () => this.#digest(started));
    }
    const due = this.#failure !== null || this.#closed ? null : (this.#checkpoints?.due() ?? null);
    if (due !== null) void this.#task('checkpoint', () => due().finally(() => this.#pump()));
    if (this.#quiet) this.#wakeIdle();
  }

  #start(piece: Piece<WriteBlock>): void {
    this.#checkpoints?.sent(piece.offset + piece.length);
    this.slots.begun(piece.block.slot);
    void this.#task(piece.kind, () => (piece.kind === 'prepare' ? this.#prepare(piece) : this.#write(piece)));
  }

  #next(): Piece<WriteBlock> | null {
    return this.#checkpoints?.maySend === false ? null : this.#plan.next();
  }

  async #write(piece: Piece<WriteBlock>): Promise<void> {
    const { files, key } = this.target;
    const { arena } = this.slots;
    piece.block.move = this.account.order('device');
    try {
      const result = await runOrder(
        this.#ctx.io,
        {
          op: piece.kind === 'edge' ? op.writeEdge : op.write,
          file: files.data,
          arena: arena.id,
          memoryOffset: piece.block.slot * arena.slotBytes + piece.slotOffset,
          length: piece.length,
          offset: piece.offset,
          align: files.align,
          pieces: this.#sole ? 1 : 0,
          // What the endpoint is to verify was made of the slot's bytes before; it is not computed again.
          crcs: this.#ctx.settings.sequential ? piece.block.crcs : null,
          watch: piece.block.move,
        },
        this.#link.id,
      );
      this.account.device(result);
      if (result.result !== piece.length) {
        const what = `${key.what} at offset ${piece.offset}`;
        this.#fail(ioFailure(what, 'write', `${key.id}/${dataName}`, result.result, result.text));
      }
    } finally {
      this.slots.ended(piece.block.slot);
      this.#done(this.#plan.written(piece));
    }
  }

  async #digest(block: WriteBlock): Promise<void> {
    try {
      const at = block.slot * this.slots.arena.slotBytes + block.slotOffset;
      if (this.#failure === null) {
        block.digest = this.account.order('digest');
        block.crcs = await digestBlock(this.#ctx, this.target, this.account, this.slots.arena.id, at, block);
      }
    } catch (error) {
      this.#fail(asFailed(this.#ctx, this.target, 'digest', error));
    } finally {
      this.slots.ended(block.slot);
      this.#done(this.#plan.digested(block));
    }
  }

  /** Before a block that overwrites: nothing else of this image is under way. */
  async #prepare(piece: Piece<WriteBlock>): Promise<void> {
    const { block } = piece;
    try {
      if (this.#failure === null) await makeRoom(this.#ctx, this.target, this.account, block);
    } catch (error) {
      this.#fail(asFailed(this.#ctx, this.target, 'prepare', error));
    } finally {
      this.slots.ended(block.slot);
      this.#done(this.#plan.prepared(block));
    }
  }

  /** A block that is written and digested, or given up. */
  #done(block: WriteBlock | null): void {
    if (block !== null) {
      if (this.#failure === null && !this.#closed) {
        this.target.coverage.cover(block.offset, block.length, this.target.meta.sums && block.crcs);
        this.account.moved(block.length, this.#ctx.now());
      }
      this.#free(block);
    }
    this.#pump();
  }

  /** The commit's block keeps its slot until the end. */
  #free(block: WriteBlock): void {
    if (block !== this.#last?.block) this.slots.free(block.slot, block.sequence);
  }

  // --- failures and waiting -------------------------------------------------------------------------------------------

  #fail(failure: Failed): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#ctx.log.error({ job: this.#link.job, image: this.target.key.id, status: failure.status }, failure.message);
    for (const block of this.#plan.stop()) this.#free(block);
    this.#link.send(failedFrame(failure));
  }

  /** A flush that failed is told by its own reply; every write that follows fails too. A hole can still be filled. */
  #afterStep(error: unknown): unknown {
    if (error instanceof Failed && error.status !== status.EINVAL) this.#fail(error);
    return error;
  }

  async #task(where: string, work: () => Promise<void>): Promise<void> {
    this.#tasks++;
    try {
      await work();
    } catch (error) {
      this.#fail(asFailed(this.#ctx, this.target, where, error));
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
    demandLast(this.target, sequence, this.slots.sequence);
    await this.#idle();
  }
}
