/** A small image's only block, which the commit writes. */
import type { LastBytes } from '../core/store.ts';
import type { Piece } from '../transfer/write-plan.ts';
import type { Context } from './context.ts';
import type { Arena } from './memory.ts';
import { hereBytesMax } from './write-digest.ts';

/** Up to which size an image's only block waits for the close: a bucket puts it as it is, a file's commit writes it. */
export function holdBytes({ settings, storage }: Context): number {
  if (settings.sequential) return Number.POSITIVE_INFINITY;
  return storage.options.kind === 'file' ? hereBytesMax : 0;
}

export function lastBytes({ kind, slotOffset, offset, length, block }: Piece, arena: Arena, align: number): LastBytes {
  const memoryOffset = block.slot * arena.slotBytes + slotOffset;
  return { arena: arena.id, memoryOffset, offset, length, align: kind === 'edge' ? align : 1 };
}
