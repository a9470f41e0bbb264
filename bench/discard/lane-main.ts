/** The lane's thread of the discarding engine: everything as in workers/lane-main.ts, but payload touches no storage. */
import { errno } from '../../engine/core/errors.ts';
import { joinWords, op, orderWord, type ServeTask } from '../../engine/core/order.ts';
import { addon } from '../../native/addon/index.ts';
import type { LaneArea } from '../../workers/lane-area.ts';
import { serveOrders } from '../../workers/lane-loop.ts';
import { MemStore } from '../../workers/mem/mem-store.ts';
import { perform, readSumsOf } from '../../workers/perform.ts';
import type { Store } from '../../workers/store.ts';

/** Images have a size, and no bytes: their data are files with nothing but a hole. */
class DiscardStore extends MemStore {
  override commitImage(arg: Parameters<Store['commitImage']>[0]): void {
    addon.truncateFile(arg.files.data, arg.size);
    super.commitImage(arg);
  }
}

/**
 * Writes are answered at once, and reads with what the slot holds once its pages are there, as a real read makes them: of
 * a fresh arena zeros, which agree with the sums of an image whose writer left its slots untouched.
 */
function discard(record: Int32Array, area: LaneArea, store: Store | null): number {
  const length = record[orderWord.length] >>> 0;
  switch (record[orderWord.op]) {
    case op.write:
    case op.writeEdge:
      return length;
    case op.read: {
      const at =
        joinWords(record[orderWord.startLow], record[orderWord.startHigh]) +
        joinWords(record[orderWord.offsetLow], record[orderWord.offsetHigh]);
      const sums = record[orderWord.file2];
      const memory = joinWords(record[orderWord.memoryLow], record[orderWord.memoryHigh]);
      const made = addon.arenaPopulate(record[orderWord.arena], memory, length);
      if (made < 0) return made;
      return sums < 0 ? length : readSumsOf(length, at, sums, record[orderWord.align], area);
    }
    case op.digest: {
      // The submitter leaves its slots untouched: read as they are they would be pages of 4 KiB, and the plug-in gets them next.
      const memory = joinWords(record[orderWord.memoryLow], record[orderWord.memoryHigh]);
      const made = addon.arenaMakeHuge(record[orderWord.arena], memory, record[orderWord.length] >>> 0);
      return made < 0 ? made : perform(record, area, store);
    }
    case op.digestFile:
    case op.splitPiece:
    case op.clone:
    case op.copyRange:
      area.answerText('the discarding store has no bytes to read back');
      return -errno.EOPNOTSUPP;
    default:
      return perform(record, area, store);
  }
}

export default function serve(task: ServeTask): void {
  if (task.niceness !== 0) addon.threadNice(task.niceness);
  serveOrders(task, task.pool === 'meta' ? new DiscardStore() : null, discard);
}
