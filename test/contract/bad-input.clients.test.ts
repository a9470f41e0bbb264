/**
 * Clients that misbehave as processes do: they stop reading, dribble, vanish at any point, fork and die, or take all
 * handles. Only their own connection ends; a bystander is served on, and in the end the engine holds nothing.
 */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeFlag, encodeBare, encodeFrame, frame, openMode, wire } from '../../engine/core/wire.ts';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled, sockets, until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { imageDefinition, testServer, WireClient } from '../support/wire-client.ts';

const mib = 1 << 20;
const handlesMax = 32;

let engine: TestEngine;
let from: Baseline;
let bystander: HostScript;

beforeEach(async () => {
  const config = { general: { block_size_mb: 4 }, engine: { max_memory_mb: 256, handles_max: handlesMax } };
  engine = await TestEngine.start({ config });
  from = baseline(engine);
  bystander = await engine.script();
  await bystander.ok('create_lsu v lsu');
  await bystander.ok('create_image v i lsu bystander 7');
  await bystander.ok(`write i 0 ${5 * mib} 9`);
});

afterEach(async () => {
  await bystander.ok(`write i ${5 * mib} ${mib} 9`);
  await bystander.ok('close i 1');
  await bystander.ok('open_image v r lsu bystander 7 read');
  expect(await bystander.ok(`read r 0 ${8 * mib} expect=9`)).toMatchObject({ got: 6 * mib, match: true });
  await bystander[Symbol.asyncDispose]();
  await settled(engine, from);
  await engine[Symbol.asyncDispose]();
});

async function endedFor(client: WireClient, why: string): Promise<void> {
  await client.ended;
  await until(() => engine.log().some((line) => String(line.why).includes(why)));
}

test('a client that never reads is dropped when its answers pile up', async () => {
  await using client = await WireClient.greeted(engine.socket);
  await client.create('lsu', 'deaf', 7);
  const all = Buffer.alloc(wire.metadataMax, 5);
  expect((await client.call('metadata', frame.metadataWrite, { offset: 0, length: all.length }, all)).status).toBe(0);
  client.socket.pause();
  for (let i = 0; i < 200 && !client.socket.destroyed; i++) {
    const values = { offset: 0, length: wire.metadataMax };
    client.send(client.frame('metadata', frame.metadataRead, values));
    // Another connection's answer: the engine has been round its loop, and the call before has its reply.
    await engine.status();
    if (engine.log().some((line) => String(line.why).includes('does not read its answers'))) break;
  }
  client.socket.resume();
  await endedFor(client, 'the host program does not read its answers');
});

test('a client that sends byte by byte is served, and holds up nobody', async () => {
  await using client = await WireClient.connect(engine.socket);
  const { magic, major, minor } = wire;
  const hello = encodeFrame('hello', frame.hello, 1, { magic, major, minor, job: 'slow', server: testServer });
  for (const byte of hello) {
    client.socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await bystander.ok('server_prop v');
  expect((await client.reply()).status).toBe(0);
  for (const byte of encodeBare(frame.serverProp, 2)) {
    client.socket.write(Buffer.of(byte));
    await bystander.ok('lsu_prop v lsu');
  }
  expect((await client.reply()).status).toBe(0);
});

/** What a client sends in its life, one entry a frame; `arena` is the number that the engine gave it. */
type Life = (arena: number, name: string) => Buffer[];
const { magic, major, minor } = wire;
const hello = (): Buffer =>
  encodeFrame('hello', frame.hello, 1, { magic, major, minor, job: 'gone', server: testServer });
/** Each writer has its own, as plug-ins draw them: what one who vanished began may still be under way. */
const tokenOf = (name: string): Buffer => createHash('sha256').update(name).digest().subarray(0, wire.tokenBytes);

const lives: Record<string, Life> = {
  writer: (arena, name) => [
    hello(),
    encodeFrame('imageCreate', frame.imageCreate, 2, {
      token: tokenOf(name),
      lsu: 'lsu',
      def: imageDefinition(name, 7),
    }),
    encodeBare(frame.populate, 0),
    encodeFrame('submit', frame.submit, 0, { arena, slot: 0, slot_offset: 0, length: 4 * mib, offset: 0, sequence: 1 }),
    encodeFrame('flush', frame.flush, 3, { sequence: 1 }),
    encodeFrame('submit', frame.submit, 0, {
      arena,
      slot: 1,
      slot_offset: 0,
      length: 512,
      offset: 4 * mib,
      sequence: 2,
    }),
    encodeFrame('close', frame.close, 4, { sequence: 2, flags: closeFlag.complete }),
  ],
  reader: (arena) => [
    hello(),
    encodeFrame('imageOpen', frame.imageOpen, 2, {
      token: Buffer.alloc(wire.tokenBytes),
      mode: openMode.read,
      lsu: 'lsu',
      def: imageDefinition('source', 7),
    }),
    encodeFrame('read', frame.read, 3, { offset: 0, length: 4 * mib, generation: 1 }),
    encodeFrame('slotDone', frame.slotDone, 0, { arena, slot: 0, generation: 1 }),
    encodeFrame('read', frame.read, 4, { offset: 4 * mib, length: 4 * mib, generation: 1 }),
    encodeFrame('close', frame.close, 5, { sequence: 0 }),
  ],
  caller: (_, name) => [
    hello(),
    encodeFrame('imageListOpen', frame.imageListOpen, 2, { lsu: 'lsu', states: 0 }),
    encodeFrame('list', frame.imageListNext, 3, { list: 1 }),
    encodeFrame('imageCopy', frame.imageCopy, 4, {
      token: tokenOf(name),
      from_lsu: 'lsu',
      to_lsu: 'lsu',
      from: imageDefinition('source', 7),
      to: imageDefinition(name, 7),
    }),
    encodeFrame('imageByname', frame.imageDelete, 5, { lsu: 'lsu', def: imageDefinition(name, 7) }),
  ],
};

describe.each(Object.entries(lives))('a %s that vanishes', (kind, life) => {
  test('after each of its frames, or in the middle of one, leaves nothing', async () => {
    await bystander.ok('create_image v s lsu source 7');
    await bystander.ok(`write s 0 ${8 * mib} 3`);
    await bystander.ok('close s 1');
    const count = life(0, '').length;
    for (let last = 0; last < count; last++) {
      // Cut in the middle; whole and gone at once; whole and gone when the answer is on its way.
      for (const cut of ['half', 'whole', 'answered'] as const) {
        const name = `${kind}-${last}-${cut}`;
        const client = await WireClient.connect(engine.socket);
        let arena = 0;
        for (let i = 0; i <= last; i++) {
          const bytes = life(arena, name)[i] as Buffer;
          const type = bytes.readUInt16LE(4);
          const oneWay = bytes.readBigUInt64LE(8) === 0n;
          if (i === last) {
            client.send(cut === 'half' ? bytes.subarray(0, bytes.length >> 1) : bytes);
            if (cut === 'answered' && !oneWay) await client.reply();
            break;
          }
          client.send(bytes);
          if (oneWay) continue;
          // A reader's arena comes before the reply to its first READ, a writer's behind that to its CREATE.
          if (type === frame.read && arena === 0) arena = ((await client.next(frame.arena)) as Buffer).readUInt32LE(16);
          expect((await client.reply()).status).toBe(0);
          if (type === frame.imageCreate) ({ arena } = await client.arena());
        }
        await client.end();
      }
    }
    // Only a close that was sent as a whole may have made an image complete.
    await until(async () => (await engine.status()).jobs.length === 1);
    const { images } = (await bystander.ok('list_images v lsu complete')) as unknown as { images: { image: string }[] };
    const complete = images.map(({ image }) => image).filter((name) => name.startsWith('writer'));
    expect(complete.filter((name) => !/^writer-6-(whole|answered)$/.test(name))).toEqual([]);
    if (kind === 'writer') expect(complete).toContain('writer-6-answered');
  });
});

test('a host program that forks and dies loses its handles though its child keeps the descriptors', async () => {
  const host = await engine.script();
  await host.ok('create_image v w lsu orphan 7');
  await host.ok(`write w 0 ${mib} 3`);
  await host.ok('flush w');
  await host.ok(`write w ${mib} ${mib} 3`);
  const { pid } = (await host.ok('fork_idle 60')) as unknown as { pid: number };
  try {
    host.child.stdin?.write('die\n');
    expect(await host.ended()).toBe('SIGKILL');
    await until(async () => (await bystander.ok('prop_byname v lsu orphan 7')).state_bits === 1);
    expect(await bystander.ok('prop_byname v lsu orphan 7')).toMatchObject({ size: mib, durable: mib });
    await until(async () => (await engine.status()).handles.open === 1);
    await bystander.ok('open_image v w lsu orphan 7 write');
    await bystander.ok('close w 1');
  } finally {
    process.kill(pid, 'SIGKILL');
  }
});

test('hundreds of idle connections take no handle; those with HELLO are bounded by handles_max', async () => {
  const silent = await Promise.all(Array.from({ length: 300 }, () => WireClient.connect(engine.socket)));
  await bystander.ok('create_image v extra lsu extra 7');
  await bystander.ok('close extra 1');
  const greeted = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const client = await WireClient.connect(engine.socket);
      return { client, reply: await client.hello() };
    }),
  );
  const taken = greeted.filter(({ reply }) => reply.status === 0);
  // The bystander holds two: its storage server and its image.
  expect(taken).toHaveLength(handlesMax - 2);
  for (const { reply } of greeted) {
    if (reply.status !== 0) expect(reply.text).toContain(`${handlesMax} handles are open: raise [engine] handles_max`);
  }
  const refused = await bystander.call('open_image v r lsu extra 7 read');
  expect(refused).toMatchObject({ name: 'STS_EBUSY', text: expect.stringContaining('handles are open') });
  // Who looks for the reason is answered all the same.
  expect((await engine.status()).handles.max).toBe(handlesMax);
  await bystander.ok(`write i ${5 * mib} 512 9`);
  // Those that were refused hold up nobody, also while they stay.
  for (const { client } of taken) await client.end();
  await until(async () => (await bystander.call('open_image v r lsu extra 7 read')).status === 0);
  await bystander.ok('close r 0');
  expect(sockets(engine.pid)).toBeGreaterThan(500);
  for (const { client } of greeted) await client.end();
  for (const client of silent) await client.end();
});
