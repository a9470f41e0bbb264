/**
 * A client that sent a block behind its own FLUSH or CLOSE changed the image while it was made durable: the pending meta
 * that a rewrite needs could replace the complete one that was acknowledged.
 */
import { expect, test } from 'vitest';
import { closeFlag, encodeFrame, frame } from '../../engine/core/wire.ts';
import { TestEngine } from '../support/engine.ts';
import { baseline, settled } from '../support/engine-state.ts';
import { WireClient } from '../support/wire-client.ts';

test('a block behind a close ends the connection, and the image is as the close left it', async () => {
  await using engine = await TestEngine.start();
  const from = baseline(engine);
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    const client = await WireClient.greeted(engine.socket);
    expect((await client.create('lsu', 'image', 7)).status).toBe(0);
    const { arena } = await client.arena();
    const block = (slot: number, sequence: number) =>
      encodeFrame('submit', frame.submit, 0, { arena, slot, slot_offset: 0, length: 4096, offset: 0, sequence });
    client.send(block(0, 1));
    const close = client.frame('close', frame.close, { sequence: 1, flags: closeFlag.complete });
    client.send(Buffer.concat([close, block(1, 2)]));
    await client.ended;
  }
  await settled(engine, from);
  const refused = engine.log().filter((line) => String(line.why).includes('a block while a call is under way'));
  expect(refused.length).toBe(1);
});
