/** What lanes of the made-up world have under way, and what may be beside it. */
import { expectEqual, expectTrue } from './expect.ts';

export interface WorldBlock {
  slot: number;
  slotOffset: number;
  offset: number;
  length: number;
  sequence: number;
  crcs: BigUint64Array | null;
  /** Its digest came back. */
  digested: boolean;
  /** Parts under way. */
  parts: number;
}

export interface Range {
  /** Whole sectors on storage; −1: none. */
  from: number;
  to: number;
  what: 'write' | 'edge' | 'prepare' | 'digest';
  block: WorldBlock;
}

export interface Task extends Range {
  finish(): void;
}

/** A write or edge is to begin beside these. */
export function checkBeside(tasks: readonly Task[], next: Range, blocksInFlight: number): void {
  const writes = tasks.filter((task) => task.what === 'write' || task.what === 'edge');
  for (const other of writes) {
    expectTrue(next.to <= other.from || other.to <= next.from, 'writes in flight share no sector');
  }
  if (next.what === 'edge') expectEqual(writes.length, 0, 'an edge is alone');
  expectTrue(
    writes.every((task) => task.what === 'write'),
    'nothing is beside an edge',
  );
  expectTrue(!tasks.some((task) => task.what === 'prepare'), 'nothing is written behind a prepare');
  const blocks = new Set(writes.map((task) => task.block)).add(next.block);
  expectTrue(blocks.size <= blocksInFlight, 'blocks in flight are bounded');
}
