/**
 * Frames that no plug-in of ours would send. Each ends its own connection, or is answered with a status; a bystander goes
 * on as if nothing were, and in the end the engine holds nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { status } from '../../engine/core/errors.ts';
import {
  closeFlag,
  encodeBare,
  type FrameType,
  frame,
  header,
  type Layouts,
  layouts,
  openMode,
  wire,
} from '../../engine/core/wire.ts';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled, until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { imageDefinition, values, WireClient } from '../support/wire-client.ts';

const mib = 1 << 20;
const slotBytes = 4 * mib;

let engine: TestEngine;
let from: Baseline;
let bystander: HostScript;
let written = 0;

beforeAll(async () => {
  engine = await TestEngine.start({ config: { engine: { max_memory_mb: 256, handles_max: 32 } } });
  from = baseline(engine);
  bystander = await engine.script();
  await bystander.ok('create_lsu v lsu');
  await bystander.ok('create_image v done lsu done 7');
  await bystander.ok(`write done 0 ${3 * mib} 3`);
  await bystander.ok('close done 1');
  await bystander.ok('create_image v i lsu bystander 7');
});

afterAll(async () => {
  await bystander.ok('close i 1');
  await bystander.ok('open_image v r lsu bystander 7 read');
  expect(await bystander.ok(`read r 0 ${4 * mib} expect=9`)).toMatchObject({ got: written, match: true });
  await bystander[Symbol.asyncDispose]();
  await settled(engine, from);
  await engine[Symbol.asyncDispose]();
});

/** Others are served on. */
async function servedOn(): Promise<void> {
  await bystander.ok(`write i ${written} 512 9`);
  written += 512;
  await bystander.ok('server_prop v');
}

let name = 0;
function freshName(): string {
  name++;
  return `image-${name}`;
}

/** A frame with numbers in it that encodeFrame would not take. */
function forged<K extends keyof Layouts>(
  kind: K,
  type: FrameType,
  callId: number,
  numbers: Record<string, bigint | number>,
  length?: number,
): Buffer {
  const layout = layouts[kind];
  const bytes = Buffer.alloc(length ?? layout.size);
  bytes.writeUInt32LE(bytes.length, header.offsets.length);
  bytes.writeUInt16LE(type, header.offsets.type);
  bytes.writeBigUInt64LE(BigInt(callId), header.offsets.call_id);
  for (const [field, value] of Object.entries(numbers)) {
    const at = (layout.offsets as Record<string, number>)[field] as number;
    const width = (layout.fields as unknown as Record<string, string>)[field];
    if (width === 'u64') bytes.writeBigUInt64LE(BigInt(value), at);
    else if (width === 'u32') bytes.writeUInt32LE(Number(value), at);
    else bytes.writeUInt16LE(Number(value), at);
  }
  return bytes;
}

function rawHeader(length: number, type: number, callId = 1n): Buffer {
  const bytes = Buffer.alloc(header.size);
  bytes.writeUInt32LE(length, header.offsets.length);
  bytes.writeUInt16LE(type, header.offsets.type);
  bytes.writeBigUInt64LE(callId, header.offsets.call_id);
  return bytes;
}

/** The connection is ended, and the log says why. */
async function endedFor(client: WireClient, why: string): Promise<void> {
  await client.ended;
  await until(() => engine.log().some((line) => String(line.why).includes(why)));
  await servedOn();
}

function hello(): Buffer {
  const numbers = { magic: wire.magic, major: wire.major, minor: wire.minor };
  return forged('hello', frame.hello, 1, numbers);
}

function withText(bytes: Buffer, at: number, text: string): Buffer {
  bytes.write(text, at, 'latin1');
  return bytes;
}

describe('before HELLO', () => {
  const attacks: [string, () => Buffer, string][] = [
    ['a call without HELLO', () => rawHeader(16, frame.status), 'the first frame is no HELLO'],
    ['a block without HELLO', () => forged('submit', frame.submit, 0, {}), 'the first frame is no HELLO'],
    ['another protocol', () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'a frame of 542393671 bytes'],
    ['a frame of 0 bytes', () => rawHeader(0, frame.hello), 'a frame of 0 bytes'],
    ['a frame shorter than its header', () => rawHeader(15, frame.hello), 'a frame of 15 bytes'],
    ['a frame above the limit', () => rawHeader(wire.frameMax + 1, frame.hello), 'a frame of 73729 bytes'],
    ['a frame of 4 GiB', () => rawHeader(0xffffffff, frame.hello), 'a frame of 4294967295 bytes'],
    ['HELLO cut to its header', () => rawHeader(16, frame.hello), 'frame type 1 has 16 bytes, expected 352'],
    ['HELLO without our magic', () => forged('hello', frame.hello, 1, { major: 1 }), 'this is no plug-in of ours'],
    [
      'a job without an end',
      () => withText(hello(), layouts.hello.offsets.job, 'j'.repeat(64)),
      'has no end within 64',
    ],
    [
      'a server name without an end',
      () => withText(hello(), layouts.hello.offsets.server, 's'.repeat(256)),
      'has no end within 256',
    ],
  ];
  test.each(attacks)('%s', async (_, bytes, why) => {
    await using client = await WireClient.connect(engine.socket);
    client.send(bytes());
    await endedFor(client, why);
  });

  test('another major is refused with both numbers, a higher minor is not', async () => {
    await using old = await WireClient.connect(engine.socket);
    const reply = await old.hello({ major: 2, minor: 5 });
    expect(reply).toMatchObject({ status: status.EVERSION });
    expect(reply.text).toContain('the plug-in speaks protocol 2.5, the engine 1.0');
    await using newer = await WireClient.connect(engine.socket);
    expect((await newer.hello({ minor: 9 })).status).toBe(0);
  });
});

describe('after HELLO', () => {
  const bare = (type: number, callId = 5): Buffer => encodeBare(type as FrameType, callId);
  const attacks: [string, () => Buffer, string][] = [
    ['a second HELLO', hello, 'a second HELLO'],
    ['a frame of unknown type', () => bare(99), 'frame type 99 is unknown'],
    ['type 0', () => bare(0), 'frame type 0 is unknown'],
    ["an engine's frame", () => bare(frame.reply), 'frame type 128 is unknown'],
    ['a call without an id', () => bare(frame.serverProp, 0), 'a call without an id'],
    ['a call id above 2^53', () => rawHeader(16, frame.serverProp, 2n ** 63n), 'wire_header.call_id is above 2^53'],
    [
      'a second call before the first is answered',
      () => Buffer.concat([bare(frame.serverProp, 5), bare(frame.serverProp, 6)]),
      'a second call before the first was answered',
    ],
    [
      'a frame with bytes behind its end',
      () => Buffer.concat([rawHeader(24, frame.serverProp, 5n), Buffer.alloc(8)]),
      'frame type 10 has 24 bytes, expected 16',
    ],
    [
      'an LSU name without an end',
      () => withText(forged('lsu', frame.lsuCreate, 5, {}), layouts.lsu.offsets.lsu, 'l'.repeat(256)),
      'wire_lsu.lsu has no end within 256',
    ],
    [
      'a block on a server connection',
      () => forged('submit', frame.submit, 0, { length: 512 }),
      'a block without an image',
    ],
    [
      'a slot given back on a server connection',
      () => forged('slotDone', frame.slotDone, 0, {}),
      'a slot was given back',
    ],
    [
      'an arena dropped on a server connection',
      () => forged('arenaDropped', frame.arenaDropped, 0, {}),
      'an arena was dropped',
    ],
    ['POPULATE on a server connection', () => bare(frame.populate, 0), 'a block without an image'],
    ['FLUSH without an image', () => forged('flush', frame.flush, 5, {}), 'flush without an image'],
    ['CLOSE without an image', () => forged('close', frame.close, 5, {}), 'a call on an image that is not open'],
    ['READ without an image', () => forged('read', frame.read, 5, { length: 512 }), 'READ without an image'],
    ['metadata without an image', () => forged('metadata', frame.metadataWrite, 5, {}), 'metadata without an image'],
  ];
  test.each(attacks)('%s ends the connection', async (_, bytes, why) => {
    await using client = await WireClient.greeted(engine.socket);
    client.send(bytes());
    await endedFor(client, why);
  });

  test('two images on one connection end it', async () => {
    await using client = await WireClient.greeted(engine.socket);
    await client.create('lsu', freshName(), 7);
    client.send(client.frame('imageOpen', frame.imageOpen, { mode: 1, lsu: 'lsu', def: imageDefinition('done', 7) }));
    await endedFor(client, 'a second image on one connection');
  });

  const refusals: [string, (client: WireClient) => Promise<{ status: number; text: string }>, number, string][] = [
    [
      'a list that is not open',
      (c) => c.call('list', frame.imageListNext, { list: 9 }),
      status.EINVAL,
      'list 9 is not open',
    ],
    [
      'the close of such a list',
      (c) => c.call('list', frame.listClose, { list: 0 }),
      status.EINVAL,
      'list 0 is not open',
    ],
    [
      'a list of LSUs, read as images',
      async (c) => {
        await c.bare(frame.lsuListOpen);
        return c.call('list', frame.imageListNext, { list: 1 });
      },
      status.EINVAL,
      'list 1 is a list of LSUs',
    ],
    [
      'a list of images, read as LSUs',
      async (c) => {
        await c.call('imageListOpen', frame.imageListOpen, { lsu: 'lsu', states: 0 });
        return c.call('list', frame.lsuListNext, { list: 1 });
      },
      status.EINVAL,
      'list 1 is a list of images',
    ],
    [
      'more lists than one connection may have',
      async (c) => {
        for (let i = 0; i < wire.listsMax; i++) expect((await c.bare(frame.lsuListOpen)).status).toBe(0);
        return c.bare(frame.lsuListOpen);
      },
      status.EBUSY,
      '16 lists are open on this server handle',
    ],
    ['an empty LSU name', (c) => c.call('lsu', frame.lsuCreate, { lsu: '' }), status.EINVAL, 'an LSU name is empty'],
    [
      'an empty image name',
      (c) => c.call('imageByname', frame.imageDelete, { lsu: 'lsu', def: imageDefinition('', 7) }),
      status.EINVAL,
      'an image name is empty',
    ],
    [
      'a writer token of zeros',
      (c) => c.call('imageCreate', frame.imageCreate, { lsu: 'lsu', def: imageDefinition('zero', 7) }),
      status.EINVAL,
      'a writer token of zeros',
    ],
    [
      'opaque bytes longer than there is room',
      (c) => {
        const def = { ...imageDefinition('opaque', 7), opaque_length: 1025 };
        return c.call('imageCreate', frame.imageCreate, { lsu: 'lsu', token: Buffer.alloc(16, 1), def });
      },
      status.EINVAL,
      'opaque bytes of an image definition are too long',
    ],
    ['an unknown open mode', (c) => c.open(0, 'lsu', 'done', 7), status.EINVAL, 'open mode 0 is unknown'],
  ];
  test.each(refusals)('%s is refused, and the connection goes on', async (_, attack, word, text) => {
    await using client = await WireClient.greeted(engine.socket);
    const reply = await attack(client);
    expect(reply).toMatchObject({ status: word, text: expect.stringContaining(text) });
    expect((await client.bare(frame.serverProp)).status).toBe(0);
    await servedOn();
  });
});

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
    await endedFor(client, why);
  });

  test('that submits one slot twice is ended', async () => {
    const { client, arena } = await openWriter();
    client.send(forged('submit', frame.submit, 0, { arena, ...good }));
    client.send(forged('submit', frame.submit, 0, { arena, ...good, offset: 4096, sequence: 2 }));
    await endedFor(client, 'SUBMIT of slot 0, which the client does not hold');
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
    await endedFor(writer.client, why);
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
    await servedOn();
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
    await endedFor(client, 'a slot was given back before there was one');
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
    await endedFor(client, why);
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
