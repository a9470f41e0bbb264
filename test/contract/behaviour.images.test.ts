/** One test for each cell of the table of images: every call on an image in every state, on both stores. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { status } from '../../engine/core/errors.ts';
import { closeFlag, frame, openMode } from '../../engine/core/wire.ts';
import { type ImageCall, type ImageState, imageCalls, imageStates } from '../../engine/image/lifecycle.ts';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled, until } from '../support/engine-state.ts';
import type { Answer, HostScript } from '../support/host-program.ts';
import { type Opened, WireClient } from '../support/wire-client.ts';
import { expectCell } from './behaviour-kit.ts';
import { imageTable } from './behaviour-table.ts';

const bytes = 4096;
/** Calls on the writer's own handle: its state is the image's. */
const ofWriter: ReadonlySet<ImageCall> = new Set([
  'write',
  'flush',
  'writeMeta',
  'closeComplete',
  'closeIncomplete',
  'writerGone',
]);

/** What a case works on: `owner` wrote the image, `other` is another process. */
interface Case {
  engine: TestEngine;
  name: string;
  owner: HostScript;
  other: HostScript;
}

function named(reply: { status: number; text: string }): { name: string; text: string } {
  const word = Object.entries(status).find(([, value]) => value === reply.status)?.[0];
  return { name: word === 'OK' ? 'STS_EOK' : `STS_${word}`, text: reply.text };
}

async function makeState(state: ImageState, { engine, name, owner }: Case): Promise<void> {
  if (state === 'absent') return;
  await owner.ok(`create_image v i lsu ${name} 7`);
  await owner.ok(`write i 0 ${bytes} 3`);
  if (state === 'busy') return;
  await owner.ok(`close i ${state === 'pending' ? 0 : 1}`);
  if (state === 'damaged') writeFileSync(join(engine.store, `lsu/${name}~7/image.meta`), '{"state":"complete"}\n');
}

/** A handle for write that was closed when the image came into this state. */
async function staleHandle(state: ImageState, at: Case): Promise<void> {
  const { owner, name } = at;
  if (state !== 'absent') return makeState(state, at);
  await owner.ok(`create_image v i lsu ${name} 7`);
  await owner.ok('close i 0');
  await owner.ok(`delete v lsu ${name} 7`);
}

const lines: Readonly<Partial<Record<ImageCall, (name: string) => string>>> = {
  create: (name) => `create_image v x lsu ${name} 7`,
  openRead: (name) => `open_image v x lsu ${name} 7 read`,
  openWrite: (name) => `open_image v x lsu ${name} 7 write`,
  write: () => `write i ${bytes} ${bytes} 3`,
  flush: () => 'flush i',
  writeMeta: () => 'meta_write_bytes i 0 text:some',
  closeComplete: () => 'close i 1',
  closeIncomplete: () => 'close i 0',
  delete: (name) => `delete v lsu ${name} 7`,
  copyFrom: (name) => `copy v lsu ${name}.copy 7 lsu ${name} 7`,
  copyTo: (name) => `copy v lsu ${name} 7 lsu source 7`,
  properties: (name) => `prop_byname v lsu ${name} 7`,
};

/** The state as a third party sees it, and whether the bytes are what was written. */
async function expectState(state: string, { other, name }: Case, content: number | null): Promise<void> {
  const prop = await other.call(`prop_byname v lsu ${name} 7`);
  if (state === 'absent') {
    expect(prop.name).toBe('STS_ENOENT');
    return;
  }
  const words: Record<string, object> = {
    pending: { state_bits: 1 },
    busy: { state_bits: 5 },
    complete: { state_bits: 2 },
    damaged: { state_bits: 9, size: 0 },
  };
  expect(prop).toMatchObject({ name: 'STS_EOK', ...words[state] });
  if (state !== 'complete' || content === null) return;
  await other.ok(`open_image v check lsu ${name} 7 read`);
  expect(await other.ok('read check 0 1M expect=3')).toMatchObject({ got: content, match: true });
  await other.ok('close check 0');
}

async function runByPlugin(call: ImageCall, at: Case): Promise<Answer> {
  const host = ofWriter.has(call) ? at.owner : at.other;
  const line = lines[call];
  if (line === undefined) throw new Error(`no line for ${call}`);
  return host.call(line(at.name));
}

async function resumeCase(call: 'resume' | 'resumeOther', state: ImageState, at: Case): Promise<void> {
  const { engine, name } = at;
  await using first = await WireClient.greeted(engine.socket);
  let made: Opened = { status: 0, text: '', body: Buffer.alloc(0), token: randomBytes(16), imageId: randomBytes(16) };
  if (state !== 'absent') {
    made = await first.create('lsu', name, 7);
    expect(made.status).toBe(0);
  }
  if (state !== 'absent' && state !== 'busy') {
    const flags = state === 'pending' ? 0 : closeFlag.complete;
    const closed = await first.call('close', frame.close, { sequence: 0, flags });
    expect(closed.status).toBe(0);
    await first.end();
  }
  if (state === 'damaged') writeFileSync(join(engine.store, `lsu/${name}~7/image.meta`), 'x');
  await using again = await WireClient.greeted(engine.socket);
  const token = call === 'resume' ? made.token : randomBytes(16);
  const cell = imageTable[call][state];
  expectCell(named(await again.resume(token, made.imageId, 'lsu', name, 7)), cell);
  await expectState(cell.status === 'OK' ? cell.effect : state, at, null);
  if (call === 'resume' && state === 'busy') await first.ended; // the older connection has lost the image
}

const stores = ['file', 'memory'] as const;

describe.each(stores)('%s store', (store) => {
  let engine: TestEngine;
  let from: Baseline;
  beforeAll(async () => {
    engine = await TestEngine.start({ config: { engine: { store } } });
    from = baseline(engine);
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v s lsu source 7');
    await host.ok(`write s 0 ${bytes} 3`);
    await host.ok('close s 1');
  });
  afterAll(async () => {
    await settled(engine, from);
    await engine[Symbol.asyncDispose]();
  });

  // In the memory store nothing lies anywhere that could be damaged from outside.
  const states = imageStates.filter((state) => store === 'file' || state !== 'damaged');
  const cells = imageCalls.flatMap((call) => states.map((state) => [call, state] as const));
  test.concurrent.each(cells)('%s of an image that is %s', async (call, state) => {
    const cell = imageTable[call][state];
    const name = `${call}-${state}`;
    await using owner = await engine.script();
    await using other = await engine.script();
    const at: Case = { engine, name, owner, other };
    if (call === 'resume' || call === 'resumeOther') {
      await resumeCase(call, state, at);
      return;
    }
    if (call === 'writerGone') {
      await (state === 'busy' ? makeState(state, at) : staleHandle(state, at));
      owner.child.kill('SIGKILL');
      await owner.ended();
      await until(async () => (await other.call(`prop_byname v lsu ${name} 7`)).state_bits !== 5);
      await expectState(cell.effect, at, bytes);
      return;
    }
    if (cell.unreachable) {
      await staleHandle(state, at);
      expect((await runByPlugin(call, at)).name).toBe('STS_EINVAL');
      await expectState(state, at, bytes);
      return;
    }
    await makeState(state, at);
    expectCell(await runByPlugin(call, at), cell);
    await expectState(cell.status === 'OK' ? cell.effect : state, at, call === 'create' ? null : bytes);
    if (call === 'copyFrom') {
      const copied: Case = { ...at, name: `${name}.copy` };
      await expectState(cell.status === 'OK' ? 'complete' : 'absent', copied, bytes);
    }
  });

  test.concurrent('blocks and calls on a connection whose image was closed end that connection', async () => {
    for (const again of [frame.submit, frame.flush, frame.close] as const) {
      await using client = await WireClient.greeted(engine.socket);
      expect((await client.create('lsu', `closed-${again}`, 7)).status).toBe(0);
      const { arena } = await client.arena();
      expect((await client.call('close', frame.close, { sequence: 0, flags: 0 })).status).toBe(0);
      if (again === frame.submit) {
        const values = { arena, slot: 0, slot_offset: 0, length: 512, offset: 0, sequence: 1 };
        client.send(client.frame('submit', frame.submit, values));
      }
      if (again === frame.flush) client.send(client.frame('flush', frame.flush, { sequence: 0 }));
      if (again === frame.close) client.send(client.frame('close', frame.close, { sequence: 0 }));
      if (again === frame.submit) continue; // taken and dropped: it may have crossed a close that failed
      await client.ended;
    }
  });

  test.concurrent('an open in a mode that there is not is refused', async () => {
    await using client = await WireClient.greeted(engine.socket);
    expect(named(await client.open(openMode.read + openMode.write, 'lsu', 'source', 7))).toMatchObject({
      name: 'STS_EINVAL',
      text: expect.stringContaining('open mode 3 is unknown'),
    });
  });
});
