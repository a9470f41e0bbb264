/**
 * One image being written in a made-up world: a client that fills slots and submits blocks anywhere, lanes that finish
 * in any order, and a storage that is an array. Ledger, plan, coverage, SHA frontier and durable size do the deciding;
 * the world carries out, as the coordinator does, and holds every step against the plainest reading of the promises:
 *
 * - writes in flight never share a sector; edges merge what the storage held when they began, so an overlap shows;
 * - bytes below the durable size never change, and their sums in the file are right;
 * - what is covered is on storage with that CRC; at the end storage, sums and hash are those of the last writes;
 * - a slot's bytes are used by lanes only while the client does not hold it.
 */
import * as fc from 'fast-check';
import { check, combineSums, type Decisions, decisions, sumOf } from '../support/property.ts';
import { expectEqual, expectTrue } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';
import { checkBeside, type Task, type WorldBlock } from './transfer-lanes.ts';
import { hostileSubmit } from './transfer-ledger.ts';
import { crcsOf, FakeSha } from './transfer-sums.ts';

const chunkBytes = 4096;
const unit = 512;
const sector = 2048;
const size = 8 * chunkBytes;

type Piece = NonNullable<ReturnType<InstanceType<TransferCode['WritePlan']>['next']>>;

class World {
  readonly #code: TransferCode;
  readonly #draw: Decisions;
  readonly #sums: boolean;
  readonly #slots: number;
  readonly #slotBytes = 2 * chunkBytes + 4096;
  readonly #blocksInFlight: number;
  readonly #ledger: InstanceType<TransferCode['Ledger']>;
  readonly #plan: InstanceType<TransferCode['WritePlan']>;
  readonly #coverage: InstanceType<TransferCode['Coverage']>;
  readonly #sha: InstanceType<TransferCode['ShaFrontier']>;
  readonly #durable: InstanceType<TransferCode['Durable']>;
  readonly #memory: Uint8Array[];
  /** What the client believes that it wrote; −1: nothing. */
  readonly #digestFirst: boolean;
  readonly #wanted = new Int32Array(size).fill(-1);
  readonly #storage = new Uint8Array(size);
  /** Bytes below the durable size as they were made durable. */
  readonly #promised = new Uint8Array(size);
  #sumsFile: bigint[] = [];
  readonly #hash = new FakeSha();
  readonly #held: number[] = [];
  #tasks: Task[] = [];
  #sequence = 0;
  #failed = false;
  #value = 1;

  constructor(code: TransferCode, draw: Decisions, sums: boolean) {
    this.#code = code;
    this.#draw = draw;
    this.#sums = sums;
    this.#slots = 1 + draw.below(4);
    this.#blocksInFlight = 1 + draw.below(3);
    this.#ledger = new code.Ledger({ arena: 7, slots: this.#slots, slotBytes: this.#slotBytes });
    this.#memory = Array.from({ length: this.#slots }, () => new Uint8Array(this.#slotBytes));
    const start = draw.oneIn(2) ? draw.below(3 * (chunkBytes / unit)) * unit : 0;
    for (let at = 0; at < start; at += 1) this.#storage[at] = this.#wanted[at] = at % 251;
    this.#promised.set(this.#storage);
    this.#durable = new code.Durable({ size: start, reopened: start > 0, chunkBytes });
    this.#digestFirst = draw.oneIn(4);
    const align = draw.oneIn(4) ? 1 : sector;
    const many = { blocksInFlight: this.#blocksInFlight, digestFirst: this.#digestFirst };
    this.#plan = new code.WritePlan({ ...many, align, end: start });
    this.#coverage = new code.Coverage({ crcCombine: combineSums, sums, chunkBytes });
    const place =
      start > 0 && draw.oneIn(2)
        ? { offset: start, state: FakeSha.stateOf(this.#storage.subarray(0, start)) }
        : undefined;
    this.#sha = new code.ShaFrontier({ chunkBytes, spacingBytes: chunkBytes, ...(place ? { start: place } : {}) });
    if (place) this.#hash.feed(this.#storage.subarray(0, start));
    this.#resume(start);
  }

  #resume(start: number): void {
    const chunks = Math.floor(start / chunkBytes);
    const crcs = BigUint64Array.from({ length: chunks }, (_, c) =>
      sumOf(this.#storage, c * chunkBytes, (c + 1) * chunkBytes),
    );
    this.#sumsFile = [...crcs];
    this.#coverage.loadWhole(0, this.#sums ? crcs : chunks);
    const from = chunks * chunkBytes;
    if (start > from) this.#coverage.cover(from, start - from, this.#sums ? [sumOf(this.#storage, from, start)] : null);
    this.#setBorder();
  }

  #setBorder(): void {
    this.#coverage.setBorder(this.#sha.frontier);
  }

  run(): void {
    while (this.#draw.left > 0) this.#step();
    this.#drain();
    if (!this.#failed) this.#close();
    this.#checkSlots();
  }

  #step(): void {
    const choice = this.#draw.below(8);
    if (choice < 2) this.#credit();
    else if (choice < 4) this.#submit();
    else if (choice < 7) this.#finishOne();
    else if (this.#draw.oneIn(3)) this.#flush();
    else if (this.#draw.oneIn(16)) this.#giveUp();
    else if (this.#draw.oneIn(2)) this.#hostile();
    this.#pump();
  }

  #credit(): void {
    const slot = this.#ledger.nextFree();
    if (slot < 0) return;
    this.#ledger.credit(slot);
    this.#held.push(slot);
  }

  #submit(): void {
    if (this.#held.length === 0 || this.#failed) return;
    const slot = this.#held.splice(this.#draw.below(this.#held.length), 1)[0] ?? -1;
    const inOrder = this.#draw.below(3) > 0;
    let offset = inOrder ? this.#plan.end : this.#draw.below(size / unit) * unit;
    if (offset >= size) offset = 0;
    const room = Math.min(this.#slotBytes - 4096, size - offset);
    const length = this.#draw.oneIn(3) ? unit * (1 + this.#draw.below(4)) : room;
    const block = {
      slot,
      slotOffset: offset % 4096,
      offset,
      length: Math.min(length, room),
      sequence: this.#sequence + 1,
      crcs: null,
      digested: false,
      parts: 0,
    };
    const missing = this.#durable.firstWrite(offset);
    if (missing !== null) {
      expectEqual(missing, { offset: this.#durable.size, length: offset - this.#durable.size }, 'missing range');
      this.#held.push(slot);
      return;
    }
    const memory = this.#memory[slot] ?? new Uint8Array();
    for (let at = 0; at < block.length; at += 1) {
      const value = (this.#value * 31 + at) % 251;
      memory[block.slotOffset + at] = value;
      this.#wanted[offset + at] = value;
    }
    this.#value += 1;
    expectEqual(this.#ledger.submit({ ...block, arena: 7 }), null, 'an honest SUBMIT is taken');
    this.#sequence += 1;
    this.#plan.submit(block);
  }

  /** A SUBMIT that must be refused, and change nothing. */
  #hostile(): void {
    const slot = this.#held[0] ?? -1;
    const submit = hostileSubmit(this.#draw, {
      slot,
      free: this.#ledger.nextFree(),
      slots: this.#slots,
      slotBytes: this.#slotBytes,
      sequence: this.#sequence,
    });
    const before = this.#ledger.counts();
    expectTrue(this.#ledger.submit(submit) !== null, `${JSON.stringify(submit)} is refused`);
    expectEqual(this.#ledger.counts(), before, 'a refused SUBMIT changes nothing');
    expectEqual(this.#ledger.sequence, this.#sequence, 'a refused SUBMIT does not count');
  }

  #pump(): void {
    for (let piece = this.#plan.next(); piece !== null; piece = this.#plan.next()) this.#start(piece);
    for (let block = this.#plan.nextDigest(); block !== null; block = this.#plan.nextDigest()) {
      this.#startDigest(block as WorldBlock);
    }
    expectTrue(this.#plan.idle || this.#tasks.length > 0 || this.#failed, 'a plan that is not idle has work under way');
  }

  #finishOne(): void {
    if (this.#tasks.length === 0) return;
    this.#tasks.splice(this.#draw.below(this.#tasks.length), 1)[0]?.finish();
    this.#checkPromise();
  }

  #start(piece: Piece): void {
    const block = piece.block as WorldBlock;
    this.#ledger.begin(block.slot);
    expectTrue(!this.#held.includes(block.slot), 'a lane does not use a slot that the client holds');
    block.parts += 1;
    if (piece.kind === 'prepare') {
      expectEqual(this.#tasks.length, 0, 'before a prepare nothing is under way');
      this.#prepare(block);
      this.#tasks.push({
        from: -1,
        to: -1,
        what: 'prepare',
        block,
        finish: () => {
          this.#ended(block, this.#plan.prepared(block));
        },
      });
      return;
    }
    const align = piece.kind === 'write' ? 1 : sector;
    const from = Math.floor(piece.offset / align) * align;
    const to = Math.ceil((piece.offset + piece.length) / align) * align;
    checkBeside(this.#tasks, { from, to, what: piece.kind, block }, this.#blocksInFlight);
    if (this.#digestFirst) expectTrue(block.digested, 'a block is digested before it is written');
    expectTrue(piece.offset >= this.#durable.size, 'nothing is written below the durable size');
    const bytes = this.#storage.slice(from, Math.min(to, size));
    const memory = this.#memory[block.slot] ?? new Uint8Array();
    bytes.set(memory.subarray(piece.slotOffset, piece.slotOffset + piece.length), piece.offset - from);
    const task: Task = {
      from,
      to,
      what: piece.kind,
      block,
      finish: () => {
        this.#storage.set(bytes, from);
        this.#ended(block, this.#plan.written(piece));
      },
    };
    this.#tasks.push(task);
  }

  #prepare(block: WorldBlock): void {
    const lower = this.#durable.rewriteFrom(block.offset);
    if (lower !== null) this.#durable.lowered(lower);
    const back = this.#sha.rewind(block.offset);
    if (back !== null) {
      this.#hash.restore(back, this.#storage);
      this.#setBorder();
      this.#cut(this.#sha.frontier, 0);
    }
    this.#cut(block.offset, block.length);
  }

  #cut(offset: number, length: number): void {
    const splits = [];
    for (const piece of this.#coverage.ragged(offset, length)) {
      if (this.#sums) expectEqual(piece.crc, this.#sumAt(piece), 'a piece to split is on storage');
      splits.push(...piece.keep.map((keep) => ({ ...keep, crc: this.#sums ? this.#sumAt(keep) : 0n })));
    }
    this.#coverage.cut(offset, length, splits);
  }

  #sumAt(range: { offset: number; length: number }): bigint {
    return sumOf(this.#storage, range.offset, range.offset + range.length);
  }

  #startDigest(block: WorldBlock): void {
    expectTrue(!this.#tasks.some((task) => task.what === 'digest' || task.what === 'prepare'), 'one digest at a time');
    expectTrue(!this.#held.includes(block.slot), 'a digest does not use a slot that the client holds');
    this.#ledger.begin(block.slot);
    block.parts += 1;
    let step = this.#sha.next(block, this.#coverage.coveredTo(this.#sha.frontier));
    for (; step.kind === 'read-back'; step = this.#sha.next(block, this.#coverage.coveredTo(this.#sha.frontier))) {
      this.#readBack(step.from, step.to);
    }
    const withSha = step.kind === 'with-sha';
    if (withSha) expectEqual(this.#hash.length, block.offset, 'SHA stands at the block');
    const memory = this.#memory[block.slot] ?? new Uint8Array();
    const bytes = memory.slice(block.slotOffset, block.slotOffset + block.length);
    this.#tasks.push({
      from: -1,
      to: -1,
      what: 'digest',
      block,
      finish: () => {
        block.crcs = this.#sums ? crcsOf(bytes, block.offset, chunkBytes) : null;
        block.digested = true;
        if (withSha) this.#feed(bytes);
        this.#ended(block, this.#plan.digested(block));
      },
    });
  }

  #feed(bytes: Uint8Array): void {
    this.#hash.feed(bytes);
    this.#sha.advance(this.#hash.length);
    this.#setBorder();
    if (this.#sha.wantsSave) this.#sha.save(this.#hash.save());
  }

  #readBack(from: number, to: number): void {
    expectEqual(this.#hash.length, from, 'reading back begins at the frontier');
    let at = from;
    for (const piece of this.#coverage.pieces(from, to, Infinity)) {
      expectEqual(piece.offset, at, 'pieces follow each other');
      if (this.#sums) expectEqual(piece.crc, this.#sumAt(piece), 'what is covered is on storage');
      at += piece.length;
    }
    expectEqual(at, to, 'pieces reach to the end');
    this.#feed(this.#storage.slice(from, to));
  }

  /** A part of the block came back. */
  #ended(block: WorldBlock, done: object | null): void {
    this.#ledger.end(block.slot);
    block.parts -= 1;
    if (done === null) return;
    expectTrue(done === block, 'the block that is done is the one whose part came back');
    expectEqual(block.parts, 0, 'a block that is done has no part under way');
    if (!this.#failed) this.#coverage.cover(block.offset, block.length, block.crcs);
    this.#ledger.settle(block.slot);
  }

  #checkPromise(): void {
    for (let at = 0; at < this.#durable.size; at += 1) {
      if (this.#storage[at] !== this.#promised[at]) throw new Error(`durable byte ${at} has changed`);
    }
  }

  #drain(): void {
    this.#pump();
    for (let left = 10_000; this.#tasks.length > 0; left -= 1) {
      expectTrue(left > 0, 'everything comes to an end');
      this.#finishOne();
      this.#pump();
    }
    expectTrue(this.#plan.idle, 'a drained plan is idle');
  }

  #flush(): void {
    this.#drain();
    const end = this.#plan.end;
    if (this.#failed || this.#coverage.firstGap(end) !== null) return;
    const chunks = this.#coverage.wholeChunksBelow(end);
    const from = this.#durable.sumsChunks;
    if (this.#sums) {
      const view = new DataView(this.#coverage.sumsBytes(from, chunks - from).buffer);
      this.#sumsFile.length = from;
      for (let chunk = from; chunk < chunks; chunk += 1)
        this.#sumsFile.push(view.getBigUint64((chunk - from) * 8, true));
      // Sums may be appended before the flush that makes them durable fails.
      if (this.#draw.oneIn(4)) {
        this.#durable.appended(chunks);
        return;
      }
      for (let chunk = 0; chunk < chunks; chunk += 1) {
        const sum = sumOf(this.#storage, chunk * chunkBytes, (chunk + 1) * chunkBytes);
        expectEqual(this.#sumsFile[chunk], sum, `durable sum of chunk ${chunk}`);
      }
    }
    const place = this.#sha.placeAt(end);
    expectTrue(place.offset <= end, 'a saved SHA state is not ahead of the durable size');
    this.#durable.flushed(end);
    this.#promised.set(this.#storage);
  }

  #giveUp(): void {
    if (this.#failed) return;
    this.#failed = true;
    for (const block of this.#plan.stop()) {
      expectEqual((block as WorldBlock).parts, 0, 'a block that is given back has no part under way');
      this.#ledger.settle(block.slot);
    }
  }

  #close(): void {
    const end = this.#plan.end;
    const hole = this.#wanted.subarray(0, end).indexOf(-1);
    const gap = this.#coverage.firstGap(end);
    expectEqual(gap?.offset ?? -1, hole, 'the first hole');
    for (let at = 0; at < end; at += 1) {
      const wanted = this.#wanted[at] ?? -1;
      if (wanted >= 0 && wanted !== this.#storage[at]) throw new Error(`byte ${at} is not the last one written`);
    }
    if (gap !== null) return;
    for (let step = this.#sha.catchUp(end, this.#coverage.coveredTo(this.#sha.frontier)); step !== null; ) {
      this.#readBack(step.from, step.to);
      step = this.#sha.catchUp(end, this.#coverage.coveredTo(this.#sha.frontier));
    }
    expectEqual(this.#hash.length, end, 'SHA has seen all bytes');
    expectEqual(this.#hash.sum, sumOf(this.#storage, 0, end), 'SHA has seen the last ones');
    if (this.#sums) expectEqual(this.#coverage.imageCrc(end), sumOf(this.#storage, 0, end), 'CRC of the image');
  }

  #checkSlots(): void {
    const counts = this.#ledger.counts();
    expectEqual(
      counts,
      { free: this.#slots - this.#held.length, client: this.#held.length, queued: 0, working: 0 },
      'slots',
    );
    this.#ledger.clientGone();
    expectTrue(this.#ledger.allFree, 'with the client gone all slots are free');
    expectTrue(this.#code.phase.free === 'free', 'phases have names');
  }
}

export function checkWriteWorld(code: TransferCode, runs: number): void {
  check(
    fc.property(decisions(240), fc.boolean(), (draw, sums) => new World(code, draw, sums).run()),
    runs,
  );
}
