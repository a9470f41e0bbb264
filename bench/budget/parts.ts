/**
 * What the pure parts allocate for one block: bytes of V8's heap, counted by V8 itself. A process of its own, started with
 * the interpreter alone (see run.ts): an optimizing compiler leaves out what it can, when it gets to it; what the source
 * asks for is the same every time. Prints one JSON object: part → bytes an operation.
 */
import { getHeapStatistics } from 'node:v8';
import { createRing, RingReader, RingWriter } from 'sharedarraybuffer-ring';
import { op, recordWords } from '../../engine/core/order.ts';
import { decodeRequest, encodeFrame, frame } from '../../engine/core/wire.ts';
import { Assign } from '../../engine/lanes/assign.ts';
import { Area, decodeResult, encodeOrder } from '../../engine/lanes/lane-order.ts';
import { Coverage } from '../../engine/transfer/coverage.ts';
import { Ledger } from '../../engine/transfer/ledger.ts';
import { type ReadAction, ReadPlan } from '../../engine/transfer/read-plan.ts';
import { WritePlan } from '../../engine/transfer/write-plan.ts';
import { answerRecord } from '../../workers/lane-answer.ts';
import { LaneArea } from '../../workers/lane-area.ts';

const mib = 1 << 20;
const blockBytes = 4 * mib;
const warmUps = 300;
const rounds = Number(process.argv[2] ?? 16_000);
const pagesCount = 3;

type Part = (round: number) => void;

const submitFrame = (() => {
  const values = { arena: 1, slot: 1, slot_offset: 0, length: blockBytes, offset: blockBytes, sequence: 2 };
  return encodeFrame('submit', frame.submit, 0, values);
})();

function ringPart(): Part {
  const memory = createRing(64);
  const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
  const record = new Int32Array(recordWords);
  return () => {
    writer.tryWrite(record);
    writer.publish();
    reader.tryRead(record);
    reader.release();
  };
}

function ledgerPart(): Part {
  const ledger = new Ledger({ arena: 1, slots: 3, slotBytes: blockBytes });
  const submit = { arena: 1, slot: 0, slotOffset: 0, length: blockBytes, offset: 0, sequence: 0 };
  return () => {
    ledger.credit(0);
    submit.sequence = ledger.sequence + 1;
    if (ledger.submit(submit) !== null) throw new Error('the ledger refused a block');
    ledger.begin(0);
    ledger.end(0);
    ledger.settle(0);
  };
}

function planPart(): Part {
  const plan = new WritePlan({ blocksInFlight: 2, align: 4096, end: 0 });
  return (round) => {
    plan.submit({ slot: 0, slotOffset: 0, offset: round * blockBytes, length: blockBytes, sequence: round + 1 });
    const piece = plan.next();
    const digest = plan.nextDigest();
    if (piece === null || digest === null) throw new Error('the plan gave nothing');
    plan.written(piece);
    plan.digested(digest);
  };
}

function coveragePart(): Part {
  const coverage = new Coverage({ crcCombine: () => 0n, sums: true });
  const crcs = new BigUint64Array(blockBytes / mib);
  return (round) => coverage.cover(round * blockBytes, blockBytes, crcs);
}

function readPlanPart(): Part {
  const plan = new ReadPlan({ size: Number.MAX_SAFE_INTEGER, slots: 1, slotBytes: blockBytes });
  let filling: { slot: number; length: number } | null = null;
  const take = (actions: ReadAction[]): void => {
    for (const action of actions) {
      if (action.kind === 'refuse') throw new Error(action.text);
      if (action.kind === 'fill') filling = action;
      if (action.kind === 'data') take(plan.slotDone(action.slot, action.generation));
    }
  };
  return (round) => {
    take(plan.read({ callId: round + 1, offset: round * blockBytes, length: blockBytes, generation: 1 }));
    if (filling === null) throw new Error('the plan of a reader filled nothing');
    const { slot, length } = filling;
    take(plan.filled(slot, length));
  };
}

function assignPart(): Part {
  const options = { lanesMax: 2, perMountMax: 2, queueMax: 8, overdueMs: 1000, now: () => 0 };
  const assign = new Assign<number>(options);
  return (round) => {
    if (!assign.submit(round, 0, 1, true)) throw new Error('the queue is full');
    const given = assign.give();
    if (given === null) throw new Error('no lane is free');
    assign.finished(given.lane);
  };
}

/** An order's way down and its completion's way back, on both sides of the rings. */
function orderPart(): Part {
  const area = new Area();
  const below = new LaneArea(area.memory);
  const record = new Int32Array(recordWords);
  return (round) => {
    const where = { arena: 1, memoryOffset: 0, length: blockBytes, offset: round * blockBytes, align: 4096 };
    encodeOrder(record, area, round, { op: op.write, file: 1, ...where, pieces: 0, crcs: null });
    below.clear();
    answerRecord(record, blockBytes, below, 1000, 2000);
    decodeResult(record, area);
  };
}

const parts: Readonly<Record<string, Part>> = {
  'decode SUBMIT': () => void decodeRequest(submitFrame, 0, submitFrame.length),
  'encode SLOT_FREE': (round) =>
    void encodeFrame('slotFree', frame.slotFree, 0, { arena: 1, slot: 1, sequence: round }),
  'ring, there and back': ringPart(),
  'order and completion': orderPart(),
  ledger: ledgerPart(),
  'write plan': planPart(),
  coverage: coveragePart(),
  'read plan': readPlanPart(),
  assign: assignPart(),
};

function allocated(): number {
  return getHeapStatistics().total_allocated_bytes;
}

/** Bytes a round; the least of three pages: what the engine itself puts on its heap now and then is nobody's. */
function bytesOf(part: Part): number {
  let round = 0;
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) part(round++);
  };
  run(warmUps);
  const pages = Array.from({ length: pagesCount }, () => {
    const before = allocated();
    run(rounds);
    return (allocated() - before) / rounds;
  });
  return Math.min(...pages);
}

const found = Object.entries(parts).map(([name, part]) => [name, bytesOf(part)] as const);
process.stdout.write(`${JSON.stringify(Object.fromEntries(found))}\n`);
