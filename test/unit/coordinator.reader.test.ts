/** A reader whose memory is asked back at a moment at which it has none yet. */
import { expect, test } from 'vitest';
import type { Account } from '../../engine/coordinator/account.ts';
import type { Context } from '../../engine/coordinator/context.ts';
import type { ArenaShape } from '../../engine/coordinator/memory.ts';
import type { ReadTarget } from '../../engine/coordinator/read-target.ts';
import { ImageReader } from '../../engine/coordinator/reader.ts';
import type { Link } from '../../engine/intake/link.ts';

const mib = 1 << 20;
const ahead = { slots: 3, slotBytes: 4 * mib };
const small = { slots: 1, slotBytes: 4 * mib };

/** A reader that is granted its read-ahead arena at once; what it opens, and what it gives back, in order. */
async function begin(askedBack: boolean): Promise<string[]> {
  const seen: string[] = [];
  const tell = (what: string, { slots, slotBytes }: ArenaShape): void => {
    seen.push(`${what} ${slots} × ${slotBytes / mib}`);
  };
  const memory = {
    isReady: () => true,
    claim: (_id: number, _kind: string, want: ArenaShape, shrink: () => void) => {
      tell('grant', want);
      // Others that ask in the same turn of the event loop find a holder, whose arena is still to come.
      if (askedBack) shrink();
      return Promise.resolve(want);
    },
    open: (shape: ArenaShape) => {
      tell('open', shape);
      return { ...shape, id: 7 };
    },
    shrunk: (_id: number, shape: ArenaShape) => tell('shrunk', shape),
  };
  const settings = { blockBytes: 4 * mib, readAheadBytes: 8 * mib };
  const link = { id: 1, job: 1, peer: { pid: 1 }, callType: 0, sendArena: () => seen.push('sent'), reply: () => {} };
  const account = { attach: () => {}, clock: { tick: () => {} } };
  const target = { key: { id: 'i', what: 'image i' }, meta: { size: 100 * mib, sums: null }, files: { align: 512 } };
  const reader = new ImageReader(
    { memory, settings } as unknown as Context,
    link as unknown as Link,
    target as unknown as ReadTarget,
    account as unknown as Account,
  );
  const behind = { offset: 100 * mib, length: 1, generation: 1 };
  await reader.read(1, behind as Parameters<ImageReader['read']>[1]);
  expect(reader.slots.of).toBe(askedBack ? small.slots : ahead.slots);
  return seen;
}

test('memory that is asked back between its grant and its arena is given back at once', async () => {
  expect(await begin(false)).toEqual(['grant 3 × 4', 'open 3 × 4', 'sent']);
  expect(await begin(true)).toEqual(['grant 3 × 4', 'open 1 × 4', 'shrunk 1 × 4', 'sent']);
});
