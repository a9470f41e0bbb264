/**
 * Where an image's bytes are cut: the plug-in's first blocks are short and double (native/plugin/image-write.c); a reader's first
 * piece is a chunk, and the last ones are halved (engine/transfer/read-plan.ts).
 *
 * Pure.
 */
import type { Load } from './types.ts';

export function blocksOf({ direction, blockBytes, blocksPerStream, cuts }: Load): number[] {
  const bytes = blocksPerStream * blockBytes;
  if (cuts === undefined) return Array.from({ length: blocksPerStream }, () => blockBytes);
  return direction === 'write' ? doubling(bytes, blockBytes, cuts.firstBytes) : halved(bytes, blockBytes, cuts);
}

function doubling(bytes: number, blockBytes: number, firstBytes: number): number[] {
  const blocks: number[] = [];
  let most = Math.min(blockBytes, firstBytes);
  for (let left = bytes; left > 0; ) {
    const block = Math.min(left, most);
    blocks.push(block);
    left -= block;
    most = Math.min(2 * most, blockBytes);
  }
  return blocks;
}

function halved(bytes: number, blockBytes: number, { chunkBytes, tailBytes }: NonNullable<Load['cuts']>): number[] {
  const pieces = [Math.min(bytes, chunkBytes)];
  for (let left = bytes - chunkBytes; left > 0; ) {
    const isTail = left <= blockBytes && left > tailBytes;
    const piece = isTail ? Math.ceil(left / 2 / chunkBytes) * chunkBytes : Math.min(left, blockBytes);
    pieces.push(piece);
    left -= piece;
  }
  return pieces;
}
