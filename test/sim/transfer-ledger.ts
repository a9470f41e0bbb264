/** What the ledger must refuse: SUBMITs of a hostile client, and illegal moves of our own. */
import type { Decisions } from '../support/property.ts';
import { expectEqual, expectThrow, expectTrue } from './expect.ts';
import type { TransferCode } from './transfer-code.ts';

type Submit = Parameters<InstanceType<TransferCode['Ledger']>['submit']>[0];

/** A SUBMIT to arena 7 with one field that cannot be; `slot` is one that the client holds, `free` one that nobody does. */
export function hostileSubmit(
  draw: Decisions,
  now: { slot: number; free: number; slots: number; slotBytes: number; sequence: number },
): Submit {
  const good = { arena: 7, slot: now.slot, slotOffset: 512, length: 1024, offset: 4608, sequence: now.sequence + 1 };
  const bad = draw.pick<Partial<Submit>>([
    { arena: 8 },
    { slot: -1 },
    { slot: now.slots },
    { slot: 0.5 },
    { slot: now.free },
    { slotOffset: 0 },
    { slotOffset: -512 },
    { slotOffset: now.slotBytes },
    { slotOffset: now.slotBytes - 512 },
    { slotOffset: 2 ** 53 },
    { length: 0 },
    { length: 513 },
    { length: -512 },
    { length: now.slotBytes },
    { length: Number.NaN },
    { offset: 4600 },
    { offset: -512 },
    { offset: 2 ** 50, slotOffset: 0 },
    { offset: 2 ** 60 },
    { offset: Number.NaN },
    { sequence: now.sequence },
    { sequence: now.sequence + 2 },
  ]);
  return { ...good, ...bad };
}

/** Each illegal move of a slot is stopped where it is made. */
export function checkLedgerMoves(code: TransferCode): void {
  const ledger = new code.Ledger({ arena: 1, slots: 2, slotBytes: 8192 });
  expectThrow(() => ledger.begin(0), 'slot 0 is free, not working');
  expectThrow(() => ledger.settle(0), 'slot 0 is free, and is to be settled');
  ledger.credit(0);
  expectThrow(() => ledger.credit(0), 'slot 0 cannot go from client to client');
  expectThrow(() => ledger.settle(0), 'slot 0 is client, and is to be settled');
  expectEqual(ledger.submit({ arena: 1, slot: 0, slotOffset: 0, length: 512, offset: 0, sequence: 1 }), null, 'SUBMIT');
  ledger.begin(0);
  ledger.begin(0);
  expectThrow(() => ledger.settle(0), 'with 2 parts under way');
  ledger.end(0);
  expectThrow(() => ledger.settle(0), 'with 1 parts under way');
  ledger.end(0);
  expectThrow(() => ledger.end(0), 'has no part under way');
  ledger.settle(0);
  expectTrue(ledger.allFree, 'a settled slot is free');
  expectThrow(() => ledger.phaseOf(2), 'slot 2 is none of 2');
}
