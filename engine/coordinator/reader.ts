/**
 * One complete image that a host program reads: READ in, verified bytes in slots out.
 *
 *   READ ─► plan ─► io lane fills a slot ─► digest lane verifies it ─► DATA ─► the client copies ─► SLOT_DONE
 *
 * The arena comes with the first READ, one small slot; sequential readers get the read-ahead arena, without waiting.
 */
import { addon } from '../../native/addon/index.ts';
import { BugError } from '../core/assert.ts';
import { Failed, status } from '../core/errors.ts';
import { op } from '../core/order.ts';
import type { StatusJob } from '../core/status-report.ts';
import { encodeFrame, type FrameOf, frame, imageState } from '../core/wire.ts';
import type { Link } from '../intake/link.ts';
import type { JobClock, JobOrder, OrderKind } from '../transfer/job-clock.ts';
import { type ReadAction, ReadPlan } from '../transfer/read-plan.ts';
import { wayFailed } from '../transfer/retry.ts';
import type { Account } from './account.ts';
import { runOrder } from './again.ts';
import { type Context, chunkBytes } from './context.ts';
import { defOf, type ImageInfo } from './image-info.ts';
import { jobEnded, storeOf } from './job-end.ts';
import { type Arena, type ArenaShape, slotBytesMin } from './memory.ts';
import { closeRead, openForRead, type ReadTarget, readRange } from './read-target.ts';
import { readSurely } from './reread.ts';
import { ioFailure } from './storage.ts';

/** What direct I/O of any file system takes, and a page of its cache. */
const grainBytes = 4096;

interface Outcome {
  /** Bytes that came and are what was written. */
  good: number;
  failure: Failed | null;
}

export class ImageReader {
  target: ReadTarget;
  readonly account: Account;
  #ctx: Context;
  readonly #link: Link;
  #arena: Arena | null = null;
  #next: Arena | null = null;
  /** `next`, once it is on its way to the client. */
  #passed: Arena | null = null;
  /** Memory was asked back before there was an arena, or while another one was on its way. */
  #giveBackLater = false;
  #plan: ReadPlan | null = null;
  /** By slot: the order that works on it, or did. */
  readonly #orders: (JobOrder | null)[] = [];
  #slotsMax = 0;
  #tasks = 0;
  #verifying = 0;
  #idleWaiters: (() => void)[] = [];
  /** Mounts that failed under this image, with what is open there. */
  readonly #left: { ctx: Context; target: ReadTarget }[] = [];
  #moving: Promise<boolean> | null = null;
  #closed = false;

  constructor(ctx: Context, link: Link, target: ReadTarget, account: Account) {
    this.#ctx = ctx;
    this.#link = link;
    this.target = target;
    this.account = account;
    account.attach(this);
  }

  /** For status: what this job waits for now. */
  get waitsFor(): StatusJob['waitsFor'] {
    if (this.#link.callType !== frame.read) return 'host program';
    if (this.#arena === null) return 'memory';
    return this.#verifying > 0 ? 'digest' : 'device';
  }

  waitsNow(clock: JobClock): void {
    const call = this.#link.callType;
    if (call === 0) return;
    if (call !== frame.read) {
      clock.waits('call', null, null, 'commit');
      return;
    }
    const slot = this.#plan?.fillingFirst ?? -1;
    if (slot < 0) clock.waits('slot', null, null, 'memory');
    else clock.waits('slot', this.#orders[slot] ?? null, null, 'device');
  }

  /** Its summary, and the same for status. */
  ended(): object {
    const { account } = this;
    const facts = {
      mode: 'read',
      store: storeOf(this.#ctx),
      slots: this.#slotsMax,
      slotsWanted: this.#slotsMax,
    } as const;
    return jobEnded({ ctx: this.#ctx, link: this.#link, image: this.target.key.id, account, facts });
  }

  get slots(): StatusJob['slots'] {
    const of = this.#arena?.slots ?? 0;
    return { held: Math.min(of, this.#tasks), of };
  }

  info(): ImageInfo {
    const { meta, physicalBytes } = this.target;
    return {
      size: meta.size,
      durableSize: meta.size,
      physicalBytes,
      state: imageState.created,
      meta,
      def: defOf(meta),
    };
  }

  async read(callId: number, body: FrameOf<'read'>): Promise<void> {
    if (body.length === 0) throw new Failed(status.EINVAL, `${this.target.key.what}: a read of 0 bytes`);
    const plan = this.#plan ?? (await this.#begin());
    if (this.#closed) return;
    this.#do(plan.read({ callId, offset: body.offset, length: body.length, generation: body.generation }));
  }

  slotDone(body: FrameOf<'slotDone'>): void {
    const plan = this.#plan;
    if (plan === null || this.#arena === null) {
      this.#link.end('the host program broke the protocol: a slot was given back before there was one');
      return;
    }
    // One that crossed the arena's replacement: its slot is not there any more.
    if (body.arena !== this.#arena.id) return;
    this.#do(plan.slotDone(body.slot, body.generation));
  }

  arenaDropped(id: number): void {
    if (this.#next === null || this.#arena === null || this.#plan === null) {
      this.#link.end(`the host program broke the protocol: it dropped arena ${id} unasked`);
      return;
    }
    const smaller = this.#next.slots * this.#next.slotBytes < this.#arena.slots * this.#arena.slotBytes;
    addon.arenaClose(this.#arena.id);
    this.#arena = this.#next;
    this.#next = null;
    if (smaller) this.#ctx.memory.shrunk(this.#link.id, this.#arena);
    this.#do(this.#plan.replace(this.#arena.slots, this.#arena.slotBytes));
    if (this.#giveBackLater) {
      this.#giveBackLater = false;
      this.#giveBack();
    }
  }

  async end(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#plan?.stop();
    if (this.#tasks > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    // Nobody waits for a mount that this image has left: it may not even answer a close.
    for (const { ctx, target } of this.#left)
      void closeRead(ctx, target).catch((error: unknown) => ctx.bug(`close of ${target.key.id}`, error));
    await closeRead(this.#ctx, this.target);
  }

  /** `mayKeep`: another image may have it. */
  dropArena(mayKeep: boolean): void {
    if (this.#arena !== null) this.#ctx.memory.giveBack(this.#arena, mayKeep ? this.#link.peer : null);
    if (this.#next !== null) addon.arenaClose(this.#next.id);
  }

  async #begin(): Promise<ReadPlan> {
    const { memory } = this.#ctx;
    const { peer } = this.#link;
    const small = { slots: 1, slotBytes: slotBytesMin };
    // The read-ahead arena costs nothing where it is ready.
    const ahead = this.target.meta.size > slotBytesMin ? this.#aheadShape() : null;
    const want = ahead !== null && memory.isReady(ahead, peer) ? ahead : small;
    const shape = await memory.claim(this.#link.id, 'read', want, () => this.#giveBack());
    try {
      this.#arena = memory.open(this.#giveBackLater ? small : shape, peer);
    } catch (error) {
      memory.release(this.#link.id);
      throw error;
    }
    this.#plan = new ReadPlan({
      size: this.target.meta.size,
      slots: this.#arena.slots,
      slotBytes: this.#arena.slotBytes,
      chunkBytes,
      grainBytes: this.#grain(),
      spareOne: !this.#ctx.settings.sequential,
    });
    if (this.#giveBackLater) {
      this.#giveBackLater = false;
      memory.shrunk(this.#link.id, this.#arena);
    }
    this.#pass(this.#arena);
    return this.#plan;
  }

  /** Sums are those of whole chunks; where there are none, a random read is of what was asked. */
  #grain(): number {
    const { meta, files } = this.target;
    return meta.sums !== null || grainBytes % files.align !== 0 ? chunkBytes : grainBytes;
  }

  #pass(arena: Arena): void {
    this.#slotsMax = Math.max(this.#slotsMax, arena.slots);
    const { id, slots, slotBytes } = arena;
    const words = { arena: id, slots, slot_bytes: slotBytes, first_bytes: 0 };
    this.#link.sendArena(encodeFrame('arena', frame.arena, 0, words), id);
  }

  #do(actions: ReadAction[]): void {
    for (const action of actions) {
      if (action.kind === 'fill') void this.#fill(action.slot, action.offset, action.length);
      else if (action.kind === 'data') this.#send(action);
      else if (action.kind === 'grow') this.#grow();
      else if (action.kind === 'refuse') this.#link.end(`the host program broke the protocol: ${action.text}`);
      else {
        const text = action.status === status.OK ? '' : `${this.target.key.what}: ${action.text}`;
        this.#link.reply(action.callId, action.status, action.errno, text, null);
      }
    }
    this.#swap();
    this.account.clock.tick();
  }

  #send(action: Extract<ReadAction, { kind: 'data' }>): void {
    this.account.moved(action.length, this.#ctx.now());
    this.#link.send(
      encodeFrame('data', frame.data, 0, {
        arena: this.#arena?.id ?? 0,
        slot: action.slot,
        slot_offset: action.slotOffset,
        length: action.length,
        offset: action.offset,
        generation: action.generation,
      }),
    );
  }

  async #fill(slot: number, offset: number, length: number): Promise<void> {
    this.#tasks++;
    try {
      const outcome = await this.#readSurely(slot, offset, length).catch((error: unknown) => {
        if (error instanceof Failed) return { good: 0, failure: error };
        this.#ctx.bug(`read of ${this.target.key.id}`, error);
        return { good: 0, failure: new Failed(status.EINTERNAL, 'internal error while reading; see the engine log') };
      });
      if (!this.#closed && this.#plan !== null) {
        this.#do(this.#plan.filled(slot, outcome.good, outcome.failure ?? undefined));
      } else this.#plan?.filled(slot, outcome.good, outcome.failure ?? undefined);
    } catch (error) {
      this.#ctx.bug(`read of ${this.target.key.id}`, error);
      this.#link.end('internal error');
    } finally {
      this.#tasks--;
      if (this.#tasks === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
    }
  }

  /** Damaged is what is bad twice in a row. */
  #readSurely(slot: number, offset: number, length: number): Promise<Outcome> {
    return readSurely(
      length,
      () => this.#readSomewhere(slot, offset, length),
      (good) => {
        this.account.retries++;
        const at = { image: this.target.key.id, offset: offset + good - (good % chunkBytes) };
        this.#ctx.log.warn(at, 'a chunk does not match its checksum: read again');
      },
    );
  }

  /** Where the way to the storage fails, by the next mount that has the image. */
  async #readSomewhere(slot: number, offset: number, length: number): Promise<Outcome> {
    for (;;) {
      const from = this.#ctx;
      const outcome = await this.#readAndVerify(slot, offset, length);
      if (outcome.failure === null || !wayFailed(outcome.failure.errno) || this.#closed) return outcome;
      if (this.#ctx !== from) continue;
      this.#moving ??= this.#move().finally(() => {
        this.#moving = null;
      });
      if (!(await this.#moving)) return outcome;
    }
  }

  /** False: no other mount has it. Each is tried once. */
  async #move(): Promise<boolean> {
    const { key, meta } = this.target;
    const failed = [...this.#left.map(({ ctx }) => ctx), this.#ctx];
    if (failed.length === this.#ctx.mounts.all.length) return false;
    try {
      const open = async (ctx: Context) => ({ ctx, target: await openForRead(ctx, key) });
      const moved = await this.#ctx.mounts.run(key.id, 'always', open, failed);
      if (moved.target.meta.imageId !== meta.imageId || this.#grain() % moved.target.files.align !== 0) {
        await closeRead(moved.ctx, moved.target);
        return false;
      }
      this.#ctx.log.warn(
        { job: this.#link.job, image: key.id, from: this.#ctx.mount, to: moved.ctx.mount },
        'a mount failed: the image is read through another one',
      );
      this.#left.push({ ctx: this.#ctx, target: this.target });
      this.#ctx = moved.ctx;
      this.target = moved.target;
      return true;
    } catch (error) {
      if (error instanceof Failed) return false;
      throw error;
    }
  }

  async #readAndVerify(slot: number, offset: number, length: number): Promise<Outcome> {
    const arena = this.#arena;
    if (arena === null) throw new BugError('a fill needs an arena');
    const { key } = this.target;
    const memoryOffset = slot * arena.slotBytes;
    const order = (kind: OrderKind): JobOrder => {
      const made = this.account.order(kind);
      this.#orders[slot] = made;
      return made;
    };
    const into = { arena: arena.id, memoryOffset, watch: () => order('device') };
    const what = `at offset ${offset}`;
    const { results, crcs, failure } = await readRange(
      this.#ctx,
      this.target,
      into,
      offset,
      length,
      this.#link.id,
      what,
    );
    for (const read of results) this.account.device(read);
    if (failure !== null) return { good: 0, failure };
    if (crcs !== null && !this.#closed && this.#plan !== null) this.#do(this.#plan.came(slot));
    if (crcs === null) return { good: length, failure: null };
    this.#verifying++;
    const verified = await runOrder(
      this.#ctx.digest,
      {
        op: op.verify,
        arena: arena.id,
        memoryOffset,
        length,
        offset,
        align: chunkBytes,
        crcs,
        watch: order('digest'),
      },
      this.#link.id,
    );
    this.#verifying--;
    this.account.digest(verified);
    if (verified.result < 0) return { good: 0, failure: ioFailure(what, 'verify', key.id, verified.result) };
    return { good: verified.result, failure: null };
  }

  // --- the arena grows once a reader is sequential, and shrinks when others wait ----------------------------------------

  #aheadShape(): ArenaShape | null {
    const { blockBytes, readAheadBytes } = this.#ctx.settings;
    return readAheadBytes === 0 ? null : { slots: Math.ceil(readAheadBytes / blockBytes) + 1, slotBytes: blockBytes };
  }

  #grow(): void {
    const want = this.#aheadShape();
    if (want === null) return;
    const shape = this.#ctx.memory.grow(this.#link.id, want);
    if (shape === null || this.#plan === null || this.#arena === null) return;
    this.#next = this.#ctx.memory.tryOpen(shape, this.#link.peer);
    if (this.#next === null) this.#ctx.memory.shrunk(this.#link.id, this.#arena);
    else this.#do(this.#plan.hold(true));
  }

  #giveBack(): void {
    if (this.#closed) return;
    if (this.#arena === null || this.#plan === null || this.#next !== null) {
      this.#giveBackLater = true;
      return;
    }
    if (this.#arena.slots * this.#arena.slotBytes <= slotBytesMin) return;
    this.#next = this.#ctx.memory.tryOpen({ slots: 1, slotBytes: slotBytesMin }, this.#link.peer);
    if (this.#next !== null) this.#do(this.#plan.hold(true));
  }

  /** Passes the arena that waits as soon as no slot of the old one is in anybody's hands. */
  #swap(): void {
    if (this.#next === null || this.#plan === null || this.#passed === this.#next || !this.#plan.canReplace) return;
    this.#passed = this.#next;
    this.#plan.freeze();
    this.#pass(this.#next);
  }
}
