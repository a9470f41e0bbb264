/** The same for connections that carry an image: what a hostile writer or reader may send. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { status } from '../../engine/core/errors.ts';
import { closeFlag, frame, openMode } from '../../engine/core/wire.ts';
import { values, WireClient } from '../support/wire-client.ts';
import { AttackedEngine, forged, rawHeader } from './bad-input-kit.ts';

let engine: AttackedEngine;
beforeAll(async () => {
  engine = await AttackedEngine.start();
});
afterAll(() => engine[Symbol.asyncDispose]());

const slotBytes = 4 << 20;

let name = 0;
function freshName(): string {
  name++;
  return `image-${name}`;
}

interface Writer {
  client: WireClient;
  arena: number;
  slots: number;
}

async function openWriter(): Promise<Writer> {
  const client = await WireClient.greeted(engine.socket);
  expect((await client.create('lsu', freshName(), 7)).status).toBe(0);
  const { arena, slots } = await client.arena();
  return { client, arena, slots };
}

describe('a writer', () => {
  const good = { slot: 0, slot_offset: 0, length: 512, offset: 0, sequence: 1 };
  const blocks: [string, Record<string, bigint | number>, string][] = [
    ['an arena that is not its own', { arena: 0 }, 'SUBMIT names arena 0'],
    ['a slot that there is not', { slot: 3 }, 'SUBMIT names slot 3 of 3'],
    ['slot 4294967295', { slot: 0xffffffff }, 'SUBMIT names slot 4294967295'],
    ['sequence 0', { sequence: 0 }, 'SUBMIT has sequence 0, not 1'],
    ['a sequence left out', { sequence: 2 }, 'SUBMIT has sequence 2, not 1'],
    ['sequence 2^64 − 1', { sequence: 2n ** 64n - 1n }, 'wire_submit.sequence is above 2^53'],
    ['length 0', { length: 0 }, 'SUBMIT has length 0'],
    ['length 511', { length: 511 }, 'SUBMIT has length 511'],
    ['a length beyond the slot', { length: slotBytes + 512 }, 'leaves its slot of 4194304'],
    ['length 2^32 − 512', { length: 0xfffffe00 }, 'leaves its slot of 4194304'],
    ['a slot offset beyond the slot', { slot_offset: slotBytes }, 'leaves its slot of 4194304'],
    ['slot offset 2^32 − 4096', { slot_offset: 0xfffff000 }, 'leaves its slot of 4194304'],
    ['offset 1', { offset: 1 }, 'SUBMIT has offset 1'],
    ['a slot offset of another place in the page', { slot_offset: 512 }, 'unequal modulo 4096'],
    ['an end beyond 2^50', { offset: 2n ** 50n }, 'beyond 1125899906842624'],
    ['offset 2^63', { offset: 2n ** 63n }, 'wire_submit.offset is above 2^53'],
    ['offset 2^64 − 512', { offset: 2n ** 64n - 512n }, 'wire_submit.offset is above 2^53'],
  ];
  test.each(blocks)('that submits %s is ended', async (_, wrong, why) => {
    const { client, arena } = await openWriter();
    client.send(forged('submit', frame.submit, 0, { arena, ...good, ...wrong }));
    await engine.endedFor(client, why);
  });

  test('that submits one slot twice is ended', async () => {
    const { client, arena } = await openWriter();
    const first = forged('submit', frame.submit, 0, { arena, ...good });
    const second = forged('submit', frame.submit, 0, { arena, ...good, offset: 4096, sequence: 2 });
    // In one piece: between two, the first block may be written and its slot be the client's again.
    client.send(Buffer.concat([first, second]));
    await engine.endedFor(client, 'SUBMIT of slot 0, which the client does not hold');
  });

  const enders: [string, (writer: Writer) => Buffer, string][] = [
    ['drops its arena unasked', ({ arena }) => forged('arenaDropped', frame.arenaDropped, 0, { arena }), 'unasked'],
    [
      'gives a slot back as a reader',
      ({ arena }) => forged('slotDone', frame.slotDone, 0, { arena }),
      'a slot was given back',
    ],
    [
      'announces other metadata than it sends',
      () =>
        Buffer.concat([
          rawHeader(28, frame.metadataWrite, 99n),
          Buffer.from([0, 0, 0, 0, 9, 0, 0, 0]),
          Buffer.alloc(4),
        ]),
      'metadata of another length than announced',
    ],
    [
      'asks twice at once',
      () => Buffer.concat([forged('flush', frame.flush, 98, {}), forged('flush', frame.flush, 99, {})]),
      'a second call before the first was answered',
    ],
  ];
  test.each(enders)('that %s is ended', async (_, bytes, why) => {
    const writer = await openWriter();
    writer.client.send(bytes(writer));
    await engine.endedFor(writer.client, why);
  });

  test('that reads, or announces blocks that did not come, or leaves holes in metadata, is told so', async () => {
    const { client, arena } = await openWriter();
    const read = await client.call('read', frame.read, { offset: 0, length: 512, generation: 0 });
    expect(read).toMatchObject({ status: status.ESTATE, text: expect.stringContaining('it cannot be read') });
    const flush = await client.call('flush', frame.flush, { sequence: 7 });
    expect(flush).toMatchObject({ status: status.EINVAL, text: expect.stringContaining('block 7 was announced') });
    const bytes = Buffer.alloc(16, 1);
    for (const [offset, text] of [
      [1, 'would have a hole at 0'],
      [65521, 'beyond 65536 bytes'],
      [0xffffffff, 'beyond 65536 bytes'],
    ] as const) {
      const meta = await client.call('metadata', frame.metadataWrite, { offset, length: 16 }, bytes);
      expect(meta).toMatchObject({ status: status.EINVAL, text: expect.stringContaining(text) });
    }
    client.send(forged('submit', frame.submit, 0, { arena, ...good }));
    const flushed = await client.call('flush', frame.flush, { sequence: 1 });
    expect(flushed.status).toBe(0);
    const closed = await client.call('close', frame.close, { sequence: 9, flags: closeFlag.complete });
    expect(closed).toMatchObject({ status: status.EINVAL, text: expect.stringContaining('block 9 was announced') });
    await client.end();
    await engine.servedOn();
  });
});

describe('a reader', () => {
  async function openReader(): Promise<WireClient> {
    const client = await WireClient.greeted(engine.socket);
    expect((await client.open(openMode.read, 'lsu', 'done', 7)).status).toBe(0);
    return client;
  }

  test('that gives back what it never got is ended', async () => {
    const client = await openReader();
    client.send(forged('slotDone', frame.slotDone, 0, {}));
    await engine.endedFor(client, 'a slot was given back before there was one');
  });

  const attacks: [string, (arena: number) => Buffer, string][] = [
    [
      'gives back slot 99',
      (arena) => forged('slotDone', frame.slotDone, 0, { arena, slot: 99, generation: 1 }),
      'slot 99',
    ],
    ['drops its arena unasked', (arena) => forged('arenaDropped', frame.arenaDropped, 0, { arena }), 'unasked'],
    [
      'writes',
      (arena) => forged('submit', frame.submit, 0, { arena, length: 512, sequence: 1 }),
      'a block without an image',
    ],
    [
      'asks twice at once',
      () => {
        const first = forged('read', frame.read, 98, { offset: 0, length: 512, generation: 2 });
        return Buffer.concat([first, forged('read', frame.read, 99, { offset: 512, length: 512, generation: 2 })]);
      },
      'a second call before the first was answered',
    ],
    [
      'reads at 2^63',
      () => forged('read', frame.read, 99, { offset: 2n ** 63n, length: 512 }),
      'wire_read.offset is above 2^53',
    ],
  ];
  test.each(attacks)('that %s is ended', async (_, bytes, why) => {
    const client = await openReader();
    client.send(client.frame('read', frame.read, { offset: 0, length: 512, generation: 1 }));
    const { arena } = values('arena', (await client.next(frame.arena)) as Buffer);
    expect((await client.reply()).status).toBe(0);
    client.send(bytes(arena));
    await engine.endedFor(client, why);
  });

  test('that flushes, writes metadata or reads nothing is told so; behind the end there is nothing', async () => {
    await using client = await openReader();
    const refused = await client.call('flush', frame.flush, { sequence: 0 });
    expect(refused).toMatchObject({ status: status.ESTATE, text: expect.stringContaining('is open for reading') });
    const meta = await client.call('metadata', frame.metadataWrite, { offset: 0, length: 0 });
    expect(meta.status).toBe(status.ESTATE);
    const none = await client.call('read', frame.read, { offset: 0, length: 0, generation: 1 });
    expect(none).toMatchObject({ status: status.EINVAL, text: expect.stringContaining('a read of 0 bytes') });
    const beyond = { offset: 2 ** 53 - 1, length: 0xffffffff, generation: 1 };
    expect((await client.call('read', frame.read, beyond)).status).toBe(0);
    const part = await client.call('metadata', frame.metadataRead, { offset: 0xffffffff, length: 0xffffffff });
    expect(values('metadataRead', Buffer.concat([part.body]))).toEqual({ length: 0, total: 0 });
  });
});
