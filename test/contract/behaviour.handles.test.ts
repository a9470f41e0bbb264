/** One test for each cell of the tables of handles: of images, of storage servers, of lists. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled } from '../support/engine-state.ts';
import type { Answer, HostScript } from '../support/host-program.ts';
import { expectCell, inChild, pairs } from './behaviour-kit.ts';
import {
  type HandleCall,
  type HandleState,
  handleCalls,
  handleTable,
  type ListCall,
  listCalls,
  listTable,
  type ServerCall,
  serverCalls,
  serverTable,
} from './behaviour-table.ts';

const bytes = 4096;
const config = { engine: { connect_wait_s: 0 } };

const handleLines: Readonly<Record<HandleCall, (handle: string) => string>> = {
  write: (handle) => `write ${handle} ${bytes} ${bytes} 3`,
  read: (handle) => `read ${handle} 0 1M expect=3`,
  flush: (handle) => `flush ${handle}`,
  writeMeta: (handle) => `meta_write_bytes ${handle} 0 text:some`,
  readMeta: (handle) => `meta_read ${handle} 0 100`,
  properties: (handle) => `prop ${handle}`,
  closeIncomplete: (handle) => `close ${handle} 0`,
  closeComplete: (handle) => `close ${handle} 1`,
};

const serverLines: Readonly<Record<ServerCall, (server: string, name: string) => string>> = {
  serverProp: (server) => `server_prop ${server}`,
  lsuProp: (server) => `lsu_prop ${server} lsu`,
  createLsu: (server, name) => `create_lsu ${server} new-${name}`,
  labelLsu: (server) => `label_lsu ${server} lsu text`,
  openLsuList: (server) => `open_lsu_list ${server} l`,
  openImageList: (server) => `open_image_list ${server} l lsu`,
  createImage: (server, name) => `create_image ${server} x lsu new-${name} 7`,
  openImageRead: (server) => `open_image ${server} x lsu done 7 read`,
  openImageWrite: (server, name) => `open_image ${server} x lsu pending-${name} 7 write`,
  imageProp: (server) => `prop_byname ${server} lsu done 7`,
  deleteImage: (server, name) => `delete ${server} lsu pending-${name} 7`,
  copyImage: (server, name) => `copy ${server} lsu copy-${name} 7 lsu done 7`,
  closeServer: (server) => `close_server ${server}`,
};

const listLines: Readonly<Record<'lsu' | 'image', Readonly<Record<ListCall | 'make', (list: string) => string>>>> = {
  lsu: {
    make: (list) => `open_lsu_list w ${list}`,
    list: (list) => `list_lsu ${list}`,
    close: (list) => `close_lsu_list ${list}`,
  },
  image: {
    make: (list) => `open_image_list w ${list} lsu`,
    list: (list) => `list_image ${list}`,
    close: (list) => `close_image_list ${list}`,
  },
};
const listKinds = ['lsu', 'image'] as const;

async function startEngine(): Promise<TestEngine> {
  const engine = await TestEngine.start({ config });
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu done 7');
  await host.ok(`write i 0 ${bytes} 3`);
  await host.ok('close i 1');
  return engine;
}

/** A handle `h` on an image `name`, open for `mode`, with 4 KiB in it that are durable. */
async function openHandle(host: HostScript, name: string, mode: 'write' | 'read'): Promise<void> {
  await host.ok(`create_image v ${name} lsu ${name} 7`);
  await host.ok(`write ${name} 0 ${bytes} 3`);
  if (mode === 'write') {
    await host.ok(`flush ${name}`);
    return;
  }
  await host.ok(`close ${name} 1`);
  await host.ok(`open_image v ${name} lsu ${name} 7 read`);
}

async function pendingImage(host: HostScript, name: string): Promise<void> {
  await host.ok(`create_image v i lsu ${name} 7`);
  await host.ok('close i 0');
}

async function makeFailed(host: HostScript, name: string): Promise<void> {
  await openHandle(host, name, 'write');
  await host.ok(`close ${name} 0`);
  await host.ok(`open_image v ${name} lsu ${name} 7 write`);
  await host.ok(`write ${name} ${3 * bytes} ${bytes} 3`);
  expect((await host.call(`flush ${name}`)).name).toBe('STS_EINVAL'); // the failure, told for the first time
}

describe('with an engine', () => {
  let engine: TestEngine;
  let from: Baseline;
  beforeAll(async () => {
    engine = await startEngine();
    from = baseline(engine);
  });
  afterAll(async () => {
    await settled(engine, from);
    await engine[Symbol.asyncDispose]();
  });

  async function stateOf(host: HostScript, name: string): Promise<Answer> {
    return host.call(`prop_byname v lsu ${name} 7`);
  }

  const living = ['write', 'read', 'closed', 'failed', 'forked', 'null'] as const satisfies readonly HandleState[];
  test.concurrent.each(pairs(handleCalls, living))('image: %s, handle %s', async (call, state) => {
    const cell = handleTable[call][state];
    const name = `${call}-${state}`;
    await using host = await engine.script();
    if (state === 'failed') await makeFailed(host, name);
    else if (state !== 'null') await openHandle(host, name, state === 'read' ? 'read' : 'write');
    if (state === 'closed') await host.ok(`close ${name} 0`);
    const line = handleLines[call](state === 'null' ? 'null' : name);
    const answer = state === 'forked' ? await inChild(host, line) : await host.call(line);
    expectCell(answer, cell);
    if (state === 'write') {
      if (call === 'write') expect(answer.written).toBe(bytes);
      if (call === 'flush') expect(await host.ok(`prop ${name}`)).toMatchObject({ durable: bytes });
      if (call === 'closeIncomplete') expect(await stateOf(host, name)).toMatchObject({ state_bits: 1, size: bytes });
      if (call === 'closeComplete') expect(await stateOf(host, name)).toMatchObject({ state_bits: 2, size: bytes });
    }
    if (call === 'read' && state === 'read') expect(answer).toMatchObject({ got: bytes, match: true });
    if (call === 'properties' && cell.status === 'OK') expect(answer.size).toBeGreaterThanOrEqual(bytes);
    if (state === 'read') await host.call(`close ${name} 0`);
    // What a child does is no matter of its parent's handle.
    if (state === 'forked') {
      await host.ok(`flush ${name}`);
      await host.ok(`close ${name} 1`);
    }
    if (state === 'failed') {
      if (!call.startsWith('close')) await host.ok(`close ${name} 0`);
      expect(await stateOf(host, name)).toMatchObject({ state_bits: 1, size: bytes });
      expect((await host.call(`close ${name} 0`)).name).toBe('STS_EINVAL');
    }
  });

  const present = ['open', 'closed', 'forked', 'null'] as const;
  test.concurrent.each(pairs(serverCalls, present))('storage server: %s, handle %s', async (call, state) => {
    const cell = serverTable[call][state];
    const name = `${call}-${state}`;
    await using host = await engine.script();
    await pendingImage(host, `pending-${name}`);
    await host.ok('open_server s w VastData:test');
    if (state === 'closed') await host.ok('close_server w');
    const line = serverLines[call](state === 'null' ? 'null' : 'w', name);
    const answer = state === 'forked' ? await inChild(host, line) : await host.call(line);
    expectCell(answer, cell);
    if (call === 'serverProp' && state === 'open') expect(answer.mounted).toBe(true);
    if (state === 'forked') await host.ok('server_prop w');
    if (call === 'labelLsu' && state === 'open') expect((await host.ok('lsu_prop w lsu')).label).toBe('text');
  });

  const lists = ['open', 'atEnd', 'closed', 'serverClosed', 'forked', 'null'] as const;
  test.concurrent.each(pairs(listCalls, lists))('list: %s, handle %s', async (call, state) => {
    const cell = listTable[call][state];
    await using host = await engine.script();
    for (const kind of listKinds) {
      const lines = listLines[kind];
      await host.ok('open_server s w VastData:test');
      await host.ok(lines.make('l'));
      if (state === 'atEnd') {
        let answer = await host.ok(lines.list('l'));
        while (answer.name === 'STS_EOK') answer = await host.call(lines.list('l'));
        expect(answer.name).toBe('STS_ENOENT');
      }
      if (state === 'closed') await host.ok(lines.close('l'));
      if (state === 'serverClosed') await host.ok('close_server w');
      const line = lines[call](state === 'null' ? 'null' : 'l');
      const answer = state === 'forked' ? await inChild(host, line) : await host.call(line);
      expectCell(answer, cell);
      if (state === 'forked') await host.ok(lines.close('l'));
    }
  });
});

/** Handles for every call, made before the state comes over all of them. */
async function prepare(engine: TestEngine): Promise<HostScript> {
  const host = await engine.script();
  for (const call of handleCalls) await openHandle(host, call, call === 'read' ? 'read' : 'write');
  for (const call of serverCalls) await pendingImage(host, `pending-${call}`);
  await host.ok('open_server s w VastData:test');
  await host.ok('open_server s closed VastData:test');
  for (const kind of listKinds) {
    for (const call of listCalls) await host.ok(listLines[kind].make(`${kind}-${call}`));
  }
  return host;
}

describe('the engine is gone', () => {
  let engine: TestEngine;
  let host: HostScript;
  beforeAll(async () => {
    engine = await startEngine();
    host = await prepare(engine);
    await engine.kill();
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  test.each(handleCalls)('image: %s', async (call) => {
    expectCell(await host.call(handleLines[call](call)), handleTable[call].engineGone);
    if (call.startsWith('close')) expect((await host.call(`close ${call} 0`)).name).toBe('STS_EINVAL');
  });
  test.each(serverCalls)('storage server: %s', async (call) => {
    const server = call === 'closeServer' ? 'closed' : 'w';
    expectCell(await host.call(serverLines[call](server, call)), serverTable[call].engineGone);
  });
  test.each(pairs(listCalls, listKinds))('list: %s of %s', async (call, kind) => {
    expectCell(await host.call(listLines[kind][call](`${kind}-${call}`)), listTable[call].engineGone);
  });
});

describe('the storage is not mounted', () => {
  let engine: TestEngine;
  let from: Baseline;
  let host: HostScript;
  beforeAll(async () => {
    engine = await startEngine();
    from = baseline(engine);
    host = await prepare(engine);
    const marker = join(engine.store, '.vast-ost-store');
    renameSync(marker, join(engine.directory, 'marker'));
    expect((await host.ok('server_prop w')).mounted).toBe(false);
  });
  afterAll(async () => {
    renameSync(join(engine.directory, 'marker'), join(engine.store, '.vast-ost-store'));
    expect((await host.ok('server_prop v')).mounted).toBe(true);
    // What was durable is there; the claims that could not be dropped are taken over.
    for (const call of ['flush', 'closeIncomplete', 'closeComplete']) {
      await host.call(`close ${call} 0`);
      await host.ok(`open_image v i lsu ${call} 7 write`);
      expect(await host.ok('prop i')).toMatchObject({ durable: bytes });
      await host.ok('close i 1');
    }
    await host[Symbol.asyncDispose]();
    await settled(engine, from);
    await engine[Symbol.asyncDispose]();
  });

  test.each(handleCalls)('image: %s', async (call) => {
    const answer = await host.call(handleLines[call](call));
    expectCell(answer, handleTable[call].notMounted);
    if (call.startsWith('close')) expect((await host.call(`close ${call} 0`)).name).toBe('STS_EINVAL');
    if (call === 'read') expect(answer).toMatchObject({ got: bytes, match: true });
  });
  test.each(serverCalls)('storage server: %s', async (call) => {
    const server = call === 'closeServer' ? 'closed' : 'w';
    const answer = await host.call(serverLines[call](server, call));
    expectCell(answer, serverTable[call].notMounted);
    if (call === 'serverProp') expect(answer.mounted).toBe(false);
  });
});
