/** Frames between plug-in and engine, and the record of an order between coordinator and lane. */
import { op, recordWords } from '../../engine/core/order.ts';
import { decodeRequest, encodeFrame, encodeReply, frame } from '../../engine/core/wire.ts';
import { Area, decodeResult, encodeOrder } from '../../engine/lanes/lane-order.ts';
import type { Group } from './harness.ts';

const batch = 32;

export function codec(): Group {
  const submit = encodeFrame('submit', frame.submit, 0, { arena: 1, slot: 1, length: 512, offset: 0, sequence: 1 });
  const area = new Area();
  const record = new Int32Array(recordWords);
  const order = {
    op: op.write,
    file: 1,
    arena: 1,
    memoryOffset: 64 << 20,
    length: 64 << 20,
    offset: 2 ** 40,
    align: 512,
  };
  const crcs = new BigUint64Array(64);
  const plain = (name: string, run: () => void) => ({ name: `codec: ${name}`, batch, run });
  return {
    cases: [
      plain('decode SUBMIT', () => void decodeRequest(submit, 0, submit.length)),
      plain(
        'encode SLOT_FREE',
        () => void encodeFrame('slotFree', frame.slotFree, 0, { arena: 1, slot: 1, sequence: 1 }),
      ),
      plain('encode an empty reply', () => void encodeReply(1, 0, 0, '', null)),
      plain('encode an order of a write', () => encodeOrder(record, area, 1, order)),
      plain('encode an order with 64 CRCs', () => encodeOrder(record, area, 1, { ...order, crcs })),
      plain('decode its completion', () => void decodeResult(record, area)),
    ],
  };
}
