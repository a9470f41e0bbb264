/** What the coordinator does with a block before and after its lanes: slots, plan, coverage, and which lane gets which order. */
import { Assign } from '../../engine/lanes/assign.ts';
import { Coverage } from '../../engine/transfer/coverage.ts';
import { Ledger } from '../../engine/transfer/ledger.ts';
import { WritePlan } from '../../engine/transfer/write-plan.ts';
import { addon } from '../../native/addon/index.ts';
import type { Case, Group } from './harness.ts';

const block = 64 << 20;

function ledgerCase(): Case {
  const slots = 3;
  const ledger = new Ledger({ arena: 1, slots, slotBytes: block, sequence: 0 });
  let sequence = 0;
  let offset = 0;
  const run = (): void => {
    const slot = ledger.nextFree();
    ledger.credit(slot);
    const refusal = ledger.submit({ arena: 1, slot, slotOffset: 0, length: block, offset, sequence: ++sequence });
    if (refusal !== null) throw new Error(refusal);
    ledger.begin(slot);
    ledger.end(slot);
    ledger.settle(slot);
    // An image ends somewhere; this one begins anew.
    offset = offset > 2 ** 45 ? 0 : offset + block;
  };
  return { name: 'ledger: credit, submit, begin, end, settle', batch: 16, run };
}

function planCase(): Case {
  const plan = new WritePlan({ blocksInFlight: 2, align: 512, end: 0 });
  let sequence = 0;
  let offset = 0;
  const run = (): void => {
    plan.submit({ slot: 0, slotOffset: 0, offset, length: block, sequence: ++sequence });
    const piece = plan.next();
    const digest = plan.nextDigest();
    if (digest !== null) plan.digested(digest);
    if (piece !== null) plan.written(piece);
    offset += block;
  };
  return { name: 'write plan of one block', batch: 16, run };
}

/** An image of 64 GiB at a time: what is covered is kept, so it begins anew behind that. */
function coverageCase(sums: boolean): Case {
  const blocks = 1024;
  const make = (): Coverage => new Coverage({ crcCombine: addon.crcCombine, sums });
  let coverage = make();
  let n = 0;
  const crcs = new BigUint64Array(64);
  const run = (): void => {
    if (n === blocks) {
      coverage = make();
      n = 0;
    }
    coverage.cover(n++ * block, block, sums ? crcs : null);
  };
  return { name: `coverage of one block of 64 MiB, ${sums ? 'with' : 'without'} sums`, batch: 4, run };
}

export function planner(): Group {
  return { cases: [ledgerCase(), planCase(), coverageCase(true), coverageCase(false)] };
}

export function scheduler(): Group {
  const assignOf = (images: number): Case => {
    const assign = new Assign<number>({
      lanesMax: 16,
      perMountMax: 16,
      queueMax: 4096,
      overdueMs: 60_000,
      now: () => performance.now(),
    });
    let key = 0;
    for (let i = 0; i < images; i++) assign.submit(i, 0, i, true);
    for (let i = 0; i < 16; i++) assign.give();
    const busy = Array.from({ length: Math.min(16, images) }, (_, i) => i + 1);
    const run = (): void => {
      const lane = busy.shift() ?? 0;
      assign.finished(lane);
      key = (key + 1) % images;
      assign.submit(key, 0, key, true);
      const given = assign.give();
      if (given !== null) busy.push(given.lane);
    };
    return { name: `scheduler: an order ends, one comes and goes, ${images} images`, batch: 16, run };
  };
  return { cases: [assignOf(1), assignOf(16), assignOf(256)] };
}
