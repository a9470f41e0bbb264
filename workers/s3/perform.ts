/** One order of a net lane: the switch over what can be done with a bucket. Bytes go between the arena and the socket. */
import { errno } from '../../engine/core/errors.ts';
import { joinWords, op, orderWord, sumsEntryBytes, sumsHeaderBytes } from '../../engine/core/order.ts';
import { partBytesMin } from '../../engine/core/parts.ts';
import { addon } from '../../native/addon/index.ts';
import type { LaneArea } from '../lane-area.ts';
import { StoreError } from '../store.ts';
import { storeCallAsync } from '../store-call.ts';
import type { Tally } from './bucket.ts';
import { failed } from './failures.ts';
import type { S3Store } from './s3-store.ts';
import { chunkBytes } from './upload.ts';

/** Of the bytes in a stash: one a chunk, and one more for each ragged end. */
const crcsMax = partBytesMin / chunkBytes + 2;

/**
 * Performs the order in `record`; text and CRCs of the answer stand in `area`. Returns ≥ 0: bytes, or what the operation
 * says; < 0: −errno, with the failure as a sentence in the area. A bug of the caller ends one order, not the lane.
 */
export async function performNet(record: Int32Array, area: LaneArea, store: S3Store): Promise<number> {
  try {
    return await performChecked(record, area, store);
  } catch (error) {
    area.clear();
    if (error instanceof StoreError) {
      const { failure } = error;
      area.answerText(failure.text ?? `${failure.step} of ${failure.path} failed`);
      return failure.errno < 0 && failure.errno > -4096 ? failure.errno : -errno.EIO;
    }
    area.answerText(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    return -errno.EINVAL;
  }
}

async function performChecked(record: Int32Array, area: LaneArea, store: S3Store): Promise<number> {
  const file = record[orderWord.file];
  const sums = record[orderWord.file2];
  const arena = record[orderWord.arena];
  const memoryOffset = joinWords(record[orderWord.memoryLow], record[orderWord.memoryHigh]);
  const length = record[orderWord.length] >>> 0;
  const offset = joinWords(record[orderWord.offsetLow], record[orderWord.offsetHigh]);
  const align = record[orderWord.align];
  const pieces = record[orderWord.pieces];
  const start = joinWords(record[orderWord.startLow], record[orderWord.startHigh]);
  switch (record[orderWord.op]) {
    case op.write:
      return write(
        store,
        file,
        offset,
        { arena, offset: memoryOffset, length },
        pieces === 1,
        area,
        crcsOf(record, area),
      );
    case op.read:
      return read(store, file, sums, { offset, start }, { arena, offset: memoryOffset, length }, align, area);
    case op.digestFile:
      return digestStash(store, file, offset, length, area, pieces, record[orderWord.sha]);
    case op.store:
      return storeCallAsync(store, pieces, area);
    case op.clone:
    case op.copyRange:
    case op.writeEdge:
    case op.splitPiece:
      return -errno.EOPNOTSUPP;
    default:
      throw new Error(`operation ${record[orderWord.op]} is not known`);
  }
}

interface Memory {
  arena: number;
  /** Bytes from the start of the arena. */
  offset: number;
  length: number;
}

/** What came with the order; null: nothing did. */
function crcsOf(record: Int32Array, area: LaneArea): BigUint64Array | null {
  const bytes = record[orderWord.binary];
  return bytes === 0 ? null : area.crcs.subarray(0, bytes / 8);
}

async function write(
  store: S3Store,
  file: number,
  offset: number,
  memory: Memory,
  sole: boolean,
  tally: Tally,
  crcs: BigUint64Array | null,
): Promise<number> {
  const open = store.files.get(file);
  if (open?.kind !== 'pendingData') failed('write', 'image.data', errno.EBADF);
  const { upload } = open.pending;
  await open.views.send(memory.arena, memory.offset, memory.length, (bytes) =>
    upload.write(offset, bytes, sole, tally, crcs),
  );
  return memory.length;
}

async function read(
  store: S3Store,
  file: number,
  sums: number,
  /** `offset`: in the object; `start`: of the object in its image. */
  { offset, start }: { offset: number; start: number },
  memory: Memory,
  sumsChunk: number,
  area: LaneArea,
): Promise<number> {
  const open = store.files.get(file);
  if (open?.kind !== 'object') failed('read', 'image.data', errno.EBADF);
  const want = Math.max(0, Math.min(memory.length, open.size - offset));
  if (want === 0) return 0;
  const { key, etag, views } = open;
  const [length] = await Promise.all([
    views.use(memory.arena, memory.offset, want, (view) =>
      store.objects.bucket.read(key, offset, view, { ifMatch: etag, tally: area }),
    ),
    sums < 0 ? null : readSums(store, sums, start + offset, want, sumsChunk, area),
  ]);
  return length;
}

/** The sums of all chunks that these bytes of the image touch, into the area. */
async function readSums(
  store: S3Store,
  file: number,
  offset: number,
  length: number,
  sumsChunk: number,
  area: LaneArea,
): Promise<void> {
  const open = store.files.get(file);
  if (open?.kind !== 'object') failed('read', 'image.sums', errno.EBADF);
  const first = Math.floor(offset / sumsChunk);
  const chunks = Math.floor((offset + length - 1) / sumsChunk) - first + 1;
  const at = sumsHeaderBytes + first * sumsEntryBytes;
  const bytes = Math.min(chunks * sumsEntryBytes, open.size - at);
  if (chunks * sumsEntryBytes > area.crcBytes.length) throw new Error(`${chunks} chunks are too many for one read`);
  if (bytes <= 0) return;
  const into = Buffer.alloc(bytes);
  const got = await store.objects.bucket.read(open.key, at, into, { ifMatch: open.etag });
  area.crcBytes.set(into.subarray(0, got));
  area.crcCount = Math.floor(got / sumsEntryBytes);
}

/**
 * addon.digestFile over bytes of a pending image, all of which are in its stash: the chunk at its end. Returns the index
 * of the first piece that differs from its CRC, or `pieces`.
 */
function digestStash(
  store: S3Store,
  file: number,
  offset: number,
  length: number,
  area: LaneArea,
  pieces: number,
  sha: number,
): number {
  const open = store.files.get(file);
  if (open?.kind !== 'pendingData') failed('read', 'image.data', errno.EBADF);
  const bytes = open.pending.upload.read(offset, length);
  if (bytes === null) failed('reading back parts of an upload', 'image.data', errno.EOPNOTSUPP);
  let at = 0;
  for (let i = 0; i < pieces; i++) {
    const size = Number(area.crcs[2 * i]);
    if (addon.crcBytes(0n, bytes.subarray(at, at + size), size) !== area.crcs[2 * i + 1]) return i;
    at += size;
  }
  if (sha !== 0) digestInto(sha, bytes, offset);
  return pieces;
}

/** SHA-256 goes on over bytes that lie in this heap. */
function digestInto(sha: number, bytes: Buffer, offset: number): void {
  const arena = addon.arenaOpen(bytes.length);
  if (arena < 0) failed('memory', 'image.data', -arena);
  try {
    addon.arenaPoke(arena, 0, bytes);
    const result = addon.digestSlot(arena, 0, bytes.length, offset, chunkBytes, sha, new BigUint64Array(crcsMax));
    if (result < 0) failed('digest', 'image.data', -result);
  } finally {
    addon.arenaClose(arena);
  }
}
