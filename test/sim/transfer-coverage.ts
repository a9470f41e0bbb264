/** Coverage beside its plainest reading: an array of bytes, and one flag a byte. */
import * as fc from 'fast-check';
import { check, combineSums, type Decisions, decisions, sumOf } from '../support/property.ts';
import { expectEqual } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';

const chunkBytes = 8;
const pageBytes = 512 * chunkBytes;

class Model {
  readonly bytes: Uint8Array;
  readonly known: Uint8Array;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.known = new Uint8Array(size);
  }
  coveredTo(from: number): number {
    let at = from;
    while (this.known[at] === 1) at += 1;
    return at;
  }
  firstGap(end: number): { offset: number; length: number } | null {
    const offset = this.coveredTo(0);
    if (offset >= end) return null;
    const next = this.known.indexOf(1, offset);
    return { offset, length: Math.min(end, next < 0 ? Infinity : next) - offset };
  }
}

type Coverage = InstanceType<TransferCode['Coverage']>;

function write(coverage: Coverage, model: Model, offset: number, length: number, value: number, sums: boolean): void {
  const splits = [];
  for (const piece of coverage.ragged(offset, length)) {
    const end = piece.offset + piece.length;
    expectEqual(model.coveredTo(piece.offset) >= end, true, 'a ragged piece is covered');
    expectEqual(piece.offset < offset || end > offset + length, true, 'a ragged piece reaches outside');
    if (sums) expectEqual(piece.crc, sumOf(model.bytes, piece.offset, end), 'CRC of a ragged piece');
    let kept = 0;
    for (const keep of piece.keep) {
      const keepEnd = keep.offset + keep.length;
      expectEqual(keepEnd <= offset || keep.offset >= offset + length, true, 'a kept range lies outside');
      kept += keep.length;
      splits.push({ ...keep, crc: sums ? sumOf(model.bytes, keep.offset, keepEnd) : 0n });
    }
    const inside = Math.max(0, Math.min(end, offset + length) - Math.max(piece.offset, offset));
    expectEqual(kept + inside, piece.length, 'nothing of a ragged piece is forgotten');
  }
  coverage.cut(offset, length, splits);
  if (length === 0) return;
  model.known.fill(0, offset, offset + length);
  compare(coverage, model, sums, [offset]);
  const crcs: bigint[] = [];
  for (let at = offset; at < offset + length; ) {
    const next = Math.min(offset + length, (Math.floor(at / chunkBytes) + 1) * chunkBytes);
    for (let byte = at; byte < next; byte += 1) model.bytes[byte] = value + byte;
    crcs.push(sumOf(model.bytes, at, next));
    at = next;
  }
  coverage.cover(offset, length, sums ? crcs : null);
  model.known.fill(1, offset, offset + length);
}

/** Everything that can be asked, beside the model. */
function compare(coverage: Coverage, model: Model, sums: boolean, places: readonly number[]): void {
  const size = model.bytes.length;
  for (const at of [0, ...places]) {
    expectEqual(coverage.coveredTo(at), model.coveredTo(at), `coveredTo ${at}`);
    expectEqual(coverage.firstGap(at), model.firstGap(at), `firstGap below ${at}`);
  }
  expectEqual(coverage.firstGap(size), model.firstGap(size), 'firstGap');
  const end = model.coveredTo(0);
  const chunks = Math.floor(end / chunkBytes);
  expectEqual(coverage.wholeChunksBelow(end), chunks, 'wholeChunksBelow');
  if (!sums) return;
  const view = new DataView(coverage.sumsBytes(0, chunks).buffer);
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const sum = sumOf(model.bytes, chunk * chunkBytes, (chunk + 1) * chunkBytes);
    expectEqual(view.getBigUint64(chunk * 8, true), sum, `sum of chunk ${chunk}`);
  }
  const partial = { length: end % chunkBytes, crc: sumOf(model.bytes, chunks * chunkBytes, end) };
  expectEqual(coverage.partialAt(end), partial, `partialAt ${end}`);
  expectEqual(coverage.imageCrc(end), sumOf(model.bytes, 0, end), 'imageCrc');
}

/** Pieces from a border to the end of what is covered there. */
function comparePieces(coverage: Coverage, model: Model, from: number, sums: boolean): void {
  const to = model.coveredTo(from);
  let at = from;
  for (const piece of coverage.pieces(from, to, Infinity)) {
    expectEqual(piece.offset, at, 'pieces follow each other');
    expectEqual(piece.length > 0 && piece.length <= chunkBytes, true, 'no piece is longer than a chunk');
    if (sums) expectEqual(piece.crc, sumOf(model.bytes, at, at + piece.length), 'CRC of a piece');
    at += piece.length;
  }
  expectEqual(at, to, 'pieces reach to the end');
}

function run(code: TransferCode, draw: Decisions, pages: number, sums: boolean): void {
  const size = pages * pageBytes + 24 * chunkBytes;
  const model = new Model(size);
  const coverage = new code.Coverage({ crcCombine: combineSums, sums, chunkBytes });
  const loaded = pages * 512;
  if (loaded > 0) {
    for (let at = 0; at < loaded * chunkBytes; at += 1) model.bytes[at] = at * 7;
    model.known.fill(1, 0, loaded * chunkBytes);
    const crcs = BigUint64Array.from({ length: loaded }, (_, chunk) =>
      sumOf(model.bytes, chunk * chunkBytes, (chunk + 1) * chunkBytes),
    );
    coverage.loadWhole(0, sums ? crcs : loaded);
    if (draw.oneIn(2)) expectEqual(coverage.condense(512 * pages), true, 'everything is condensed');
  }
  while (draw.left > 0) {
    // With whole pages loaded most writes go near their end, where pages, pieces and holes meet.
    const window = 24 * chunkBytes;
    const floor = draw.oneIn(4) || pages === 0 ? 0 : pages * pageBytes - window / 2;
    const offset = floor + draw.below(window);
    const length = Math.min(size - offset, 1 + draw.below(draw.oneIn(3) ? 5 * chunkBytes : chunkBytes));
    if (draw.oneIn(4)) {
      coverage.setBorder(offset);
      write(coverage, model, offset, 0, 0, sums);
      if (model.known[offset] === 1) comparePieces(coverage, model, offset, sums);
    } else write(coverage, model, offset, length, draw.below(256), sums);
    compare(coverage, model, sums, [offset, offset + length]);
  }
}

export function checkCoverage(code: TransferCode, runs: number): void {
  check(
    fc.property(decisions(200), fc.boolean(), (draw, sums) => run(code, draw, 0, sums)),
    runs,
  );
  check(
    fc.property(decisions(40), (draw) => run(code, draw, 2, true)),
    Math.ceil(runs / 20),
  );
}

/** What a client that scatters its writes over a petabyte may cost: looked at by steps, not by time. */
export function checkHugeHole(code: TransferCode): void {
  const coverage = new code.Coverage({ crcCombine: combineSums, sums: true });
  const far = 2 ** 50 - 512;
  coverage.cover(far, 512, [1n]);
  expectEqual(coverage.firstGap(2 ** 50), { offset: 0, length: far }, 'one hole of a petabyte');
  coverage.cover(0, 1024 * 1024, [2n]);
  expectEqual(coverage.firstGap(2 ** 50), { offset: 1024 * 1024, length: far - 1024 * 1024 }, 'behind the first chunk');
  expectEqual(coverage.pieceCount, 1, 'whole chunks are no pieces');
}
