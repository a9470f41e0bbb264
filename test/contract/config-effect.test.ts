/** Each key of vast-ost.conf does what it says: one test for each, seen from outside. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askEngine } from '../../cli/engine-call.ts';
import { cpusText } from '../../engine/config-forms.ts';
import { configKeys } from '../../engine/config-keys.ts';
import { status } from '../../engine/core/errors.ts';
import type { StatusPool } from '../../engine/core/status-report.ts';
import { frame } from '../../engine/core/wire.ts';
import { machineFacts } from '../../engine/machine.ts';
import { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { HostScript } from '../support/host-program.ts';
import { WireClient } from '../support/wire-client.ts';
import { type Faulty, startFaulty } from './faults-kit.ts';

const mib = 1 << 20;

/** A processor that this process, and so its engines, may run on. */
const lastCpu = machineFacts().allowedCpus?.at(-1) ?? 0;

/** Of every thread, as the kernel writes it. */
function processors(engine: TestEngine): string[] {
  const tasks = `/proc/${engine.pid}/task`;
  const lists = readdirSync(tasks).map((thread) => readFileSync(join(tasks, thread, 'status'), 'latin1'));
  return [...new Set(lists.map((text) => /^Cpus_allowed_list:\s*(.*)$/m.exec(text)?.[1] ?? ''))];
}

/** Two engines that differ in every key that can be compared while they run. */
let one: TestEngine;
let two: TestEngine;

beforeAll(async () => {
  [one, two] = await Promise.all([
    TestEngine.start({
      config: {
        general: { use_direct_io: true, block_size_mb: 4 },
        performance: { write_buffer_count: 3, read_ahead_mb: 0, thread_pool_size: 4 },
        logging: { log_level: 'DEBUG' },
        engine: { socket_mode: '0600', max_memory_mb: 256, handles_max: 64, digest_lanes: 1, cpus: lastCpu },
        integrity: { sums: true, checksum: 'sha256' },
      },
    }),
    TestEngine.start({
      config: {
        general: { use_direct_io: false, block_size_mb: 8 },
        performance: { write_buffer_count: 2, read_ahead_mb: 16, thread_pool_size: 4 },
        logging: { log_level: 'ERROR' },
        engine: { socket_mode: '0666', max_memory_mb: 200, handles_max: 5, digest_lanes: 3 },
        integrity: { sums: false, checksum: 'none' },
      },
    }),
  ]);
  for (const engine of [one, two]) {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu done 7');
    await host.ok(`write i 0 ${24 * mib} 3`);
    await host.ok('close i 1');
  }
});
afterAll(async () => {
  for (const engine of [one, two]) {
    await engine.stop();
    await engine[Symbol.asyncDispose]();
  }
});

async function pool(engine: TestEngine, name: StatusPool['name']): Promise<StatusPool> {
  return (await engine.status()).pools.find((found) => found.name === name) as StatusPool;
}

async function writerArena(engine: TestEngine, image: string): Promise<{ slots: number; slotBytes: number }> {
  await using client = await WireClient.greeted(engine.socket);
  const made = await client.create('lsu', image, 7);
  expect(made.text).toBe('');
  return await client.arena();
}

/** Slots of a reader that read everything in order. */
async function readerSlots(engine: TestEngine): Promise<number> {
  await using host = await engine.script();
  await host.ok('open_image v r lsu done 7 read');
  for (let at = 0; at < 24; at++) await host.ok(`read r ${at * mib} ${mib} expect=3`);
  const { jobs } = await engine.status();
  return jobs[0]?.slots.of ?? 0;
}

async function isDirect(engine: TestEngine): Promise<boolean> {
  await using host = await engine.script();
  await host.ok('create_image v i lsu direct 7');
  const fds = `/proc/${engine.pid}/fd`;
  const data = readdirSync(fds).filter((fd) => readlinkSync(join(fds, fd)).endsWith('/direct~7/image.data'));
  expect(data).toHaveLength(1);
  const flags = /flags:\s*([0-7]+)/.exec(readFileSync(`/proc/${engine.pid}/fdinfo/${data[0]}`, 'utf8'))?.[1];
  await host.ok('close i 0');
  await host.ok('delete v lsu direct 7');
  // O_DIRECT: 040000 on x86-64, 0200000 on arm64.
  return (Number.parseInt(flags ?? '', 8) & (process.arch === 'arm64' ? 0o200000 : 0o40000)) !== 0;
}

function levels(engine: TestEngine): string[] {
  const path = join(engine.directory, 'engine.log');
  return existsSync(path) ? [...new Set(engine.log().map((line) => String(line.level)))] : [];
}

/** Payload writes hang; `images` writers have submitted `blocks` blocks each. How many writes are under way then? */
async function writesUnderWay({ engine, shim }: Faulty, images: number, blocks: number, expected: number) {
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  for (let i = 0; i < images; i++) await host.ok(`create_image v i${i} lsu image${i} 7`);
  shim.arm(0, { action: 'hang', count: 0, names: ['write'], path: '*image.data' });
  for (let i = 0; i < images; i++) {
    await host.ok(`write i${i} 0 ${blocks * 4 * mib} 3`);
    await host.ok(`prop i${i}`); // behind the blocks on the same connection: the engine has them
  }
  await until(() => shim.counts(0).holding >= expected);
  const { busy } = await pool(engine, 'io');
  const { holding } = shim.counts(0);
  shim.disarm(0);
  for (let i = 0; i < images; i++) await host.ok(`close i${i} 1`);
  return { holding, busy };
}

/** Its one block hangs on its way to the file. */
async function hangingWriter({ engine, shim }: Faulty): Promise<HostScript> {
  const host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu image 7');
  shim.arm(0, { action: 'hang', count: 0, names: ['write'], path: '*image.data' });
  await host.ok(`write i 0 ${4 * mib} 3`);
  return host;
}

const slots = { write_buffer_count: 4, thread_pool_size: 4 };

const effects: Record<string, () => Promise<void>> = {
  'general.nfs_mount_point': async () => {
    expect(one.store).not.toBe(two.store);
    for (const engine of [one, two]) {
      expect(existsSync(join(engine.store, 'lsu/done~7/image.data'))).toBe(true);
      expect((await engine.status()).mounts[0]?.root).toBe(engine.store);
    }
  },
  'general.use_direct_io': async () => {
    expect([await isDirect(one), await isDirect(two)]).toEqual([true, false]);
  },
  'general.block_size_mb': async () => {
    expect([(await writerArena(one, 'block')).slotBytes, (await writerArena(two, 'block')).slotBytes]).toEqual([
      4 * mib,
      8 * mib,
    ]);
  },
  'general.metadata_format': async () => {
    const text = readFileSync(join(one.store, 'lsu/done~7/image.meta'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ image_name: 'done', size: 24 * mib });
    const refused = TestEngine.start({ config: { general: { metadata_format: 'xml' } } });
    await expect(refused).rejects.toThrow('metadata_format = xml cannot be used; write only json');
  },
  'performance.write_buffer_count': async () => {
    expect([(await writerArena(one, 'slots')).slots, (await writerArena(two, 'slots')).slots]).toEqual([3, 2]);
  },
  'performance.read_ahead_mb': async () => {
    // None: the one slot it began with. 16 MiB ahead in blocks of 8: two and the one that is read.
    expect([await readerSlots(one), await readerSlots(two)]).toEqual([1, 3]);
  },
  'performance.thread_pool_size': async () => {
    await using faulty = await startFaulty({ config: { performance: { thread_pool_size: 2 } } });
    expect(await writesUnderWay(faulty, 3, 1, 2)).toEqual({ holding: 2, busy: 2 });
  },
  'logging.log_level': async () => {
    expect(levels(one)).toEqual(expect.arrayContaining(['DEBUG', 'INFO']));
    expect(levels(two).filter((level) => level !== 'ERROR')).toEqual([]);
  },
  'logging.log_file': async () => {
    expect(existsSync(join(one.directory, 'engine.log'))).toBe(true);
    await using loud = await TestEngine.start({ config: { logging: { log_file: '-' } } });
    await until(() => loud.err.includes('engine ready'));
    expect(existsSync(join(loud.directory, 'engine.log'))).toBe(false);
  },
  'engine.socket': async () => {
    const { directory } = one;
    const socket = join(directory, 'elsewhere');
    await using other = await TestEngine.start({ config: { engine: { socket } } });
    expect(existsSync(other.socket)).toBe(false);
    expect(JSON.parse((await askEngine(socket, frame.status)).toString()).engine.pid).toBe(other.pid);
    await using host = await other.script();
    await host.ok('server_prop v');
  },
  'engine.socket_mode': async () => {
    expect([one, two].map(({ socket }) => statSync(socket).mode & 0o777)).toEqual([0o600, 0o666]);
  },
  'engine.connect_wait_s': async () => {
    await using impatient = await TestEngine.start({ config: { engine: { connect_wait_s: 0 } } });
    await impatient.kill();
    await using first = new HostScript();
    await first.ok(`init ${impatient.config}`);
    await first.ok('session s job');
    expect(await first.call('open_server s v VastData:x')).toMatchObject({
      name: 'STS_ECONNECT',
      text: expect.stringContaining('after 0 s'),
    });
    await using patient = await TestEngine.start({ config: { engine: { connect_wait_s: 60 } } });
    await patient.kill();
    await using second = new HostScript();
    await second.ok(`init ${patient.config}`);
    await second.ok('session s job');
    const waits = second.call('open_server s v VastData:x');
    await patient.launch();
    expect((await waits).status).toBe(0);
  },
  'engine.max_memory_mb': async () => {
    expect((await one.status()).memory.budgetBytes).toBe(256 * mib);
    expect((await two.status()).memory.budgetBytes).toBe(200 * mib);
    await using small = await TestEngine.start({ config: { engine: { max_memory_mb: 16, handles_max: 4 } } });
    await using host = await small.script();
    await host.ok('create_lsu v lsu');
    // Three slots of 4 MiB and a quarter kept for readers: the second writer makes the first one smaller.
    for (const image of ['a', 'b']) await host.ok(`create_image v ${image} lsu ${image} 7`);
    for (const image of ['a', 'b']) await host.ok(`write ${image} 0 ${16 * mib} 3`);
    expect((await small.status()).memory.usedBytes).toBeLessThanOrEqual(12 * mib);
    for (const image of ['a', 'b']) await host.ok(`close ${image} 1`);
  },
  'engine.arena_wait_s': async () => {
    // Of 16 MiB a quarter is kept for readers: three writers find room for one slot each, the fourth has to wait.
    for (const arena_wait_s of [0, 600]) {
      const config = { engine: { max_memory_mb: 16, handles_max: 4, arena_wait_s } };
      await using engine = await TestEngine.start({ config });
      const writers = await Promise.all([0, 1, 2, 3].map(() => WireClient.greeted(engine.socket)));
      const [first, ...others] = writers as [WireClient, ...WireClient[]];
      expect((await first.call('lsu', frame.lsuCreate, { lsu: 'lsu' })).status).toBe(0);
      expect((await first.create('lsu', 'image', 7)).status).toBe(0);
      for (const i of [0, 1]) expect((await others[i]!.create('lsu', `image${i}`, 7)).status).toBe(0);
      const answer = others[2]!.create('lsu', 'last', 7);
      if (arena_wait_s === 0) {
        const text = expect.stringContaining('no memory for this image after 0 s: raise [engine] max_memory_mb');
        expect(await answer).toMatchObject({ status: status.EBUSY, text });
      } else {
        await until(async () => (await engine.status()).memory.waiting === 1);
        await first.end();
        expect((await answer).status).toBe(0);
      }
      for (const client of writers) await client.end();
    }
  },
  'engine.blocks_in_flight': async () => {
    for (const blocks_in_flight of [1, 3]) {
      await using faulty = await startFaulty({ config: { performance: slots, engine: { blocks_in_flight } } });
      const { holding } = await writesUnderWay(faulty, 1, 4, blocks_in_flight);
      expect(holding).toBe(blocks_in_flight);
    }
  },
  'engine.handles_max': async () => {
    await using host = await two.script();
    for (const name of ['a', 'b', 'c', 'd']) await host.ok(`open_server s ${name} VastData:x`);
    const refused = await host.call('open_server s e VastData:x');
    expect(refused).toMatchObject({ name: 'STS_EBUSY', text: expect.stringContaining('5 handles are open') });
  },
  'engine.meta_lanes': async () => {
    await using faulty = await startFaulty({ config: { engine: { meta_lanes: 2 } } });
    const { engine, shim } = faulty;
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    shim.arm(0, { action: 'hang', count: 0, names: ['mkdir'] });
    const hosts = await Promise.all([1, 2, 3].map(() => engine.script()));
    const calls = hosts.map((one, i) => one.call(`create_image v i lsu image${i} 7`));
    await until(async () => shim.counts(0).holding >= 2 && (await pool(engine, 'meta')).queued >= 1);
    expect(await pool(engine, 'meta')).toMatchObject({ busy: 2, max: 2 });
    expect(shim.counts(0).holding).toBe(2);
    shim.disarm(0);
    for (const call of calls) expect((await call).status).toBe(0);
    for (const one of hosts) await one[Symbol.asyncDispose]();
  },
  'engine.digest_lanes': async () => {
    expect([(await pool(one, 'digest')).max, (await pool(two, 'digest')).max]).toEqual([1, 3]);
  },
  'engine.cpus': async () => {
    // Lanes that move data, and threads of Node's own that were there before the configuration was read.
    expect((await pool(one, 'io')).completed).toBeGreaterThan(0);
    expect(readdirSync(`/proc/${one.pid}/task`).length).toBeGreaterThan(6);
    expect(processors(one)).toEqual([`${lastCpu}`]);
    expect(processors(two)).toEqual([cpusText(machineFacts().allowedCpus ?? [])]);
  },
  'engine.io_lanes_per_mount': async () => {
    await using faulty = await startFaulty({
      config: { performance: { thread_pool_size: 4 }, engine: { io_lanes_per_mount: 1 } },
    });
    expect(await writesUnderWay(faulty, 2, 1, 1)).toEqual({ holding: 1, busy: 1 });
  },
  'engine.require_mount': async () => {
    await using strict = await TestEngine.start({ config: { engine: { require_mount: true } } });
    await using host = await strict.script();
    const answer = await host.call('create_lsu v lsu');
    expect(answer).toMatchObject({ name: 'STS_ENOTMOUNTED', text: expect.stringContaining(strict.store) });
    expect(readdirSync(strict.store)).toEqual(['.vast-ost-store']);
  },
  'engine.drain_s': async () => {
    for (const [drain_s, end] of [
      [0, 'SIGKILL'],
      [60, 0],
    ] as const) {
      await using faulty = await startFaulty({ config: { engine: { drain_s } } });
      const { engine, shim } = faulty;
      await using _host = await hangingWriter(faulty);
      await until(() => shim.counts(0).holding > 0);
      const ended = engine.stop();
      if (end === 0) {
        await until(() => engine.log().some((line) => line.msg === 'engine stops'));
        shim.release(0);
      }
      expect(await ended).toBe(end);
    }
  },
  'engine.lane_overdue_s': async () => {
    for (const [lane_overdue_s, lost] of [
      [1, true],
      [600, false],
    ] as const) {
      await using faulty = await startFaulty({ config: { engine: { lane_overdue_s } } });
      const { engine, shim } = faulty;
      await using host = await hangingWriter(faulty);
      await until(async () => (await engine.status()).mounts[0]!.stalledSeconds > 1.5);
      // The lost order is tried again, in a lane that hangs as well.
      expect((await pool(engine, 'io')).lost > 0).toBe(lost);
      shim.disarm(0);
      await host.ok('close i 1');
    }
  },
  'engine.store': async () => {
    await using memory = await TestEngine.start({ config: { engine: { store: 'memory' } } });
    await using host = await memory.script();
    expect((await host.ok('server_prop v')).store).toBe('memory');
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok('write i 0 512 3');
    await host.ok('close i 1');
    expect(readdirSync(memory.store)).toEqual(['.vast-ost-store']);
    await using onFiles = await one.script();
    expect((await onFiles.ok('server_prop v')).store).toBe('file');
  },
  'integrity.sums': async () => {
    const has = [one, two].map(({ store }) => existsSync(join(store, 'lsu/done~7/image.sums')));
    expect(has).toEqual([true, false]);
  },
  'integrity.checksum': async () => {
    const checksums = await Promise.all(
      [one, two].map(async (engine) => {
        await using host = await engine.script();
        return (await host.ok('prop_byname v lsu done 7')).checksum;
      }),
    );
    expect(checksums).toEqual([expect.stringMatching(/^sha256:[0-9a-f]{64}$/), '']);
  },
};

test.each(configKeys.map(({ section, key }) => `${section}.${key}`))('%s', async (key) => {
  const effect = effects[key];
  expect(effect, `a test for ${key}`).toBeDefined();
  await effect?.();
});
