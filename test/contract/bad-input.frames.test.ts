/**
 * Frames that no plug-in of ours would send, on fresh connections and those of servers. Each ends its own connection, or
 * is answered with a status; a bystander goes on as if nothing were, and in the end the engine holds nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { status } from '../../engine/core/errors.ts';
import { encodeBare, type FrameType, frame, layouts, wire } from '../../engine/core/wire.ts';
import { imageDefinition, WireClient } from '../support/wire-client.ts';
import { AttackedEngine, forged, hello, rawHeader, withText } from './bad-input-kit.ts';

let engine: AttackedEngine;
beforeAll(async () => {
  engine = await AttackedEngine.start();
});
afterAll(() => engine[Symbol.asyncDispose]());

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
    await engine.endedFor(client, why);
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
    await engine.endedFor(client, why);
  });

  test('two images on one connection end it', async () => {
    await using client = await WireClient.greeted(engine.socket);
    await client.create('lsu', 'first', 7);
    client.send(client.frame('imageOpen', frame.imageOpen, { mode: 1, lsu: 'lsu', def: imageDefinition('done', 7) }));
    await engine.endedFor(client, 'a second image on one connection');
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
    await engine.servedOn();
  });
});
