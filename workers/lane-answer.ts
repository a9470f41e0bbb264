/** The way back: an order's record becomes its completion. */
import { completionWord, highWord, lowWord } from '../engine/core/order.ts';
import type { LaneArea } from './lane-area.ts';

/** Op and id stay. */
export function answerRecord(record: Int32Array, result: number, area: LaneArea, cpuNs: number, wallNs: number): void {
  record[completionWord.resultLow] = lowWord(result);
  record[completionWord.resultHigh] = highWord(result);
  record[completionWord.cpuLow] = lowWord(cpuNs);
  record[completionWord.cpuHigh] = highWord(cpuNs);
  record[completionWord.wallLow] = lowWord(wallNs);
  record[completionWord.wallHigh] = highWord(wallNs);
  record[completionWord.text] = area.textBytes;
  record[completionWord.crcs] = area.crcCount;
  record[completionWord.retries] = area.retries;
  record.fill(0, completionWord.retries + 1);
}
