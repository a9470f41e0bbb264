import { describe, expect, it } from 'vitest';
import { shipped } from '../sim/transfer-code.ts';
import { checkLedgerMoves } from '../sim/transfer-ledger.ts';
import { checkDurableMoves } from '../sim/transfer-sums.ts';
import { checkWriteWorld } from '../sim/transfer-write-world.ts';
import { seed } from '../support/property.ts';

const { WritePlan, ShaFrontier, Durable } = shipped;

describe('the write side', () => {
  it(`keeps every promise with lanes that finish in any order (seed ${seed})`, { timeout: 120_000 }, () =>
    checkWriteWorld(shipped, 200),
  );
});

describe('ledger', () => {
  it('stops at each illegal move', () => checkLedgerMoves(shipped));
});

describe('write plan', () => {
  const block = (sequence: number, offset: number, length: number) => ({
    slot: sequence,
    slotOffset: offset % 4096,
    offset,
    length,
    sequence,
  });

  it('splits a block into head edge, interior and tail edge', () => {
    const plan = new WritePlan({ blocksInFlight: 2, align: 4096, end: 0 });
    plan.submit(block(1, 512, 12288));
    const seen = [];
    for (let piece = plan.next(); piece !== null; piece = plan.next()) {
      seen.push([piece.kind, piece.offset, piece.length, piece.slotOffset]);
      plan.written(piece);
    }
    expect(seen).toEqual([
      ['edge', 512, 3584, 512],
      ['write', 4096, 8192, 4096],
      ['edge', 12288, 512, 12288],
    ]);
  });

  it('overlaps as many aligned blocks as it may, and no more', () => {
    const plan = new WritePlan({ blocksInFlight: 2, align: 4096, end: 0 });
    for (let sequence = 1; sequence <= 3; sequence += 1) plan.submit(block(sequence, (sequence - 1) * 8192, 8192));
    const first = plan.next();
    expect(first?.block.sequence).toBe(1);
    expect(plan.next()?.block.sequence).toBe(2);
    expect(plan.next()).toBeNull();
    if (first !== null) plan.written(first);
    expect(plan.next()?.block.sequence).toBe(3);
  });

  it('digests while the same block is written', () => {
    const plan = new WritePlan({ blocksInFlight: 1, align: 4096, end: 0 });
    plan.submit(block(1, 0, 8192));
    const piece = plan.next();
    const digest = plan.nextDigest();
    expect(digest).toBe(piece?.block);
    expect(digest && plan.digested(digest)).toBeNull();
    expect(piece && plan.written(piece)).toBe(digest);
    expect(plan.idle).toBe(true);
  });

  it('holds the only block until it is released, and digests it meanwhile', () => {
    const plan = new WritePlan({ blocksInFlight: 2, align: 1, end: 0, holdFirstBytes: 4096 });
    const only = block(1, 0, 4096);
    plan.submit(only);
    expect([plan.next(), plan.nextDigest()]).toEqual([null, only]);
    expect(plan.digested(only)).toBeNull();
    expect([plan.idle, plan.next()]).toEqual([false, null]);
    expect(plan.release()).toBe(true);
    expect(plan.next()).toMatchObject({ block: only });
  });

  it('writes a block behind its digest where that goes with it, several at once', () => {
    const plan = new WritePlan({ blocksInFlight: 2, align: 1, end: 0, digestFirst: true });
    const blocks = [block(1, 0, 8192), block(2, 8192, 8192)];
    for (const one of blocks) plan.submit(one);
    const pieces = [];
    for (const one of blocks) {
      expect(plan.next()).toBeNull();
      expect(plan.nextDigest()).toBe(one);
      expect(plan.next()).toBeNull();
      expect(plan.digested(one)).toBeNull();
      pieces.push(plan.next());
    }
    expect(pieces.map((piece) => piece?.block)).toEqual(blocks);
    for (const piece of pieces) if (piece !== null) expect(plan.written(piece)).toBe(piece.block);
    expect(plan.idle).toBe(true);
  });
});

describe('SHA frontier', () => {
  it('keeps a bounded number of states, further and further apart', () => {
    const sha = new ShaFrontier({ chunkBytes: 64, spacingBytes: 64 });
    for (let to = 64; to <= 64 * 5000; to += 64) {
      sha.advance(to);
      if (sha.wantsSave) sha.save(new Uint8Array(32).fill(to / 64));
      expect(sha.places).toBeLessThanOrEqual(shipped.checkpointsMax);
    }
    expect(sha.places).toBeGreaterThan(shipped.checkpointsMax / 4);
    const place = sha.placeAt(64 * 4000);
    expect(place.offset).toBeGreaterThan(64 * 3000);
    expect(place.state?.[0]).toBe((place.offset / 64) % 256);
  });

  it('reads back no more than one order may take', () => {
    const sha = new ShaFrontier();
    const far = 3 * shipped.readBackMax + 512;
    expect(sha.next({ offset: far, length: 512 }, far)).toEqual({
      kind: 'read-back',
      from: 0,
      to: shipped.readBackMax,
    });
    expect(sha.catchUp(far, far)).toEqual({ from: 0, to: shipped.readBackMax });
  });
});

describe('durable size', () => {
  it('counts sums of a chunk anew once its bytes change, durable or not', () => checkDurableMoves(shipped));

  it('refuses a first write beyond the durable size of a reopened image only', () => {
    const reopened = new Durable({ size: 1024, reopened: true });
    expect(reopened.firstWrite(2048)).toEqual({ offset: 1024, length: 1024 });
    expect(reopened.firstWrite(1024)).toBeNull();
    expect(reopened.firstWrite(4096)).toBeNull();
    expect(new Durable({ size: 0, reopened: false }).firstWrite(4096)).toBeNull();
  });
});
