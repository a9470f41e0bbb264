/**
 * A host program that vanished while its open waited for memory went on waiting, held a handle and a place in the line,
 * and in the end an image was made for nobody; an engine that was told to stop waited for it until it killed itself.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFrame, frame } from '../../engine/core/wire.ts';
import { TestEngine } from '../support/engine.ts';
import { baseline, settled, until } from '../support/engine-state.ts';
import { imageDefinition, WireClient } from '../support/wire-client.ts';

/** Memory for very few: 24 MiB, of which writers get 18, which is four slots. */
const config = { general: { block_size_mb: 4 }, engine: { max_memory_mb: 24, handles_max: 6, drain_s: 20 } };

async function fill(engine: TestEngine): Promise<WireClient[]> {
  const clients: WireClient[] = [];
  for (let i = 0; i < 4; i++) {
    const client = await WireClient.greeted(engine.socket);
    clients.push(client);
    expect((await client.create('lsu', `held-${i}`, 7)).status).toBe(0);
  }
  return clients;
}

async function waiter(engine: TestEngine): Promise<WireClient> {
  const client = await WireClient.greeted(engine.socket);
  const values = { token: Buffer.alloc(16, 9), lsu: 'lsu', def: imageDefinition('late', 7) };
  client.send(encodeFrame('imageCreate', frame.imageCreate, client.nextCallId(), values));
  await until(async () => (await engine.status()).memory.waiting === 1);
  return client;
}

test('a client that is lost while it waits for memory lets go at once, and nothing is made for it', async () => {
  await using engine = await TestEngine.start({ config });
  const from = baseline(engine);
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
  }
  const held = await fill(engine);
  const waiting = await waiter(engine);
  await waiting.end();
  await until(async () => (await engine.status()).memory.waiting === 0);
  for (const client of held) await client.end();
  await settled(engine, from);
  expect(existsSync(join(engine.store, 'lsu/late~7'))).toBe(false);
});

test('an engine stops in good order while a client waits for memory', async () => {
  await using engine = await TestEngine.start({ config });
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
  }
  await fill(engine);
  await waiter(engine);
  expect(await engine.stop()).toBe(0);
});
